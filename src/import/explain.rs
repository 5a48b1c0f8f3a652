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
    // What is missing is told behind the object that lacks it; what should not be there, behind its key.
    let field = match (message.strip_prefix("missing field `"), path) {
        (Some(rest), path) => {
            let name = rest.split('`').next().unwrap_or_default();
            Some(path.map_or_else(|| name.to_owned(), |path| format!("{path}.{name}")))
        }
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

    #[test]
    fn keys_that_are_wrong_are_found_where_they_stand() {
        let with = |actor: &str, rest: &str| format!(r#"{{"actor":{actor},"verb":"x"{rest}}}"#);
        let party = r#"{"type":"user","id":"1"}"#;
        for (text, field) in [
            (with(r#"{"type":"user","id":"1","colour":"x"}"#, ""), "actor.colour"),
            (with(r#"{"verb":"x","type":"user","id":"1"}"#, ""), "actor.verb"),
            (with(r#"{"type":"user","id":"1", "id" :"2"}"#, ""), "actor.id"),
            (with(r#"{"type":"user"}"#, ""), "actor.id"),
            (with("{}", r#","target":{"id":"1"}"#), "actor.type"),
            (with(party, r#","target":{"id":"1"}"#), "target.type"),
            (with(party, r#","colour":1"#), "colour"),
            (with(party, r#","name":1"#), "name"),
            (with(party, r#","verb":"y""#), "verb"),
            (format!(r#"{{"actor":{party}}}"#), "verb"),
            (with(r#"["user","1","A"]"#, ""), "actor"),
        ] {
            let problem =
                read::<crate::action::form::Given>("body", text.as_bytes()).expect_err(&text);
            assert_eq!(problem.field.as_deref(), Some(field), "{text}: {}", problem.text);
        }
    }
}
