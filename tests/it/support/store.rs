//! Stores on a test's database, and the shortest way to write and read through them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use gesta::store::{Endpoint, PoolOptions};
use gesta::stream::FeedItem;
use gesta::{
    Action, ActionId, Audience, Context, FeedQuery, NewAction, Page, Reader, Receipt, Registry,
    ResourceRef, Store, StreamQuery, Tenant,
};
use tokio_postgres::Client;

use super::TestDb;

/// More pages than any test's stream has: a walk that goes round in circles must end.
const PAGES_MAX: usize = 2_000;

impl TestDb {
    /// A store as an application has it: `gesta_app`, whom row security binds.
    pub(crate) async fn store(&self) -> Store {
        self.store_as("gesta_app").await
    }

    /// A store of another role.
    pub(crate) async fn store_as(&self, role: &str) -> Store {
        Store::new(self.pool(role, 8).await)
    }

    /// The same with a clock that the test sets, in milliseconds after its start.
    pub(crate) async fn clocked_store(&self) -> (Store, Arc<AtomicI64>) {
        let start = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let millis = Arc::new(AtomicI64::new(0));
        let shown = Arc::clone(&millis);
        let now = Arc::new(move || start + TimeDelta::milliseconds(shown.load(Ordering::SeqCst)));
        let pool = self.pool("gesta_app", 4).await;
        (Store::with_clock(pool, Registry::default(), now), millis)
    }

    /// A store whom neither grants nor row security bind: what it does not see, its queries left out.
    pub(crate) async fn unbound_store(&self) -> Store {
        self.store_as(self.superuser()).await
    }

    /// A store on one connection, whose clock stands still.
    pub(crate) async fn store_at(&self, time: DateTime<Utc>, registry: Registry) -> Store {
        let now = Arc::new(move || time);
        Store::with_clock(self.pool("gesta_app", 1).await, registry, now)
    }

    async fn pool(&self, role: &str, size: usize) -> deadpool_postgres::Pool {
        let endpoint = Endpoint::from(self.config(role));
        endpoint.pool(&PoolOptions::default().size(size)).await.expect("a pool")
    }
}

/// For properties, whose cases are closures that are not async.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

/// `user:1`
pub(crate) fn resource(text: &str) -> ResourceRef {
    text.parse().expect(text)
}

/// Noon of the day after so many others since 2026-01-01.
pub(crate) fn day(number: i64) -> DateTime<Utc> {
    let noon: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().expect("a time");
    noon + TimeDelta::days(number)
}

/// Who sees what is public in the tenant `default`.
pub(crate) fn public(store: &Store) -> Reader {
    Reader::new(store, Tenant::default())
}

/// Appends in a transaction of its own.
pub(crate) async fn append(store: &Store, action: NewAction) -> ActionId {
    match append_all(store, vec![action]).await[..] {
        [Receipt::Appended(id)] => id,
        ref other => panic!("{other:?}"),
    }
}

/// Appends many in a transaction of their own.
pub(crate) async fn append_all(store: &Store, actions: Vec<NewAction>) -> Vec<Receipt> {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let receipts = match store.append_all(&tx, actions).await {
        Ok(receipts) => receipts,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    };
    tx.commit().await.expect("committed");
    receipts
}

/// Changes who may see an action, in a transaction of its own; gives the id of the action that tells of it.
pub(crate) async fn set_audience(
    store: &Store,
    ctx: &Context,
    id: ActionId,
    now: &Audience,
) -> ActionId {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let told = store.set_audience(&tx, ctx, id, now).await.expect("changed");
    assert!(matches!(told, Receipt::Appended(_)));
    tx.commit().await.expect("committed");
    told.id()
}

/// Returns when a backend waits for another transaction.
pub(crate) async fn until_waiting(admin: &Client, backend: i32) {
    let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)";
    while !admin.query_one(sql, &[&backend]).await.expect("the locks").get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
}

/// Returns when anybody in this database waits for another transaction.
pub(crate) async fn until_any_waits(admin: &Client) {
    let sql = "SELECT EXISTS (SELECT FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
        WHERE NOT l.granted AND a.datname = current_database())";
    while !admin.query_one(sql, &[]).await.expect("the locks").get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
}

/// The items of a page.
pub(crate) async fn page(reader: &Reader, query: StreamQuery) -> Vec<Action> {
    match query.page(reader).await {
        Ok(page) => page.items,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    }
}

/// The ids of some actions.
pub(crate) fn ids<'a>(actions: impl IntoIterator<Item = &'a Action>) -> Vec<ActionId> {
    actions.into_iter().map(|action| action.id).collect()
}

/// All pages of a stream from its newest to its oldest, and the last one of them.
pub(crate) async fn walk(reader: &Reader, query: &StreamQuery) -> (Vec<Action>, Page<Action>) {
    let (mut all, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = query.clone().from(cursor).page(reader).await.expect("a page");
        all.extend(page.items.iter().cloned());
        if page.older.is_none() {
            return (all, page);
        }
        cursor = page.older;
    }
    panic!("the stream does not end after {PAGES_MAX} pages");
}

/// All pages of a feed from its newest to its oldest, and the last one of them.
pub(crate) async fn walk_feed(
    reader: &Reader,
    query: &FeedQuery,
) -> (Vec<FeedItem>, Page<FeedItem>) {
    let (mut all, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = query.clone().from(cursor).page(reader).await.expect("a page");
        all.extend(page.items.iter().cloned());
        if page.older.is_none() {
            return (all, page);
        }
        cursor = page.older;
    }
    panic!("the feed does not end after {PAGES_MAX} pages");
}
