//! Streams by their paths: each is the engine's, page by page, both ways; ids may be anything.

use gesta::{FeedQuery, NewAction, StreamQuery};
use uuid::Uuid;

use super::{closes, engine, fill, ids, page, path_of, walk};
use crate::server::rig::{ANN, READER, Rig};
use crate::support::{append, append_all, check_log, database, public, resource};

/// A text as one segment of a path.
pub(crate) fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let one =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[tokio::test]
async fn every_stream_is_the_engines_page_by_page_in_both_directions() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 11).await;
    let run = Uuid::from_u128(7);
    let ctx = gesta::Context::new(&resource("user:ann")).run(run);
    let of_run =
        (0..3).map(|n| NewAction::new("tag", &ctx).object(&resource(&format!("issue:{n}"))));
    append_all(&rig.store, of_run.collect()).await;
    let (reader, ann) = (public(&rig.store), resource("user:ann"));
    let (issue, project) = (resource("issue:1"), resource("project:1"));
    for (path, query) in [
        ("/events".to_owned(), StreamQuery::tenant()),
        ("/objects/issue/1/events".to_owned(), StreamQuery::object(&issue)),
        ("/actors/user/ann/events".to_owned(), StreamQuery::actor(&ann)),
        ("/targets/project/1/events".to_owned(), StreamQuery::target(&project)),
        ("/any/issue/1/events".to_owned(), StreamQuery::any(&issue)),
        ("/types/issue/events".to_owned(), StreamQuery::of_type(issue.kind.clone())),
        (format!("/runs/{run}/events"), StreamQuery::run(run)),
    ] {
        let whole = engine(&reader, query).await;
        assert!(!whole.is_empty(), "{path}");
        let first = format!("/api/v1{path}?limit=2");
        let pages = walk(&rig, READER, &first, "next").await;
        let walked: Vec<_> = pages.iter().flat_map(ids).collect();
        assert_eq!(walked, whole, "{path}");
        let last = &pages[pages.len() - 1];
        let mut back = ids(last);
        if let Some(newer) = path_of(&rig, &last["prev"]) {
            for page in walk(&rig, READER, &newer, "prev").await {
                back.splice(0..0, ids(&page));
            }
        }
        assert_eq!(back, whole, "{path}, back");
        // The same by a search.
        let found = page(&rig, READER, &format!("/api/v1{path}?limit=1000&q=has:object")).await;
        assert_eq!(ids(&found), whole, "{path}, searched");
    }
    check_log(&db).await;
}

#[tokio::test]
async fn streams_are_narrowed_by_verb_and_time() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 5).await;
    let ctx = gesta::Context::new(&resource("user:ann"));
    append(&rig.store, NewAction::new("open", &ctx).object(&resource("issue:1"))).await;
    let count = async |query: &str| {
        ids(&page(&rig, READER, &format!("/api/v1/events?{query}")).await).len()
    };
    assert_eq!(count("verb=open").await, 1);
    assert_eq!(count("verb=open,close").await, 6);
    assert_eq!(count("verb=clo").await, 0);
    assert_eq!(count("until=2026-01-03").await, 2);
    assert_eq!(count("since=2026-01-03T12:00:00Z&until=2026-02").await, 3);
    assert_eq!(count("since=1d").await, 1);
    assert_eq!(count("since=2h&verb=close").await, 0);
    let of_type = async |role: &str| {
        let path = format!("/api/v1/types/issue/events?role={role}");
        ids(&page(&rig, READER, &path).await).len()
    };
    assert_eq!((of_type("object").await, of_type("actor").await), (6, 0));
    // A page's links mean the same moments later on.
    let first = page(&rig, READER, "/api/v1/events?since=3650d&limit=2").await;
    let next = path_of(&rig, &first["next"]).expect("a next page");
    assert!(next.contains("since=20"), "{next}");
    assert_eq!(ids(&page(&rig, READER, &next).await).len(), 2);
}

