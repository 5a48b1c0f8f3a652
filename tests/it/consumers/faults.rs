//! What goes wrong on the way: brokers that are restarted, messages that are none, actions that are too large.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use gesta::relay::message::Parked;
use gesta::relay::{Filter, Lane};
use gesta::subscription::SubscriptionError;
use gesta::{Audience, Context, Position, Tenant};
use serde_json::json;

use super::{
    Pump, action, action_of, append_numbers, auditor_log, numbers, objects, take, until_empty,
};
use crate::support::{
    OwnNats, TestNats, append, append_all, check_log, database, nats, resource, set_audience,
};

#[tokio::test]
async fn subscription_goes_on_after_the_broker_was_killed_and_restarted() {
    let (db, mut own) = (database().await, OwnNats::start("").await);
    let nats = TestNats::on(&own.url(""), "restarted").await;
    let store = db.store().await;
    let pump = Pump::start(&db, &nats, 7).await;
    append_numbers(&store, 0..10).await;
    pump.publish_all().await;
    let mut subscription = nats.subscription().batch(4);
    assert_eq!(objects(&take(&mut subscription, 5).await), numbers(0..5));
    own.kill();
    append_numbers(&store, 10..20).await;
    let waiting = tokio::spawn(async move {
        let rest = take(&mut subscription, 15).await;
        (rest, subscription)
    });
    own.restart();
    let pump = Pump::start(&db, &TestNats::on(&own.url(""), "restarted").await, 7).await;
    pump.publish_all().await;
    let (rest, mut subscription) = waiting.await.expect("it goes on");
    assert_eq!(objects(&rest), numbers(5..20));
    append_numbers(&store, 20..21).await;
    pump.publish_all().await;
    assert_eq!(objects(&take(&mut subscription, 1).await), ["20"]);
    check_log(&db).await;
}

#[tokio::test]
async fn stream_that_is_not_there_is_an_error_at_first() {
    let nats = nats().await;
    let error = nats.subscription().next().await.expect_err("no stream");
    let name = nats.spec.name();
    let wanted = format!(
        "there is no stream `{name}`; a relay creates it (`gesta relay run`), or name another one"
    );
    assert_eq!(error.to_string(), wanted);
}

/// Somebody else publishes what looks like a message of the relay, up to its payload.
#[tokio::test]
async fn message_that_cannot_be_read_is_an_error_and_nothing_is_passed_over() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let pump = Pump::start(&db, &nats, 7).await;
    append_numbers(&store, 0..3).await;
    let end = pump.publish_all().await;
    let log = auditor_log(&db).await;
    append_numbers(&store, 3..4).await;
    let chunk = log.read(&end, 10).await.expect("read");
    let message = nats.encoder.encode(&chunk.entries[0].action, &chunk.end.to_string());
    let message = message.expect("a message");
    let publish = PublishMessage::build().headers(message.headers).payload("{}".into());
    let sent = nats.jet_stream.send_publish(message.subject, publish).await.expect("sent");
    sent.await.expect("stored");

    let mut subscription = nats.subscription().batch(10);
    let first = take(&mut subscription, 3).await;
    assert_eq!(objects(&first), numbers(0..3));
    for _ in 0..2 {
        let error = subscription.next().await.expect_err("no action");
        assert!(matches!(error, SubscriptionError::Message { sequence: 4, .. }), "{error}");
        assert_eq!(*subscription.position(), first[2].position);
    }
    check_log(&db).await;
}

#[tokio::test]
async fn action_that_was_too_large_for_the_broker_comes_from_the_log() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let stubbing = Pump { stub: Some("2"), ..Pump::start(&db, &nats, 3).await };
    let with_data = |n: u32| action(&n.to_string()).data(json!({ "size": n }));
    append_all(&store, (0..5).map(with_data).collect()).await;
    stubbing.publish_all().await;
    append_all(&store, (5..7).map(with_data).collect()).await;
    stubbing.publish_all().await;

    let mut whole = nats.subscription().log(auditor_log(&db).await);
    let all = take(&mut whole, 7).await;
    assert_eq!(objects(&all), numbers(0..7));
    assert!(all.iter().all(|it| it.parked.is_none() && it.action.data.is_some()));
    assert!(all[6].sequence.is_some(), "the stream goes on after it");

    let all = take(&mut nats.subscription(), 7).await;
    assert_eq!(objects(&all), numbers(0..7));
    let parked: Vec<_> = all.iter().map(|it| it.parked.as_deref()).collect();
    let why = Some(Parked::TooLarge.as_str());
    assert_eq!(parked, [None, None, why, None, None, None, None]);
    assert!(all.iter().all(|it| it.action.data.is_some() == it.parked.is_none()));
    check_log(&db).await;
}

