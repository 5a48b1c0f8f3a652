//! Whatever is sent: never a failure of the server, never a panic, never another tenant's row. The seed is fixed.

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use gesta::Tenant;
use gesta::access::{NewKey, Scope};
use gesta::server::Settings;
use http_body_util::Full;
use serde_json::{Value, json};

use super::rig::{Answer, Rig, make_administrator, make_key};
use super::runs::{catalog, fill};
use crate::support::{database, resource};

/// What only the other tenant's actions hold.
const SECRET: &str = "written-by-other";
const ROUNDS: u32 = 3_000;

/// Numbers that a seed makes: `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).expect("small")).expect("small")
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

const PATHS: [&str; 64] = [
    "/api/v1/resources",
    "/api/v1/resources/article/actions",
    "/api/v1/resources/issue/actions/publish",
    "/api/v1/resources/issue/actions/publish:plan",
    "/api/v1/resources/article/actions/publish:plan",
    "/api/v1/resources/article/actions/publish/runs",
    "/api/v1/resources/issue/actions/publish/runs",
    "/api/v1/resources/%ff/actions/%00:plan",
    "/api/v1/selections",
    "/api/v1/selections/ID",
    "/api/v1/runs",
    "/api/v1/runs/ID",
    "/api/v1/runs/ID/items",
    "/api/v1/runs/ID/messages",
    "/api/v1/runs/ID/events",
    "/api/v1/runs/ID:retry",
    "/api/v1/runs/ID:cancel",
    "/api/v1/runs/:cancel",
    "/api/v1/runs/ID/+cancel",
    "/api/v1/events/count",
    "/api/v1/events/facets",
    "/api/v1/events/histogram",
    "/api/v1/queries:parse",
    "/api/v1/events",
    "/api/v1/events.csv",
    "/api/v1/events.atom",
    "/api/v1/events:batch",
    "/api/v1/events:validate",
    "/api/v1/events/ID",
    "/api/v1/events/ID/context",
    "/api/v1/events/ID/diff",
    "/api/v1/objects/note/1/events",
    "/api/v1/objects/note/1/events.ndjson",
    "/api/v1/objects/note/1/state",
    "/api/v1/objects/note/1/diff",
    "/api/v1/actors/user/eve/events",
    "/api/v1/targets/note/1/events.rss",
    "/api/v1/any/note/1/events.as2",
    "/api/v1/types/note/events",
    "/api/v1/runs/ID/events",
    "/api/v1/feeds/user/eve",
    "/api/v1/feeds/user/ann/events",
    "/api/v1/follows",
    "/api/v1/follows/user/ann/user/eve",
    "/api/v1/keys",
    "/api/v1/keys/KEY",
    "/api/v1/roles",
    "/api/v1/roles/editor",
    "/api/v1/roles/administrator",
    "/api/v1/roles/editor/members",
    "/api/v1/roles/editor/members/user/eve",
    "/api/v1/roles/administrator/members/user/mal",
    "/api/v1/roles/%2F%2C%00/members/%ff/%",
    "/api/v1/whoami",
    "/healthz",
    "/version",
    "/docs/problems/internal",
    "/openapi.json",
    "/api/v1/objects/%2F/%00/events",
    "/api/v1/objects/%ff/%/state",
    "/api/v1/runs/x/events",
    "/api/v1//events",
    "/api/v2/events",
    "/%2e%2e/metrics",
];
const METHODS: [&str; 7] = ["GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"];
const NAMES: [&str; 28] = [
    "q", "verb", "since", "until", "limit", "cursor", "columns", "raw", "bom", "role", "flag",
    "self", "atomic", "by", "n", "format", "at", "from", "follower", "roles", "reason", "place",
    "actor", "type", "action", "object", "state", "outcome",
];
const VALUES: [&str; 40] = [
    "",
    "1",
    "0",
    "-1",
    "1000",
    "1001",
    "99999999999999999999",
    "all",
    "true",
    "false",
    "note:1",
    "user:eve",
    "zq7secret",
    "tenant:other",
    "verb:write OR (",
    "(((((((((((",
    "NOT NOT NOT x",
    "\"",
    "actor:user:eve",
    "about:note:1",
    "data.x:1",
    "text:zq7secret",
    "2h",
    "now-3d",
    "2026-13",
    "9999-12-31T23:59:59Z",
    "-999999999d",
    "0001-01-01",
    "json-patch",
    "object",
    "actor",
    "%00",
    "%F0%9F%92%A9",
    "%ff",
    "%",
    "id,verb",
    "id,id,nothing",
    "*",
    "AQABofsS0DB55JGx.xx",
    "ID",
];
const TYPES: [&str; 9] = [
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "",
    "application/JSON;;;=",
];
const HEADERS: [(&str, &str); 20] = [
    ("idempotency-key", "\"again\""),
    ("idempotency-key", "\""),
    ("accept", "text/csv"),
    ("accept", "*/*;q=0"),
    ("accept", "application/activity+json"),
    ("accept", "\u{1}"),
    ("x-gesta-tenant", "other"),
    ("x-gesta-tenant", "default"),
    ("x-gesta-tenant", ""),
    ("content-encoding", "gzip"),
    ("content-encoding", "zstd"),
    ("ce-id", "1"),
    ("ce-specversion", "1.0"),
    ("ce-type", "%ff"),
    ("ce-source", "/x"),
    ("x-request-id", "a b"),
    ("traceparent", "00-zz"),
    ("x-forwarded-for", "1.2.3.4, nonsense"),
    ("if-none-match", "*"),
    ("last-event-id", "AAAA"),
];

