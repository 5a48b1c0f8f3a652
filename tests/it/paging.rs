//! Pages: joined they are the stream or the feed, whatever the limits, the direction, and whoever appends meanwhile.

mod concurrent;
mod edges;
mod feeds;
mod large;
mod model;
mod streams;

use chrono::{DateTime, TimeDelta, Utc};
use gesta::stream::{Cursor, CursorError, PAGE_LEN_MAX};
use gesta::{
    ActionId, Context, FeedQuery, Follow, NewAction, QueryError, Reader, StreamQuery, Tenant,
};

use crate::support::{append_all, check_log, database, day, ids, page, public, resource};

fn close() -> NewAction {
    NewAction::new("close", &Context::new(&resource("user:1"))).object(&resource("issue:70"))
}

#[tokio::test]
async fn cursor_belongs_to_its_stream_filter_tenant_and_reader() {
    let db = database().await;
    let store = db.store().await;
    let _ = append_all(&store, (0..5).map(|n| close().at(day(n))).collect()).await;
    let reader = public(&store);
    let query = || StreamQuery::object(&resource("issue:70")).limit(2);
    let page = query().page(&reader).await.expect("a page");
    let older = page.older.map(|cursor| cursor.to_string()).expect("a cursor");
    let cursor = || Some(older.parse::<Cursor>().expect("our own text"));
    let other_tenant = Reader::new(&store, Tenant::new("other").expect("a tenant"));
    let labelled = reader.clone().labels(["public", "staff"]);
    let user = resource("user:1");
    for (what, query, reader) in [
        ("object", StreamQuery::object(&resource("issue:71")), &reader),
        ("role", StreamQuery::target(&resource("issue:70")), &reader),
        ("stream", StreamQuery::tenant(), &reader),
        ("verbs", query().verbs(["close"]), &reader),
        ("since", query().since(day(0)), &reader),
        ("until", query().until(day(9)), &reader),
        ("tenant", query(), &other_tenant),
        ("labels", query(), &labelled),
        ("auditor", query(), &reader.clone().auditor()),
    ] {
        let refused = query.from(cursor()).page(reader).await.expect_err(what);
        let QueryError::Cursor(CursorError::OtherQuery) = refused else {
            panic!("{what}: {refused}")
        };
    }
    let feed = FeedQuery::new(&user).from(cursor()).page(&reader).await.expect_err("no feed");
    assert!(matches!(feed, QueryError::Cursor(CursorError::OtherQuery)));
    // The length of a page is nobody's business.
    let rest = query().limit(3).from(cursor()).page(&reader).await.expect("a page");
    assert_eq!(rest.items.len(), 3);
    check_log(&db).await;
}

#[tokio::test]
async fn cursor_of_a_feed_belongs_to_its_query() {
    let db = database().await;
    let store = db.store().await;
    let _ = append_all(&store, (0..5).map(|n| close().at(day(n))).collect()).await;
    let reader = public(&store);
    let user = resource("user:1");
    let query = || FeedQuery::new(&user).with_own_activity().limit(2);
    let page = query().page(&reader).await.expect("a page");
    assert_eq!(page.items.len(), 2);
    for (what, other, reader) in [
        ("follower", FeedQuery::new(&resource("user:2")).with_own_activity(), &reader),
        ("own activity", FeedQuery::new(&user), &reader),
        ("flag", query().flag("liking"), &reader),
        ("verbs", query().verbs(["close"]), &reader),
        ("since", query().since(day(0)), &reader),
        ("until", query().until(day(9)), &reader),
        ("reader", query(), &reader.clone().auditor()),
    ] {
        let refused = other.from(page.older).page(reader).await.expect_err(what);
        assert!(matches!(refused, QueryError::Cursor(CursorError::OtherQuery)), "{what}");
    }
    let rest = query().limit(9).from(page.older).page(&reader).await.expect("a page");
    assert_eq!(rest.items.len(), 3);
}

#[tokio::test]
async fn length_of_a_page_is_one_to_a_thousand() {
    let db = database().await;
    let store = db.store().await;
    let _ = append_all(&store, (0..=PAGE_LEN_MAX).map(|_| close()).collect()).await;
    let reader = public(&store);
    let user = resource("user:1");
    for limit in [0, PAGE_LEN_MAX + 1, usize::MAX] {
        let refused = |error| matches!(error, QueryError::Limit { given, max: PAGE_LEN_MAX } if given == limit);
        assert!(refused(
            StreamQuery::tenant().limit(limit).page(&reader).await.expect_err("a limit")
        ));
        let feed = FeedQuery::new(&user).with_own_activity().limit(limit);
        assert!(refused(feed.page(&reader).await.expect_err("a limit")));
    }
    for limit in [1, PAGE_LEN_MAX] {
        let stream = StreamQuery::tenant().limit(limit).page(&reader).await.expect("a page");
        let feed = FeedQuery::new(&user).with_own_activity().limit(limit);
        let feed = feed.page(&reader).await.expect("a page");
        assert_eq!((stream.items.len(), feed.items.len()), (limit, limit));
        assert!(stream.older.is_some() && feed.older.is_some());
    }
    check_log(&db).await;
}

