//! Why something of a run is refused or failed.

use uuid::Uuid;

use super::info::RunState;
use super::select::SELECTED_LEN_MAX;
use crate::action::InvalidAction;
use crate::definition::{Fault, InputFault};
use crate::error::quote;
use crate::resource::{ResourceError, ResourceRef, ResourceType};
use crate::store::Failure;
use crate::stream::QueryError;

/// Why something of a run is refused or failed. A caller's mistake changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No such run in this tenant.
    #[error("there is no run {0}")]
    NotFound(Uuid),
    /// The type is not in the catalog, or the asker may run nothing on it.
    #[error("nothing can be run on the type `{0}`")]
    UnknownType(ResourceType),
    /// No such definition.
    #[error("there is no action {} of the type `{kind}`", quote(name))]
    UnknownAction {
        /// The type.
        kind: ResourceType,
        /// What was given.
        name: String,
    },
    /// The asker may not. It has been recorded; to the asker it is the same as an action that is not known.
    #[error("`{name}` of the type `{kind}` is not permitted{}", needs(permission.as_deref()))]
    Forbidden {
        /// The type.
        kind: ResourceType,
        /// The definition.
        name: String,
        /// What it would take.
        permission: Option<String>,
        /// The refused run.
        run: Uuid,
    },
    /// Nothing is selected.
    #[error(
        "no objects are selected ({dropped} ids were given that are not there, or not in the filter), and nothing was \
         changed: select some first"
    )]
    EmptySelection {
        /// How many ids were given.
        dropped: u32,
    },
    /// More is selected than a selection holds.
    #[error("more than {SELECTED_LEN_MAX} objects are selected; narrow the filter")]
    TooMany,
    /// Somebody has too many selections that have not expired.
    #[error(
        "your selections hold {open} objects by now; use one of them, or wait until they expire after an hour"
    )]
    TooManyOpen {
        /// How many objects they hold.
        open: i64,
    },
    /// What is offered at a single object is run on one.
    #[error("`{name}` is for one object at a time, but {given} are selected; select one of them")]
    NotSingle {
        /// The definition.
        name: String,
        /// How many are selected.
        given: u32,
    },
    /// The filter cannot be used.
    #[error("the filter is refused: {0}")]
    Filter(String),
    /// An id that none can be.
    #[error("an id is refused: {0}")]
    Id(ResourceError),
    /// A search of the log that cannot be read.
    #[error("the search is refused")]
    Query(#[source] QueryError),
    /// The catalog names a table, key or column that is not there.
    #[error("the type `{kind}` cannot be selected: {problem}")]
    Table {
        /// The type.
        kind: ResourceType,
        /// What does not fit.
        problem: String,
    },
    /// The selection has expired, is somebody else's or of another type, or never was.
    #[error("there is no selection {0} of yours: it may have expired; select again")]
    SelectionGone(Uuid),
    /// The input is not what the definition takes.
    #[error("the input is refused: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Input(Vec<InputFault>),
    /// It runs only after its plan was confirmed.
    #[error("`{name}` runs after its plan was confirmed: plan it, and give the plan's token")]
    ConfirmationNeeded {
        /// The definition.
        name: String,
    },
    /// The token is none, or was given for something else.
    #[error("the confirmation is for something else than this request: plan it again")]
    TokenInvalid,
    /// The token has expired.
    #[error("the confirmation has expired: plan it again")]
    TokenExpired,
    /// Objects are not what they were when the plan was made.
    #[error("{} changed since the plan was made: plan it again", list(objects, *are_more))]
    Changed {
        /// Up to 20 of them.
        objects: Vec<ResourceRef>,
        /// Whether there are more.
        are_more: bool,
    },
    /// The key has started another run.
    #[error("the idempotency key {} has been used for another request; give this one a key of its own", quote(.0))]
    KeyReused(String),
    /// The key is too long, or empty.
    #[error("the idempotency key {} is refused; give 1 to 255 bytes", quote(.0))]
    Key(String),
    /// The run has ended.
    #[error("the run {id} is {} already", state.as_str())]
    NotCancellable {
        /// The run.
        id: Uuid,
        /// Its state.
        state: RunState,
    },
    /// The run cannot be retried.
    #[error("the run {id} cannot be retried: {problem}")]
    NotRetryable {
        /// The run.
        id: Uuid,
        /// Why, and what to do.
        problem: &'static str,
    },
    /// The run leaves no file.
    #[error("the run {id} leaves nothing to take away: {problem}")]
    NoDownload {
        /// The run.
        id: Uuid,
        /// Why.
        problem: &'static str,
    },
    /// What should be recorded cannot be.
    #[error("the run cannot be recorded: {0}")]
    Record(InvalidAction),
    /// The operation was interrupted: by a lost connection, a deadlock, a server that ends.
    #[error("the operation was interrupted")]
    Interrupted(#[source] Fault),
    /// The database did not do it.
    #[error("failed to {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: Failure,
    },
    /// A row that no version of this program wrote.
    #[error("failed to understand {0}, which no version of this program wrote")]
    Row(&'static str),
}

impl RunError {
    /// Whether it may pass by itself.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Interrupted(_) => true,
            Self::Database { source, .. } => source.is_passing(),
            _ => false,
        }
    }
}

/// `map_err(failed("read the run"))`
pub(super) fn failed(what: &'static str) -> impl Fn(Failure) -> RunError {
    move |source| RunError::Database { what, source }
}

/// `map_err(database("read the run"))`
pub(super) fn database(what: &'static str) -> impl Fn(tokio_postgres::Error) -> RunError {
    move |source| RunError::Database { what, source: Failure::Statement { what, source } }
}

fn needs(permission: Option<&str>) -> String {
    permission.map_or_else(String::new, |it| format!("; it takes {it}"))
}

fn list(objects: &[ResourceRef], are_more: bool) -> String {
    let mut named: Vec<_> = objects.iter().map(|object| quote(&object.to_string())).collect();
    named.extend(are_more.then(|| "others".to_owned()));
    named.join(", ")
}
