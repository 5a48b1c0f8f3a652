//! What is wrong with a read, as a problem.

use crate::search::{Code, ParseError};
use crate::server::{Fault, Kind, Problem};
use crate::stream::QueryError;

/// The faults of a search that is a parameter, each with its place in it.
pub(crate) fn search(name: &'static str, error: ParseError) -> Vec<Fault> {
    faults(error, |code, detail| Fault::parameter(name, code, detail))
}

/// The faults of a search that is the field `q` of a body.
pub(crate) fn search_of_body(error: ParseError) -> Problem {
    Problem::faults(Kind::Body, faults(error, |code, detail| Fault::pointer("/q", code, detail)))
}

fn faults(error: ParseError, at: impl Fn(&'static str, String) -> Fault) -> Vec<Fault> {
    let fault = |problem: crate::search::Problem| {
        let span = problem.span;
        at(code(problem.code), problem.detail).span(span.offset, span.len, problem.suggestion)
    };
    error.problems.into_iter().map(fault).collect()
}

fn code(code: Code) -> &'static str {
    match code {
        Code::UnknownKey => "unknown-key",
        Code::BadValue => "bad-value",
        Code::BadOperator => "bad-operator",
        Code::MissingValue => "missing-value",
        Code::MissingTerm => "missing-term",
        Code::Unbalanced => "unbalanced",
        Code::BadCharacter => "bad-character",
        Code::TooLarge => "too-large",
    }
}

/// A parameter that is refused, where more is known than its text.
pub(crate) fn parameter(
    name: &'static str,
    code: &'static str,
    detail: impl Into<String>,
) -> Problem {
    Problem::fault(Kind::Parameter, Fault::parameter(name, code, detail))
}

/// A parameter that is good, but not together with the others.
pub(crate) fn together(name: &'static str, detail: impl Into<String>) -> Problem {
    Problem::fault(Kind::Unprocessable, Fault::parameter(name, "not-together", detail))
}

/// A search in a body that could not be answered.
pub(crate) fn failed(error: QueryError) -> Problem {
    let text = error.to_string();
    match error {
        QueryError::TooSlow { .. } => {
            Problem::fault(Kind::Body, Fault::pointer("/q", "too-slow", text))
        }
        error => error.into(),
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let text = error.to_string();
        match error {
            QueryError::Limit { .. } => parameter("limit", "invalid-value", text),
            QueryError::Cursor(wrong) => parameter("cursor", "other-query", wrong.to_string()),
            QueryError::Nul { .. } => Self::new(Kind::Parameter, text),
            QueryError::TooSlow { .. } => parameter("q", "too-slow", text),
            QueryError::Zone(detail) => parameter("tz", "invalid-value", detail),
            QueryError::Database { source, .. } => source.into(),
            QueryError::Row { .. } => Self::internal(&error),
        }
    }
}
