//! The stream: made as asked, compared, never changed.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, Republish};
use gesta::relay::stream::tail;
use gesta::relay::{Publisher, StreamError, StreamSpec, Tail};

use super::action;
use crate::support::{OwnNats, TestNats, nats};

/// What the server says of the test's stream.
async fn config(nats: &TestNats) -> Config {
    let stream = nats.jet_stream.get_stream(nats.spec.name()).await.expect("it is there");
    stream.cached_info().config.clone()
}

async fn refused(nats: &TestNats, spec: &StreamSpec) -> String {
    spec.open(&nats.jet_stream).await.expect_err("it differs").to_string()
}

#[tokio::test]
async fn stream_is_made_as_asked_and_found_again() {
    let nats = nats().await;
    let spec = nats.spec.clone().max_age(Duration::from_mins(1)).max_bytes(1 << 20);
    let made = spec.open(&nats.jet_stream).await.expect("made");
    let found = spec.open(&nats.jet_stream).await.expect("found");
    assert_eq!(made.cached_info().created, found.cached_info().created);
    let config = config(&nats).await;
    assert_eq!(config.subjects, nats.subjects().all());
    assert_eq!((config.max_age, config.max_bytes), (Duration::from_mins(1), 1 << 20));
    // The server allows no window that is longer than the age.
    assert_eq!(config.duplicate_window, Duration::from_mins(1));
    assert!(config.deny_delete && config.deny_purge && !config.allow_rollup);
}

#[tokio::test]
async fn stream_that_differs_is_named_field_by_field_and_left_as_it_is() {
    let nats = nats().await;
    nats.spec.open(&nats.jet_stream).await.expect("made");
    let before = config(&nats).await;
    let spec = nats.spec.clone().max_age(Duration::from_secs(7)).max_bytes(4096);
    let error = refused(&nats, &spec).await;
    let name = nats.spec.name();
    assert_eq!(
        error,
        format!(
            "the stream `{name}` differs from what is asked for:\n  max_age: asked for 7s, but it is 604800s\n  \
             max_bytes: asked for 4096, but it is -1\n  duplicate_window: asked for 7s, but it is 120s\n\
             ask for what it is; or change it, with `nats stream edit {name}`; or name another stream"
        )
    );
    assert_eq!(config(&nats).await, before);
}

/// What somebody else might have asked for.
type Change = Box<dyn Fn(&mut Config)>;

/// Each of these would break a promise of the relay.
#[tokio::test]
async fn every_field_that_matters_is_compared() {
    let own = OwnNats::start("").await;
    let republish = Republish {
        source: "every_field.v1p.>".into(),
        destination: "public.>".into(),
        headers_only: false,
    };
    let changes: [(&str, Change); 12] = [
        ("subjects", Box::new(|it| it.subjects.push("more.>".into()))),
        (
            "retention",
            Box::new(|it| it.retention = async_nats::jetstream::stream::RetentionPolicy::WorkQueue),
        ),
        ("storage", Box::new(|it| it.storage = async_nats::jetstream::stream::StorageType::Memory)),
        ("discard", Box::new(|it| it.discard = async_nats::jetstream::stream::DiscardPolicy::New)),
        ("max_msgs", Box::new(|it| it.max_messages = 5)),
        ("max_msgs_per_subject", Box::new(|it| it.max_messages_per_subject = 1)),
        ("max_msg_size", Box::new(|it| it.max_message_size = 1000)),
        ("deny_delete", Box::new(|it| it.deny_delete = false)),
        ("deny_purge", Box::new(|it| it.deny_purge = false)),
        ("allow_direct", Box::new(|it| it.allow_direct = false)),
        ("no_ack", Box::new(|it| it.no_ack = true)),
        ("republish", Box::new(move |it| it.republish = Some(republish.clone()))),
    ];
    let nats = TestNats::on(&own.url(""), "every_field").await;
    for (field, change) in changes {
        nats.spec.open(&nats.jet_stream).await.expect("made");
        let mut config = config(&nats).await;
        nats.jet_stream.delete_stream(nats.spec.name()).await.expect("deleted");
        change(&mut config);
        nats.jet_stream.create_stream(config).await.expect(field);
        let error = refused(&nats, &nats.spec).await;
        assert!(error.contains(&format!("\n  {field}: asked for")), "{field}: {error}");
        nats.jet_stream.delete_stream(nats.spec.name()).await.expect("deleted");
    }
}

#[tokio::test]
async fn account_without_jet_stream_is_told_so() {
    let own = OwnNats::start("accounts { A { users: [{ user: a, password: a }] } }").await;
    let nats = TestNats::on(&own.url("a:a@"), "none").await;
    let error = nats.spec.open(&nats.jet_stream).await.expect_err("there is none");
    assert!(matches!(error, StreamError::NoJetStream), "{error:?}");
}

#[tokio::test]
async fn tail_is_the_last_message_also_when_the_limits_have_dropped_it() {
    let nats = nats().await;
    let spec = nats.spec.clone().max_age(Duration::from_millis(100));
    let stream = spec.open(&nats.jet_stream).await.expect("made");
    assert_eq!(tail(&stream).await.expect("the tail"), Tail::Empty);

    let messages =
        [1, 2].map(|n| nats.encoder.encode(&action(n), &format!("at-{n}")).expect("a message"));
    let id = messages[1].id.to_string();
    let publisher = Publisher::new(nats.jet_stream.clone(), spec.name());
    assert_eq!(publisher.publish(messages, 0).await.expect("published"), 2);
    let found = tail(&stream).await.expect("the tail");
    // On a busy machine the message may be gone already.
    if found != (Tail::Dropped { sequence: 2 }) {
        assert_eq!(found, Tail::Message { sequence: 2, position: "at-2".into(), id });
    }
    while tail(&stream).await.expect("the tail") != (Tail::Dropped { sequence: 2 }) {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        publisher
            .publish([nats.encoder.encode(&action(3), "at-3").expect("a message")], 2)
            .await
            .expect("published"),
        3
    );
}

#[tokio::test]
async fn strangers_message_at_the_end_is_named() {
    let nats = nats().await;
    let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
    let subject = format!("{}.v1.a.0.b.c.d", nats.subjects().prefix());
    let ack = nats.jet_stream.publish(subject, "hello".into()).await.expect("sent");
    ack.await.expect("stored");
    let error = tail(&stream).await.expect_err("a stranger's").to_string();
    assert!(error.starts_with("message 1 of the stream `test_"), "{error}");
    assert!(error.contains("no header `Gesta-Position`: somebody else publishes there"), "{error}");
}

#[test]
fn names_that_would_break_subjects_are_refused() {
    let subjects = gesta::relay::Subjects::default();
    for name in ["", "a.b", "a b", "*", &"x".repeat(65)] {
        assert!(StreamSpec::new(name, &subjects).is_err(), "{name}");
    }
}
