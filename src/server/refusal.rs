//! Why an action is not taken: one fault, and the kind of problem that it is where it stands alone.

use super::problem::{Fault, Problem};
use super::read::parameter;
use super::status::Kind;
use crate::access::{self, KeyError};
use crate::action::InvalidAction;
use crate::import;
use crate::role::RoleError;
use crate::store::AppendError;

/// Why an action is not taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) fault: Fault,
    /// What stands in the log of it, where somebody tried what they may not.
    pub(super) denied: Option<Box<access::Refusal>>,
}

impl Refusal {
    pub(super) fn body(fault: Fault) -> Self {
        Self { kind: Kind::Body, fault, denied: None }
    }

    /// Somebody says to be somebody else, or somewhere else.
    pub(super) fn not_yours(
        pointer: &str,
        detail: impl Into<String>,
        denied: access::Refusal,
    ) -> Self {
        let fault = Fault::pointer(pointer, "identity-mismatch", detail);
        Self { kind: Kind::NotYours, fault, denied: Some(Box::new(denied)) }
    }

    /// The same fault, in a part of a larger document.
    pub(super) fn below(self, pointer: &str) -> Self {
        Self { fault: self.fault.below(pointer), ..self }
    }
}

impl From<InvalidAction> for Refusal {
    fn from(invalid: InvalidAction) -> Self {
        let contradicts =
            matches!(invalid, InvalidAction::IdTime { .. } | InvalidAction::Payload { .. });
        let refusal = Self::from(import::Problem::from(invalid));
        if contradicts { Self { kind: Kind::Unprocessable, ..refusal } } else { refusal }
    }
}

impl From<import::Problem> for Refusal {
    fn from(problem: import::Problem) -> Self {
        let pointer = pointer(problem.field.as_deref().unwrap_or_default());
        let code = [
            ("unknown field", "unknown"),
            ("missing field", "missing"),
            ("duplicate field", "repeated"),
            ("which PostgreSQL cannot store", "unstorable"),
        ];
        let code = code.iter().find(|(text, _)| problem.text.contains(text));
        let fault =
            Fault::pointer(pointer, code.map_or("invalid-value", |(_, code)| code), &problem.text);
        match code {
            Some((_, "unknown")) => {
                let (given, known) = unknown(&problem.text);
                Self::body(fault.meant(given, known))
            }
            Some((_, "unstorable")) => Self { kind: Kind::Unprocessable, ..Self::body(fault) },
            _ => Self::body(fault),
        }
    }
}

/// Why a key is not made, listed or revoked.
pub(super) fn of_key(error: KeyError) -> Problem {
    let worth = |pointer: &str, error: &KeyError| {
        let fault = Fault::pointer(pointer, "exceeds-credential", error.to_string());
        Problem::fault(Kind::Worth, fault)
    };
    match error {
        KeyError::Invalid { field, .. } => {
            let pointer = match field {
                "name" => "/name",
                "list of scopes" => "/scopes",
                "list of labels" => "/labels",
                "end" => "/expires_at",
                _ => "/actor",
            };
            let fault = Fault::pointer(pointer, "invalid-value", error.to_string());
            let kind = if field == "end" { Kind::Unprocessable } else { Kind::Body };
            Problem::fault(kind, fault)
        }
        KeyError::Scope(_) => worth("/scopes", &error),
        KeyError::Sight => worth("/labels", &error),
        KeyError::Permission { .. } => worth("/actor", &error),
        KeyError::NotFound { .. } => Problem::new(Kind::NotFound, error.to_string()),
        KeyError::Role(error) => of_role(error),
        KeyError::Database { source, .. }
        | KeyError::Record(AppendError::Database { source, .. }) => source.into(),
        error => Problem::internal(&error),
    }
}

/// Why roles are not changed, listed or looked up.
pub(super) fn of_role(error: RoleError) -> Problem {
    let text = error.to_string();
    let body = |pointer: &str, code| Fault::pointer(pointer, code, text.as_str());
    match error {
        RoleError::Permissions { .. } => {
            Problem::fault(Kind::Body, body("/permissions", "too-many"))
        }
        RoleError::About { .. } => Problem::fault(Kind::Body, body("/about", "invalid-value")),
        RoleError::TooMany => Problem::fault(Kind::Body, body("", "too-many")),
        RoleError::Exceeds { .. } => Problem::new(Kind::Worth, text),
        RoleError::BuiltIn => Problem::new(Kind::BuiltIn, text),
        RoleError::NotFound { .. } | RoleError::NotMember { .. } => {
            Problem::new(Kind::NotFound, text)
        }
        RoleError::Limit { .. } => parameter("limit", "invalid-value", text),
        RoleError::Record(AppendError::Invalid { problem, .. }) => Refusal::from(problem).into(),
        RoleError::Database { source, .. }
        | RoleError::Record(AppendError::Database { source, .. }) => source.into(),
        error @ RoleError::Record(_) => Problem::internal(&error),
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::fault(refusal.kind, refusal.fault)
    }
}

/// `actor.id` as a JSON pointer (RFC 6901): `/actor/id`.
pub(super) fn pointer(field: &str) -> String {
    let escaped = field.replace('~', "~0").replace('/', "~1");
    if escaped.is_empty() { escaped } else { format!("/{}", escaped.replace('.', "/")) }
}

/// The words of "unknown field `whne`, expected one of `id`, `when`".
fn unknown(text: &str) -> (&str, impl Iterator<Item = &str>) {
    let rest = text.split_once("unknown field ").map_or("", |(_, rest)| rest);
    let mut quoted = rest.split('`').skip(1).step_by(2);
    (quoted.next().unwrap_or_default(), quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_in_fields_are_told_with_what_was_meant() {
        let text = "`whne`: unknown field `whne`, expected one of `id`, `verb`, `when`".to_owned();
        let problem = import::Problem { field: Some("whne".to_owned()), text };
        let fault = serde_json::to_value(Refusal::from(problem).fault).expect("JSON");
        assert_eq!(fault["pointer"], "/whne");
        assert_eq!((&fault["code"], &fault["suggestion"]), (&"unknown".into(), &"when".into()));
        assert_eq!(pointer("a~b/c.d"), "/a~0b~1c/d");
    }
}
