//! Exports: all of a list, page by page as the client takes it; broken off where it fails.

use gesta::access::{NewKey, Scope};
use gesta::{Reader, StreamQuery, Tenant};

use super::raw::{Piece, Raw};
use super::{fill, page};
use crate::server::rig::{ADMIN, READER, Rig, make_key};
use crate::support::{TestDb, database, resource};

/// Actions of the large log: some 50 MB as JSON lines.
const MANY: i64 = 50_000;
/// Looks at a number that does not change before it is taken to stand still.
const LOOKS: usize = 30;

async fn exporter(db: &TestDb) -> String {
    let who = resource("service:exporter").named("exporter");
    make_key(db, NewKey::new("exporter", &who).scopes([Scope::EventsExport])).await
}

async fn fill_many(db: &TestDb) {
    let sql = "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, occurred_at, source,
    data, audience)
SELECT 'default', overlay(gesta.id_floor(m.at)::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, 'user', 'ann', 'close',
    'issue', n::text, m.at, 'emit', jsonb_build_object('text', repeat('x', 600)), '{public}'
FROM generate_series(1, $1::bigint) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01 00:00:00+00' + n * interval '1 second' AS at) AS m";
    db.admin().await.execute(sql, &[&MANY]).await.expect("filled");
}

/// A number of the metrics.
async fn metric(rig: &Rig, name: &str) -> i64 {
    let text = rig.get_as(ADMIN, "/metrics").await.text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name).to_owned();
    line.trim().parse().expect("a number")
}

/// A number that does not change any more.
async fn standstill(rig: &Rig, name: &str) -> i64 {
    let (mut last, mut looks) = (metric(rig, name).await, 0);
    while looks < LOOKS {
        let now = metric(rig, name).await;
        looks = if now == last { looks + 1 } else { 0 };
        last = now;
    }
    last
}

/// Whether all connections are idle at some moment; the looks themselves take one now and then.
async fn nothing_is_held(rig: &Rig) -> bool {
    for _ in 0..LOOKS {
        let open = metric(rig, "gesta_pool_connections{state=\"open\"}").await;
        if metric(rig, "gesta_pool_connections{state=\"idle\"}").await == open {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn whole_log_is_exported_line_by_line() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 450).await;
    let key = exporter(&db).await;
    let reader = Reader::new(&rig.store, Tenant::default());
    let engine = super::engine(&reader, StreamQuery::tenant()).await;
    let lines = rig.get_as(&key, "/api/v1/events.jsonl?limit=all").await;
    assert_eq!(lines.header("content-disposition"), "attachment; filename=\"events.ndjson\"");
    let ids = lines.text().lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["id"].as_str().expect("an id").parse().expect("an id")
    });
    assert_eq!(ids.collect::<Vec<gesta::ActionId>>(), engine);
    let csv =
        rig.get_as(&key, "/api/v1/types/issue/events.csv?limit=all&columns=id&q=verb:close").await;
    let rows = csv.text().lines().skip(1).map(|id| id.parse().expect("an id"));
    let rows: Vec<gesta::ActionId> = rows.collect();
    assert_eq!(rows, engine);
    let none = rig.get_as(&key, "/api/v1/events.csv?limit=all&verb=open&columns=id").await;
    assert_eq!(none.text(), "id\r\n");
    for (path, slug, code) in [
        ("events?limit=all", "unprocessable-content", 422),
        ("events.atom?limit=all", "unprocessable-content", 422),
        ("events.csv?limit=all&cursor=x", "unprocessable-content", 422),
        ("events.csv", "missing-scope", 403),
    ] {
        rig.get_as(&key, &format!("/api/v1/{path}")).await.problem(code, slug);
    }
    rig.get_as(READER, "/api/v1/events.csv?limit=all").await.problem(403, "missing-scope");
}

#[tokio::test]
async fn pages_are_read_as_the_client_takes_them_and_hold_no_connection() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill_many(&db).await;
    let key = exporter(&db).await;
    let mut raw = Raw::get(&rig, &key, "/api/v1/events.ndjson?limit=all", "").await;
    let begun = standstill(&rig, "gesta_exported_actions_total").await;
    // The kernel and the server hold some megabytes.
    assert!((200..MANY / 2).contains(&begun), "{begun} of {MANY} were read for nobody");
    assert!(nothing_is_held(&rig).await);
    let (rest, end) = raw.rest().await;
    assert_eq!(end, Piece::End);
    let lines = std::str::from_utf8(&rest).expect("UTF-8").lines().count();
    assert_eq!(i64::try_from(lines).expect("few"), MANY);
}

#[tokio::test]
async fn export_that_fails_in_the_middle_breaks_visibly() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill_many(&db).await;
    let key = exporter(&db).await;
    for path in ["events.ndjson?limit=all", "events.csv?limit=all"] {
        let admin = db.admin().await;
        for headers in ["", "accept-encoding: gzip\r\n"] {
            admin
                .batch_execute("GRANT SELECT ON gesta.action TO gesta_app")
                .await
                .expect("granted");
            let mut raw = Raw::get(&rig, &key, &format!("/api/v1/{path}"), headers).await;
            assert!(raw.head.starts_with("HTTP/1.1 200"), "{}", raw.head);
            assert!(matches!(raw.piece().await, Piece::Some(_)));
            admin
                .batch_execute("REVOKE SELECT ON gesta.action FROM gesta_app")
                .await
                .expect("revoked");
            let (rest, end) = raw.rest().await;
            assert_eq!(end, Piece::Broken, "{path} {headers}: {} bytes", rest.len());
        }
    }
}

#[tokio::test]
async fn exports_and_reads_stand_in_the_log_for_auditors() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 3).await;
    let key = exporter(&db).await;
    rig.get_as(&key, "/api/v1/objects/issue/1/events.csv?limit=all&verb=close").await;
    let auditor = Reader::new(&rig.store, Tenant::default()).auditor();
    let export =
        StreamQuery::tenant().verbs(["export"]).page(&auditor).await.expect("a page").items;
    assert_eq!(export.len(), 1, "it was committed before the answer");
    assert_eq!(export[0].actor, resource("service:exporter").named("exporter"));
    assert_eq!(export[0].object.as_ref().map(|it| &it.resource), Some(&resource("issue:1")));
    let data = export[0].data.as_ref().map(gesta::Json::value).expect("data");
    assert_eq!(data["query"], "/objects/issue/1/events?verb=close");
    assert_eq!(data["format"], "csv");
    // A read is recorded behind its answer, once for all its pages.
    for path in [
        "events?limit=2",
        "events?limit=1",
        "events?limit=2&verb=close",
        "feeds/user/ann",
        "follows?follower=user:ann",
    ] {
        page(&rig, READER, &format!("/api/v1/{path}")).await;
    }
    rig.stop().await.expect("it ends");
    let reads = StreamQuery::tenant().verbs(["read"]).page(&auditor).await.expect("a page").items;
    let query = |read: &gesta::Action| read.data.as_ref().expect("data").value()["query"].clone();
    let mut told: Vec<_> = reads.iter().map(query).collect();
    told.sort_by_key(ToString::to_string);
    let wanted = ["/events", "/events?verb=close", "/feeds/user/ann", "/follows?follower=user:ann"];
    assert_eq!(told, wanted);
}
