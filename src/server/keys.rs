//! Keys that are given at the start.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::Identity;
use crate::store::Failure;

/// Keys, by their text.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<HashMap<String, Identity>>);

/// Why somebody is not known.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No such key.
    #[error("the key is not known, has run out, or was revoked")]
    Unknown,
    /// The database failed.
    #[error("failed to look for the key")]
    Database(#[source] Failure),
}

impl Keys {
    /// These keys.
    #[must_use]
    pub fn fixed(keys: impl IntoIterator<Item = (String, Identity)>) -> Self {
        Self(Arc::new(keys.into_iter().collect()))
    }

    /// Who has a key.
    ///
    /// # Errors
    /// When nobody has it.
    #[expect(clippy::unused_async, reason = "it will ask the database")]
    pub async fn authenticate(&self, text: &str) -> Result<Identity, AccessError> {
        self.0.get(text).cloned().ok_or(AccessError::Unknown)
    }
}
