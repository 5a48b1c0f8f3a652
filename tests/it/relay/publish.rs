//! Publishing in order, fenced, also while servers die.

use async_nats::jetstream::stream::Stream;
use gesta::relay::publish::{Last, PublishCause};
use gesta::relay::stream::tail;
use gesta::relay::{Incoming, MessageId, Outgoing, PublishError, Publisher};

use super::{action, action_of};
use crate::support::{OwnNats, TestNats, nats};

fn messages(nats: &TestNats, numbers: std::ops::Range<u64>) -> Vec<Outgoing> {
    let encode = |n| nats.encoder.encode(&action(n), &format!("at-{n}")).expect("a message");
    numbers.map(encode).collect()
}

/// All that is in the stream, in its order.
async fn stored(stream: &Stream) -> Vec<Incoming> {
    let last = stream.get_info().await.expect("the stream").state.last_sequence;
    let mut all = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.expect("a message");
        all.push(Incoming::read(Some(&message.headers), &message.payload).expect("ours"));
    }
    all
}

fn positions(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| format!("at-{n}")).collect()
}

async fn stored_positions(stream: &Stream) -> Vec<String> {
    stored(stream).await.into_iter().map(|message| message.position).collect()
}

fn fenced(error: &PublishError, at: u64) -> bool {
    matches!(error.cause, PublishCause::Fenced { expected } if expected == at)
}

#[tokio::test]
async fn messages_are_stored_in_order_as_they_were_given() {
    let nats = nats().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name()).window(7);
    assert_eq!(publisher.publish([], 0).await.expect("nothing to do"), 0);
    assert_eq!(publisher.publish(messages(&nats, 0..50), 0).await.expect("published"), 50);
    let all = stored(&stream).await;
    assert!(all.iter().zip(0..).all(|(message, n)| message.action == action(n)));
    assert_eq!(stored_positions(&stream).await, positions(0..50));
}

#[tokio::test]
async fn relay_that_is_behind_is_refused_and_stores_nothing() {
    let nats = nats().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let one = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    let other = one.clone();
    one.publish(messages(&nats, 0..5), 0).await.expect("published");
    // The other one was paused before that, and wakes up.
    let error = other.publish(messages(&nats, 100..200), 0).await.expect_err("fenced");
    assert!(fenced(&error, 0) && error.acked == 0, "{error}");
    assert_eq!(stored_positions(&stream).await, positions(0..5));
}

/// One relay has 1 to 3 in a tick. When the other one looked, 1 and 3 were in progress, and it has published 9 and 2.
#[tokio::test]
async fn nothing_fits_behind_what_another_relay_has_published_of_the_same_tick() {
    let nats = nats().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    for (expected, n) in [0, 9, 2].into_iter().enumerate() {
        publisher.publish(messages(&nats, n..n + 1), expected as u64).await.expect("published");
    }
    let error = publisher.publish(messages(&nats, 1..4), 1).await.expect_err("fenced");
    assert!(fenced(&error, 1) && error.acked == 0, "{error}");
    // Or each of them in a tick of its own.
    let mut publishing = publisher.after(1, None);
    let mut ended = Ok(());
    for message in messages(&nats, 1..4) {
        publishing.begin_tick();
        ended = ended.and(publishing.send([message], Last::Unknown).await);
    }
    assert!(ended.is_err_and(|error| fenced(&error, 1)));
    tail(&stream).await.expect("what was sent has arrived");
    assert_eq!(stored_positions(&stream).await, ["at-0", "at-9", "at-2"]);
}

#[tokio::test]
async fn of_many_relays_at_once_one_goes_on() {
    let nats = nats().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    let relays =
        [0, 1_000, 2_000].map(|first| publisher.publish(messages(&nats, first..first + 100), 0));
    let ended = futures_util::future::join_all(relays).await;
    let (winners, others): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_ok);
    assert_eq!((winners.len(), others.len()), (1, 2));
    let none = |error: &PublishError| error.acked == 0 && fenced(error, 0);
    assert!(others.iter().all(|other| other.as_ref().is_err_and(none)));
    assert_eq!(stored(&stream).await.len(), 100);
}

#[tokio::test]
async fn message_that_the_broker_has_already_stops_it() {
    let nats = nats().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    publisher.publish(messages(&nats, 0..3), 0).await.expect("published");
    let error = publisher.publish(messages(&nats, 1..5), 3).await.expect_err("a duplicate");
    let PublishCause::Duplicate { id, sequence } = error.cause else { panic!("{error}") };
    assert_eq!((id, sequence, error.acked), (MessageId::of(&action(1)), 2, 0));
    assert_eq!(stored_positions(&stream).await, positions(0..3));
}

