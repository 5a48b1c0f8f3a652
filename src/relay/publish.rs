//! Publishing in order, fenced, with a window of acknowledgements under way.
//!
//! Every message carries the number that the stream's last message must have (`Nats-Expected-Last-Sequence`), so that a
//! second relay, or one that was paused and woke up, is refused by the broker. A message that is refused takes all after it
//! with it, since none of them can then find the number that it expects; so what is in the stream is always a beginning of
//! what was given, in its order.
//!
//! That is so because nobody else publishes in another order. The position of the first message of a tick of the log
//! ([`crate::log`]) names the tick, and whoever goes on behind it goes on in the tick's order. Before it is stored there may
//! be relays with other ticks, whose messages may have the number and the id that a later one of this tick expects, after
//! one of its own was refused:
//!
//! ```text
//! relay A   a tick:     1 2 3 9        1 refused, 2 there already, 3 fits behind 2: 1 would be lost
//! relay B   two ticks:  9 | 2 …        when it looked, 1 and 3 were in progress
//! ```
//!
//! The second message names the first by its id, so both go at once; nothing is sent behind them until the first is
//! acknowledged. Then the rest follow in a window, and the next tick's first one right behind them.
//!
//! An acknowledgement costs the broker and this process about what a message costs, and tells of all messages before it. So
//! it is asked for with the first message of a tick, and a few between. Where one of those without was not stored, none of the
//! next is; which one it was, and why, tells whoever publishes again from the stream's tail.
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

use async_nats::header::{self, HeaderMap, HeaderValue};
use async_nats::jetstream::context::{PublishAckFuture, PublishError as Refusal, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, ErrorCode};
use bytes::Bytes;
use tokio::time::timeout;

use super::message::{ID_HEADER, MessageError, MessageId, Outgoing};
use super::run::ACK_WAIT;

/// Messages under way.
const WINDOW: usize = 1_000;
/// Messages that one acknowledgement tells of, at most; and a part of the window, so that it is not empty when one comes.
const ACKED_AT_ONCE: usize = 100;
const WINDOW_PARTS: usize = 4;
/// Bytes that the relay adds to a message: the stream's name, the last message's number and id, and since when ids are
/// compared, with the names of these headers.
pub const FENCE_LEN_MAX: usize = 512;

/// Publishes to one stream.
#[derive(Clone, Debug)]
pub struct Publisher {
    jet_stream: Context,
    stream: String,
    window: usize,
}

/// Why publishing stopped. A beginning of the messages is stored: the ones before the one that failed and none after it, or,
/// where it cannot be told which that is, at least `acked`. Then look at the stream's tail.
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
    /// The broker stored a beginning of these messages, and refused one of them.
    #[error(
        "one of the {messages} messages up to action {id} was refused; look at the stream's tail before going on"
    )]
    OneOf {
        /// How many they are.
        messages: usize,
        /// The last one's action.
        id: MessageId,
    },
    /// The broker has this message already, within its duplicate window.
    #[error("action {id} is message {sequence} of the stream already")]
    Duplicate {
        /// The action.
        id: MessageId,
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
        id: MessageId,
        /// What it said.
        #[source]
        source: Refusal,
    },
    /// The broker, or the account, has no room for more.
    #[error(
        "the broker has no room for action {id}: raise its limits of JetStream's storage, or have the stream drop its oldest \
         messages (`nats stream edit --max-bytes`, and the same `--max-bytes` for the relays)"
    )]
    Full {
        /// The action.
        id: MessageId,
        /// What it said.
        #[source]
        source: Refusal,
    },
    /// There is no such stream, or it takes other subjects.
    #[error("no stream takes the subject of action {id}; create it, or check its subjects")]
    NoStream {
        /// The action.
        id: MessageId,
    },
    /// No acknowledgement: whether the message is stored is not known.
    #[error("no acknowledgement for action {id}; look at the stream's tail before going on")]
    Unknown {
        /// The action.
        id: MessageId,
        /// What the client says.
        #[source]
        source: Refusal,
    },
    /// The broker refused the message.
    #[error("the broker refused action {id}")]
    Refused {
        /// The action.
        id: MessageId,
        /// What it said.
        #[source]
        source: Refusal,
    },
}

/// Messages that were sent, the last of which is to be acknowledged.
struct Sent {
    /// The last one's.
    id: MessageId,
    expected: u64,
    messages: usize,
    ack: PublishAckFuture,
}

