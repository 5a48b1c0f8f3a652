//! Publishing in order, fenced, with a window of acknowledgements under way.
//!
//! Every message carries the number that the stream's last message must have (`Nats-Expected-Last-Sequence`), so that a
//! second relay, or one that was paused and woke up, is refused by the broker. The first message is sent alone: once it is
//! acknowledged, this relay is known to be the one that is not behind, and the rest follow in a window. A message that
//! is refused takes all after it with it, since none of them can then find the number that it expects; so what is in the
//! stream is always a beginning of what was given, in its order.

use std::collections::VecDeque;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;

use super::message::{MessageError, Outgoing};
use crate::action::ActionId;

/// Acknowledgements under way. The client itself waits, for ever, when nobody awaits 5,000 of its own.
const WINDOW: usize = 1_000;
/// Bytes that the fence adds to a message: the stream's name and the number, with the names of both headers.
pub const FENCE_LEN_MAX: usize = 256;

/// Publishes to one stream.
#[derive(Clone, Debug)]
pub struct Publisher {
    jet_stream: Context,
    stream: String,
    window: usize,
}

/// Why publishing stopped. All messages before the one that failed are stored; of the ones after it none is, unless the
/// connection broke: then look at the stream's tail.
#[derive(Debug, thiserror::Error)]
#[error("failed to publish after {acked} messages")]
pub struct PublishError {
    /// How many messages, from the first on, are known to be stored.
    pub acked: usize,
    /// The number of the last message that is known to be stored; what was expected at first, before that.
    pub last_sequence: u64,
    /// What stopped it.
    #[source]
    pub cause: PublishCause,
}

/// What stops publishing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishCause {
    /// Somebody else has published since the tail was read: another relay is at work, or was.
    #[error("the stream does not end at message {expected} any more: another relay publishes too")]
    Fenced {
        /// Where it was expected to end.
        expected: u64,
    },
    /// The broker has this message already, within its duplicate window.
    #[error("action {id} is message {sequence} of the stream already")]
    Duplicate {
        /// The action.
        id: ActionId,
        /// Its message.
        sequence: u64,
    },
    /// The message is too large, and will be at every attempt.
    #[error(transparent)]
    Message(MessageError),
    /// There is no such stream, or it takes other subjects.
    #[error("no stream takes the subject of action {id}; create it, or check its subjects")]
    NoStream {
        /// The action.
        id: ActionId,
    },
    /// No acknowledgement: whether the message is stored is not known.
    #[error("no acknowledgement for action {id}; look at the stream's tail before going on")]
    Unknown {
        /// The action.
        id: ActionId,
        /// What the client says.
        #[source]
        source: async_nats::jetstream::context::PublishError,
    },
    /// The broker refused the message.
    #[error("the broker refused action {id}")]
    Refused {
        /// The action.
        id: ActionId,
        /// What it said.
        #[source]
        source: async_nats::jetstream::context::PublishError,
    },
}

/// A message that was sent.
struct Sent {
    id: ActionId,
    expected: u64,
    ack: PublishAckFuture,
}

/// How far it has come.
struct Progress {
    acked: usize,
    last_sequence: u64,
}

impl Publisher {
    /// Publishes to the stream of this name, up to 1,000 messages ahead of their acknowledgements.
    #[must_use]
    pub fn new(jet_stream: Context, stream: impl Into<String>) -> Self {
        Self { jet_stream, stream: stream.into(), window: WINDOW }
    }

    /// How many messages may wait for their acknowledgement; at least 1, and at most 1,000, below the client's own limit.
    #[must_use]
    pub fn window(mut self, window: usize) -> Self {
        self.window = window.clamp(1, WINDOW);
        self
    }

    /// Publishes messages in order, after the message `expected`, which must be the stream's last (0 for an empty one),
    /// and returns the number of the last one when all are stored.
    ///
    /// # Errors
    /// The first message that is not stored ends it; the error says how many are.
    ///
    /// # Cancel safety
    /// Dropped half-way, it leaves a beginning of the messages in the stream; the tail tells which.
    pub async fn publish(
        &self,
        messages: impl IntoIterator<Item = Outgoing>,
        expected: u64,
    ) -> Result<u64, PublishError> {
        let mut progress = Progress { acked: 0, last_sequence: expected };
        let ended = self.publish_all(messages, &mut progress).await;
        let Progress { acked, last_sequence } = progress;
        ended.map(|()| last_sequence).map_err(|cause| PublishError { acked, last_sequence, cause })
    }

    async fn publish_all(
        &self,
        messages: impl IntoIterator<Item = Outgoing>,
        progress: &mut Progress,
    ) -> Result<(), PublishCause> {
        // Asked once: the client copies all that it knows of the server.
        let max = self.jet_stream.client().server_info().max_payload;
        let max = max.saturating_sub(FENCE_LEN_MAX);
        let mut under_way = VecDeque::with_capacity(self.window);
        for (expected, message) in (progress.last_sequence..).zip(messages) {
            let room = if progress.acked == 0 { 1 } else { self.window };
            if under_way.len() >= room
                && let Some(sent) = under_way.pop_front()
            {
                progress.note(sent).await?;
            }
            match self.send(message, expected, max).await {
                Ok(sent) => under_way.push_back(sent),
                // What was sent before it counts all the same.
                Err(cause) => {
                    progress.note_all(under_way).await?;
                    return Err(cause);
                }
            }
        }
        progress.note_all(under_way).await
    }

    async fn send(
        &self,
        message: Outgoing,
        expected: u64,
        len_max: usize,
    ) -> Result<Sent, PublishCause> {
        let id = message.id;
        message.check_len(len_max).map_err(PublishCause::Message)?;
        let publish = PublishMessage::build()
            .payload(message.payload)
            .headers(message.headers)
            .expected_stream(&self.stream)
            .expected_last_sequence(expected);
        let ack = self.jet_stream.send_publish(message.subject, publish).await;
        let ack = ack.map_err(|source| PublishCause::of(id, expected, source))?;
        Ok(Sent { id, expected, ack })
    }
}

impl Progress {
    async fn note(&mut self, Sent { id, expected, ack }: Sent) -> Result<(), PublishCause> {
        let ack = ack.await.map_err(|source| PublishCause::of(id, expected, source))?;
        if ack.duplicate {
            return Err(PublishCause::Duplicate { id, sequence: ack.sequence });
        }
        self.acked += 1;
        self.last_sequence = ack.sequence;
        Ok(())
    }

    async fn note_all(&mut self, under_way: VecDeque<Sent>) -> Result<(), PublishCause> {
        for sent in under_way {
            self.note(sent).await?;
        }
        Ok(())
    }
}

impl PublishCause {
    fn of(
        id: ActionId,
        expected: u64,
        source: async_nats::jetstream::context::PublishError,
    ) -> Self {
        match source.kind() {
            PublishErrorKind::WrongLastSequence => Self::Fenced { expected },
            PublishErrorKind::StreamNotFound => Self::NoStream { id },
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                Self::Unknown { id, source }
            }
            _ => Self::Refused { id, source },
        }
    }
}
