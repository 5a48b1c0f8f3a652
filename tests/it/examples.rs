//! The examples print what they are meant to print.

#[path = "../../examples/01_append.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod append;
#[path = "../../examples/03_feed.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod feed;
#[path = "../../examples/07_log.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod log;
#[path = "../../examples/02_streams.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod streams;
#[cfg(feature = "nats")]
#[path = "../../examples/08_subscribe.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod subscribe;
#[path = "../../examples/04_writer.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod writer;

use gesta::Tenant;
use gesta::store::{Endpoint, PoolOptions, Store};

use crate::support;

async fn store(db: &support::TestDb) -> Store {
    let endpoint = Endpoint::from(db.config("gesta_app"));
    Store::new(endpoint.pool(&PoolOptions::default()).await.expect("a pool"))
}

#[tokio::test]
async fn append_shows_what_was_committed_only() {
    let db = support::database().await;
    let text = append::story(&store(&db).await, Tenant::default()).await.expect("the story");
    assert_eq!(text, "Alice closed Crash on save\n");
}

#[tokio::test]
async fn streams_are_read_page_by_page() {
    let db = support::database().await;
    let text = streams::story(&store(&db).await, Tenant::default()).await.expect("the story");
    let wanted = "a page of 4:\n  Alice closed Issue 4 in Gesta\n  Alice opened Issue 4 in Gesta\n  \
                  Alice opened Issue 3 in Gesta\n  Alice closed Issue 2 in Gesta\na page of 2:\n  \
                  Alice opened Issue 2 in Gesta\n  Alice opened Issue 1 in Gesta\nAlice closed 2\n";
    assert_eq!(text, wanted);
}

#[tokio::test]
async fn feed_says_why_each_item_is_there() {
    let db = support::database().await;
    let text = feed::story(&store(&db).await, Tenant::default()).await.expect("the story");
    let wanted = "Alice greeted Bob  (user:1 as actor)\nBob joined Gesta  (project:gesta as target)\n\
                  Carol started following Gesta  (project:gesta as target)\n";
    assert_eq!(text, wanted);
}

#[tokio::test]
async fn writer_tells_duplicates_from_conflicts() {
    let db = support::database().await;
    let text = writer::story(&store(&db).await, Tenant::default()).await.expect("the story");
    assert_eq!(text, "appended\na duplicate\na conflict\n101 actions\n");
}

#[cfg(feature = "nats")]
#[tokio::test]
async fn consumer_counts_each_action_once() {
    use gesta::Log;
    use gesta::relay::Tree;
    use gesta::subscription::Subscription;

    let (db, nats) = (support::database().await, support::nats().await);
    let relay = support::relay(&db, &nats).await;
    let (store, tenant) = (store(&db).await, Tenant::default());
    let subscription = Subscription::new(&nats.jet_stream, nats.spec.name())
        .filter(nats.subjects().filter(Tree::Public).tenant(&tenant))
        .log(Log::of(&store).tenant(tenant.clone()));
    let mut own = db.admin().await;
    let text = subscribe::story(&store, tenant, subscription, &mut own).await.expect("the story");
    let wanted =
        "issue 7 was closed 2 times\nissue 8 was closed 1 times\nissue 9 was closed 1 times\n";
    assert_eq!(text, wanted);
    relay.abort();
}

#[tokio::test]
async fn log_gives_what_ends_late_late() {
    let db = support::database().await;
    let text = log::story(&store(&db).await, Tenant::default()).await.expect("the story");
    assert_eq!(text, "ended first\nbegan first\n");
}
