//! What a definition is given besides the selection.

mod fault;
mod place;
mod schema;
mod words;

use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use schemars::JsonSchema;
use serde_json::{Value, json};

pub use fault::InputFault;
use place::Place;

/// What is told of a secret.
const MASK: &str = "***";

/// The input of a definition, as a JSON schema (draft 2020-12). Cheap to clone.
///
/// Fields with `"writeOnly": true` are secrets: what is shown and recorded of them is `***`, and no error tells their values.
/// So is what a schema does not speak of: a field whose name has a slip, a text where an object should be.
///
/// ```
/// use gesta::definition::Input;
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use serde_json::json;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Send {
///     /// Where it goes.
///     #[schemars(length(max = 200))]
///     address: String,
///     /// What the other side knows us by.
///     #[schemars(extend("writeOnly" = true))]
///     token: String,
/// }
///
/// let input = Input::of::<Send>();
/// let given = json!({ "address": "https://example.com", "token": "s3cret" });
/// assert!(input.check(&given).is_ok());
/// assert_eq!(input.masked(&given), json!({ "address": "https://example.com", "token": "***" }));
/// assert_eq!(
///     input.in_words(),
///     "address: text, at most 200 characters; required. Where it goes.\n\
///      token: text, secret; required. What the other side knows us by."
/// );
/// ```
#[derive(Clone)]
pub struct Input(Arc<Parts>);

struct Parts {
    schema: Value,
    /// What checks, or why nothing can.
    validator: Result<Validator, String>,
}

impl Input {
    /// The schema of a type. The type itself takes no fields that it does not have, unless it says what becomes of them;
    /// structs in it say so by `#[serde(deny_unknown_fields)]`.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        let schema = schemars::schema_for!(T).to_value();
        if schema["type"] == "null" { Self::none() } else { Self::schema(schema::closed(schema)) }
    }

    /// A schema. Whether it is one, [`CatalogBuilder::build`](super::CatalogBuilder::build) says.
    #[must_use]
    pub fn schema(schema: Value) -> Self {
        let validator = schema::compiled(&schema);
        Self(Arc::new(Parts { schema, validator }))
    }

    /// No input: an object without fields.
    #[must_use]
    pub fn none() -> Self {
        Self::schema(json!({ "type": "object", "properties": {}, "additionalProperties": false }))
    }

    /// The schema.
    #[must_use]
    pub fn as_schema(&self) -> &Value {
        &self.0.schema
    }

    /// Why the schema is none.
    pub(super) fn problem(&self) -> Option<String> {
        self.0.validator.as_ref().err().cloned()
    }

    /// Whether an input fits the schema.
    ///
    /// # Errors
    /// What is wrong and where, up to 20 of them. No text holds a value.
    pub fn check(&self, input: &Value) -> Result<(), Vec<InputFault>> {
        let faults = match &self.0.validator {
            Ok(validator) => InputFault::all(validator, input),
            Err(problem) => vec![InputFault::of_schema(problem)],
        };
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// An input, whether it fits or not, as it may be shown and recorded.
    #[must_use]
    pub fn masked(&self, input: &Value) -> Value {
        masked(&Place::at(&self.0.schema, &self.0.schema), input)
    }

    /// What the input is, for people: a line for each field, those of objects in it indented.
    #[must_use]
    pub fn in_words(&self) -> String {
        words::of(&self.0.schema)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Input").field(&self.0.schema).finish()
    }
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        self.0.schema == other.0.schema
    }
}

/// A value as it may be shown. That a secret is null shows: it was not given.
fn masked(place: &Place<'_>, value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        _ if place.is_secret() || !place.expects(value) => MASK.into(),
        Value::Array(elements) => {
            let each = elements.iter().enumerate();
            each.map(|(index, value)| masked(&place.element(index), value)).collect()
        }
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, value)| {
                let shown = place.field(name).map(|place| masked(&place, value));
                (name.clone(), shown.unwrap_or_else(|| MASK.into()))
            });
            Value::Object(each.collect())
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests;
