//! Why the log cannot be read.

use super::position::Origin;
use crate::store::Failure;

/// Why the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The length of a chunk is out of range.
    #[error("a chunk of {given} is refused; give 1 to {max}")]
    Limit {
        /// What was given.
        given: usize,
        /// What is allowed.
        max: usize,
    },
    /// The role sees the actions of one tenant only, and none was named.
    #[error(
        "the log of all tenants needs a role like `gesta_auditor`; name a tenant, or connect as that role"
    )]
    TenantMissing,
    /// The server is a standby, whose snapshots do not tell transactions in progress.
    #[error("the log cannot be read on a standby; connect to the primary")]
    Standby,
    /// The position is of another log: its transaction ids mean nothing here.
    #[error(
        "the position is of {position}, but this is {database}: it was restored, promoted or made anew; go on from a time \
         before the last action that you have, and leave out the ids that you have"
    )]
    OtherOrigin {
        /// Where the position is from.
        position: Origin,
        /// What was asked.
        database: Origin,
    },
    /// The position knows rows that were never stored here: the files of the database are older than it.
    #[error(
        "the position knows {position} values of the sequence, the database has given out {database}: its files were set \
         back; go on from a time before the last action that you have, and leave out the ids that you have"
    )]
    SetBack {
        /// How far the sequence had come.
        position: i64,
        /// How far it is.
        database: i64,
    },
    /// The database did not answer.
    #[error("failed to read the log")]
    Database(#[source] Failure),
}

impl LogError {
    /// Whether it may pass by itself: a lost connection, a restart of the server, none free in time.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database(failure) if failure.is_passing())
    }
}