/// JSON of any shape, of the words that matter here.
fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(random.once_in(2)),
        2 => json!(random.next()),
        3 => json!(f64::from_bits(random.next())),
        4 => json!("\0\u{7f}\u{fffd}💩"),
        5 => json!("x".repeat(random.below(3000))),
        6 => json!(random.pick(&VALUES)),
        7 => (0..random.below(4)).map(|_| value(random, depth - 1)).collect(),
        _ => action(random, depth - 1),
    }
}

/// An action, or nearly one.
fn action(random: &mut Random, depth: usize) -> Value {
    let mut action = json!({"actor": {"type": "user", "id": "mal"}, "verb": "write"});
    let fields = [
        "id",
        "tenant",
        "actor",
        "verb",
        "object",
        "target",
        "occurred_at",
        "recorded_at",
        "run_id",
        "source",
        "outcome",
        "description",
        "changes",
        "data",
        "context",
        "audience",
        "specversion",
        "type",
        "subject",
        "name",
        "scopes",
        "labels",
        "auditor",
        "expires_at",
        "rate_per_minute",
        "permissions",
        "about",
        "reason",
        "",
        "extra",
    ];
    for _ in 0..random.below(4) {
        action[random.pick(&fields)] = value(random, depth);
    }
    if random.once_in(3) {
        action["tenant"] = json!("other");
    }
    if random.once_in(6) {
        action["specversion"] = json!("1.0");
        action["id"] = json!("e-1");
        action["type"] = json!("note.write");
        action["source"] = json!("/x");
    }
    if random.once_in(4) {
        action = json!({"type": random.pick(&["article", "issue", "note"])});
        for _ in 0..random.below(4) {
            let field =
                random.pick(&["ids", "filter", "q", "selection", "input", "token", "reason"]);
            action[field] = match random.below(3) {
                0 => json!(["1", random.pick(&VALUES)]),
                1 => json!({"state": random.pick(&VALUES), "id": value(random, 0)}),
                _ => value(random, 1),
            };
        }
    }
    if random.once_in(6) {
        action = json!({"name": "k", "scopes": [random.pick(&["events:read", "keys:manage", "metrics:read", "x"])]});
        action["labels"] = value(random, 1);
    }
    if random.once_in(6) {
        action = json!({"permissions": [random.pick(&["*", "article.*", "article.x", "article", "\0"])]});
        action["about"] = value(random, 1);
    }
    action
}

