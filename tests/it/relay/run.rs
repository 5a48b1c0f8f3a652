//! The relay on servers that work: what is published, in which order, by whom, and what `status` says.

use std::time::Duration;

use futures_util::future::join_all;
use gesta::log::Writing;
use gesta::relay::{Lag, News, Parked, Tree};
use gesta::{Audience, Context};
use serde_json::json;

use super::rig::{all, append, check_stream, did, messages, published, relay, start};
use crate::support::{self, OwnNats, TestNats, check_log, database, nats, resource, set_audience};

#[tokio::test]
async fn everything_committed_is_published_once_and_nothing_else() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    append(&store, 0..1_500).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    assert_eq!(all(&nats).await.len(), 1_500, "caught up means that");

    let mut client = store.client().await.expect("a connection");
    let rolled_back = client.transaction().await.expect("a transaction");
    let _ = store.append(&rolled_back, did("nothing")).await.expect("appended");
    append(&store, 0..10).await;
    rolled_back.rollback().await.expect("rolled back");
    append(&store, 0..10).await;
    assert_eq!(check_stream(&db, &nats).await, 1_520);
    running.stop().await;
    check_log(&db).await;
}

/// The positions say so: each of them is later than the one before.
#[tokio::test]
async fn positions_rise_with_the_stream() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    append(&store, 0..30).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    append(&store, 0..30).await;
    let all = messages(&nats, 60).await;
    let positions: Vec<gesta::Position> =
        all.iter().map(|(_, it)| it.position.parse().expect("a position")).collect();
    assert!(positions.is_sorted_by(|a, b| b.is_at_or_after(a) && a != b));
    running.stop().await;
}

/// The timeline of the log: B is published while A is open, and A when it commits.
#[tokio::test]
async fn long_transaction_delays_its_own_actions_and_status_says_who_holds_it() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let relay = relay(&db, &nats).await;
    let running = start(relay.clone());
    let mut client = store.client().await.expect("a connection");
    let open = client.transaction().await.expect("a transaction");
    let _ = store.append(&open, did("late")).await.expect("appended");
    let pid: i32 = open.query_one("SELECT pg_backend_pid()", &[]).await.expect("a pid").get(0);
    append(&store, 0..20).await;
    assert_eq!(published(&nats, 20).await.len(), 20);

    let status = relay.status().await.expect("a status");
    let holders: Vec<_> = status.writing.iter().map(|it| it.writing.clone()).collect();
    assert_eq!(holders, [Writing::Session { pid }]);
    assert_eq!(status.lag.expect("known").actions, 0, "what is not committed is not late");
    open.commit().await.expect("committed");
    assert_eq!(check_stream(&db, &nats).await, 21);
    running.stop().await;
}

#[tokio::test]
async fn second_relay_waits_and_goes_on_when_the_first_one_stops() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let first = start(relay(&db, &nats).await);
    first.until_caught_up().await;
    let second = start(relay(&db, &nats).await);
    second.until(|news| matches!(news, News::Waiting { .. })).await;
    append(&store, 0..100).await;
    published(&nats, 100).await;
    first.stop().await;
    append(&store, 0..100).await;
    second.until(|news| matches!(news, News::Publishing { after: 100, .. })).await;
    assert_eq!(check_stream(&db, &nats).await, 200);
    second.stop().await;
}

/// Nothing but the broker's fence is left: the claim is taken from whoever has it, again and again.
#[tokio::test]
async fn relays_that_publish_at_the_same_time_double_nothing() {
    let (db, nats) = (database().await, nats().await);
    let (store, admin) = (db.store().await, db.admin().await);
    let relays: Vec<_> =
        join_all((0..3).map(|_| relay(&db, &nats))).await.into_iter().map(start).collect();
    for round in 0..40 {
        let freed = "UPDATE gesta.relay SET held_until = '-infinity'";
        admin.batch_execute(freed).await.expect("freed");
        append(&store, 0..50).await;
        if round % 8 == 0 {
            published(&nats, (round + 1) * 50).await;
        }
    }
    assert_eq!(check_stream(&db, &nats).await, 2_000);
    let noted = async |relay: super::rig::Running| relay.stop().await;
    join_all(relays.into_iter().map(noted)).await;
}

#[tokio::test]
async fn status_tells_the_lag_before_and_after() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let relay = relay(&db, &nats).await;
    let status = relay.status().await.expect("a status");
    assert_eq!((status.tip, status.publisher), (None, None));
    assert_eq!(status.lag, Some(Lag { actions: 0, is_estimate: false, seconds: 0.0 }));
    append(&store, 0..1_200).await;
    let lag = relay.status().await.expect("a status").lag.expect("known");
    assert!(lag.actions == 1_200 && !lag.is_estimate && lag.seconds > 0.0, "{lag:?}");

    let running = start(relay.clone());
    running.until_caught_up().await;
    let status = relay.status().await.expect("a status");
    let tip = status.tip.expect("a stream");
    assert_eq!((tip.sequence, tip.messages), (1_200, 1_200));
    assert!(tip.time.is_some() && status.publisher.is_some());
    assert_eq!(status.lag.expect("known").actions, 0);
    running.stop().await;
    assert_eq!(relay.status().await.expect("a status").publisher, None);
}

