//! Making the stream anew: alone, with the settings that it had, and not where the broker cannot have it.

use std::time::Duration;

use gesta::relay::{Relay, StreamSpec};

use super::rig::{all, append, check_stream, relay, start};
use crate::support::{OwnNats, TestDb, TestNats, database, nats};

const MONTH: Duration = Duration::from_hours(30 * 24);

/// A relay that asks for another stream than the test's.
async fn asking_for(spec: StreamSpec, db: &TestDb, nats: &TestNats) -> Relay {
    let store = db.store_as("gesta_relay").await;
    Relay::new(store.pool(), nats.client.clone(), spec, nats.encoder.clone())
}

#[tokio::test]
async fn stream_is_made_anew_when_no_relay_publishes() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    append(&store, 0..1_100).await;
    let relay = relay(&db, &nats).await;
    let running = start(relay.clone());
    running.until_caught_up().await;
    let error = relay.rebuild().await.expect_err("another one publishes").to_string();
    assert!(error.contains("stop all relays of this stream first"), "{error}");
    assert_eq!(all(&nats).await.len(), 1_100);
    running.stop().await;
    append(&store, 0..10).await;
    relay.rebuild().await.expect("made anew");
    assert_eq!(all(&nats).await.len(), 1_110, "it has published all of it");
    assert_eq!(check_stream(&db, &nats).await, 1_110);
    assert_eq!(relay.status().await.expect("a status").publisher, None);
}

/// Somebody has deleted it by hand.
#[tokio::test]
async fn relay_at_work_fills_a_stream_that_was_made_anew() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    append(&store, 0..1_100).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    nats.jet_stream.delete_stream(nats.spec.name()).await.expect("deleted");
    nats.spec.open(&nats.jet_stream).await.expect("made anew");
    append(&store, 0..10).await;
    assert_eq!(check_stream(&db, &nats).await, 1_110);
    running.stop().await;
}

#[tokio::test]
async fn settings_that_are_not_given_stay_as_they_are() {
    let (db, mut nats) = (database().await, nats().await);
    let plain = nats.spec.clone();
    nats.spec = nats.spec.max_age(MONTH).max_bytes(1 << 30);
    append(&db.store().await, 0..20).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    running.stop().await;
    asking_for(plain.clone(), &db, &nats).await.rebuild().await.expect("made anew");
    // The relays of the stream find what they ask for.
    assert_eq!(check_stream(&db, &nats).await, 20);
    let wanted = plain.max_bytes(1 << 20);
    asking_for(wanted, &db, &nats).await.rebuild().await.expect("made anew");
    nats.spec = nats.spec.max_bytes(1 << 20);
    assert_eq!(check_stream(&db, &nats).await, 20);
}

#[tokio::test]
async fn stream_that_the_broker_cannot_have_costs_nothing() {
    let config = "jetstream { store_dir: \"$DIR/store\", max_file_store: 10485760 }";
    let own = OwnNats::start(config).await;
    let nats = TestNats::on(&own.url(""), "limited").await;
    let db = database().await;
    append(&db.store().await, 0..20).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    running.stop().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("the stream");
    for spec in [nats.spec.clone().replicas(3), nats.spec.clone().max_bytes(1 << 40)] {
        let error = asking_for(spec, &db, &nats).await.rebuild().await.expect_err("too much");
        let text = gesta::error::chain(&error);
        assert!(text.contains("failed to change the stream `limited`: "), "{text}");
        let now = nats.spec.open(&nats.jet_stream).await.expect("as it was");
        assert_eq!(now.cached_info().created, stream.cached_info().created);
        assert_eq!(check_stream(&db, &nats).await, 20);
    }
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    running.stop().await;
}
