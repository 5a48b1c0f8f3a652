//! All that a schema says of one place in an input.
//!
//! Every branch counts, also those that the input does not fit, so that a secret is one whatever else is wrong.

use serde_json::Value;

use crate::store::percent_decode;

/// The schemas that speak of a place. They stay within the schema that they come from.
pub(super) struct Place<'s> {
    root: &'s Value,
    schemas: Vec<&'s Value>,
}

impl<'s> Place<'s> {
    /// The place that a part of a schema speaks of; all of it speaks of the whole input.
    pub(super) fn at(root: &'s Value, schema: &'s Value) -> Self {
        Self::of(root, vec![schema])
    }

    /// These schemas, and all that they refer to and are made of.
    fn of(root: &'s Value, first: Vec<&'s Value>) -> Self {
        let mut schemas: Vec<&Value> = Vec::with_capacity(first.len());
        let mut open = first;
        while let Some(schema) = open.pop() {
            // Schemas may refer to themselves.
            if !schemas.iter().any(|known| std::ptr::eq(*known, schema)) {
                schemas.push(schema);
                open.extend(parts(schema));
                open.extend(schema["$ref"].as_str().and_then(|to| follow(root, to)));
            }
        }
        // `false` speaks of a place only to say that nothing may be there.
        schemas.retain(|schema| **schema != Value::Bool(false));
        Self { root, schemas }
    }

    /// Whether any schema says that it is a secret.
    pub(super) fn is_secret(&self) -> bool {
        self.schemas.iter().any(|schema| schema["writeOnly"] == true)
    }

    /// Whether a value is of a type that any schema names, or none names one.
    pub(super) fn expects(&self, value: &Value) -> bool {
        let mut told = self.schemas.iter().filter_map(|schema| names(schema, value)).peekable();
        told.peek().is_none() || told.any(|is_named| is_named)
    }

    /// A field's place; nothing where the schemas speak of fields, and not of this one.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        let told = self.schemas.iter().flat_map(|schema| {
            let own = schema["properties"].get(name);
            let others = ["additionalProperties", "unevaluatedProperties"];
            let others = others.into_iter().filter_map(|keyword| schema.get(keyword));
            // Which patterns fit is not asked: one more secret does no harm.
            let patterns = schema["patternProperties"].as_object();
            let patterns = patterns.into_iter().flat_map(serde_json::Map::values);
            own.into_iter().chain(others.filter(move |_| own.is_none())).chain(patterns)
        });
        let place = Self::of(self.root, told.collect());
        let is_open = || self.schemas.iter().all(|schema| schema.get("properties").is_none());
        (!place.schemas.is_empty() || is_open()).then_some(place)
    }

    /// An element's place.
    pub(super) fn element(&self, index: usize) -> Self {
        let told = self.schemas.iter().flat_map(|schema| {
            let others = ["items", "unevaluatedItems", "contains"];
            let others = others.into_iter().filter_map(|keyword| schema.get(keyword));
            schema["prefixItems"].get(index).into_iter().chain(others)
        });
        Self::of(self.root, told.collect())
    }
}

/// The schemas that a schema is made of, for the same place.
fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    let lists = ["allOf", "anyOf", "oneOf"].into_iter();
    let lists = lists.filter_map(|keyword| schema[keyword].as_array()).flatten();
    let single = ["if", "then", "else"].into_iter().filter_map(|keyword| schema.get(keyword));
    let dependent = schema["dependentSchemas"].as_object();
    lists.chain(single).chain(dependent.into_iter().flat_map(serde_json::Map::values))
}

/// What `#/$defs/Name` refers to.
pub(super) fn follow<'s>(root: &'s Value, to: &str) -> Option<&'s Value> {
    // A pointer in a fragment is percent-encoded; schemars encodes names as generics have.
    let pointer = percent_decode(to.strip_prefix('#')?)?;
    root.pointer(str::from_utf8(&pointer).ok()?)
}

/// Whether a schema names the type of a value; nothing where it names no type.
fn names(schema: &Value, value: &Value) -> Option<bool> {
    if let Some(options) = schema["enum"].as_array() {
        return Some(options.contains(value));
    }
    if let Some(constant) = schema.get("const") {
        return Some(constant == value);
    }
    let is = |name: &Value| match name.as_str() {
        Some("string") => value.is_string(),
        Some("number" | "integer") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => value.is_null(),
    };
    match schema.get("type")? {
        Value::Array(names) => Some(names.iter().any(is)),
        name => Some(is(name)),
    }
}