/// Whether the last one of some messages is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// It is, so that [`Publishing::settle`] tells of all of them.
    Acknowledged,
    /// Perhaps not: others will follow, or [`Publishing::confirm`] tells.
    Unknown,
}

/// Publishing that goes on, one message after the other, from where a stream ends.
///
/// Dropped half-way, it leaves a beginning of the messages in the stream; the tail tells which.
pub struct Publishing {
    publisher: Publisher,
    /// The last message that was sent, or the stream's last one, by the id that it has there; none where that does not matter.
    previous: Option<String>,
    /// The number that it has, or will have.
    expected: u64,
    under_way: VecDeque<Sent>,
    /// Messages that were sent since the last one that is to be acknowledged.
    unasked: usize,
    /// The number of the tick's first message. Where it is stored, all know the order of the next ones.
    first: u64,
    /// Whether the next message is the first of a tick.
    begins: bool,
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
        publishing.send(messages, Last::Acknowledged).await?;
        publishing.settle().await?;
        Ok(publishing.last_sequence)
    }

    /// Publishes message after message behind the one with this number, which must be the stream's last (0 for an empty
    /// one). Where an id is given ([`super::Tail::Message`]), it must be the last one's as well; the broker knows it only for
    /// as long as its window for duplicates is.
    #[must_use]
    pub fn after(&self, expected: u64, id: Option<String>) -> Publishing {
        Publishing {
            publisher: self.clone(),
            previous: id,
            expected,
            under_way: VecDeque::new(),
            unasked: 0,
            first: expected,
            begins: true,
            acked: 0,
            last_sequence: expected,
        }
    }

    /// Adds the fence: behind the message with this number and, where it matters, this id.
    fn fence(&self, headers: &mut HeaderMap, expected: u64, previous: Option<&str>) {
        headers.insert(header::NATS_EXPECTED_STREAM, self.stream.as_str());
        headers.insert(header::NATS_EXPECTED_LAST_SEQUENCE, HeaderValue::from(expected));
        if let Some(previous) = previous {
            headers.insert(header::NATS_EXPECTED_LAST_MESSAGE_ID, previous);
        }
    }

    async fn send(
        &self,
        (subject, headers, payload): (String, HeaderMap, Bytes),
        is_asked: bool,
    ) -> Result<Option<PublishAckFuture>, Refusal> {
        if is_asked {
            let publish = PublishMessage::build().payload(payload).headers(headers);
            return self.jet_stream.send_publish(subject, publish).await.map(Some);
        }
        let client = self.jet_stream.client();
        // The client waits for room as long as the broker is away.
        let sent = timeout(ACK_WAIT, client.publish_with_headers(subject, headers, payload)).await;
        let sent = sent.map_err(|_| Refusal::new(PublishErrorKind::TimedOut))?;
        sent.map_err(|error| Refusal::with_source(PublishErrorKind::Other, error))?;
        Ok(None)
    }

    /// Bytes of a message that the broker takes, without what is added to fence it.
    #[must_use]
    pub fn len_max(&self) -> usize {
        self.jet_stream.client().max_payload().saturating_sub(FENCE_LEN_MAX)
    }
}

impl Publishing {
    /// The next message is the first of a tick.
    pub fn begin_tick(&mut self) {
        self.begins = true;
    }

    /// Sends messages of one tick in order; waits where as many are under way as may be.
    ///
    /// # Errors
    /// When one of them cannot be sent, or one before it was not stored. Nothing more can be sent then.
    pub async fn send(
        &mut self,
        messages: impl IntoIterator<Item = Outgoing>,
        last: Last,
    ) -> Result<(), PublishError> {
        let len_max = self.publisher.len_max();
        let mut messages = messages.into_iter().peekable();
        while let Some(message) = messages.next() {
            if let Err(error) = message.check_len(len_max) {
                self.settle().await?;
                return Err(self.error(PublishCause::Message(error)));
            }
            let is_asked = match messages.peek() {
                Some(next) => next.check_len(len_max).is_err(),
                None => last == Last::Acknowledged,
            };
            self.send_one(message, is_asked).await?;
        }
        Ok(())
    }

