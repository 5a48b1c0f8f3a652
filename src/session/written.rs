//! What a session's methods answer.

use uuid::Uuid;

/// What became of rows, and how much was recorded about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are new.
    pub created: u64,
    /// Rows that have other values now.
    pub updated: u64,
    /// Rows that are gone.
    pub deleted: u64,
    /// Rows that were saved as they were already. `update` does not touch such rows, and does not count them.
    pub unchanged: u64,
    /// Actions recorded: one a changed row, where hooks add none, and none for rows that changed in excluded columns only.
    pub actions: u64,
    /// The run that all these actions share: the context's, or one made for this operation. None where nothing was
    /// recorded.
    pub run: Option<Uuid>,
}

impl Written {
    /// A run without actions is none.
    pub(super) fn ended(mut self) -> Self {
        self.run = self.run.filter(|_| self.actions > 0);
        self
    }
}

/// What became of a saved model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveOutcome {
    /// It is a new row.
    Created,
    /// Its row has other values now.
    Updated,
    /// Its row had these values already; it was not touched.
    Unchanged,
}

/// A saved model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved<M> {
    /// The row as it is now: with the key that the database made, its defaults, and what triggers did.
    pub row: M,
    /// What became of it.
    pub outcome: SaveOutcome,
    /// Actions recorded.
    pub actions: u64,
}
