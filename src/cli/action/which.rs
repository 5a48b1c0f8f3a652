//! Which objects: flags, and what the engine understands.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::cli::exit::Told;
use crate::cli::query::understood;
use crate::error::quote;
use crate::run::{Filter, SELECTED_LEN_MAX, Which};

/// Bytes of a file of ids: a million of the longest that are usual.
const FILE_LEN_MAX: u64 = 256 << 20;

/// Which objects.
#[derive(clap::Args)]
#[command(next_help_heading = "Which objects")]
pub(super) struct Selection {
    /// Those with these ids, with commas between; with --filter, those of them that it finds
    #[arg(long, value_name = "ID,ID", value_delimiter = ',', conflicts_with = "ids_file")]
    ids: Vec<String>,
    /// The same, one a line of a file, or of standard input
    #[arg(long, value_name = "FILE|-")]
    ids_file: Option<PathBuf>,
    /// Those whose column has this value; may be repeated: of one column any, of several all
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = condition)]
    filter: Vec<(String, Value)>,
    /// Those that actions of the log are about which this search finds
    #[arg(long, short, value_name = "QUERY", conflicts_with_all = ["ids", "ids_file", "filter"])]
    query: Option<String>,
}

/// `state=draft`. What is JSON is that value: `7`, `true`, `null`; all else is text.
fn condition(text: &str) -> Result<(String, Value), String> {
    let (column, value) = text
        .split_once('=')
        .filter(|(column, _)| !column.is_empty())
        .ok_or_else(|| format!("{} is no COLUMN=VALUE", quote(text)))?;
    Ok((column.to_owned(), scalar(value)))
}

/// A number, `true`, `false` or `null`; else a text.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

impl Selection {
    /// What the flags say.
    pub(super) fn understood(self) -> anyhow::Result<Which> {
        if let Some(query) = &self.query {
            return Ok(Which::Log(understood(std::slice::from_ref(query))?));
        }
        let ids = match &self.ids_file {
            Some(file) => Some(lines(file)?),
            None if self.ids.is_empty() => None,
            None => Some(self.ids),
        };
        let rows = (!self.filter.is_empty()).then(|| filter(self.filter));
        match (ids, rows) {
            (Some(ids), None) => Ok(Which::Ids(ids)),
            (None, Some(rows)) => Ok(Which::Rows(rows)),
            (Some(ids), Some(rows)) => Ok(Which::Within { ids, rows }),
            (None, None) => {
                let text =
                    "nothing says which objects; give --ids, --ids-file, --filter or --query";
                Err(Told::usage(text).into())
            }
        }
    }
}

/// Conditions on one column are alternatives.
fn filter(conditions: Vec<(String, Value)>) -> Filter {
    let mut columns: Vec<(String, Vec<Value>)> = Vec::new();
    for (column, value) in conditions {
        match columns.iter_mut().find(|(known, _)| *known == column) {
            Some((_, values)) => values.push(value),
            None => columns.push((column, vec![value])),
        }
    }
    columns.into_iter().fold(Filter::all(), |filter, (column, values)| filter.any(&column, values))
}

/// A file, or standard input where it is called `-`.
pub(super) fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path);
    let file =
        file.with_context(|| format!("failed to open {}", quote(&path.to_string_lossy())))?;
    Ok(Box::new(file))
}

/// The lines of a file that are not empty.
fn lines(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for line in BufReader::new(open(path)?.take(FILE_LEN_MAX)).lines() {
        let line = line.context("failed to read the ids")?;
        let id = line.trim_end_matches('\r');
        if !id.is_empty() {
            ids.push(id.to_owned());
        }
        if ids.len() > SELECTED_LEN_MAX {
            let text = format!("the file has more than {SELECTED_LEN_MAX} ids; run it in parts");
            return Err(Told::usage(text).into());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_they_look_like() {
        for (text, value) in [
            ("draft", json!("draft")),
            ("7", json!(7)),
            ("007", json!("007")),
            ("true", json!(true)),
            ("null", json!(null)),
            ("", json!("")),
            ("[1]", json!("[1]")),
            ("a=b", json!("a=b")),
        ] {
            assert_eq!(condition(&format!("c={text}")), Ok(("c".to_owned(), value)), "{text}");
        }
        assert!(condition("draft").is_err() && condition("=x").is_err());
    }

    #[test]
    fn conditions_on_one_column_are_alternatives() {
        let given = ["a=1", "b=x", "a=2"].map(|text| condition(text).expect(text));
        assert_eq!(filter(given.to_vec()).to_json(), json!({"a": [1, 2], "b": ["x"]}));
    }
}
