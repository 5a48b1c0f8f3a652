//! Who sees what: every operation that reads, in every format, for everybody who may ask.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::Method;
use gesta::access::{NewKey, Scope};
use gesta::format::Format;
use gesta::role::{Giver, NewRole, RoleName, Roles};
use gesta::server::Settings;
use gesta::{ActionId, Audience, Context, Follow, NewAction, Tenant};
use uuid::Uuid;

use crate::server::rig::{Rig, make_key};
use crate::support::{TestDb, append, database, resource};

/// A verb for each audience, by which an answer shows what it tells of.
const VERBS: [&str; 3] = ["publicly did", "privately did", "teamwise did"];

/// Addresses of clients, from 10.0.0.0 on.
static ADDRESSES: AtomicU32 = AtomicU32::new(0x0a00_0000);

/// Behind a proxy, which is this test.
async fn start(db: &TestDb) -> Rig {
    let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    Rig::start_with(db, Settings { proxies, ..Settings::default() }).await
}

/// Who asks, what they are answered, and which of the verbs they see.
struct Somebody {
    name: &'static str,
    key: Option<String>,
    refusal: Option<(u16, &'static str)>,
    sees: [bool; 3],
}

async fn everybody(db: &TestDb, scope: Scope, wrong: Scope) -> Vec<Somebody> {
    let who = resource("service:somebody").named("somebody");
    let new = |name: &str| NewKey::new(name, &who).scopes([scope]);
    let other = Tenant::new("other").expect("a tenant");
    let name = |name: &str| format!("{name} {scope}");
    let mut all = Vec::new();
    for (called, key, refusal, sees) in [
        ("wrong scope", new("wrong").scopes([wrong]), Some((403, "missing-scope")), [false; 3]),
        ("expired", new(&name("expired")), Some((401, "unauthenticated")), [false; 3]),
        ("revoked", new(&name("revoked")), Some((401, "unauthenticated")), [false; 3]),
        ("other tenant", new("other").tenant(other).auditor(), None, [false; 3]),
        ("public", new("public"), None, [true, false, false]),
        ("team", new("team").labels(["team:a"]), None, [false, false, true]),
        ("both", new("both").labels(["public", "team:a"]), None, [true, false, true]),
        ("other team", new("b").labels(["team:b"]), None, [false; 3]),
        ("auditor", new("auditor").auditor(), None, [true; 3]),
    ] {
        let key = Some(make_key(db, key).await);
        all.push(Somebody { name: called, key, refusal, sees });
    }
    let refusal = Some((401, "unauthenticated"));
    all.push(Somebody { name: "nobody", key: None, refusal, sees: [false; 3] });
    let admin = db.admin().await;
    for (set, name) in [
        ("expires_at = now() - interval '1 hour'", name("expired")),
        ("revoked_at = now()", name("revoked")),
    ] {
        let sql = format!("UPDATE gesta.key SET {set} WHERE name = '{name}'");
        assert_eq!(admin.execute(&sql, &[]).await.expect("changed"), 1);
    }
    all
}

async fn fill(rig: &Rig, run: Uuid) -> Vec<ActionId> {
    let ctx = Context::new(&resource("user:ann")).run(run);
    let audiences = [Audience::public(), Audience::auditors(), Audience::labels(["team:a"])];
    let mut ids = Vec::new();
    for (verb, audience) in VERBS.into_iter().zip(audiences) {
        let action = NewAction::new(verb, &ctx)
            .object(&resource("issue:1"))
            .target(&resource("project:1"))
            .changes(serde_json::json!({ verb: [1, 2] }))
            .audience(audience);
        ids.push(append(&rig.store, action).await);
    }
    let mut client = rig.store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let follow = Follow::new(&resource("user:fan"), &resource("user:ann")).silent();
    rig.store.follow(&tx, &ctx, &follow).await.expect("followed");
    tx.commit().await.expect("committed");
    ids
}

/// Asks as somebody, and compares what they are told with what they may see.
async fn check(rig: &Rig, somebody: &Somebody, path: &str, shown: [bool; 3]) {
    // Each from an address of its own: whoever guesses keys is soon asked to wait.
    let address = Ipv4Addr::from_bits(ADDRESSES.fetch_add(1, Ordering::Relaxed)).to_string();
    let key = somebody.key.as_ref().map(|key| rig.bearer(key));
    let mut headers = vec![("x-forwarded-for", address.as_str())];
    headers.extend(key.as_ref().map(|key| ("authorization", key.as_str())));
    let answer = rig.send(Method::GET, &format!("/api/v1{path}"), &headers, "").await;
    let what = format!("{path} for {}", somebody.name);
    if let Some((status, slug)) = somebody.refusal {
        answer.problem(status, slug);
        return;
    }
    for ((verb, sees), is_shown) in VERBS.into_iter().zip(somebody.sees).zip(shown) {
        let is_told = answer.text().contains(verb);
        assert_eq!(is_told, sees && is_shown, "{verb}: {what}: {}", answer.text());
    }
    assert!(matches!(answer.code(), 200 | 404), "{what}: {}", answer.text());
}

#[tokio::test]
async fn every_list_shows_each_reader_what_they_may_see_in_every_format() {
    let db = database().await;
    let rig = start(&db).await;
    let run = Uuid::from_u128(7);
    fill(&rig, run).await;
    let readers = everybody(&db, Scope::EventsRead, Scope::EventsWrite).await;
    let exporters = everybody(&db, Scope::EventsExport, Scope::EventsRead).await;
    for path in [
        "/events",
        "/objects/issue/1/events",
        "/actors/user/ann/events",
        "/targets/project/1/events",
        "/any/issue/1/events",
        "/types/issue/events",
        &format!("/runs/{run}/events"),
        "/feeds/user/fan/events",
    ] {
        for format in Format::ALL {
            for reader in &readers {
                check(&rig, reader, &format!("{path}.{}?limit=1000", format.suffix()), [true; 3])
                    .await;
            }
        }
        for format in [Format::Ndjson, Format::Csv] {
            for exporter in &exporters {
                let path = format!("{path}.{}?limit=all", format.suffix());
                check(&rig, exporter, &path, [true; 3]).await;
            }
        }
    }
    for path in [
        "/feeds/user/fan?limit=1000",
        "/events?q=about:issue:1&limit=1000",
        "/events?verb=publicly+did,privately+did,teamwise+did",
        "/types/issue/events?role=object&limit=1000",
        "/objects/issue/1/state",
        "/objects/issue/1/state?at=now",
        "/objects/issue/1/diff",
    ] {
        for reader in &readers {
            check(&rig, reader, path, [true; 3]).await;
        }
    }
}

#[tokio::test]
async fn single_action_is_shown_to_those_who_may_see_it() {
    let db = database().await;
    let rig = start(&db).await;
    let ids = fill(&rig, Uuid::from_u128(7)).await;
    let readers = everybody(&db, Scope::EventsRead, Scope::EventsExport).await;
    for (place, id) in ids.iter().enumerate() {
        for reader in &readers {
            let only = [0, 1, 2].map(|n| n == place);
            // Those around it are seen only by who sees the action itself.
            let around = [reader.sees[place]; 3];
            check(&rig, reader, &format!("/events/{id}"), only).await;
            for format in ["fields", "json-patch", "unified"] {
                check(&rig, reader, &format!("/events/{id}/diff?format={format}"), only).await;
            }
            for by in ["object", "actor", "all"] {
                check(&rig, reader, &format!("/events/{id}/context?by={by}"), around).await;
            }
        }
    }
}

#[tokio::test]
async fn follows_are_refused_to_those_who_may_not_read_and_stay_in_their_tenant() {
    let db = database().await;
    let rig = start(&db).await;
    fill(&rig, Uuid::from_u128(7)).await;
    for reader in everybody(&db, Scope::EventsRead, Scope::EventsExport).await {
        for path in ["/follows?follower=user:fan", "/follows/user/fan/user/ann", "/events/stream"] {
            if reader.refusal.is_none() && path.ends_with("stream") {
                continue;
            }
            check(&rig, &reader, path, [false; 3]).await;
        }
        let Some(key) = reader.key.filter(|_| reader.refusal.is_none()) else { continue };
        let list = rig.get_as(&key, "/api/v1/follows?follower=user:fan").await.json();
        let is_other = reader.name == "other tenant";
        assert_eq!(list["items"].as_array().map(Vec::len), Some(usize::from(!is_other)));
        let edge = rig.get_as(&key, "/api/v1/follows/user/fan/user/ann").await.json();
        assert_eq!(edge["is_following"], !is_other);
    }
}

#[tokio::test]
async fn roles_are_refused_to_those_who_may_not_manage_them_and_stay_in_their_tenant() {
    let db = database().await;
    let rig = start(&db).await;
    let roles = Roles::new(&db.unbound_store().await);
    let by = Giver::operator(&Context::new(&resource("user:operator")));
    let name = RoleName::new(VERBS[0]).expect("a name");
    roles.put(&by, &NewRole::new(name.clone())).await.expect("a role");
    roles.add_member(&by, &name, &resource("user:ann")).await.expect("a member");
    for reader in everybody(&db, Scope::RolesManage, Scope::KeysManage).await {
        let is_shown = [reader.name != "other tenant", false, false];
        // What may be seen of the log says nothing about roles.
        let reader = Somebody { sees: is_shown, ..reader };
        check(&rig, &reader, "/roles", [true; 3]).await;
        check(&rig, &reader, "/roles/administrator/members", [false; 3]).await;
        for path in ["/roles/publicly%20did", "/roles/publicly%20did/members"] {
            let Some(key) = reader.key.as_ref().filter(|_| reader.refusal.is_none()) else {
                check(&rig, &reader, path, [false; 3]).await;
                continue;
            };
            let answer = rig.get_as(key, &format!("/api/v1{path}")).await;
            assert_eq!(answer.code(), if is_shown[0] { 200 } else { 404 }, "{path}");
        }
    }
}

#[tokio::test]
async fn refused_reads_stand_in_the_log() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let who = resource("service:writer-only").named("w");
    let key = make_key(&db, NewKey::new("w", &who).scopes([Scope::EventsWrite])).await;
    rig.get_as(&key, "/api/v1/events").await.problem(403, "missing-scope");
    let store = rig.store.clone();
    rig.stop().await.expect("it ends");
    let auditor = gesta::Reader::new(&store, Tenant::default()).auditor();
    let page = gesta::StreamQuery::actor(&who).page(&auditor).await.expect("a page");
    let [denied] = &page.items[..] else { panic!("{page:?}") };
    assert_eq!((denied.verb.as_str(), denied.outcome), ("read", gesta::Outcome::Denied));
}
