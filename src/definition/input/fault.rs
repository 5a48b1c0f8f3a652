//! What is wrong with an input, without its values.

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::error::visible;

/// How many faults are told: more help nobody, and an input may have as many as it has values.
const FAULTS_MAX: usize = 20;
/// Bytes of a fault's text; names of fields in it are whatever was given.
const TEXT_LEN_MAX: usize = 300;

/// What is wrong with an input, and where. The text holds names of fields and what the schema allows, and no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", if pointer.is_empty() { "the input" } else { pointer })]
pub struct InputFault {
    /// A JSON pointer (RFC 6901) into the input; empty for all of it.
    pub pointer: String,
    /// What is wrong, for people.
    pub text: String,
}

impl InputFault {
    /// All that a schema finds.
    pub(super) fn all(validator: &Validator, input: &Value) -> Vec<Self> {
        let faults = validator.iter_errors(input).take(FAULTS_MAX);
        faults
            .map(|error| {
                let text = match error.kind() {
                    ValidationErrorKind::AdditionalProperties { unexpected }
                    | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                        format!("there are no such fields: {}", unexpected.join(", "))
                    }
                    _ => error.masked_with("the value").to_string(),
                };
                Self { pointer: error.instance_path().as_str().to_owned(), text: harmless(&text) }
            })
            .collect()
    }

    /// The schema itself is none.
    pub(super) fn of_schema(problem: &str) -> Self {
        Self { pointer: String::new(), text: format!("cannot be checked: {problem}") }
    }

    /// It fits the schema, and the program's type takes it not. Serde tells the value, so why is not told.
    pub(in crate::definition) fn unread() -> Self {
        let text = "fits the schema, but not the operation's type; correct its schema";
        Self { pointer: String::new(), text: text.to_owned() }
    }
}

/// A text that moves no cursor and is not long.
fn harmless(text: &str) -> String {
    let mut text = visible(text).into_owned();
    if text.len() > TEXT_LEN_MAX {
        text.truncate(text.floor_char_boundary(TEXT_LEN_MAX));
        text.push('…');
    }
    text
}