    async fn send_one(&mut self, message: Outgoing, is_asked: bool) -> Result<(), PublishError> {
        let window = self.publisher.window;
        let waits = |it: &Self| {
            let follows_the_first = it.expected == it.first && !it.begins;
            let is_ordered = it.last_sequence >= it.first || follows_the_first;
            !is_ordered || it.expected - it.last_sequence >= window as u64
        };
        while waits(self) && self.note().await? {}
        let each = (window / WINDOW_PARTS).clamp(1, ACKED_AT_ONCE);
        let is_asked = is_asked || self.begins || self.unasked + 1 >= each;
        let expected = self.expected;
        let Outgoing { id, subject, mut headers, payload } = message;
        let name = headers.get(ID_HEADER).map(|value| value.as_str().to_owned());
        self.publisher.fence(&mut headers, expected, self.previous.as_deref());
        match self.publisher.send((subject, headers, payload), is_asked).await {
            Ok(Some(ack)) => {
                let messages = std::mem::take(&mut self.unasked) + 1;
                self.under_way.push_back(Sent { id, expected, messages, ack });
            }
            Ok(None) => self.unasked += 1,
            // What was sent before it counts all the same.
            Err(source) => {
                self.settle().await?;
                return Err(self.error(PublishCause::of(id, expected, source)));
            }
        }
        self.previous = name;
        self.expected += 1;
        if std::mem::take(&mut self.begins) {
            self.first = self.expected;
        }
        Ok(())
    }

    /// Returns when all that is acknowledged is stored.
    ///
    /// # Errors
    /// When one of them was not stored.
    pub async fn settle(&mut self) -> Result<(), PublishError> {
        while self.note().await? {}
        Ok(())
    }

    /// Whether all that was sent is stored in a stream whose last message has this number. Where it is not, it may be on its
    /// way, or never will be.
    pub fn confirm(&mut self, last_sequence: u64) -> bool {
        let is_stored = last_sequence == self.expected;
        if is_stored {
            self.acked += std::mem::take(&mut self.unasked);
            self.last_sequence = last_sequence;
        }
        is_stored
    }

    /// Whether all that was sent is known to be stored.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.last_sequence == self.expected
    }

    /// The number of the last message that is known to be stored.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Waits for the next acknowledgement; false where none is under way.
    async fn note(&mut self) -> Result<bool, PublishError> {
        let Some(Sent { id, expected, messages, ack }) = self.under_way.pop_front() else {
            return Ok(false);
        };
        let cause = match ack.await {
            Ok(ack) if ack.duplicate => {
                PublishCause::Duplicate { id: id.clone(), sequence: ack.sequence }
            }
            Ok(ack) => {
                self.acked += messages;
                self.last_sequence = ack.sequence;
                return Ok(true);
            }
            Err(source) => PublishCause::of(id.clone(), expected, source),
        };
        Err(self.error(cause.of_one(id, messages)))
    }

    fn error(&self, cause: PublishCause) -> PublishError {
        PublishError { acked: self.acked, last_sequence: self.last_sequence, cause }
    }
}

/// The stream refused a message for its size.
const TOO_LARGE: [ErrorCode; 2] =
    [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM];
/// The broker or the account has no room.
const FULL: [ErrorCode; 3] = [
    ErrorCode::INSUFFICIENT_RESOURCES,
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
];

fn is_one_of(error: &Refusal, codes: &[ErrorCode]) -> bool {
    let refusal = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|refusal| codes.contains(&refusal.error_code()))
}

impl PublishCause {
    fn of(id: MessageId, expected: u64, source: Refusal) -> Self {
        match source.kind() {
            PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => {
                Self::Fenced { expected }
            }
            PublishErrorKind::MaxPayloadExceeded => Self::TooLarge { id, source },
            PublishErrorKind::Other if is_one_of(&source, &TOO_LARGE) => {
                Self::TooLarge { id, source }
            }
            PublishErrorKind::Other if is_one_of(&source, &FULL) => Self::Full { id, source },
            PublishErrorKind::StreamNotFound => Self::NoStream { id },
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                Self::Unknown { id, source }
            }
            _ => Self::Refused { id, source },
        }
    }

    /// What the refusal of the last of some messages says of them all: perhaps only that one before it was refused.
    fn of_one(self, id: MessageId, messages: usize) -> Self {
        match self {
            Self::Fenced { .. } | Self::Duplicate { .. } if messages > 1 => {
                Self::OneOf { messages, id }
            }
            cause => cause,
        }
    }
}
