//! A schema as people say it: `address: text, at most 200 characters; required. Where it goes.`

use std::fmt::Write as _;

use serde_json::Value;

use super::place::{Place, follow};
use crate::error::visible;

/// How deep objects in objects and lists in lists are told. Schemas may refer to themselves.
const DEPTH_MAX: usize = 4;
/// How many references are followed to what they end at.
const HOPS_MAX: usize = 16;

/// What the input is: a line for each field.
pub(super) fn of(root: &Value) -> String {
    let mut text = String::new();
    fields(&mut text, root, root, &mut Vec::new());
    if text.is_empty() {
        let schema = resolved(root, root);
        return if schema["type"] == "object" { "nothing".into() } else { kind(root, schema, 0) };
    }
    text.truncate(text.trim_end().len());
    text
}

/// The fields of an object, each with those of the objects in it below it. Objects in themselves are told once.
fn fields<'s>(text: &mut String, root: &'s Value, schema: &'s Value, open: &mut Vec<&'s Value>) {
    let schema = innermost(root, schema);
    if open.len() > DEPTH_MAX || open.iter().any(|outer| std::ptr::eq(*outer, schema)) {
        return;
    }
    let indent = " ".repeat(2 * open.len());
    open.push(schema);
    let also = schema["allOf"].as_array().into_iter().flatten();
    for part in std::iter::once(schema).chain(also.map(|part| resolved(root, part))) {
        let required = part["required"].as_array();
        for (name, field) in part["properties"].as_object().into_iter().flatten() {
            let is_required = required.is_some_and(|all| all.iter().any(|it| it == name));
            let need = if is_required { "; required" } else { "" };
            let (kind, more) = (kind(root, field, 0), remarks(root, field));
            let _ = writeln!(text, "{indent}{}: {kind}{need}{more}", visible(name));
            fields(text, root, field, open);
        }
    }
    open.pop();
}

/// What a field takes where nothing is given, and what it is for.
fn remarks(root: &Value, field: &Value) -> String {
    let told = |keyword| field.get(keyword).or_else(|| resolved(root, field).get(keyword));
    let mut text = match told("default").filter(|default| !default.is_null()) {
        Some(default) if !Place::at(root, field).is_secret() => {
            format!("; {} where it is not given", visible(&default.to_string()))
        }
        _ => String::new(),
    };
    if let Some(about) = told("description").and_then(Value::as_str) {
        let _ = write!(text, ". {}", visible(&about.replace('\n', " ")));
    }
    text
}

/// What a schema takes.
fn kind(root: &Value, schema: &Value, depth: usize) -> String {
    let end = resolved(root, schema);
    let text = match choices(end) {
        Some(choices) if depth < DEPTH_MAX => {
            let all = choices.into_iter().filter(|choice| choice["type"] != "null");
            let all: Vec<_> = all.map(|choice| kind(root, choice, depth + 1)).collect();
            all.join(" or ")
        }
        _ => plain(root, end, depth),
    };
    let place = Place::at(root, schema);
    let is_secret = place.is_secret() || place.element(0).is_secret();
    if is_secret && depth == 0 { format!("{text}, secret") } else { text }
}

/// What a schema takes that is no choice.
fn plain(root: &Value, schema: &Value, depth: usize) -> String {
    if let Some(constant) = schema.get("const") {
        return visible(&constant.to_string()).into_owned();
    }
    if let Some(options) = schema["enum"].as_array() {
        let options = options.iter().filter(|it| !it.is_null()).map(ToString::to_string);
        return visible(&options.collect::<Vec<_>>().join(" or ")).into_owned();
    }
    let of = ["string", "integer", "number", "boolean", "array", "object"];
    match of.into_iter().find(|name| is_of(schema, name)) {
        Some("string") => format!("{}{}", word(schema), bounds(schema, "Length", " characters")),
        Some("integer") => format!("whole number{}", bounds(schema, "imum", "")),
        Some("number") => format!("number{}", bounds(schema, "imum", "")),
        Some("boolean") => "true or false".to_owned(),
        Some("array") if depth < DEPTH_MAX && schema.get("items").is_some() => {
            let each = kind(root, &schema["items"], depth + 1);
            format!("list of {each}{}", bounds(schema, "Items", " of them"))
        }
        Some("array") => "list".to_owned(),
        Some(_) => match schema["properties"].as_object() {
            Some(fields) if depth > 0 => {
                let names: Vec<_> = fields.keys().map(|name| visible(name)).collect();
                format!("object with {}", names.join(", "))
            }
            _ => "object".to_owned(),
        },
        None => "anything".to_owned(),
    }
}

fn is_of(schema: &Value, name: &str) -> bool {
    let named = &schema["type"];
    *named == *name || named.as_array().is_some_and(|all| all.iter().any(|it| it == name))
}

/// What a text is.
fn word(schema: &Value) -> String {
    match (schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("date-time"), _) => "date and time (RFC 3339)".to_owned(),
        (Some("date"), _) => "date (YYYY-MM-DD)".to_owned(),
        (Some("uri"), _) => "URL".to_owned(),
        (Some("uuid"), _) => "UUID".to_owned(),
        (Some(format), _) => format!("text ({})", visible(format)),
        (None, Some(pattern)) => format!("text like `{}`", visible(pattern)),
        (None, None) => "text".to_owned(),
    }
}

/// The limits of a schema: `minLength` and `maxLength`, and so on.
fn bounds(schema: &Value, of: &str, unit: &str) -> String {
    let [least, most] = ["min", "max"].map(|end| schema.get(format!("{end}{of}")));
    match (least.filter(|it| it.as_u64() != Some(0) || unit.is_empty()), most) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", at least {least}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (None, None) => String::new(),
    }
}

/// The schemas of which one is to fit; nothing where there is no choice.
fn choices(schema: &Value) -> Option<Vec<&Value>> {
    let choices = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())?;
    Some(choices.iter().collect())
}

/// What references end at, and what is left where the choice is between something and null.
fn resolved<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    for _ in 0..HOPS_MAX {
        let single = || {
            let mut choices = choices(schema)?.into_iter().filter(|it| it["type"] != "null");
            choices.next().filter(|_| choices.next().is_none())
        };
        let referred = schema["$ref"].as_str().and_then(|to| follow(root, to));
        let Some(next) = referred.or_else(single) else { break };
        schema = next;
    }
    schema
}

/// What a list is a list of, and that if it is a list again; the schema itself where it is none of a list.
fn innermost<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let mut schema = resolved(root, schema);
    for _ in 0..HOPS_MAX {
        let Some(items) = schema.get("items") else { break };
        schema = resolved(root, items);
    }
    schema
}