/// Few messages are acknowledged, so which of those between was refused is not known before somebody goes on there.
#[tokio::test]
async fn refusal_in_the_middle_stops_what_is_behind_it_and_is_told_at_the_next_attempt() {
    let nats = nats().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    publisher.publish(messages(&nats, 0..3), 0).await.expect("published");
    let given = [3, 4, 1, 5, 6].map(|n| messages(&nats, n..n + 1).remove(0));
    let error = publisher.publish(given.clone(), 3).await.expect_err("a duplicate");
    let PublishCause::OneOf { messages, id } = error.cause else { panic!("{error}") };
    assert_eq!(
        (messages, id, error.acked, error.last_sequence),
        (4, MessageId::of(&action(6)), 1, 4)
    );
    assert_eq!(stored_positions(&stream).await, positions(0..5));
    let error = publisher.publish(given[2..].to_vec(), 5).await.expect_err("the duplicate");
    assert!(matches!(error.cause, PublishCause::Duplicate { sequence: 2, .. }), "{error}");
    publisher.publish(given[3..].to_vec(), 5).await.expect("published");
    assert_eq!(stored_positions(&stream).await, positions(0..7));
}

#[tokio::test]
async fn message_that_is_too_large_is_told_and_what_was_before_it_is_stored() {
    let own = OwnNats::start("max_payload: 4096").await;
    let nats = TestNats::on(&own.url(""), "large").await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    let mut all = messages(&nats, 0..5);
    all[3] = nats.encoder.encode(&action_of(3, &"x".repeat(2_000)), "at-3").expect("a message");
    let error = publisher.publish(all, 0).await.expect_err("too large");
    assert_eq!((error.acked, error.last_sequence), (3, 3));
    let text = gesta::error::chain(&error);
    assert!(text.starts_with("failed to publish after 3 messages: action acme/01a1f944"), "{text}");
    assert!(text.contains("bytes, but the broker takes 3584; raise `max_payload`"), "{text}");
    assert_eq!(stored_positions(&stream).await, positions(0..3));
    // It is left out, and the rest goes on.
    assert_eq!(publisher.publish(messages(&nats, 4..5), 3).await.expect("published"), 4);
}

#[tokio::test]
async fn largest_message_that_is_let_through_is_taken() {
    let own = OwnNats::start("max_payload: 8192").await;
    let nats = TestNats::on(&own.url(""), "largest").await;
    nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    let room = 8192 - gesta::relay::publish::FENCE_LEN_MAX;
    let message = |len| {
        let mut message = nats.encoder.encode(&action(1), "at-1").expect("a message");
        let headers = message.wire_len() - message.payload.len();
        message.payload = vec![b' '; len - headers].into();
        message
    };
    assert!(publisher.publish([message(room + 1)], 0).await.is_err());
    assert_eq!(publisher.publish([message(room)], 0).await.expect("published"), 1);
}

#[tokio::test]
async fn subject_without_a_stream_is_told() {
    let nats = nats().await;
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    let error = publisher.publish(messages(&nats, 0..2), 0).await.expect_err("no stream");
    assert!(matches!(error.cause, PublishCause::NoStream { .. }), "{error}");
}

/// A server that is killed under way, and a relay that goes on after the stream's tail.
#[tokio::test]
async fn killed_server_costs_nothing_and_doubles_nothing() {
    const ALL: u64 = 3_000;
    let mut own = OwnNats::start("").await;
    let nats = TestNats::on(&own.url(""), "killed").await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let mut context = nats.jet_stream.clone();
    context.set_timeout(std::time::Duration::from_millis(300));
    let publisher = Publisher::new(context, nats.spec.name()).window(50);
    let all = messages(&nats, 0..ALL);
    let publish = publisher.publish(all, 0);
    let watch = async {
        while stream.get_info().await.expect("the stream").state.last_sequence < 500 {
            tokio::task::yield_now().await;
        }
        own.kill();
    };
    let (ended, ()) = tokio::join!(publish, watch);
    let error = ended.expect_err("the server was killed under way");
    assert!(error.acked >= 400 && matches!(error.cause, PublishCause::Unknown { .. }), "{error}");
    own.restart();
    // What it buffered while the server was away may arrive now; whatever it is, it is a beginning.
    loop {
        let Ok(found) = tail(&stream).await else { continue };
        let rest = messages(&nats, found.sequence()..ALL);
        match publisher.publish(rest, found.sequence()).await {
            Ok(last) => break assert_eq!(last, ALL),
            Err(error) => assert!(!matches!(error.cause, PublishCause::Message(_)), "{error}"),
        }
    }
    assert_eq!(stored_positions(&stream).await, positions(0..ALL));
}
