//! The examples print what they are meant to print.

#[cfg(feature = "actions")]
#[path = "../../examples/09_actions.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod actions;
#[path = "../../examples/01_append.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod append;
#[path = "../../examples/03_feed.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod feed;
#[cfg(feature = "tower")]
#[path = "../../examples/newsroom/main.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod newsroom;
#[path = "../../examples/05_session.rs"]
#[expect(dead_code, reason = "its `main` is not called here")]
mod session;
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

#[cfg(feature = "actions")]
#[tokio::test]
async fn actions_run_as_far_as_they_are_permitted() {
    let db = support::database().await;
    let text = actions::story(&store(&db).await, Tenant::default()).await.expect("the story");
    let wanted = "Close tickets: 2 of 3\nticket:7 done\nticket:8 done\n\
                  ticket:board-1 denied (it is the board's)\n";
    assert_eq!(text, wanted);
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

#[cfg(feature = "tower")]
#[tokio::test]
async fn newsroom_has_all_ways_to_write_in_the_same_streams() {
    let db = support::database().await;
    let operator = db.unbound_store().await;
    let tenant = Tenant::new("newsroom").expect("a tenant");
    let text = newsroom::story(&store(&db).await, &operator, tenant).await.expect("the story");
    let wanted = r#"The article:
  save    Ann drafted Strom over the bay
  save    Ann edited Storm over the bay
  bulk    Ben published Storm over the bay
  trigger Olga edited Storm hits the bay
All that Ann has to do with:
  bulk    newsroom create Ann
  save    Ann drafted Strom over the bay
  save    Ann drafted Ferry resumes
  save    Ann edited Storm over the bay
  emit    Ann joined City desk, says Ben
The old pier:
  save    Ben booked Harbour concert at Old pier
The article now, and who last changed it:
  edit_token (masked)              Ann
  id         1                     Ann
  state      "public"              Ben
  title      "Storm hits the bay"  Olga
"#;
    assert_eq!(text, wanted);
    support::check_log(&db).await;
}

#[tokio::test]
async fn session_records_one_row_and_many() {
    let db = support::database().await;
    let text = session::story(&store(&db).await, Tenant::default()).await.expect("the story");
    let wanted = "Alice update gulls Some({\"state\": [\"draft\", \"published\"]})\n\
                  Alice update storm Some({\"state\": [\"draft\", \"published\"]})\n";
    assert_eq!(text, wanted);
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
