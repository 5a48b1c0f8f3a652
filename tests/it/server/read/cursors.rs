//! Cursors: only those that were given out, and only where they belong.

use gesta::access::{NewKey, Scope};
use gesta::{Store, StreamQuery, Tenant};

use super::{closes_in, fault, fill, ids, page, path_of};
use crate::server::rig::{READER, Rig, make_key};
use crate::support::{append_all, database, public, resource};

/// The cursor of a page's `next`.
async fn cursor(rig: &Rig, key: &str, path: &str) -> String {
    let page = page(rig, key, path).await;
    let next = path_of(rig, &page["next"]).expect("a next page");
    let (_, cursor) = next.split_once("cursor=").expect("a cursor");
    cursor.split('&').next().expect("it").to_owned()
}

#[tokio::test]
async fn forged_and_damaged_cursors_are_refused() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 5).await;
    let good = cursor(&rig, READER, "/api/v1/events?limit=2").await;
    let at = |cursor: String| format!("/api/v1/events?limit=2&cursor={cursor}");
    assert_eq!(ids(&page(&rig, READER, &at(good.clone())).await).len(), 2);
    let (text, mac) = good.rsplit_once('.').expect("signed");
    let flipped = |text: &str| {
        let last = if text.ends_with('A') { 'Q' } else { 'A' };
        format!("{}{last}", &text[..text.len() - 1])
    };
    // What the library gives is a cursor, but nobody signed it.
    let reader = public(&rig.store);
    let unsigned = StreamQuery::tenant().limit(2).page(&reader).await.expect("a page");
    let unsigned = unsigned.older.expect("a cursor").to_string();
    for forged in [
        unsigned.clone(),
        format!("{unsigned}.{mac}x"),
        format!("{}.{mac}", flipped(text)),
        format!("{text}.{}", flipped(mac)),
        text.to_owned(),
        format!("{text}."),
        format!(".{mac}"),
        "x".repeat(10_000),
        "%F0%9F%A6%8A".to_owned(),
    ] {
        let answer = rig.get_as(READER, &at(forged)).await;
        let fault = fault(&answer, "invalid-parameter");
        assert_eq!(
            (&fault["parameter"], &fault["code"]),
            (&"cursor".into(), &"invalid-cursor".into())
        );
    }
}

#[tokio::test]
async fn cursor_of_another_query_tenant_or_sight_is_refused() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 5).await;
    let other = Tenant::new("other").expect("a tenant");
    append_all(&rig.store, closes_in(&other, 5)).await;
    let who = resource("service:x").named("x");
    let new = || NewKey::new("x", &who).scopes([Scope::EventsRead]);
    let (of_other, auditor, twin) = (
        make_key(&db, new().tenant(other)).await,
        make_key(&db, new().auditor()).await,
        make_key(&db, new()).await,
    );
    let good = cursor(&rig, READER, "/api/v1/events?limit=2").await;
    let code = async |key: &str, path: &str| {
        let answer = rig.get_as(key, &format!("/api/v1/{path}cursor={good}")).await;
        fault(&answer, "invalid-parameter")["code"].as_str().expect("a code").to_owned()
    };
    assert_eq!(code(&of_other, "events?").await, "invalid-cursor");
    assert_eq!(code(&auditor, "events?").await, "other-query");
    for path in [
        "events?verb=close&",
        "events?q=verb:close&",
        "events?since=2020-01-01&",
        "types/issue/events?",
    ] {
        assert_eq!(code(READER, path).await, "other-query", "{path}");
    }
    // Somebody else who sees the same, another form, and another length of page are welcome.
    for (key, path) in [(&*twin, "events?"), (READER, "events.atom?"), (READER, "events?limit=3&")]
    {
        let answer = rig.get_as(key, &format!("/api/v1/{path}cursor={good}")).await;
        assert_eq!(answer.code(), 200, "{path}");
    }
    let edges = rig.get_as(READER, &format!("/api/v1/follows?follower=user:1&cursor={good}")).await;
    assert_eq!(fault(&edges, "invalid-parameter")["code"], "invalid-cursor");
}

#[tokio::test]
async fn another_server_of_the_database_knows_the_cursor() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 5).await;
    let page = page(&rig, READER, "/api/v1/events?limit=2").await;
    let next = path_of(&rig, &page["next"]).expect("a next page");
    let store: Store = db.store().await;
    let second = rig.another(store).await;
    assert_eq!(ids(&super::page(&second, READER, &next).await).len(), 2);
}
