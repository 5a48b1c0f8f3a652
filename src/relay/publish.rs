//! Publishing in order, fenced, with a window of acknowledgements under way.
//!
//! Every message carries the number that the stream's last message must have (`Nats-Expected-Last-Sequence`), so that a
//! second relay, or one that was paused and woke up, is refused by the broker. The first message is sent alone: once it is
//! acknowledged, this relay is known to be the one that is not behind, and the rest follow in a window. A message that
//! is refused takes all after it with it, since none of them can then find the number that it expects; so what is in the
//! stream is always a beginning of what was given, in its order.
//!
//! A number alone does not say which message it is. A broker that has lost its tail gives the same numbers again, perhaps
//! to other messages, while the client still holds messages in its buffer that fit the old ones:
//!
//! ```text
//! broker   … 7 8 9 10    crash, 9 and 10 are lost    another relay publishes 9' 10'
//! relay A        sends 11 after 10 ── buffered while the connection is away ──────────── 11 arrives: it fits 10'
//! ```
//!
//! So every message also carries the id that the last message must have (`Nats-Expected-Last-Msg-Id`).

use std::collections::VecDeque;
use std::error::Error as _;

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, ErrorCode};

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
    /// The broker or the stream finds the message too large.
    #[error("action {id} makes a message that is too large for the broker")]
    TooLarge {
        /// The action.
        id: ActionId,
        /// What it said.
        #[source]
        source: async_nats::jetstream::context::PublishError,
    },
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

/// Publishing that goes on, one message after the other, from where a stream ends.
///
/// Dropped half-way, it leaves a beginning of the messages in the stream; the tail tells which.
pub struct Publishing {
    publisher: Publisher,
    /// The last message that was sent, or the stream's last one; none where its id does not matter.
    previous: Option<ActionId>,
    /// The number that it has, or will have.
    expected: u64,
    under_way: VecDeque<Sent>,
    /// Whether this relay is known to be the one that is not behind.
    proven: bool,
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
        let mut publishing = self.after(expected, None);
        for message in messages {
            publishing.send(message).await?;
        }
        publishing.settle().await?;
        Ok(publishing.last_sequence)
    }

    /// Publishes message after message behind the one with this number, which must be the stream's last (0 for an empty
    /// one). Where its id is given, it must be the last one's as well; the broker knows it only for as long as its window
    /// for duplicates is.
    #[must_use]
    pub fn after(&self, expected: u64, id: Option<ActionId>) -> Publishing {
        Publishing {
            publisher: self.clone(),
            previous: id,
            expected,
            under_way: VecDeque::with_capacity(self.window),
            proven: false,
            acked: 0,
            last_sequence: expected,
        }
    }

    async fn send(
        &self,
        message: Outgoing,
        expected: u64,
        previous: Option<ActionId>,
    ) -> Result<Sent, PublishCause> {
        let id = message.id;
        message.check_len(self.len_max()).map_err(PublishCause::Message)?;
        // The last of two equal headers wins; the message has none of these.
        let mut publish = PublishMessage::build()
            .payload(message.payload)
            .headers(message.headers)
            .expected_stream(&self.stream)
            .expected_last_sequence(expected);
        if let Some(previous) = previous {
            publish = publish.expected_last_message_id(previous.to_string());
        }
        let ack = self.jet_stream.send_publish(message.subject, publish).await;
        let ack = ack.map_err(|source| PublishCause::of(id, expected, source))?;
        Ok(Sent { id, expected, ack })
    }

    /// Bytes of a message that the broker takes, without what is added to fence it.
    #[must_use]
    pub fn len_max(&self) -> usize {
        self.jet_stream.client().max_payload().saturating_sub(FENCE_LEN_MAX)
    }
}

impl Publishing {
    /// Sends a message; waits only where as many are under way as may be.
    ///
    /// # Errors
    /// When this message cannot be sent, or one before it was not stored. Nothing more can be sent then.
    pub async fn send(&mut self, message: Outgoing) -> Result<(), PublishError> {
        let room = if self.proven { self.publisher.window } else { 1 };
        while self.under_way.len() >= room {
            self.note().await?;
        }
        let id = message.id;
        match self.publisher.send(message, self.expected, self.previous).await {
            Ok(sent) => self.under_way.push_back(sent),
            // What was sent before it counts all the same.
            Err(cause) => {
                self.settle().await?;
                return Err(self.error(cause));
            }
        }
        self.previous = Some(id);
        self.expected += 1;
        Ok(())
    }

    /// Returns when all that was sent is stored. The next message is sent alone again.
    ///
    /// # Errors
    /// When one of them was not stored.
    pub async fn settle(&mut self) -> Result<(), PublishError> {
        while !self.under_way.is_empty() {
            self.note().await?;
        }
        self.proven = false;
        Ok(())
    }

    /// The number of the last message that is known to be stored.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Waits for the next acknowledgement.
    async fn note(&mut self) -> Result<(), PublishError> {
        let Some(Sent { id, expected, ack }) = self.under_way.pop_front() else { return Ok(()) };
        let ack = ack.await.map_err(|source| self.error(PublishCause::of(id, expected, source)))?;
        if ack.duplicate {
            return Err(self.error(PublishCause::Duplicate { id, sequence: ack.sequence }));
        }
        self.proven = true;
        self.acked += 1;
        self.last_sequence = ack.sequence;
        Ok(())
    }

    fn error(&self, cause: PublishCause) -> PublishError {
        PublishError { acked: self.acked, last_sequence: self.last_sequence, cause }
    }
}

/// Whether the stream refused a message for its size.
fn is_too_large(error: &async_nats::jetstream::context::PublishError) -> bool {
    let refusal = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|refusal| {
        let code = refusal.error_code();
        code == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
            || code == ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM
    })
}

impl PublishCause {
    fn of(
        id: ActionId,
        expected: u64,
        source: async_nats::jetstream::context::PublishError,
    ) -> Self {
        match source.kind() {
            PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => {
                Self::Fenced { expected }
            }
            PublishErrorKind::MaxPayloadExceeded => Self::TooLarge { id, source },
            PublishErrorKind::Other if is_too_large(&source) => Self::TooLarge { id, source },
            PublishErrorKind::StreamNotFound => Self::NoStream { id },
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                Self::Unknown { id, source }
            }
            _ => Self::Refused { id, source },
        }
    }
}
