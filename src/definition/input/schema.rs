//! Schemas: closed to slips, compiled, and without what cannot be followed.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::place::follow;
use crate::error::quote;

/// The only draft.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Keywords whose values are no schemas.
const VALUES: [&str; 4] = ["const", "default", "enum", "examples"];

/// A schema whose fields are all: without this, a field with a slip in its name would be taken, and do nothing. What a
/// schema says itself of further fields stays.
pub(super) fn closed(mut schema: Value) -> Value {
    let says = |keyword| schema.get(keyword).is_some();
    let is_open = says("additionalProperties") || says("unevaluatedProperties");
    if schema["type"] == "object" && !is_open {
        schema["unevaluatedProperties"] = false.into();
    }
    schema
}

/// What checks inputs; or why the schema is none.
///
/// Patterns take time in proportion to the input, whatever it is, so they know no look-around and no back references.
/// Nothing is fetched. A format is asked for too, so that a date that is none is told as such.
pub(super) fn compiled(schema: &Value) -> Result<Validator, String> {
    if let Some(dialect) = schema.get("$schema").filter(|dialect| **dialect != *DRAFT) {
        let given = quote(dialect.as_str().unwrap_or_default());
        return Err(format!("`$schema` is {given}; only draft 2020-12, `{DRAFT}`, is known"));
    }
    if let Some(problem) = reference(schema, schema) {
        return Err(problem);
    }
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(|error| {
        let place = Some(error.instance_path().as_str()).filter(|place| !place.is_empty());
        let place = place.map(|place| format!("at {}: ", quote(place))).unwrap_or_default();
        format!("not a JSON schema: {place}{error}")
    })
}

/// What is wrong with the first reference that leads out of the schema, or that only an evaluation can follow: a secret
/// behind it would be found by nobody.
fn reference(root: &Value, schema: &Value) -> Option<String> {
    let fields = match schema {
        Value::Array(schemas) => return schemas.iter().find_map(|schema| reference(root, schema)),
        Value::Object(fields) => fields,
        _ => return None,
    };
    let own = fields.iter().find_map(|(keyword, value)| match (keyword.as_str(), value.as_str()) {
        ("$ref", Some(to)) if follow(root, to).is_none() => Some(format!(
            "`$ref` is {}; it refers to a part of the same schema that exists, as `#/$defs/NAME`",
            quote(to)
        )),
        ("$dynamicRef" | "$recursiveRef", Some(_)) => {
            Some(format!("`{keyword}` is not allowed; use `$ref`"))
        }
        ("$id", Some(_)) if !std::ptr::eq(root, schema) => {
            Some("`$id` is allowed at the root only".to_owned())
        }
        _ => None,
    });
    let inner = fields.iter().filter(|(keyword, _)| !VALUES.contains(&keyword.as_str()));
    own.or_else(|| inner.map(|(_, inner)| inner).find_map(|inner| reference(root, inner)))
}