#[tokio::test]
async fn feed_gives_reasons() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 4).await;
    let put = "/api/v1/follows/user/ann/project/1?roles=target";
    let key = rig.bearer(ANN);
    let headers = [("authorization", key.as_str())];
    assert_eq!(rig.send(axum::http::Method::PUT, put, &headers, "").await.code(), 201);
    for path in ["/api/v1/feeds/user/ann", "/api/v1/feeds/user/ann/events"] {
        let feed = page(&rig, READER, path).await;
        let items = FeedQuery::new(&resource("user:ann")).page(&public(&rig.store)).await;
        let engine: Vec<_> = items.expect("a feed").items.iter().map(|it| it.action.id).collect();
        assert_eq!((engine.len(), ids(&feed)), (3, engine));
        let reason = &feed["items"][0]["reasons"][0];
        assert_eq!(reason["followed"], serde_json::json!({ "type": "project", "id": "1" }));
        assert_eq!((&reason["role"], &reason["flag"]), (&"target".into(), &"".into()));
    }
    // With their own: four closes, and that they follow.
    assert_eq!(ids(&page(&rig, READER, "/api/v1/feeds/user/ann?self=true").await).len(), 5);
    assert_eq!(
        ids(&page(&rig, READER, "/api/v1/feeds/user/ann?self=true&verb=close").await).len(),
        4
    );
    assert_eq!(ids(&page(&rig, READER, "/api/v1/feeds/user/ann?flag=liking").await).len(), 0);
}

#[tokio::test]
async fn ids_of_any_characters_are_found() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let long = "é".repeat(1024);
    let hostile = [
        "a/b?c#d%",
        "%2F",
        "%",
        "🦊👩‍👩‍👧",
        &long,
        "..",
        ".",
        "events",
        "a+b c",
        "x.csv",
        "\"<>&'",
        "a\u{1b}b",
        "a:b",
        "' OR 1=1 --",
        "{id}",
        "a\\\"b",
    ];
    let ctx = gesta::Context::new(&resource("user:ann"));
    for id in hostile {
        let object = gesta::ResourceRef::new("file", id).expect(id);
        let id = append(&rig.store, NewAction::new("save", &ctx).object(&object)).await;
        for suffix in ["events", "events.json", "events?q=verb:save", "events?verb=save"] {
            let path = format!("/api/v1/objects/file/{}/{suffix}", escaped(object.id.as_str()));
            let found = page(&rig, READER, &path).await;
            assert_eq!(ids(&found), [id], "{object} {suffix}");
        }
        let feed = format!("/api/v1/feeds/file/{}", escaped(object.id.as_str()));
        assert_eq!(ids(&page(&rig, READER, &feed).await), []);
    }
    check_log(&db).await;
}

#[tokio::test]
async fn paths_that_name_nothing_that_can_be_are_refused() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let too_long = "x".repeat(2049);
    for path in [
        "objects/issue/%zz/events",
        "objects/issue/a%2/events",
        "objects/issue/%ff/events",
        "objects/issue/%00/events",
        &format!("objects/issue/{too_long}/events"),
        "objects/issue//events",
        "objects/is%3Asue/1/events",
        "types/a%3Ab/events",
    ] {
        rig.get_as(READER, &format!("/api/v1/{path}")).await.problem(400, "malformed-request");
    }
    rig.get_as(READER, "/api/v1/runs/7/events").await.problem(404, "not-found");
    rig.get_as(READER, "/api/v1/events.exe").await.problem(404, "unknown-path");
}

#[tokio::test]
async fn page_of_a_thousand_is_the_largest() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    append_all(&rig.store, closes(1001)).await;
    assert_eq!(ids(&page(&rig, READER, "/api/v1/events").await).len(), 50);
    assert_eq!(ids(&page(&rig, READER, "/api/v1/events?limit=1000").await).len(), 1000);
    for limit in ["0", "1001", "-1", "", "1e3", "99999999999999999999"] {
        let answer = rig.get_as(READER, &format!("/api/v1/events?limit={limit}")).await;
        assert_eq!(answer.problem(400, "invalid-parameter")["errors"][0]["parameter"], "limit");
    }
}
