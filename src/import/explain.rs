//! What is wrong with a JSON text, as a problem of one field.

use super::Problem;
use super::field::field_at;

/// Reads a JSON text, which problems call `what`.
#[cfg(feature = "server")]
pub(crate) fn read<'a, T: serde::Deserialize<'a>>(
    what: &str,
    text: &'a [u8],
) -> Result<T, Problem> {
    let text = utf8(what, text)?;
    serde_json::from_str(text).map_err(|error| explain(what, text, &error))
}

/// The text, if it is UTF-8.
pub(crate) fn utf8<'a>(what: &str, text: &'a [u8]) -> Result<&'a str, Problem> {
    std::str::from_utf8(text).map_err(|error| {
        let field = field_at(text, error.valid_up_to());
        let at = field.as_ref().map_or(String::new(), |field| format!("`{field}`: "));
        let text = format!("{at}byte {} of the {what} is not UTF-8", error.valid_up_to() + 1);
        Problem { field, text }
    })
}

/// A message of `serde_json` with the field that it is about, and with the byte instead of line and column.
pub(super) fn explain(what: &str, text: &str, error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let byte = before.map(str::len).sum::<usize>() + error.column();
    // It counts from 1: of a value of the wrong type it is the last byte, else the one that is wrong.
    let behind = byte - usize::from(error.is_syntax() && byte > 0);
    let path = field_at(text.as_bytes(), behind);
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next());
    let field = match (named, path) {
        // The keys of an actor, object or target; no form has them at the top.
        (Some(name @ ("type" | "name")), Some(path)) => Some(join(&path, name)),
        (Some("id"), Some(path)) if message.starts_with("missing") => Some(join(&path, "id")),
        (Some(name), _) => Some(name.to_owned()),
        (None, path) => path,
    };
    let problem = if message.contains("surrogate") || message.contains("end of hex escape") {
        "contains a surrogate (\\ud800 to \\udfff) without its other half".to_owned()
    } else if error.is_data() {
        crate::error::visible(message).into_owned()
    } else {
        format!("is not JSON at byte {byte}: {message}")
    };
    match field {
        Some(field) => Problem::of(&field, problem),
        None => Problem { field: None, text: format!("the {what} {problem}") },
    }
}

/// `actor` or `actor.id`, and another key of it.
fn join(path: &str, key: &str) -> String {
    let party = path.split('.').next().unwrap_or(path);
    format!("{party}.{key}")
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_texts_of_several_lines() {
        let text = "{\n  \"actor\": {\n    \"id\": tru\n  }\n}";
        let problem = read::<serde_json::Value>("body", text.as_bytes()).expect_err("no JSON");
        assert_eq!(problem.field.as_deref(), Some("actor.id"));
        assert!(problem.text.starts_with("`actor.id`: is not JSON at byte 29:"), "{problem:?}");
    }
}
