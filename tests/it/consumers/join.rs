//! From the log into the stream, at any point.

use std::time::Duration;

use gesta::Position;
use gesta::subscription::SubscriptionError;

use super::{Pump, action_of, append_numbers, auditor_log, numbers, objects, take, until_empty};
use crate::support::{append_all, check_log, database, nats};

#[tokio::test]
async fn what_is_in_the_stream_comes_from_the_stream() {
    let (db, nats) = (database().await, nats().await);
    let pump = Pump::start(&db, &nats, 7).await;
    append_numbers(&db.store().await, 0..20).await;
    pump.publish_all().await;
    for log in [None, Some(auditor_log(&db).await)] {
        let mut subscription = nats.subscription();
        if let Some(log) = log {
            subscription = subscription.log(log);
        }
        let all = take(&mut subscription, 20).await;
        assert_eq!(objects(&all), numbers(0..20));
        assert!(all.iter().zip(1..).all(|(delivery, n)| delivery.sequence == Some(n)));
        // From each of them on, what follows is what follows.
        for (n, delivery) in all.iter().enumerate().take(19) {
            let position = delivery.position.to_string().parse().expect("a position");
            let mut rest = nats.subscription().after(position);
            assert_eq!(objects(&take(&mut rest, 19 - n).await), objects(&all[n + 1..]));
        }
    }
    check_log(&db).await;
}

#[tokio::test]
async fn what_the_stream_has_dropped_comes_from_the_log_and_then_the_stream_goes_on() {
    let (db, mut nats) = (database().await, nats().await);
    let store = db.store().await;
    nats.spec = nats.spec.max_bytes(8192);
    let pump = Pump::start(&db, &nats, 7).await;
    for tick in 0..25 {
        append_numbers(&store, 2 * tick..2 * tick + 2).await;
        pump.publish_all().await;
    }

    let error = nats.subscription().next().await.expect_err("dropped");
    assert!(matches!(error, SubscriptionError::Gone { .. }), "{error}");

    let mut subscription = nats.subscription().log(auditor_log(&db).await).batch(5);
    let all = take(&mut subscription, 50).await;
    assert_eq!(objects(&all), numbers(0..50));
    assert!(all[0].sequence.is_none() && all[49].sequence.is_some(), "both had a part");
    append_numbers(&store, 50..53).await;
    pump.publish_all().await;
    let more = take(&mut subscription, 3).await;
    assert_eq!(objects(&more), numbers(50..53));
    assert!(more.iter().all(|delivery| delivery.sequence.is_some()));
    check_log(&db).await;
}

/// The limits overtake a subscription that has found its place and waits for its consumer, with a filter and without.
#[tokio::test]
async fn slow_subscription_that_the_limits_overtake_misses_nothing() {
    let (db, mut nats) = (database().await, nats().await);
    let store = db.store().await;
    nats.spec = nats.spec.max_bytes(8192);
    let pump = Pump::start(&db, &nats, 7).await;
    append_numbers(&store, 0..4).await;
    pump.publish_all().await;
    let log = auditor_log(&db).await;
    let whole = nats.subscription().log(log.clone()).batch(2);
    let filtered = nats.subscription().log(log).batch(2).filter(nats.public().verb("did"));
    let mut subscriptions = [whole, filtered];
    for subscription in &mut subscriptions {
        assert_eq!(objects(&take(subscription, 1).await), ["0"]);
    }
    for tick in 2..20 {
        append_all(&store, vec![action_of("default", "other", "thing:0")]).await;
        append_numbers(&store, 2 * tick..2 * tick + 2).await;
        pump.publish_all().await;
    }
    for (subscription, len) in subscriptions.iter_mut().zip([39 + 18, 39]) {
        let all = take(subscription, len).await;
        let did: Vec<_> = all.iter().filter(|it| it.action.verb == "did").cloned().collect();
        assert_eq!(objects(&did), numbers(1..40));
        assert!(all.iter().any(|delivery| delivery.sequence.is_none()), "the log had a part");
    }
    check_log(&db).await;
}

