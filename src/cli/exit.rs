//! Exit codes: what a script learns from a command that has ended.

use std::error::Error as StdError;
use std::process::ExitCode;

use tokio_postgres::error::SqlState;

use crate::config::NatsKeysError;
use crate::local::LocalError;
use crate::log::LogError;
use crate::relay::{self, StreamError};
use crate::run::RunError;
use crate::store::{AppendError, ConnectError, Reason, WriteError};
use crate::stream::{HistoryError, QueryError};
use crate::track::TrackError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    Error,
    Usage,
    NotFound,
    Permission,
    Partial,
    Connection,
    Interrupted,
    /// That of a program which was run.
    Passed(u8),
}

/// The codes as they stand in every `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0 done · 1 error · 2 wrong usage · 3 not found, or nothing with --fail-empty
  4 not permitted · 5 partly done (lines refused, conflicts, objects that failed)
  7 no connection, or no answer in time · 130 interrupted";

impl Code {
    fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Permission => 4,
            Self::Partial => 5,
            Self::Connection => 7,
            Self::Interrupted => 130,
            Self::Passed(number) => number,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

/// An error that knows its code, for what is found wrong here and not in the library.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Told {
    code: Code,
    text: String,
}

impl Told {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: Code::Usage, text: text.into() }
    }

    pub(crate) fn permission(text: impl Into<String>) -> Self {
        Self { code: Code::Permission, text: text.into() }
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self { code: Code::NotFound, text: text.into() }
    }
}

impl Code {
    /// The code of the innermost cause that has one.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().filter_map(code).last().unwrap_or(Self::Error)
    }
}

fn code(error: &(dyn StdError + 'static)) -> Option<Code> {
    if let Some(told) = error.downcast_ref::<Told>() {
        return Some(told.code);
    }
    if let Some(error) = error.downcast_ref::<ConnectError>() {
        return of_connect(error);
    }
    if let Some(error) = error.downcast_ref::<relay::ConnectError>() {
        return Some(of_nats(error));
    }
    if let Some(StreamError::Timeout { .. }) = error.downcast_ref() {
        return Some(Code::Connection);
    }
    if let Some(NatsKeysError::Half | NatsKeysError::Prefix(_) | NatsKeysError::Stream(_)) =
        error.downcast_ref()
    {
        return Some(Code::Usage);
    }
    if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
        return of_database(error);
    }
    if let Some(error) = error.downcast_ref::<HistoryError>() {
        return of_history(error);
    }
    if let Some(error) = error.downcast_ref::<TrackError>() {
        return of_track(error);
    }
    if let Some(error) = error.downcast_ref::<RunError>() {
        return of_run(error);
    }
    if let Some(error) = error.downcast_ref::<LogError>() {
        return of_log(error);
    }
    if let Some(deadpool_postgres::PoolError::Timeout(_)) = error.downcast_ref() {
        return Some(Code::Connection);
    }
    match (
        error.downcast_ref::<QueryError>(),
        error.downcast_ref::<AppendError>(),
        error.downcast_ref::<WriteError>(),
        error.downcast_ref::<LocalError>(),
    ) {
        (Some(QueryError::Cursor(_) | QueryError::Limit { .. } | QueryError::Zone(_)), ..)
        | (_, Some(AppendError::Invalid { .. }), ..)
        | (_, _, Some(WriteError::Invalid(_)), _) => Some(Code::Usage),
        (Some(QueryError::TooSlow { .. }), ..)
        | (.., Some(LocalError::Busy { .. } | LocalError::TooSlow { .. })) => {
            Some(Code::Connection)
        }
        _ => None,
    }
}

fn of_history(error: &HistoryError) -> Option<Code> {
    match error {
        HistoryError::Unknown { .. }
        | HistoryError::TooEarly { .. }
        | HistoryError::NoAction(_) => Some(Code::NotFound),
        HistoryError::Backwards => Some(Code::Usage),
        HistoryError::Fields { .. } | HistoryError::Read(_) => None,
    }
}

