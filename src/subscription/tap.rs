//! The live side: messages of the stream from one number on, none missing.
//!
//! The consumer on the broker is ephemeral and knows nothing of what has been dealt with: the position is the
//! caller's. What is handed to it counts as delivered, so whatever is lost on the way leaves a gap in the consumer's own
//! numbers. What the stream's limits drop before it was delivered leaves none there; it does in the stream's numbers, where a
//! filter leaves gaps as well. Then the stream's first number tells the one from the other.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{Context, Message};
use futures_util::{FutureExt, StreamExt};

use super::error::SubscriptionError;
use crate::relay::Filter;
use crate::relay::stream::look;

/// How long the broker keeps a consumer that nobody asks.
const IDLE_MAX: Duration = Duration::from_mins(1);
/// How often the broker says that it is there, while there is nothing new.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long one request for messages lasts.
const EXPIRES: Duration = Duration::from_secs(20);

/// What comes from a tap.
pub(super) enum Drawn {
    /// Messages in order, with their numbers.
    Messages(Vec<(u64, Message)>),
    /// Something between these and the last ones is missing, or may be.
    Gap,
}

/// An open consumer.
pub(super) struct Tap {
    stream: Stream,
    messages: pull::Stream,
    /// Whether every message of the stream comes.
    whole: bool,
    /// The number that the stream's next message has at least.
    next: u64,
    /// The consumer's number of the next message.
    next_delivery: u64,
    /// What has come, and was not handed out yet.
    drawn: Vec<(u64, Message)>,
    /// The first number that is not among them.
    gap_at: Option<u64>,
}

impl Tap {
    /// Opens one on the messages from the number `from` on that a filter admits; on all where there are no filters.
    pub(super) async fn open(
        stream: Stream,
        filters: &[Filter],
        from: u64,
        len: usize,
    ) -> Result<Self, SubscriptionError> {
        let name = stream.cached_info().config.name.clone();
        let mut subjects: Vec<_> = filters.iter().map(Filter::to_string).collect();
        let config = Config {
            description: Some("gesta subscription".to_owned()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            ack_policy: AckPolicy::None,
            inactive_threshold: IDLE_MAX,
            memory_storage: true,
            num_replicas: 1,
            // One filter is a part of the subject of the request, so that permissions can fence it.
            filter_subject: if subjects.len() == 1 { subjects.remove(0) } else { String::new() },
            filter_subjects: subjects,
            ..Config::default()
        };
        let consumer = stream.create_consumer(config).await;
        let consumer = consumer.map_err(SubscriptionError::broker("make a consumer of", &name))?;
        let messages = consumer.stream().max_messages_per_batch(len);
        let messages = messages.heartbeat(HEARTBEAT).expires(EXPIRES).messages().await;
        let messages = messages.map_err(SubscriptionError::broker("read", &name))?;
        let whole = filters.is_empty();
        let (drawn, gap_at) = (Vec::new(), None);
        Ok(Self { stream, messages, whole, next: from, next_delivery: 1, drawn, gap_at })
    }

    /// Waits for a message, and takes those that are there with it.
    ///
    /// # Cancel safety
    /// What was taken is handed out by the next call.
    pub(super) async fn draw(&mut self, len: usize) -> Result<Drawn, SubscriptionError> {
        while self.drawn.len() < len {
            let next = self.messages.next();
            let message = if self.drawn.is_empty() {
                next.await
            } else {
                let Some(message) = next.now_or_never() else { break };
                message
            };
            let Some(message) = message else { return Ok(Drawn::Gap) };
            let name = &self.stream.cached_info().config.name;
            let message = message.map_err(SubscriptionError::broker("read", name))?;
            if !self.put(message) {
                return Ok(Drawn::Gap);
            }
        }
        if let Some(gap) = self.gap_at
            && (self.whole || self.first().await? > gap)
        {
            return Ok(Drawn::Gap);
        }
        self.gap_at = None;
        Ok(Drawn::Messages(std::mem::take(&mut self.drawn)))
    }

    /// Whether a message follows on the last one, as far as the consumer's own numbers tell.
    fn put(&mut self, message: Message) -> bool {
        let Ok(info) = message.info() else { return false };
        let (sequence, delivery) = (info.stream_sequence, info.consumer_sequence);
        if delivery != self.next_delivery || sequence < self.next {
            return false;
        }
        if sequence > self.next && self.gap_at.is_none() {
            self.gap_at = Some(self.next);
        }
        (self.next, self.next_delivery) = (sequence + 1, delivery + 1);
        self.drawn.push((sequence, message));
        true
    }

    /// The number of the first message that the stream has.
    async fn first(&self) -> Result<u64, SubscriptionError> {
        let name = &self.stream.cached_info().config.name;
        let info = self.stream.get_info().await;
        let info = info.map_err(SubscriptionError::broker("look at the stream", name))?;
        Ok(info.state.first_sequence)
    }
}

/// The stream as it is now.
pub(super) async fn stream(jet_stream: &Context, name: &str) -> Result<Stream, SubscriptionError> {
    let found = look(jet_stream, name).await.map_err(SubscriptionError::Stream)?;
    found.ok_or_else(|| SubscriptionError::NoStream { stream: name.to_owned() })
}
