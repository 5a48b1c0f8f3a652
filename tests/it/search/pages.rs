//! Pages, cursors, and what `now` means on all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use gesta::store::{Endpoint, PoolOptions};
use gesta::stream::{Cursor, CursorError};
use gesta::{Context, NewAction, Query, QueryError, Reader, Registry, SearchQuery, Store, Tenant};

use super::agree::found;
use crate::support::{append_all, check_log, database, day, ids, public, resource};

fn query(text: &str) -> SearchQuery {
    SearchQuery::new(Query::parse(text).expect(text))
}

fn action(n: i64) -> NewAction {
    let ctx = Context::new(&resource(&format!("user:{}", n % 3)));
    let object = resource(&format!("issue:{}", n % 2));
    NewAction::new("edit", &ctx)
        .object(&object)
        .target(&resource("user:1"))
        .at(day(0) + TimeDelta::minutes(n))
}

#[tokio::test]
async fn pages_joined_are_the_result_in_both_directions_also_where_ranges_are_merged() {
    let db = database().await;
    let store = db.store().await;
    append_all(&store, (0..50).map(action).collect()).await;
    let reader = public(&store);
    for text in [
        "",
        "edit",
        "about:user:1",
        "object:issue:0,issue:1",
        "actor:user:2 OR object:issue:0",
        "actor.type:user",
    ] {
        let whole = query(text).limit(1000).page(&reader).await.expect("a page");
        assert!(whole.older.is_none() && whole.items.len() > 20, "{text}");
        for limit in [1, 7, 49] {
            let search = query(text).limit(limit);
            assert_eq!(found(&reader, &search).await, whole.items, "{text}");
            // And from the oldest back.
            let edge =
                query(text).limit(1).page(&reader).await.expect("a page").older.expect("more");
            let mut cursor = walk_to_end(&reader, &search).await.or(Some(edge));
            let mut back = Vec::new();
            loop {
                let page = search.clone().from(cursor).page(&reader).await.expect("a page");
                if page.items.is_empty() {
                    break;
                }
                back.splice(0..0, page.items);
                cursor = page.newer;
            }
            let newer = &whole.items[..back.len()];
            assert_eq!(ids(&back), ids(newer), "{text}");
        }
    }
    check_log(&db).await;
}

/// The cursor to what is newer than the oldest page.
async fn walk_to_end(reader: &Reader, search: &SearchQuery) -> Option<Cursor> {
    let mut cursor = None;
    loop {
        let page = search.clone().from(cursor).page(reader).await.expect("a page");
        if page.older.is_none() {
            return page.newer;
        }
        cursor = page.older;
    }
}

#[tokio::test]
async fn cursor_belongs_to_its_search_and_its_reader() {
    let db = database().await;
    let store = db.store().await;
    append_all(&store, (0..5).map(action).collect()).await;
    let reader = public(&store);
    let older = query("edit").limit(2).page(&reader).await.expect("a page").older;
    // Written otherwise, it is the same search.
    assert!(query(" \"edit\" ").from(older).page(&reader).await.is_ok());
    for (search, reader) in [
        (query("close"), reader.clone()),
        (query("edit").since(day(0)), reader.clone()),
        (query("edit"), reader.clone().auditor()),
        (query("edit"), Reader::new(&store, Tenant::new("other").expect("a tenant"))),
    ] {
        let error = search.from(older).page(&reader).await.expect_err("refused");
        assert!(matches!(error, QueryError::Cursor(CursorError::OtherQuery)), "{error}");
    }
}

/// An hour passes between two pages, and yet the last page ends where the first said.
#[tokio::test]
async fn relative_times_mean_the_same_on_all_pages() {
    let db = database().await;
    let minutes = Arc::new(AtomicI64::new(60));
    let clock = Arc::clone(&minutes);
    let endpoint = Endpoint::from(db.config("gesta_app"));
    let pool = endpoint.pool(&PoolOptions::default().size(1)).await.expect("a pool");
    let now = Arc::new(move || day(0) + TimeDelta::minutes(clock.load(Ordering::Relaxed)));
    let store = Store::with_clock(pool, Registry::default(), now);
    append_all(&store, (0..60).map(action).collect()).await;
    let reader = public(&store);
    let search = query("occurred:>=now-30m").limit(20);
    let first = search.page(&reader).await.expect("a page");
    minutes.store(120, Ordering::Relaxed);
    let cursor = first.older.expect("more").to_string().parse().expect("its own text");
    let second = search.clone().from(Some(cursor)).page(&reader).await.expect("a page");
    assert_eq!((first.items.len(), second.items.len(), second.older), (20, 10, None));
    assert!(
        search.page(&reader).await.expect("a page").items.is_empty(),
        "a new walk sees a new present"
    );
    let fixed = query("occurred:>=2026-01-01").limit(1).page(&reader).await.expect("a page");
    assert!(fixed.older.expect("more").to_string().len() < cursor.to_string().len());
}

#[tokio::test]
async fn limits_are_told() {
    let db = database().await;
    let reader = public(&db.store().await);
    for limit in [0, 1001] {
        let error = query("").limit(limit).page(&reader).await.expect_err("refused");
        assert_eq!(error.to_string(), format!("a page of {limit} is refused; give 1 to 1000"));
    }
    assert!(query("").count(&reader, 0).await.is_err());
    assert!(query("").facets(&reader, &[], 0, 10).await.is_err());
}