fn body(random: &mut Random) -> Vec<u8> {
    let mut body = match random.below(5) {
        0 => Vec::new(),
        1 => json!([action(random, 2), value(random, 2)]).to_string().into_bytes(),
        2 => format!("{}\n\n{}\r\nnull\n", action(random, 2), action(random, 1)).into_bytes(),
        3 => [b"[".repeat(random.below(400)), b"1".to_vec()].concat(),
        _ => action(random, 3).to_string().into_bytes(),
    };
    // What is cut, turned over or put in.
    for _ in 0..random.below(3) {
        let len = body.len();
        match random.below(4) {
            0 => body.truncate(random.below(len + 1)),
            1 if len > 0 => body[random.below(len)] ^= 1 << random.below(8),
            2 => body.insert(random.below(len + 1), random.next().to_le_bytes()[0]),
            _ => {}
        }
    }
    body
}

fn uri(rig: &Rig, random: &mut Random, id: &str) -> Option<Uri> {
    let mut text = format!("http://{}{}", rig.api.address, random.pick(&PATHS));
    for index in 0..random.below(4) {
        let mark = if index == 0 { '?' } else { '&' };
        text = format!("{text}{mark}{}={}", random.pick(&NAMES), random.pick(&VALUES));
    }
    let text = text.replace("ID", id).replace("KEY", "4f0k2m9x7a1c");
    text.replace(' ', "+").replace('"', "%22").parse().ok()
}

