//! What happened to a row, for a hook.

/// What happened to a row. Rows that did not change, or only in excluded columns, are not told to hooks.
#[derive(Debug)]
pub enum Change<'a, M> {
    /// It is new.
    Created(&'a M),
    /// It has other values now.
    Updated {
        /// As it was, under the lock of the change.
        before: &'a M,
        /// As it is now, with what defaults and triggers made of it.
        after: &'a M,
    },
    /// It is gone; this is what it was.
    Deleted(&'a M),
}

impl<'a, M> Change<'a, M> {
    /// The row as it is now, or as it was before it was deleted.
    #[must_use]
    pub fn model(&self) -> &'a M {
        match *self {
            Self::Created(model) | Self::Deleted(model) => model,
            Self::Updated { after, .. } => after,
        }
    }

    /// The verb of the default action: `create`, `update` or `delete`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Created(_) => "create",
            Self::Updated { .. } => "update",
            Self::Deleted(_) => "delete",
        }
    }
}

impl<M> Clone for Change<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Change<'_, M> {}
