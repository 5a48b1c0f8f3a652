//! Why a plan or run is refused, as a problem.

use serde_json::json;

use crate::definition::InputFault;
use crate::run::RunError;
use crate::server::read::search_failed;
use crate::server::{Fault, Kind, Problem};

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let text = error.to_string();
        let body = |pointer: &str, code| {
            Self::fault(Kind::Body, Fault::pointer(pointer, code, text.clone()))
        };
        match error {
            // Whether it is there, or not for them, is not told.
            RunError::NotFound(_)
            | RunError::UnknownType(_)
            | RunError::UnknownAction { .. }
            | RunError::NoDownload { .. }
            | RunError::Forbidden { .. } => Self::of(Kind::NotFound),
            RunError::EmptySelection { dropped } => {
                Self::new(Kind::NothingSelected, nothing(dropped))
            }
            RunError::TooManyOpen { .. } => Self::new(Kind::Quota, text),
            RunError::TooMany | RunError::NotSingle { .. } => Self::new(Kind::TooMany, text),
            RunError::Filter(_) => {
                Self::fault(Kind::Unprocessable, Fault::pointer("/filter", "invalid-value", text))
            }
            RunError::Id(_) => body("/ids", "invalid-value"),
            RunError::Query(error) => search_failed(error),
            RunError::SelectionGone(_) => Self::new(Kind::SelectionGone, text),
            RunError::Input(faults) => {
                Self::faults(Kind::Input, faults.iter().map(of_input).collect())
            }
            RunError::ConfirmationNeeded { .. }
            | RunError::TokenInvalid
            | RunError::TokenExpired => Self::new(Kind::Confirm, text),
            RunError::Changed { ref objects, .. } => {
                let items: Vec<_> =
                    objects.iter().map(|object| json!({ "object": object })).collect();
                Self::new(Kind::Changed, text).items(items.into())
            }
            RunError::KeyReused(_) => Self::new(Kind::KeyReused, text),
            RunError::Key(_) => Self::fault(
                Kind::Malformed,
                Fault::header("Idempotency-Key", "invalid-value", text),
            ),
            RunError::NotCancellable { .. } => Self::new(Kind::RunEnded, text),
            RunError::NotRetryable { .. } => Self::new(Kind::NothingToRetry, text),
            RunError::Record(invalid) => {
                Self::new(Kind::Body, format!("the run cannot be recorded: {invalid}"))
            }
            RunError::Database { source, .. } => source.into(),
            RunError::Interrupted(_) => Self::of(Kind::Unavailable).cause(&error),
            RunError::Table { .. } | RunError::Row(_) => Self::internal(&error),
        }
    }
}

/// That nothing is selected, and what was left out.
fn nothing(dropped: u32) -> String {
    let why = match dropped {
        0 => String::new(),
        1 => " The id that was given is not there, or outside of the filter.".to_owned(),
        many => {
            format!(" None of the {many} ids that were given is there, and inside of the filter.")
        }
    };
    format!("Nothing is selected, so nothing was changed.{why}")
}

fn of_input(fault: &InputFault) -> Fault {
    let pointer = format!("/input{}", fault.pointer);
    Fault::pointer(pointer, "invalid-value", fault.to_string())
}
