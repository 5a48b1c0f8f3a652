//! Databases that were restored or promoted: positions mean nothing, ids are compared.

use gesta::relay::{News, RelayError};

use super::rig::{all, append, check, check_stream, published, relay, start};
use crate::support::{TestDb, copy, database, nats};

async fn committed(db: &TestDb) -> Vec<gesta::ActionId> {
    let sql = "SELECT id FROM gesta.action ORDER BY seq";
    let rows = db.admin().await.query(sql, &[]).await.expect("actions");
    rows.iter().map(|row| row.get::<_, uuid::Uuid>(0).try_into().expect("an id")).collect()
}

#[tokio::test]
async fn restored_database_goes_on_without_doubling() {
    let (db, nats) = (database().await, nats().await);
    {
        let store = db.store().await;
        append(&store, 0..1_500).await;
        let running = start(relay(&db, &nats).await);
        running.until_caught_up().await;
        running.stop().await;
        // The relay had not got there when the backup was taken.
        append(&store, 0..7).await;
    }
    let restored = copy(&db).await;
    append(&restored.store().await, 0..100).await;
    let running = start(relay(&restored, &nats).await);
    running.until(|news| matches!(news, News::Restored { .. })).await;
    running
        .until(|news| matches!(news, News::Publishing { after: 1_500, compared: Some(1_500) }))
        .await;
    assert_eq!(check_stream(&restored, &nats).await, 1_607);
    running.stop().await;
}

/// Another relay takes over before all has been compared: what is left to compare is compared by it.
#[tokio::test]
async fn relay_that_is_killed_while_it_compares_leaves_word() {
    let (db, nats) = (database().await, nats().await);
    {
        let store = db.store().await;
        // In the order of the log, and of the restored one, what is new comes first.
        let mut client = store.client().await.expect("a connection");
        let early = client.transaction().await.expect("a transaction");
        let first: Vec<_> = (0..3).map(super::rig::did).collect();
        store.append_all(&early, first).await.expect("appended");
        append(&store, 0..3_000).await;
        let running = start(relay(&db, &nats).await);
        published(&nats, 3_000).await;
        running.kill().await;
        early.commit().await.expect("committed");
    }
    let restored = copy(&db).await;
    // It publishes the three, and is killed before it has compared the rest.
    let one = start(relay(&restored, &nats).await);
    published(&nats, 3_001).await;
    one.kill().await;
    let stream = nats.jet_stream.get_stream(nats.spec.name()).await.expect("the stream");
    let last = stream.cached_info().state.last_sequence;
    let last = stream.get_raw_message(last).await.expect("a message");
    assert!(last.headers.get(gesta::relay::message::COMPARED_HEADER).is_some());

    let admin = restored.admin().await;
    admin.batch_execute("UPDATE gesta.relay SET held_until = '-infinity'").await.expect("freed");
    let two = start(relay(&restored, &nats).await);
    two.until_caught_up().await;
    append(&restored.store().await, 0..10).await;
    let ids = committed(&restored).await;
    published(&nats, ids.len()).await;
    let published = all(&nats).await;
    assert_eq!(published.len(), ids.len(), "nothing twice");
    let mut sorted: Vec<_> = published.iter().map(|action| action.id).collect();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), ids.len());
    two.stop().await;
}

#[tokio::test]
async fn stream_of_another_database_is_left_alone() {
    let (db, nats) = (database().await, nats().await);
    append(&db.store().await, 0..10).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    running.stop().await;
    let other = database().await;
    append(&other.store().await, 0..10).await;
    let running = start(relay(&other, &nats).await);
    let error = running.error().await;
    assert!(matches!(error, RelayError::OtherDatabase { .. }), "{error}");
    check(&committed(&db).await, &all(&nats).await);
    assert!(relay(&other, &nats).await.status().await.expect("a status").lag.is_none());
}

#[tokio::test]
async fn role_that_may_not_relay_is_told() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let relay = gesta::relay::Relay::new(
        store.pool(),
        nats.client.clone(),
        nats.spec.clone(),
        nats.encoder.clone(),
    );
    let error = start(relay).error().await;
    assert!(matches!(error, RelayError::Database(_)), "{error}");
    assert!(error.to_string().contains("`gesta_relay`"), "{error}");
}