/// All messages are dropped, and the stream tells nothing but how many there were.
#[tokio::test]
async fn empty_stream_is_replaced_by_the_log_until_it_goes_on() {
    let (db, mut nats) = (database().await, nats().await);
    let store = db.store().await;
    nats.spec = nats.spec.max_age(Duration::from_millis(100));
    let pump = Pump::start(&db, &nats, 7).await;
    let log = auditor_log(&db).await;
    append_numbers(&store, 0..20).await;
    let end = pump.publish_all().await;
    until_empty(&nats).await;
    append_numbers(&store, 20..25).await;
    let mut subscription = nats.subscription().log(log).batch(6);
    let all = take(&mut subscription, 25).await;
    assert_eq!(objects(&all), numbers(0..25));
    // The relay's next tick began where its last one ended, before what the subscription has from the log.
    append_numbers(&store, 25..27).await;
    pump.publish_chunk(&end).await;
    assert_eq!(objects(&take(&mut subscription, 2).await), numbers(25..27));
    check_log(&db).await;
}

#[tokio::test]
async fn position_of_another_reader_of_the_log_is_joined_to_the_stream() {
    let (db, nats) = (database().await, nats().await);
    let (store, log) = (db.store().await, auditor_log(&db).await);
    let pump = Pump::start(&db, &nats, 4).await;
    append_numbers(&store, 0..5).await;
    let head = log.head().await.expect("the head");
    append_numbers(&store, 5..15).await;
    // One tick of the relay has what lies on both sides of the positions.
    pump.publish_all().await;
    let inside = log.read(&head, 3).await.expect("read").end;
    let mut subscriptions = Vec::new();
    for (position, first) in [(Position::start(), 0), (head.clone(), 5), (inside, 8)] {
        let mut subscription = nats.subscription().after(position).log(log.clone()).batch(3);
        let len = usize::try_from(15 - first).expect("some");
        assert_eq!(objects(&take(&mut subscription, len).await), numbers(first..15));
        subscriptions.push(subscription);
    }
    for round in 0..2 {
        let new = 15 + 2 * round..17 + 2 * round;
        append_numbers(&store, new.clone()).await;
        pump.publish_all().await;
        for subscription in &mut subscriptions {
            let came = take(subscription, 2).await;
            assert_eq!(objects(&came), numbers(new.clone()));
            // By now each is at the end of a tick of the relay.
            assert!(round == 0 || came.iter().all(|delivery| delivery.sequence.is_some()));
        }
    }
    // Nobody but the log can tell what of the tick lies before the position.
    let error = nats.subscription().after(head).next().await.expect_err("not in the stream");
    assert!(matches!(error, SubscriptionError::Gone { .. }), "{error}");
    check_log(&db).await;
}

/// `gesta relay rebuild`: other numbers, other ticks, the same log.
#[tokio::test]
async fn stream_that_was_made_anew_is_joined_where_the_old_one_was_left() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let pump = Pump::start(&db, &nats, 4).await;
    for tick in 0..6 {
        append_numbers(&store, 3 * tick..3 * tick + 3).await;
        pump.publish_all().await;
    }
    let mut subscription = nats.subscription().log(auditor_log(&db).await).batch(3);
    let all = take(&mut subscription, 11).await;
    assert_eq!(objects(&all), numbers(0..11));
    nats.jet_stream.delete_stream(nats.spec.name()).await.expect("deleted");
    append_numbers(&store, 18..20).await;
    let pump = Pump::start(&db, &nats, 5).await;
    pump.publish_all().await;
    assert_eq!(objects(&take(&mut subscription, 9).await), numbers(11..20));
    append_numbers(&store, 20..22).await;
    pump.publish_all().await;
    assert_eq!(objects(&take(&mut subscription, 2).await), numbers(20..22));
    check_log(&db).await;
}
