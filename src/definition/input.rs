//! What a definition is given besides the selection.

use schemars::JsonSchema;
use serde_json::{Value, json};

/// The input of a definition, as a JSON schema (draft 2020-12). Fields with `"writeOnly": true` are secrets: what is shown
/// and recorded of them is `***`.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    schema: Value,
}

impl Input {
    /// The schema of a type.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        Self { schema: schemars::schema_for!(T).to_value() }
    }

    /// A schema.
    #[must_use]
    pub fn schema(schema: Value) -> Self {
        Self { schema }
    }

    /// No input: an object without fields.
    #[must_use]
    pub fn none() -> Self {
        Self {
            schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
        }
    }

    /// The schema.
    #[must_use]
    pub fn as_schema(&self) -> &Value {
        &self.schema
    }
}