/// Operators free a claim, or keep one, by hand.
#[tokio::test]
async fn claims_without_a_beginning_or_an_end_are_told() {
    let (db, nats) = (database().await, nats().await);
    let (relay, admin) = (relay(&db, &nats).await, db.admin().await);
    let running = start(relay.clone());
    running.until_caught_up().await;
    running.stop().await;
    for (until, held_for) in [("-infinity", None), ("infinity", Some(Duration::MAX))] {
        let set = format!("UPDATE gesta.relay SET holder = 'somebody', held_until = '{until}'");
        admin.batch_execute(&set).await.expect("set");
        let publisher = relay.status().await.expect("a status").publisher;
        assert_eq!(publisher, held_for.map(|held_for| ("somebody".to_owned(), held_for)));
    }
}

#[tokio::test]
async fn message_that_is_too_large_is_parked_and_the_rest_goes_on() {
    let own = OwnNats::start("max_payload: 8192").await;
    let nats = TestNats::on(&own.url(""), "large").await;
    let db = database().await;
    let store = db.store().await;
    append(&store, 0..5).await;
    let large =
        support::append(&store, did("large").data(json!({ "text": "x".repeat(10_000) }))).await;
    append(&store, 5..10).await;
    let relay = relay(&db, &nats).await;
    let running = start(relay.clone());
    running.until(|news| matches!(news, News::Parked { id, .. } if id.id == large)).await;
    assert_eq!(check_stream(&db, &nats).await, 11);
    let all = messages(&nats, 11).await;
    let stub = &all[5].1;
    assert_eq!((stub.action.id, stub.parked.as_deref()), (large, Some(Parked::TooLarge.as_str())));
    assert!(stub.action.data.is_none() && stub.action.object.is_some());
    assert!(all.iter().filter(|(_, it)| it.parked.is_some()).count() == 1);

    let parked = relay.status().await.expect("a status").parked;
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].id, parked[0].position.as_str()), (large, stub.position.as_str()));
    assert!(parked[0].reason.contains("but the broker takes 7680"), "{}", parked[0].reason);
    running.stop().await;
}

/// Narrowed before the relay came: the audience that holds at publishing decides.
#[tokio::test]
async fn audience_that_was_changed_decides_on_the_subject() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let id = support::append(&store, did("1")).await;
    let other = support::append(&store, did("2")).await;
    let ctx = Context::new(&resource("user:admin"));
    set_audience(&store, &ctx, id, &Audience::auditors()).await;
    let running = start(relay(&db, &nats).await);
    let tree = |subject: &str| nats.subjects().parse(subject).expect("a subject").tree;
    let all = messages(&nats, 3).await;
    let of = |id| all.iter().find(|(_, it)| it.action.id == id).expect("published");
    assert_eq!((tree(&of(id).0), tree(&of(other).0)), (Tree::Private, Tree::Public));
    assert_eq!(of(id).1.action.audience, Audience::auditors());
    running.stop().await;
}

/// The position is in no message any more, so it comes from the table.
#[tokio::test]
async fn stream_that_has_dropped_everything_is_not_filled_again() {
    let (db, mut nats) = (database().await, nats().await);
    nats.spec = nats.spec.max_age(Duration::from_secs(1));
    let store = db.store().await;
    append(&store, 0..20).await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    running.stop().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("the stream");
    while stream.get_info().await.expect("the stream").state.messages > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    let state = stream.get_info().await.expect("the stream").state;
    assert_eq!((state.messages, state.last_sequence), (0, 20));
    append(&store, 20..25).await;
    while stream.get_info().await.expect("the stream").state.last_sequence < 25 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn bell_over_nats_wakes_a_relay_that_sleeps() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let running = start(relay(&db, &nats).await);
    running.until_caught_up().await;
    let mut rings = nats
        .client
        .subscribe(format!("{}.bell", nats.subjects().prefix()))
        .await
        .expect("subscribed");
    let subjects = nats.subjects().clone();
    let (bell, client) = (store.bell().clone(), nats.client.clone());
    let ringing =
        tokio::spawn(async move { gesta::relay::bell::ring_for(&bell, &client, &subjects).await });
    let writer = store.writer();
    // The first rings may come before the task listens.
    for _ in 0..3 {
        let _ = writer.append(did(1)).await.expect("appended");
    }
    let ring =
        tokio::time::timeout(super::rig::PATIENCE, futures_util::StreamExt::next(&mut rings)).await;
    assert!(ring.expect("it rings").is_some_and(|ring| ring.payload.is_empty()));
    assert_eq!(check_stream(&db, &nats).await, 3);
    ringing.abort();
    running.stop().await;
}
