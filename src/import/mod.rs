//! What large inputs are made of: records, read one after the other, each with its place in the input.
//!
//! Here are the readers, [`Jsonl`] and [`Git`]; nothing here knows a database. [`Store::import`](crate::Store::import)
//! loads what they give. A record that cannot be an action is an [`Entry`] with a [`Refusal`] and does not end the
//! reading; only an input that cannot be read any further does ([`ReadError`]).

mod decode;
mod explain;
mod field;
mod git;
mod jsonl;
mod lines;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

#[cfg(feature = "server")]
pub(crate) use explain::read;
pub use git::Git;
pub use jsonl::Jsonl;
#[cfg(feature = "server")]
pub(crate) use lines::{Line, Lines};

use crate::action::{InvalidAction, NewAction};
use crate::resource::{ResourceError, Tenant};

/// Bytes of a refused record that are shown.
pub(crate) const RAW_LEN_MAX: usize = 256;

/// One record of an input.
#[derive(Debug)]
pub struct Entry {
    /// Where it stands: the line of a file, from 1; in a git history the number of the change.
    pub line: u64,
    /// The beginning of the record, for a message.
    pub raw: Box<str>,
    /// What it says, or why it says nothing.
    pub action: Result<NewAction, Problem>,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, as a path of keys: `verb`, `actor.id`. Nothing where the record as a whole is wrong.
    pub field: Option<String>,
    /// What is wrong; names the field as well.
    pub text: String,
}

/// A record that is not stored, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}", problem.text)]
pub struct Refusal {
    /// Where it stands: the line of a file, from 1; in a git history the number of the change.
    pub line: u64,
    /// What is wrong.
    pub problem: Problem,
    /// The beginning of the record; empty where the database refused it.
    pub raw: Box<str>,
}

/// Why an input cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Reading or unpacking failed.
    #[error("failed to read the input after line {line}")]
    Read {
        /// The last line that was read.
        line: u64,
        /// Why.
        source: std::io::Error,
    },
    /// The input is packed, and this build cannot unpack.
    #[error("the input is packed with gzip, which this build cannot read: unpack it first")]
    Packed,
    /// There is no program `git`.
    #[error("failed to run `git`: install it, or put it on the PATH")]
    NoGit(#[source] std::io::Error),
    /// The folder is no repository, or git will not read it.
    #[error("failed to read the git history of `{path}`: {message}")]
    Git {
        /// The folder.
        path: String,
        /// What git said.
        message: String,
    },
}

/// An input of an import. Its records are read on a thread of their own, so reading may block.
pub trait Input: Send + 'static {
    /// The records, in their order.
    ///
    /// # Errors
    /// When the input cannot be read at all.
    fn entries(
        self,
        tenant: &Tenant,
    ) -> Result<impl Iterator<Item = Result<Entry, ReadError>>, ReadError>;

    /// How far it has been read, for a progress bar.
    fn position(&self) -> Position;
}

/// How many bytes of an input have been read, as they lie in the file: packed, where it is packed.
#[derive(Clone, Debug, Default)]
pub struct Position(Arc<AtomicU64>);

impl Position {
    /// The bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn advance(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Problem {
    /// A problem of one field.
    pub(crate) fn of(field: &str, text: impl std::fmt::Display) -> Self {
        Self { field: Some(field.to_owned()), text: format!("`{field}`: {text}") }
    }
}

impl From<InvalidAction> for Problem {
    fn from(problem: InvalidAction) -> Self {
        let field = match &problem {
            InvalidAction::Resource { field, problem } => match part(problem) {
                Some(part) => format!("{field}.{part}"),
                None => (*field).to_owned(),
            },
            InvalidAction::Missing { field } => (*field).to_owned(),
            InvalidAction::Id(_) | InvalidAction::IdTime { .. } => "id".to_owned(),
            InvalidAction::Verb { .. } | InvalidAction::Unregistered(_) => "verb".to_owned(),
            InvalidAction::Time { .. } => "occurred_at".to_owned(),
            InvalidAction::Json { field, .. } | InvalidAction::Text { field, .. } => {
                (*field).to_owned()
            }
            InvalidAction::Payload { .. } => "data".to_owned(),
        };
        Self { field: Some(field), text: problem.to_string() }
    }
}

/// Which key of an actor, object or target is wrong.
fn part(problem: &ResourceError) -> Option<&'static str> {
    let (ResourceError::Empty { what, .. }
    | ResourceError::TooLong { what, .. }
    | ResourceError::Character { what, .. }) = problem
    else {
        return None;
    };
    match *what {
        "resource type" => Some("type"),
        "resource id" => Some("id"),
        _ => None,
    }
}

/// The run of a source's batch, in a tenant: UUIDv8 (RFC 9562, section 5.8) with 122 bits of SHA-256 over both.
///
/// Unlike an action's id it holds no time: the actions of a batch may have different times, a stream tells the first of
/// them only at its end, and all must get the same run in every import.
pub(crate) fn run_of_batch(tenant: &Tenant, batch_id: &str) -> Uuid {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new_with_prefix(b"gesta run\0");
    for part in [tenant.as_str(), batch_id] {
        // The length in front: no two pairs are read alike.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let (head, _) = digest.split_at(16);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(head);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The beginning of a record, for a message; what is not UTF-8 is replaced.
pub(crate) fn raw(record: &[u8]) -> Box<str> {
    let cut = record.len().min(RAW_LEN_MAX);
    String::from_utf8_lossy(&record[..cut]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_is_the_same_for_the_same_batch_of_a_tenant_only() {
        let tenant = |name: &str| Tenant::new(name).expect("valid");
        let run = run_of_batch(&tenant("a"), "bc");
        assert_eq!(run, run_of_batch(&tenant("a"), "bc"));
        assert_ne!(run, run_of_batch(&tenant("ab"), "c"));
        assert_eq!(run.get_version_num(), 8);
    }
}
