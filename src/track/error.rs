//! Why a table is not tracked.

use crate::resource::ResourceError;
use crate::store::{AppendError, Failure};

/// Why a table is not tracked, or not untracked.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The name is none.
    #[error(
        "{given} is no name of a table; give it as in SQL: `article`, `shop.article`, `\"Odd Name\"`"
    )]
    Name {
        /// What was given, cut and quoted.
        given: String,
    },
    /// There is no such table.
    #[error("there is no table {given}; the search path is {search_path}")]
    NotFound {
        /// What was given, cut and quoted.
        given: String,
        /// Where an unqualified name is looked for.
        search_path: String,
    },
    /// It is there, and cannot be tracked.
    #[error("{table} cannot be tracked: it is {problem}")]
    Kind {
        /// The table.
        table: String,
        /// What it is, and what to do instead.
        problem: String,
    },
    /// A column that is not there.
    #[error("{table} has no column {given} ({flag}); it has {columns}")]
    Column {
        /// The table.
        table: String,
        /// What was given, cut and quoted.
        given: String,
        /// Which option named it.
        flag: &'static str,
        /// The columns of the table.
        columns: String,
    },
    /// No key was named.
    #[error("name the key of {table}: one or more columns that are not null and unique together")]
    NoKey {
        /// The table.
        table: String,
    },
    /// The key does not name one row.
    #[error("{key} cannot be the key of {table}: {problem}")]
    Key {
        /// The columns.
        key: String,
        /// The table.
        table: String,
        /// What is lacking.
        problem: String,
    },
    /// Two options contradict each other.
    #[error("column `{column}` is named by {first} and by {second}; name it once")]
    Contradiction {
        /// The column.
        column: String,
        /// One option.
        first: &'static str,
        /// Another one.
        second: &'static str,
    },
    /// No trigger of ours is on the table.
    #[error("{table} is not tracked")]
    NotTracked {
        /// The table.
        table: String,
    },
    /// The name of the table is too long for an object of the log.
    #[error("{table} cannot be named in the log: {problem}")]
    Object {
        /// The table.
        table: String,
        /// What is wrong.
        problem: ResourceError,
    },
    /// The action that tells of it was refused.
    #[error("failed to record that {table} is tracked or not")]
    Record {
        /// The table.
        table: String,
        /// Why.
        source: AppendError,
    },
    /// The database did not do it. The transaction has to be rolled back.
    #[error("failed to change how a table is tracked")]
    Database(#[source] Failure),
}
