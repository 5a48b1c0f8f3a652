//! Why a session goes no further. No error holds the value of a row, in its text, its sources or its `Debug`.

use tokio_postgres::error::SqlState;

use crate::action::{ActionId, InvalidAction};
use crate::error::{chain, harmless};
use crate::json::JsonError;
use crate::resource::ResourceRef;
use crate::store::{AppendError, Failure};

/// Why a session goes no further. After each of these nothing of it can be committed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// An earlier method failed, or its future was dropped before it was done.
    #[error("the session cannot go on after a failure: drop it, and begin another one")]
    Unusable,
    /// The context cannot be stored.
    #[error("the context {0}")]
    Context(JsonError),
    /// The model does not fit its table.
    #[error("model of `{table}`: {problem}")]
    Model {
        /// The model's table.
        table: &'static str,
        /// What does not fit, and what to do.
        problem: String,
    },
    /// A selection of too many ids.
    #[error("a selection of {given} ids is refused; give up to {max}, or a condition")]
    Selection {
        /// How many were given.
        given: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The hook refused the change.
    #[error("the change of `{object}` is refused: {reason}")]
    Refused {
        /// The row.
        object: ResourceRef,
        /// Why, in the hook's words.
        reason: String,
    },
    /// Somebody has changed the row since it was read.
    #[error(
        "`{object}` is stale: version {given} was given, and the row has {found}; nothing was overwritten: \
         read it again, and change that"
    )]
    Stale {
        /// The row.
        object: ResourceRef,
        /// The version of the model.
        given: String,
        /// The version of the row.
        found: String,
    },
    /// The owner of a relation is not in its table.
    #[error("`{object}` is not in its table, so nothing can be added to it or removed")]
    Missing {
        /// The owner.
        object: ResourceRef,
    },
    /// Rows could be neither inserted nor found, however often it was tried.
    #[error(
        "{rows} rows of `{table}` could be neither inserted nor found: others insert and delete them all the \
         time, or a trigger of the table swallows them"
    )]
    Contended {
        /// The table.
        table: &'static str,
        /// How many rows.
        rows: usize,
    },
    /// An action cannot be stored as it is.
    #[error("the action `{verb}` of `{object}` cannot be recorded: {problem}{advice}")]
    Action {
        /// Its verb.
        verb: String,
        /// What it is about.
        object: String,
        /// What is wrong with it.
        problem: Box<InvalidAction>,
        /// What to do about it; may be empty.
        advice: &'static str,
    },
    /// An action of another tenant than the session's.
    #[error("an action of tenant `{given}` does not belong into a session of tenant `{session}`")]
    Tenant {
        /// The action's tenant.
        given: String,
        /// The session's tenant.
        session: String,
    },
    /// Another action has this id.
    #[error("another action has the id {0} already: give this one an id of its own")]
    Conflict(ActionId),
    /// The database did not do it.
    #[error("failed to {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: DatabaseError,
    },
}

impl SessionError {
    /// The SQLSTATE, where the database gave one. Of class 40 a new session may succeed.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Database { source, .. } => source.code(),
            _ => None,
        }
    }

    /// Of a failure of the store.
    pub(super) fn of_failure(failure: Failure) -> Self {
        match failure {
            Failure::Statement { what, source } => database(what)(source),
            other => {
                Self::Database { what: "use the database", source: DatabaseError::other(&other) }
            }
        }
    }

    /// Of a failed append.
    pub(super) fn of_append(error: AppendError) -> Self {
        const WHAT: &str = "record the actions";
        match error {
            AppendError::Conflict(id) => Self::Conflict(id),
            AppendError::Database { source: Failure::Statement { source, .. }, .. } => {
                database(WHAT)(source)
            }
            other => Self::Database { what: WHAT, source: DatabaseError::other(&other) },
        }
    }
}

/// `map_err(database("update the rows"))`
pub(super) fn database(what: &'static str) -> impl Fn(tokio_postgres::Error) -> SessionError {
    move |error| SessionError::Database { what, source: DatabaseError::new(&error) }
}

/// What the database said, without what it may quote of rows: neither DETAIL, nor the message of an error about a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.text)]
pub struct DatabaseError(Box<Told>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    text: String,
    code: Option<SqlState>,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
}

impl DatabaseError {
    fn new(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::other(error) };
        Self(Box::new(Told {
            text: harmless(db),
            code: Some(db.code().clone()),
            table: db.table().map(str::to_owned),
            column: db.column().map(str::to_owned),
            constraint: db.constraint().map(str::to_owned),
        }))
    }

    /// Of something that is no answer of the server: a lost connection, a parameter of the wrong type.
    fn other(error: &(dyn std::error::Error + 'static)) -> Self {
        Self(Box::new(Told { text: chain(error), ..Told::default() }))
    }

    /// The SQLSTATE, where the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.0.code.as_ref()
    }

    /// The table, of an error about one.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    /// The column, of an error about one.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// The constraint, of an error about one: what a form needs to say which field is taken.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }
}
