//! What a model says of itself, and what its hook says of a change.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Change, Emitter};
use crate::resource::Resource;

/// A record of the application, kept as a row of a table.
///
/// Rows travel as JSON, as PostgreSQL's `row_to_json` writes them and `json_populate_record` reads them, so the names of
/// the fields are the names of the columns, and no mapping is written. Timestamps with `chrono`, `uuid::Uuid` and numbers
/// fit as they are; for a `numeric` that must keep its last digit use [`crate::Json`]. A field that is no column is left
/// out by `#[serde(skip)]`. Columns that the struct does not have are left alone by an update, get their default in an
/// insert, and are in the diff all the same.
///
/// PostgreSQL writes a `timestamptz` in the time zone of the connection: give all connections of an application the same
/// one, or the same moment is told in two ways by two actions.
///
/// A key that the database makes is an `Option` that is `None` in a new model; [`crate::Session::save`] returns the row.
pub trait Model: Resource + Serialize + DeserializeOwned + Send + Sync {
    /// The table with its schema, such as `newsroom.article`; written as it is called, without quotes.
    const TABLE: &'static str;
    /// The column whose text is the id of [`Resource::resource`]. It has a unique index of its own, and no rule.
    const KEY: &'static str;
    /// An integer column that is moved on by each change. A model that is saved with another number than its row has is
    /// refused: somebody else has changed the row since it was read.
    const VERSION: Option<&'static str> = None;
    /// Columns that are not recorded as they are.
    const RULES: &'static [Rule] = &[];
}

/// How a column is kept out of the log. It concerns the diffs that are made of rows; what a hook puts into `data` or a
/// description is the hook's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Not recorded at all. A change of excluded columns only is no change.
    Exclude(&'static str),
    /// That it changed, not what to: `["***", "***"]`. Null stays null, so that it shows when a secret was set or removed.
    Mask(&'static str),
    /// `"sha256:…"` of the JSON text of the value, as PostgreSQL prints it from `jsonb`, so that two values can be told
    /// to be the same. There is no salt: whoever can guess the value can check the guess. Null stays null.
    Hash(&'static str),
}

impl Rule {
    /// The column.
    #[must_use]
    pub const fn column(&self) -> &'static str {
        match self {
            Self::Exclude(column) | Self::Mask(column) | Self::Hash(column) => column,
        }
    }
}

/// What changes of a model mean. Pure: no database, no clock; it sees the change and emits actions.
pub trait Hook: Model {
    /// Says what a change means. Called once for each row that changed, before anything is recorded. Without it, the
    /// default action is recorded: `create`, `update` or `delete`, with the diff.
    fn on_save(change: Change<'_, Self>, emit: &mut Emitter<'_>) {
        emit.record(change);
    }
}
