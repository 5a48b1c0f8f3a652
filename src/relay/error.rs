//! Why the relay does not go on.

use super::message::MessageError;
use super::publish::PublishError;
use super::stream::StreamError;
use crate::error::quote;
use crate::log::{LogError, PositionError};
use crate::store::Failure;

/// Why the relay does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The stream cannot be used.
    #[error("the stream cannot be used")]
    Stream(#[source] StreamError),
    /// Something could not be read from the broker.
    #[error("failed to {doing}")]
    Broker {
        /// What was tried.
        doing: &'static str,
        /// What the client says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[source] LogError),
    /// The tables of the relay cannot be read or written.
    #[error("failed to note how far the relay is; may the user act as `gesta_relay`?")]
    Database(#[source] Failure),
    /// An action cannot be written as a message.
    #[error("an action cannot be written as a message")]
    Message(#[source] MessageError),
    /// Publishing stopped.
    #[error("publishing stopped")]
    Publish(#[source] PublishError),
    /// The last message says a position that is none.
    #[error(
        "message {sequence} of the stream has the position {given}: somebody else publishes there, or a newer version; take \
         away the permission, or upgrade; `gesta relay rebuild` makes the stream anew"
    )]
    Position {
        /// The message.
        sequence: u64,
        /// What it says, cut and quoted.
        given: String,
        /// What is wrong with it.
        #[source]
        source: PositionError,
    },
    /// The stream has dropped all its messages, and nothing says how far they went.
    #[error(
        "the stream has dropped all of its {sequence} messages, and the table `gesta.relay` does not know how far they went; \
         `gesta relay rebuild` publishes everything again"
    )]
    Forgotten {
        /// The number of the last one.
        sequence: u64,
    },
    /// Another relay publishes.
    #[error(
        "relay {holder} publishes to the stream, and may ask for other settings: stop all relays of this stream first; the \
         claim of one that was killed runs out after some seconds"
    )]
    Held {
        /// The other one.
        holder: String,
    },
    /// The stream is another database's.
    #[error(
        "of {looked} actions that the stream has, this database has none: it is another database's stream, or was restored \
         from before all of them; name another stream, or make this one anew with `gesta relay rebuild`"
    )]
    OtherDatabase {
        /// How many were looked for.
        looked: usize,
    },
    /// There is more to compare than fits into memory.
    #[error(
        "the stream has {len} messages to be compared with the database, more than {max}; `gesta relay rebuild` makes it anew"
    )]
    TooManyToCompare {
        /// How many there are.
        len: u64,
        /// How many are compared.
        max: u64,
    },
}

impl RelayError {
    /// Whether it may pass by itself: a lost connection, a server that restarts.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Stream(error) => !matches!(
                error,
                StreamError::Name { .. }
                    | StreamError::Differs { .. }
                    | StreamError::Foreign { .. }
            ),
            Self::Log(error) => error.is_passing(),
            Self::Database(failure) => failure.is_passing(),
            Self::Broker { .. } | Self::Publish(_) => true,
            _ => false,
        }
    }

    pub(super) fn position(sequence: u64, given: &str, source: PositionError) -> Self {
        Self::Position { sequence, given: quote(given), source }
    }
}

/// `map_err(broker("read the stream"))`
pub(super) fn broker<E: std::error::Error + Send + Sync + 'static>(
    doing: &'static str,
) -> impl FnOnce(E) -> RelayError {
    move |source| RelayError::Broker { doing, source: Box::new(source) }
}