fn of_track(error: &TrackError) -> Option<Code> {
    match error {
        TrackError::NotFound { .. } | TrackError::NotTracked { .. } => Some(Code::NotFound),
        TrackError::Name { .. }
        | TrackError::Kind { .. }
        | TrackError::Column { .. }
        | TrackError::NoKey { .. }
        | TrackError::Key { .. }
        | TrackError::Contradiction { .. } => Some(Code::Usage),
        _ => None,
    }
}

fn of_run(error: &RunError) -> Option<Code> {
    match error {
        RunError::NotFound(_)
        | RunError::UnknownType(_)
        | RunError::UnknownAction { .. }
        | RunError::SelectionGone(_)
        | RunError::EmptySelection { .. } => Some(Code::NotFound),
        RunError::Forbidden { .. } => Some(Code::Permission),
        RunError::TooMany
        | RunError::Filter(_)
        | RunError::Id(_)
        | RunError::Input(_)
        | RunError::Key(_)
        | RunError::KeyReused(_) => Some(Code::Usage),
        _ => None,
    }
}

fn of_nats(error: &relay::ConnectError) -> Code {
    match error {
        relay::ConnectError::Url(_) | relay::ConnectError::Login { .. } => Code::Usage,
        relay::ConnectError::Failed { reason, .. } => match reason {
            relay::Reason::Refused | relay::Reason::BadKey => Code::Permission,
            _ => Code::Connection,
        },
        _ => Code::Error,
    }
}

fn of_connect(error: &ConnectError) -> Option<Code> {
    match error {
        ConnectError::Malformed(_)
        | ConnectError::UnknownParameter { .. }
        | ConnectError::InvalidValue { .. } => Some(Code::Usage),
        ConnectError::Failed { reason, .. } => Some(of_reason(*reason)),
        ConnectError::Timeout { .. }
        | ConnectError::Exhausted { .. }
        | ConnectError::Closed { .. } => Some(Code::Connection),
        _ => None,
    }
}

fn of_log(error: &LogError) -> Option<Code> {
    match error {
        LogError::Limit { .. } | LogError::OtherOrigin { .. } | LogError::SetBack { .. } => {
            Some(Code::Usage)
        }
        LogError::TenantMissing => Some(Code::Permission),
        LogError::Standby | LogError::Database(_) => None,
    }
}

fn of_reason(reason: Reason) -> Code {
    match reason {
        Reason::WrongPassword
        | Reason::PasswordMissing
        | Reason::NotAdmitted
        | Reason::NotAdmittedPlain
        | Reason::Forbidden
        | Reason::LoginFailed
        | Reason::ClientCertificate => Code::Permission,
        _ => Code::Connection,
    }
}

/// Where the database gave no SQLSTATE, the connection broke.
fn of_database(error: &tokio_postgres::Error) -> Option<Code> {
    let Some(code) = error.code() else {
        return error.is_closed().then_some(Code::Connection).or_else(|| {
            error
                .source()
                .is_some_and(<dyn StdError>::is::<std::io::Error>)
                .then_some(Code::Connection)
        });
    };
    match (code, code.code().get(..2)) {
        (&SqlState::INSUFFICIENT_PRIVILEGE, _) | (_, Some("28")) => Some(Code::Permission),
        (&SqlState::TOO_MANY_CONNECTIONS, _) | (_, Some("08" | "57")) => Some(Code::Connection),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_help() {
        for code in [Code::Ok, Code::Usage, Code::NotFound, Code::Permission, Code::Partial] {
            assert!(HELP.contains(&format!("{} ", code.number())));
        }
        assert!(HELP.contains("7 no connection") && HELP.contains("130 interrupted"));
    }

    #[test]
    fn innermost_cause_gives_the_code() {
        let error = anyhow::Error::new(Told::usage("no such thing")).context("failed to do it");
        assert_eq!(Code::of(&error), Code::Usage);
        assert_eq!(Code::of(&anyhow::anyhow!("else")), Code::Error);
    }
}
