//! Ids are unique within a tenant only: two tenants with the same id have two messages.

use std::collections::BTreeSet;

use gesta::relay::message::ID_HEADER;
use gesta::relay::{MessageId, News, Publisher};
use gesta::{ActionId, Context, Log, NewAction, Position, Store, Tenant};
use serde_json::json;

use super::rig::{all, append, did, messages, published, relay, start};
use crate::support::{self, OwnNats, TestDb, TestNats, copy, database, nats, resource};

/// An action of a tenant, under an id that is given.
fn of(tenant: &str, id: ActionId, time: chrono::DateTime<chrono::Utc>) -> NewAction {
    let ctx = Context::new(&resource("user:1")).tenant(tenant.parse::<Tenant>().expect("a tenant"));
    NewAction::new("did", &ctx).object(&resource("thing:1")).at(time).id(id)
}

/// The same ids in two tenants.
async fn append_one(store: &Store, tenant: &str, n: u64) {
    let time = support::day(1);
    support::append(store, of(tenant, ActionId::new(time, n), time)).await;
}

async fn append_twins(store: &Store, numbers: std::ops::Range<u64>) {
    for n in numbers {
        for tenant in ["mallory", "ac/me é"] {
            append_one(store, tenant, n).await;
        }
    }
}

/// Tenant and id of all that is committed.
async fn committed(db: &TestDb) -> BTreeSet<String> {
    let sql = "SELECT tenant, id FROM gesta.action";
    let rows = db.admin().await.query(sql, &[]).await.expect("actions");
    let name = |row: &tokio_postgres::Row| MessageId {
        tenant: Tenant::new(row.get::<_, String>(0)).expect("a tenant"),
        id: row.get::<_, uuid::Uuid>(1).try_into().expect("an id"),
    };
    rows.iter().map(|row| name(row).to_string()).collect()
}

/// The stream has all that is committed, each once.
async fn check(db: &TestDb, nats: &TestNats) {
    let wanted = committed(db).await;
    published(nats, wanted.len()).await;
    let all = all(nats).await;
    let found: BTreeSet<_> = all.iter().map(|action| MessageId::of(action).to_string()).collect();
    assert_eq!((&found, all.len()), (&wanted, wanted.len()));
}

#[tokio::test]
async fn same_id_in_two_tenants_is_two_messages() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    append_twins(&store, 0..5).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    append_twins(&store, 5..10).await;
    check(&db, &nats).await;
    running.stop().await;
    relay(&db, &nats).await.rebuild().await.expect("made anew");
    check(&db, &nats).await;
}

/// Of two tenants with the same id the stream has one's, and the other's came after the backup.
#[tokio::test]
async fn ids_are_compared_within_their_tenant_after_a_restore() {
    let (db, nats) = (database().await, nats().await);
    {
        let store = db.store().await;
        append_one(&store, "mallory", 7).await;
        append(&store, 0..20).await;
        let running = start(relay(&db, &nats).await);
        running.until_caught_up().await;
        running.stop().await;
    }
    let restored = copy(&db).await;
    append_twins(&restored.store().await, 8..9).await;
    append_one(&restored.store().await, "acme", 7).await;
    let running = start(relay(&restored, &nats).await);
    running.until(|news| matches!(news, News::Publishing { compared: Some(21), .. })).await;
    check(&restored, &nats).await;
    running.stop().await;
}

/// Publishes all that is committed as earlier versions did: a message's id was the action's.
async fn publish_as_before(db: &TestDb, nats: &TestNats) {
    nats.spec.open(&nats.jet_stream).await.expect("the stream");
    let log = Log::new(db.store_as("gesta_auditor").await.pool());
    let chunk = log.read(&Position::start(), 1_000).await.expect("read");
    let bare = chunk.entries.iter().map(|entry| {
        let message = nats.encoder.encode(&entry.action, &entry.position.to_string());
        let mut message = message.expect("a message");
        message.headers.insert(ID_HEADER, entry.action.id.to_string());
        message
    });
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    publisher.publish(bare.collect::<Vec<_>>(), 0).await.expect("published");
}

#[tokio::test]
async fn stream_that_was_begun_with_bare_ids_goes_on() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    append_one(&store, "mallory", 7).await;
    append(&store, 0..20).await;
    publish_as_before(&db, &nats).await;
    // The broker still knows the id, without a tenant.
    append_one(&store, "acme", 7).await;
    let running = start(relay(&db, &nats).await);
    running.until(|news| matches!(news, News::Publishing { after: 21, .. })).await;
    running.until_caught_up().await;
    check(&db, &nats).await;
    running.stop().await;
}

#[tokio::test]
async fn bare_ids_are_compared_with_the_tenant_of_their_subject() {
    let (db, nats) = (database().await, nats().await);
    {
        let store = db.store().await;
        append_one(&store, "mallory", 7).await;
        append(&store, 0..20).await;
        publish_as_before(&db, &nats).await;
    }
    let restored = copy(&db).await;
    append_one(&restored.store().await, "acme", 7).await;
    let running = start(relay(&restored, &nats).await);
    running.until(|news| matches!(news, News::Publishing { compared: Some(21), .. })).await;
    check(&restored, &nats).await;
    running.stop().await;
}

/// While ids are compared, each message says since when; there is room for that.
#[tokio::test]
async fn message_that_fits_is_not_parked_while_ids_are_compared() {
    let own = OwnNats::start("max_payload: 8192").await;
    let nats = TestNats::on(&own.url(""), "fits").await;
    let db = database().await;
    {
        append(&db.store().await, 0..3).await;
        let running = start(relay(&db, &nats).await);
        running.until_caught_up().await;
        running.stop().await;
    }
    let restored = copy(&db).await;
    let store = restored.store().await;
    for len in (5_500..8_000).step_by(20) {
        let action = did(len).data(json!({ "text": "x".repeat(len) }));
        support::append(&store, action).await;
    }
    let relay = relay(&restored, &nats).await;
    let running = start(relay.clone());
    running.until_caught_up().await;
    let parked = relay.status().await.expect("a status").parked;
    let wrong: Vec<_> = parked.iter().filter(|it| it.reason.contains("refuses")).collect();
    assert!(!parked.is_empty() && wrong.is_empty(), "{wrong:?}");
    assert!(messages(&nats, 100).await[10].1.parked.is_none());
    running.stop().await;
}
