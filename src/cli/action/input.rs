//! The input of an action: fields as flags, or a file of JSON.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::which::open;
use crate::cli::exit::Told;
use crate::definition::Offer;
use crate::error::quote;

/// Bytes of a file: an input is a form, not a load.
const FILE_LEN_MAX: u64 = 1 << 20;

/// What the action is given besides the objects.
#[derive(clap::Args)]
#[command(next_help_heading = "Input")]
pub(super) struct Input {
    /// A field of the input; may be repeated. What is JSON is that value, all else is text
    #[arg(long = "input", value_name = "FIELD=VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
    /// The input as JSON, from a file or standard input; fields of --input replace its own
    #[arg(long, value_name = "FILE|-")]
    input_file: Option<PathBuf>,
}

fn field(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or_else(|| format!("{} is no FIELD=VALUE", quote(text)))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Input {
    /// The input, which fits the schema.
    pub(super) fn read(self, offer: &Offer<'_>) -> anyhow::Result<Value> {
        let mut input = match &self.input_file {
            Some(path) => {
                let shown = quote(&path.to_string_lossy());
                let mut text = String::new();
                open(path)?
                    .take(FILE_LEN_MAX)
                    .read_to_string(&mut text)
                    .context("failed to read the input")?;
                serde_json::from_str(&text)
                    .map_err(|error| Told::usage(format!("{shown} is no JSON: {error}")))?
            }
            None => Value::Object(Map::new()),
        };
        for (name, text) in self.fields {
            let Some(fields) = input.as_object_mut() else {
                return Err(
                    Told::usage("--input needs an input that is an object of fields").into()
                );
            };
            let value = value(offer.schema(), &name, &text);
            fields.insert(name, value);
        }
        offer.definition.check(&input).map_err(|faults| {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            let (name, known) = (offer.name(), offer.input().in_words());
            Told::usage(format!(
                "the input is refused: {}\n`{name}` takes:\n{known}",
                faults.join("; ")
            ))
        })?;
        Ok(input)
    }
}

/// A field that the schema says is text is text, whatever it looks like.
fn value(schema: &Value, name: &str, text: &str) -> Value {
    let is_text = schema["properties"][name]["type"] == "string";
    let as_text = || Value::String(text.to_owned());
    if is_text { as_text() } else { serde_json::from_str(text).unwrap_or_else(|_| as_text()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_of_the_type_that_the_schema_says() {
        let schema = json!({"properties": {"to": {"type": "string"}, "n": {"type": "integer"}}});
        assert_eq!(value(&schema, "to", "7"), json!("7"));
        assert_eq!(value(&schema, "n", "7"), json!(7));
        assert_eq!(value(&schema, "other", "[1, 2]"), json!([1, 2]));
        assert_eq!(value(&schema, "other", "plain"), json!("plain"));
    }
}