fn request(rig: &Rig, random: &mut Random, key: &str, id: &str) -> Option<Request<Full<Bytes>>> {
    let method: Method = random.pick(&METHODS).parse().expect("a method");
    // What is put is often said by the URL alone.
    let is_empty = method == Method::GET || (method == Method::PUT && random.once_in(2));
    let body = if is_empty { Vec::new() } else { body(random) };
    let mut request = Request::builder().method(method).uri(uri(rig, random, id)?);
    let headers = request.headers_mut()?;
    headers.insert("authorization", format!("Bearer {key}").parse().expect("a header"));
    headers.insert("content-type", random.pick(&TYPES).parse().expect("a header"));
    if random.once_in(3) {
        headers.insert("content-type", HeaderValue::from_static("application/json"));
    }
    for _ in 0..random.below(3) {
        let (name, value) = HEADERS[random.below(HEADERS.len())];
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    request.body(Full::new(body.into())).ok()
}

fn check(answer: &Answer, of: &str) {
    assert!(answer.status.as_u16() < 500, "{of}: {answer:?}");
    if answer.status.is_client_error() {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{of}: {answer:?}");
    }
    // Packed answers are never asked for.
    let text = String::from_utf8_lossy(&answer.body);
    assert!(!text.contains(SECRET), "{of}: {answer:?}");
}

#[tokio::test]
async fn nothing_that_is_sent_makes_the_server_fail_or_tell_of_another_tenant() {
    let db = database().await;
    fill(&db).await;
    let settings = Settings { catalog: catalog(), ..Settings::default() };
    let rig = Rig::start_with(&db, settings).await;
    let scopes = Scope::ALL;
    let tenant = Tenant::new("other").expect("a tenant");
    let other = NewKey::new("other", &resource("user:eve")).tenant(tenant).scopes(scopes).auditor();
    let other = make_key(&db, other).await;
    let mine = NewKey::new("mine", &resource("user:mal")).scopes(scopes).auditor();
    let mine = make_key(&db, mine).await;
    make_administrator(&db, "user:mal").await;
    let theirs = json!({"actor": {"type": "user", "id": "eve"}, "verb": "write", "object": {"type": "note", "id": "1"},
        "data": {"note": SECRET}, "description": SECRET, "changes": {"x": [null, SECRET]}});
    let kept = rig.post_as(&other, "/api/v1/events", "application/json", theirs.to_string()).await;
    let id = kept.json()["id"].as_str().expect("an id").to_owned();
    let body = json!({"ids": [SECRET], "reason": SECRET}).to_string();
    let runs = "/api/v1/resources/issue/actions/publish/runs";
    let theirs = rig.post_as(&other, runs, "application/json", body).await.json()["id"].clone();
    let body = json!({"ids": ["1"]}).to_string();
    let own = rig.post_as(&mine, runs, "application/json", body).await.json()["id"].clone();
    let id = |random: &mut Random| match random.below(3) {
        0 => theirs.as_str().expect("an id").to_owned(),
        1 => own.as_str().expect("an id").to_owned(),
        _ => id.clone(),
    };

    let (mut random, mut codes) =
        (Random(0x6765_7374_6100_0001), std::collections::BTreeMap::new());
    for round in 0..ROUNDS {
        let id = id(&mut random);
        let Some(request) = request(&rig, &mut random, &mine, &id) else { continue };
        let of = format!("round {round}: {request:?}");
        let answer = rig.ask(request).await.unwrap_or_else(|| panic!("no answer: {of}"));
        check(&answer, &of);
        *codes.entry(answer.code()).or_insert(0_u32) += 1;
    }
    // The rounds get somewhere: each of these is met.
    for code in [200, 201, 400, 403, 404, 405, 415] {
        assert!(codes.contains_key(&code), "{codes:?}");
    }
    let list = rig.get_as(&other, "/api/v1/events?q=verb:write").await.json();
    assert_eq!(
        list["items"].as_array().map(Vec::len),
        Some(1),
        "nothing was written elsewhere: {list}"
    );
    let metrics = rig.get("/metrics").await;
    assert!(!metrics.text().contains(r#"status="5"#), "{}", metrics.text());
}

/// Cursors of another tenant, changed ones, and ones of other lists.
#[tokio::test]
async fn no_cursor_leads_into_another_tenant() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mut made = Vec::new();
    for name in ["default", "other"] {
        let tenant = Tenant::new(name).expect("a tenant");
        let key =
            NewKey::new(name, &resource("user:eve")).tenant(tenant).scopes(Scope::ALL).auditor();
        let key = make_key(&db, key).await;
        let lines: String = (0..5)
            .map(|n| {
                let actor = json!({"type": "user", "id": "eve"});
                json!({"actor": actor, "verb": "write", "data": format!("of-{name}-{n}")})
                    .to_string()
                    + "\n"
            })
            .collect();
        let answer = rig.post_as(&key, "/api/v1/events:batch", "application/x-ndjson", lines).await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        let page = rig.get_as(&key, "/api/v1/events?limit=2").await.json();
        let next = page["next"].as_str().expect("a page").to_owned();
        let cursor = next.split("cursor=").nth(1).expect("a cursor").to_owned();
        made.push((key, cursor));
    }
    let [(mine, own), (_, others)] = made.as_slice() else { panic!("two") };
    let mut random = Random(7);
    let mut accepted = 0;
    for round in 0..400 {
        let mut cursor = if random.once_in(2) { own.clone() } else { others.clone() }.into_bytes();
        for _ in 0..random.below(3) {
            let at = random.below(cursor.len());
            cursor[at] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
                [random.below(65)];
        }
        let cursor = String::from_utf8(cursor).expect("ASCII");
        let answer = rig.get_as(mine, &format!("/api/v1/events?limit=2&cursor={cursor}")).await;
        check(&answer, &format!("round {round}: {cursor}"));
        assert!(!answer.text().contains("of-other"), "{answer:?}");
        if answer.code() == 200 {
            assert_eq!(&cursor, own);
            accepted += 1;
        }
    }
    assert!(accepted > 10, "{accepted}");
}