#[tokio::test]
async fn last_full_page_has_nothing_older() {
    let db = database().await;
    let store = db.store().await;
    let _ = append_all(&store, (0..4).map(|_| close()).collect()).await;
    let reader = public(&store);
    let first = StreamQuery::tenant().limit(2).page(&reader).await.expect("a page");
    let second =
        StreamQuery::tenant().limit(2).from(first.older).page(&reader).await.expect("a page");
    assert_eq!((second.items.len(), second.older), (2, None));
    check_log(&db).await;
}

/// A reader who keeps the cursor of the newest page sees what comes, once.
#[tokio::test]
async fn newest_cursor_goes_on_to_what_is_still_to_come() {
    let db = database().await;
    let store = db.store().await;
    let reader = public(&store);
    let user = resource("user:1");
    let _ = append_all(&store, vec![close().at(day(0))]).await;
    let mut stream = StreamQuery::tenant().page(&reader).await.expect("a page").newer;
    let feed = || FeedQuery::new(&user).with_own_activity();
    let mut in_feed = feed().page(&reader).await.expect("a page").newer;
    for n in 1..4 {
        // Nothing yet, and the place is kept.
        let nothing = StreamQuery::tenant().from(stream).page(&reader).await.expect("a page");
        assert!(nothing.items.is_empty() && nothing.newer == stream);
        let back = StreamQuery::tenant().limit(1).from(nothing.older).page(&reader).await;
        assert_eq!(back.expect("a page").items.len(), 1, "and from there back to the newest");
        let receipts = append_all(&store, vec![close().at(day(n))]).await;
        let page = StreamQuery::tenant().from(stream).page(&reader).await.expect("a page");
        assert_eq!(ids(&page.items), [receipts[0].id()]);
        stream = page.newer;
        let page = feed().from(in_feed).page(&reader).await.expect("a page");
        assert_eq!(ids(page.items.iter().map(|item| &item.action)), [receipts[0].id()]);
        in_feed = page.newer;
    }
    check_log(&db).await;
}

#[tokio::test]
async fn window_begins_at_since_and_ends_before_until() {
    let db = database().await;
    let store = db.store().await;
    let (reader, user) = (public(&store), resource("user:1"));
    let step = TimeDelta::microseconds(1);
    let times = [day(0) - step, day(0), day(1) - step, day(1)];
    // The greatest and the least id of each microsecond.
    let both = |time| [0, u64::MAX].map(|random| close().id(ActionId::new(time, random)));
    let batch: Vec<_> = times.into_iter().flat_map(both).collect();
    let own: Vec<_> = append_all(&store, batch).await.iter().map(|receipt| receipt.id()).collect();
    let (min, max) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    for (since, until, expected) in [
        (day(0), day(1), &own[2..6]),
        (day(0), day(1) + step, &own[2..]),
        (day(0) - step, day(0), &own[..2]),
        (day(1), day(0), &own[..0]),
        (day(0), day(0), &own[..0]),
        (min, max, &own[..]),
        (DateTime::UNIX_EPOCH, max, &own[..]),
        (max, max, &own[..0]),
    ] {
        let expected: Vec<_> = expected.iter().rev().copied().collect();
        let query = StreamQuery::tenant().since(since).until(until);
        assert_eq!(ids(&page(&reader, query).await), expected, "{since} to {until}");
        let feed = FeedQuery::new(&user).with_own_activity().since(since).until(until);
        let feed = feed.page(&reader).await.expect("a page");
        assert_eq!(ids(feed.items.iter().map(|item| &item.action)), expected, "{since} to {until}");
    }
    check_log(&db).await;
}

#[tokio::test]
async fn edges_that_show_one_action_are_all_its_reasons_on_any_page() {
    let db = database().await;
    let store = db.store().await;
    let (follower, user) = (resource("user:0"), resource("user:1"));
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    for n in 0..30 {
        let follow = Follow::new(&follower, &user).flag(n.to_string()).silent();
        store.follow(&tx, &Context::new(&follower), &follow).await.expect("followed");
    }
    tx.commit().await.expect("committed");
    drop(client);
    let _ = append_all(&store, (0..4).map(|n| close().at(day(n))).collect()).await;
    for limit in 1..5 {
        let mut cursor = None;
        for _ in 0..4_usize.div_ceil(limit) {
            let query = FeedQuery::new(&follower).limit(limit).from(cursor);
            let page = query.page(&public(&store)).await.expect("a page");
            assert!(page.items.iter().all(|item| item.reasons.len() == 30), "{limit}");
            cursor = page.older;
        }
    }
    check_log(&db).await;
}