/// An action that was public when it was stored and is not any more.
#[tokio::test]
async fn retracted_action_does_not_come_from_the_log_either() {
    let (db, mut nats) = (database().await, nats().await);
    let store = db.store().await;
    nats.spec = nats.spec.max_bytes(4096);
    let pump = Pump::start(&db, &nats, 7).await;
    append_numbers(&store, 0..1).await;
    let secret = append(&store, action("secret")).await;
    pump.publish_all().await;
    let ctx = Context::new(&resource("user:1"));
    set_audience(&store, &ctx, secret, &Audience::auditors()).await;
    for n in 1..10 {
        append_numbers(&store, n..n + 1).await;
        pump.publish_all().await;
    }
    let log = auditor_log(&db).await;
    let mut subscription = nats.subscription().log(log).filter(nats.public());
    let all = take(&mut subscription, 10).await;
    assert_eq!(objects(&all), numbers(0..10));
    assert!(all[0].sequence.is_none(), "the stream has dropped it");
    check_log(&db).await;
}

#[tokio::test]
async fn subscription_to_one_tenant_gets_nothing_of_another_from_stream_or_log() {
    let (db, mut nats) = (database().await, nats().await);
    let store = db.store().await;
    nats.spec = nats.spec.max_bytes(8192);
    let pump = Pump::start(&db, &nats, 7).await;
    for n in 0..20 {
        let both =
            ["acme", "evil"].map(|tenant| action_of(tenant, "did", &format!("{tenant}:{n}")));
        append_all(&store, vec![both[0].clone()]).await;
        append_all(&store, vec![both[1].clone()]).await;
        pump.publish_all().await;
    }
    let acme: Tenant = "acme".parse().expect("a tenant");
    // The log of the tenant, as the application's role may read it.
    let log = gesta::Log::of(&store).tenant(acme.clone());
    for filter in [None, Some(nats.public())] {
        let mut subscription = nats.subscription().log(log.clone());
        if let Some(filter) = filter {
            subscription = subscription.filter(filter);
        }
        let error = subscription.next().await.expect_err("the log would be a part of it only");
        assert!(matches!(error, SubscriptionError::OtherTenant { .. }), "{error}");
    }
    let mut subscription = nats.subscription().log(log).filter(nats.public().tenant(&acme));
    let all = take(&mut subscription, 20).await;
    assert_eq!(objects(&all), numbers(0..20));
    assert!(all.iter().all(|delivery| delivery.action.tenant == acme));
    assert!(all[0].sequence.is_none() && all[19].sequence.is_some(), "both had a part");
    check_log(&db).await;
}

fn filters(nats: &TestNats) -> [Filter; 7] {
    let acme = "acme".parse().expect("a tenant");
    [
        nats.public(),
        nats.public().tenant(&acme),
        nats.public().object_type(&"page".parse().expect("a type")),
        nats.public().verb("close >"),
        nats.public().tenant(&acme).object(&resource("issue:a.b 0")),
        nats.public().object(&resource("page:a.b 3")).verb("open"),
        nats.public().lane(Lane::new(3).expect("a lane")),
    ]
}

#[tokio::test]
async fn filters_let_through_the_same_from_stream_and_log() {
    let (db, live, mut dropped) = (database().await, nats().await, nats().await);
    let store = db.store().await;
    for tenant in ["acme", "default"] {
        let action = |n: usize| {
            let object = format!("{}:a.b {}", ["issue", "page"][n % 2], n % 5);
            action_of(tenant, ["open", "close >"][n / 2 % 2], &object)
        };
        append_all(&store, (0..40).map(action).collect()).await;
    }
    let log = auditor_log(&db).await;
    let wanted = log.read(&Position::start(), 1000).await.expect("read").entries;
    Pump::start(&db, &live, 1000).await.publish_all().await;
    dropped.spec = dropped.spec.max_age(Duration::from_millis(100));
    Pump::start(&db, &dropped, 1000).await.publish_all().await;
    until_empty(&dropped).await;
    for nats in [live, dropped] {
        for filter in filters(&nats) {
            let admitted = wanted.iter().filter(|entry| filter.admits(&entry.action));
            let ids: Vec<_> = admitted.map(|entry| entry.action.id).collect();
            assert!(!ids.is_empty(), "{filter}");
            let mut subscription = nats.subscription().log(log.clone()).filter(filter);
            let came = take(&mut subscription, ids.len()).await;
            assert!(came.iter().map(|delivery| delivery.action.id).eq(ids));
        }
    }
    check_log(&db).await;
}
