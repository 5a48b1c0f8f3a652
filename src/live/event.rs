//! What a listener gets.

use std::fmt;
use std::sync::Arc;

use crate::action::Action;
use crate::log::{LogError, Position};

/// What a listener gets next. Whoever has dealt with it goes on from its position, with any [`Live`](super::Live) on the same
/// database.
#[derive(Clone, Debug)]
pub enum Event {
    /// An action that its reader sees and its filter admits.
    Action {
        /// Right after it.
        position: Position,
        /// The action, shared with other listeners, with the audience that held when it was read.
        action: Arc<Action>,
    },
    /// There was nothing for this listener up to here: once when it has caught up, and then whenever nothing else has come
    /// for the [heartbeat](super::Live::heartbeat).
    Position(Position),
    /// The position that it was to go on from says nothing here. It goes on from another one: what was committed in between
    /// may be missing, so read anew what you show, then go on, and leave out the ids that you have.
    Reset {
        /// Why.
        reason: ResetReason,
        /// From where it goes on: before everything that is read after this.
        position: Position,
    },
}

impl Event {
    /// Where to go on after it.
    #[must_use]
    pub fn position(&self) -> &Position {
        match self {
            Self::Action { position, .. }
            | Self::Position(position)
            | Self::Reset { position, .. } => position,
        }
    }
}

/// Why a position says nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// It is of another log: the database was restored, promoted or made anew ([`LogError::OtherOrigin`]).
    OtherOrigin,
    /// It knows rows that were never stored here: the files of the database were set back ([`LogError::SetBack`]).
    SetBack,
}

impl ResetReason {
    pub(super) fn of(error: &LogError) -> Option<Self> {
        match error {
            LogError::OtherOrigin { .. } => Some(Self::OtherOrigin),
            LogError::SetBack { .. } => Some(Self::SetBack),
            _ => None,
        }
    }
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherOrigin => "the position is of another database, or of before a restore",
            Self::SetBack => "the database was set back to a time before the position",
        })
    }
}

/// Why a listener gets nothing. What passes by itself is waited for and is no error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LiveError {
    /// The log cannot be read, and that does not pass by itself.
    #[error("failed to follow the log")]
    Log(#[source] Arc<LogError>),
    /// The runtime that the first listener of the tenant was made on has been shut down. Listen anew, from the last position.
    #[error("the reader of the log was shut down")]
    Stopped,
}
