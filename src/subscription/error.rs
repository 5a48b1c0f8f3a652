//! Why a subscription does not go on.

use crate::log::{LogError, PositionError};
use crate::relay::{MessageError, StreamError};

/// Why a subscription does not go on. Its position stays where it was: nothing is passed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// There is no such stream.
    #[error(
        "there is no stream `{stream}`; a relay creates it (`gesta relay run`), or name another one"
    )]
    NoStream {
        /// Its name.
        stream: String,
    },
    /// The broker does not say what the stream is like.
    #[error("the stream cannot be read")]
    Stream(#[source] StreamError),
    /// The broker did not do something.
    #[error("failed to {doing} `{stream}`")]
    Broker {
        /// What was to be done.
        doing: &'static str,
        /// The stream.
        stream: String,
        /// What the client says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A message that is no action of a relay.
    #[error(
        "message {sequence} of `{stream}` cannot be read, so the subscription stays before it; nobody but the relay may \
         publish there, and a newer relay may need a newer consumer"
    )]
    Message {
        /// The stream.
        stream: String,
        /// Its number.
        sequence: u64,
        /// What is wrong with it.
        #[source]
        source: MessageError,
    },
    /// A message whose position cannot be read.
    #[error(
        "the position of message {sequence} of `{stream}` cannot be read, so the subscription stays before it"
    )]
    Position {
        /// The stream.
        stream: String,
        /// Its number.
        sequence: u64,
        /// What is wrong with it.
        #[source]
        source: PositionError,
    },
    /// The stream does not go on where the subscription is.
    #[error(
        "the stream `{stream}` begins after the position that the subscription goes on from, or was made anew: what lies \
         between is in PostgreSQL only; give the subscription the log (`Subscription::log`)"
    )]
    Gone {
        /// Its name.
        stream: String,
    },
    /// The log is one tenant's, and the filters admit others.
    #[error(
        "the log is of tenant `{tenant}` only, but a filter admits other tenants; let every filter name the tenant"
    )]
    OtherTenant {
        /// The log's tenant.
        tenant: String,
    },
    /// The log could not be read.
    #[error("failed to read from PostgreSQL what the stream `{stream}` does not have")]
    Log {
        /// The stream.
        stream: String,
        /// Why.
        #[source]
        source: LogError,
    },
}

impl SubscriptionError {
    /// Whether it may pass by itself: the broker or the database restarts, the stream is being made anew.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NoStream { .. } | Self::Stream(_) | Self::Broker { .. } => true,
            Self::Log { source, .. } => source.is_passing(),
            _ => false,
        }
    }

    /// `map_err(broker("read", stream))`
    pub(super) fn broker<E>(doing: &'static str, stream: &str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let stream = stream.to_owned();
        move |source| Self::Broker { doing, stream, source: Box::new(source) }
    }
}
