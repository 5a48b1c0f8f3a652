//! Subscriptions against a real stream and a real log: joining, filters, exactly once, crashes, dropped messages.

mod concurrent;
mod faults;
mod join;
mod languages;
mod step;

use std::collections::BTreeSet;

use gesta::log::Entry;
use gesta::relay::message::Parked;
use gesta::relay::stream::tail;
use gesta::relay::{Encoder, Filter, Publisher, Tail, Tree};
use gesta::subscription::{Delivery, Subscription};
use gesta::{Action, ActionId, Context, Log, NewAction, Position, Store, Tenant};

use crate::support::{TestDb, TestNats, append_all, resource};

/// How long something may take that takes a second on an idle machine.
const WAIT_MAX: std::time::Duration = std::time::Duration::from_mins(2);

/// A relay for tests, that stops exactly where it is told to.
pub(super) struct Pump {
    log: Log,
    encoder: Encoder,
    publisher: Publisher,
    stream: async_nats::jetstream::stream::Stream,
    /// Actions of a chunk; a small one makes ticks of many.
    chunk_len: usize,
    /// The object whose action is too large for the broker.
    pub(super) stub: Option<&'static str>,
}

impl Pump {
    pub(super) async fn start(db: &TestDb, nats: &TestNats, chunk_len: usize) -> Self {
        let stream = nats.spec.open(&nats.jet_stream).await.expect("made");
        let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
        let log = auditor_log(db).await;
        Self { log, encoder: nats.encoder.clone(), publisher, stream, chunk_len, stub: None }
    }

    /// Publishes one chunk after the stream's last message, or after `otherwise` where that was dropped; whether there was
    /// something to publish, and where it ended.
    pub(super) async fn publish_chunk(&self, otherwise: &Position) -> (bool, Position) {
        let tail = tail(&self.stream).await.expect("the tail");
        let after = match &tail {
            Tail::Message { position, .. } => position.parse().expect("a position"),
            Tail::Empty | Tail::Dropped { .. } => otherwise.clone(),
        };
        let chunk = self.log.read(&after, self.chunk_len).await.expect("read");
        let encode = |Entry { action, position, .. }: &Entry| {
            let position = position.to_string();
            let message = if self.stub.is_some_and(|stub| object(action) == Some(stub)) {
                self.encoder.stub(action, &position, Parked::TooLarge)
            } else {
                self.encoder.encode(action, &position)
            };
            message.expect("a message")
        };
        let messages: Vec<_> = chunk.entries.iter().map(encode).collect();
        self.publisher.publish(messages, tail.sequence()).await.expect("published");
        (chunk.more || !chunk.entries.is_empty(), chunk.end)
    }

    /// Publishes all that is committed.
    pub(super) async fn publish_all(&self) -> Position {
        let mut at = Position::start();
        loop {
            let (more, end) = self.publish_chunk(&at).await;
            if !more {
                return end;
            }
            at = end;
        }
    }
}

/// The log of all tenants.
pub(super) async fn auditor_log(db: &TestDb) -> Log {
    Log::new(db.store_as("gesta_auditor").await.pool())
}

/// `user:1 did thing:<object>`
pub(super) fn action(object: &str) -> NewAction {
    action_of("default", "did", &format!("thing:{object}"))
}

pub(super) fn action_of(tenant: &str, verb: &str, object: &str) -> NewAction {
    let ctx = Context::new(&resource("user:1")).tenant(tenant.parse::<Tenant>().expect("a tenant"));
    NewAction::new(verb, &ctx).object(&resource(object))
}

/// Actions on objects of these numbers, in one transaction.
pub(super) async fn append_numbers(store: &Store, numbers: std::ops::Range<u32>) {
    append_all(store, numbers.map(|n| action(&n.to_string())).collect()).await;
}

impl TestNats {
    /// A subscription to everything in the stream of this test.
    pub(super) fn subscription(&self) -> Subscription {
        Subscription::new(&self.jet_stream, self.spec.name())
    }

    /// All that everybody may see.
    pub(super) fn public(&self) -> Filter {
        self.subjects().filter(Tree::Public)
    }
}

/// The next delivery, or what went wrong.
pub(super) async fn next(subscription: &mut Subscription) -> Delivery {
    let Ok(next) = tokio::time::timeout(WAIT_MAX, subscription.next()).await else {
        panic!("nothing comes after {}", subscription.position());
    };
    next.unwrap_or_else(|error| panic!("{}", gesta::error::chain(&error)))
}

/// So many deliveries.
pub(super) async fn take(subscription: &mut Subscription, len: usize) -> Vec<Delivery> {
    let mut all = Vec::with_capacity(len);
    for _ in 0..len {
        all.push(next(subscription).await);
    }
    all
}

/// The ids of the objects, in order.
pub(super) fn objects(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().filter_map(|delivery| object(&delivery.action)).collect()
}

pub(super) fn object(action: &Action) -> Option<&str> {
    action.object.as_ref().map(|object| object.resource.id.as_str())
}

/// The numbers as texts.
pub(super) fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

/// Ids without repetition, or the one that is there twice.
pub(super) fn distinct(deliveries: &[Delivery]) -> BTreeSet<ActionId> {
    let mut ids = BTreeSet::new();
    for delivery in deliveries {
        assert!(ids.insert(delivery.action.id), "{} comes twice", delivery.action.id);
    }
    ids
}

/// Returns when the limits have dropped all.
pub(super) async fn until_empty(nats: &TestNats) {
    let stream = nats.jet_stream.get_stream(nats.spec.name()).await.expect("it is there");
    while stream.get_info().await.expect("the stream").state.messages > 0 {
        tokio::task::yield_now().await;
    }
}
