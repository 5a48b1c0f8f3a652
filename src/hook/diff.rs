//! What is different between two rows, and what of it may be told.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{RawRow, Rule};
use crate::json::Json;

const NULL: &str = "null";

/// `{field: [old, new]}` of the fields whose texts differ, redacted; nothing where none does. A row that is not there
/// counts as all null.
///
/// A field has changed when its text has: `1.0` and `1.00` are two values of a `numeric`.
pub(super) fn diff(
    rules: &[Rule],
    old: Option<&RawRow<'_>>,
    new: Option<&RawRow<'_>>,
) -> Option<Json> {
    let mut text = String::new();
    if let Some(new) = new {
        for (place, (name, after)) in new.fields().enumerate() {
            let before = old.and_then(|old| old.value(name, place)).unwrap_or(NULL);
            push(&mut text, rules, name, [before, after]);
        }
    }
    for (place, (name, before)) in old.into_iter().flat_map(RawRow::fields).enumerate() {
        if new.is_none_or(|new| new.value(name, place).is_none()) {
            push(&mut text, rules, name, [before, NULL]);
        }
    }
    if text.is_empty() {
        return None;
    }
    text.push('}');
    Some(Json::from_text(text))
}

/// Writes a field where it changed.
fn push(text: &mut String, rules: &[Rule], name: &str, values: [&str; 2]) {
    if values[0] == values[1] {
        return;
    }
    let rule = rules.iter().find(|rule| rule.column() == name);
    if matches!(rule, Some(Rule::Exclude(_))) {
        return;
    }
    text.push(if text.is_empty() { '{' } else { ',' });
    text.push_str(&serde_json::Value::from(name).to_string());
    for (mark, value) in [(":[", values[0]), (",", values[1])] {
        text.push_str(mark);
        match rule {
            Some(Rule::Mask(_)) if value != NULL => text.push_str("\"***\""),
            Some(Rule::Hash(_)) if value != NULL => push_hash(text, value),
            _ => text.push_str(value),
        }
    }
    text.push(']');
}

fn push_hash(text: &mut String, value: &str) {
    text.push_str("\"sha256:");
    for byte in Sha256::digest(value) {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Rule] = &[Rule::Exclude("x"), Rule::Mask("m"), Rule::Hash("h")];

    fn changes(old: &str, new: &str) -> Option<String> {
        let row = |text| (text != NULL).then(|| RawRow::parse(text).expect("a row"));
        diff(RULES, row(old).as_ref(), row(new).as_ref()).map(|json| json.get().to_owned())
    }

    #[test]
    fn only_what_differs_is_told() {
        let told = changes(r#"{"a":1,"b":1.0,"c":null}"#, r#"{"a":1,"b":1.00,"c":null}"#);
        assert_eq!(told.as_deref(), Some(r#"{"b":[1.0,1.00]}"#));
        assert_eq!(changes(r#"{"a":1}"#, r#"{"a":1}"#), None);
        let told = changes(r#"{"a":1,"b":2}"#, r#"{"b":3,"c":"\""}"#);
        assert_eq!(told.as_deref(), Some(r#"{"b":[2,3],"c":[null,"\""],"a":[1,null]}"#));
    }

    #[test]
    fn what_is_not_there_is_null() {
        assert_eq!(changes(NULL, r#"{"a":1,"b":null}"#).as_deref(), Some(r#"{"a":[null,1]}"#));
        assert_eq!(changes(r#"{"a":1,"b":null}"#, NULL).as_deref(), Some(r#"{"a":[1,null]}"#));
    }

    #[test]
    fn rules_hide_values_and_leave_nulls() {
        let told = changes(r#"{"x":1,"m":null,"h":1}"#, r#"{"x":2,"m":"s3cret","h":"s3cret"}"#);
        let told = told.expect("a diff");
        assert!(told.starts_with(r#"{"m":[null,"***"],"h":["sha256:6b86b273ff34"#), "{told}");
        assert!(!told.contains("s3cret") && !told.contains("\"x\""), "{told}");
        assert_eq!(changes(r#"{"x":1}"#, r#"{"x":2}"#), None);
    }
}
