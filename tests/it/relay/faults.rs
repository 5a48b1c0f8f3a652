//! The relay while servers and relays die: nothing is lost, nothing comes twice.

use std::fs;
use std::time::Duration;

use gesta::relay::News;
use tokio::time::timeout;

use super::rig::{PATIENCE, append, check_stream, published, relay, start};
use crate::support::{OwnNats, TestNats, check_log, copy_folder, database, nats};

/// The broker recognises nothing, so nothing but position and fence keeps messages from coming twice.
#[tokio::test]
async fn relay_that_is_killed_anywhere_leaves_nothing_out_and_doubles_nothing() {
    let (db, mut nats) = (database().await, nats().await);
    nats.spec = nats.spec.duplicate_window(Duration::from_millis(100));
    let (store, admin) = (db.store().await, db.admin().await);
    append(&store, 0..3_000).await;
    for kill in 1..=12 {
        let running = start(relay(&db, &nats).await);
        published(&nats, kill * 200).await;
        running.kill().await;
        // Nobody waits here for a claim to run out.
        admin
            .batch_execute("UPDATE gesta.relay SET held_until = '-infinity'")
            .await
            .expect("freed");
        tokio::time::sleep(Duration::from_millis(110)).await;
    }
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    assert_eq!(check_stream(&db, &nats).await, 3_000);
    running.stop().await;
}

/// A relay takes over in the middle of a tick, and all that came after it was rolled back: nothing will ever be read there.
#[tokio::test]
async fn gap_after_a_tick_does_not_keep_back_that_all_is_published() {
    let (db, nats) = (database().await, nats().await);
    let (store, admin) = (db.store().await, db.admin().await);
    append(&store, 0..3_000).await;
    let first = start(relay(&db, &nats).await);
    published(&nats, 100).await;
    first.kill().await;
    let stream = nats.jet_stream.get_stream(nats.spec.name()).await.expect("the stream");
    assert!(stream.cached_info().state.messages < 3_000, "it was killed in between");
    admin
        .batch_execute(
            "UPDATE gesta.relay SET held_until = '-infinity'; SELECT nextval('gesta.action_seq')",
        )
        .await
        .expect("freed, and a gap");
    let second = start(relay(&db, &nats).await);
    second.until_caught_up().await;
    assert_eq!(check_stream(&db, &nats).await, 3_000);
    second.stop().await;
}

#[tokio::test]
async fn claim_of_a_killed_relay_runs_out() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    running.kill().await;
    append(&store, 0..10).await;
    let other = start(relay(&db, &nats).await);
    other.until(|news| matches!(news, News::Waiting { .. })).await;
    assert_eq!(check_stream(&db, &nats).await, 10);
    other.stop().await;
}

/// While the broker is away, writers go on as ever, and the relay holds neither lock nor snapshot.
#[tokio::test]
async fn broker_that_is_away_blocks_nobody_and_gets_everything_when_it_is_back() {
    let mut own = OwnNats::start("").await;
    let nats = TestNats::on(&own.url(""), "away").await;
    let db = database().await;
    let store = db.store().await;
    append(&store, 0..100).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    for round in 0..3 {
        own.kill();
        append(&store, 0..1_500).await;
        let sql = "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
            WHERE a.usename = 'gesta_relay' AND a.datname = current_database() AND l.relation IS NOT NULL
                AND a.state = 'idle in transaction'";
        // Between two messages of a flight it is idle for a moment; what it held while it waits, it would hold until then.
        let admin = db.admin().await;
        let held = async || admin.query_one(sql, &[]).await.expect("locks").get::<_, i64>(0);
        let freed = async {
            while held().await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, freed).await.expect("it holds no lock while it waits");
        own.restart();
        assert_eq!(check_stream(&db, &nats).await, 100 + (round + 1) * 1_500);
    }
    running.stop().await;
    check_log(&db).await;
}

#[tokio::test]
async fn broker_that_is_full_is_told_with_what_to_do() {
    let config = "jetstream { store_dir: \"$DIR/store\", max_file_store: 65536 }";
    let own = OwnNats::start(config).await;
    let nats = TestNats::on(&own.url(""), "full").await;
    let db = database().await;
    append(&db.store().await, 0..500).await;
    let running = start(relay(&db, &nats).await);
    let is_told = |error: &str| {
        error.contains("the broker has no room for action") && error.contains("--max-bytes")
    };
    running.until(|news| matches!(news, News::Trouble { error } if is_told(error))).await;
    running.stop().await;
}

/// A power failure of the broker: what it had not written is gone, and was acknowledged.
#[tokio::test]
async fn broker_that_has_lost_its_last_messages_gets_them_again() {
    let mut own = OwnNats::start("").await;
    let nats = TestNats::on(&own.url(""), "lost").await;
    let db = database().await;
    let store = db.store().await;
    append(&store, 0..50).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    own.kill();
    copy_folder(&own.path("store"), &own.path("kept"));
    own.restart();
    let mut client = store.client().await.expect("a connection");
    let open = client.transaction().await.expect("a transaction");
    let _ = store.append(&open, super::rig::did("late")).await.expect("appended");
    append(&store, 0..50).await;
    published(&nats, 100).await;
    // Read again from the older tail, the log's order is another one than it was.
    open.commit().await.expect("committed");
    published(&nats, 101).await;
    own.kill();
    fs::remove_dir_all(own.path("store")).expect("gone");
    fs::rename(own.path("kept"), own.path("store")).expect("set back");
    own.restart();
    // Nothing new happens: the relay notices by itself.
    assert_eq!(check_stream(&db, &nats).await, 101);
    append(&store, 0..5).await;
    assert_eq!(check_stream(&db, &nats).await, 106);
    running.stop().await;
}
