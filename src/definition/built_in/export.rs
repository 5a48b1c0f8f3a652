//! Takes what is selected away as a file.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::download::{Download, Head};
use super::super::effect::Operation;
use super::super::model::{Definition, Places};
use super::super::piece::{Fault, Piece};
use super::relation::{Relation, rows};
use crate::format::csv::{Cells, write_record};
use crate::session::fill;

/// Which of the keys there are.
const FOUND: &str = "-- definition::built_in::found
SELECT g.n
FROM unnest($1::text[]::{kind}[]) WITH ORDINALITY AS g (key, n)
JOIN {table} AS t ON t.{key} = g.key";

/// The columns that this role may read and that are not hidden, in their order.
const COLUMNS: &str = "-- definition::built_in::columns
SELECT a.attname::text, quote_ident(a.attname)
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege($1, a.attnum, 'SELECT')
    AND a.attname <> ALL ($2::text[])
ORDER BY a.attnum";

/// Rows in the order of the selection.
const ROWS: &str = "-- definition::built_in::rows
SELECT {cells}
FROM unnest($1::text[]::{kind}[]) WITH ORDINALITY AS g (key, n)
JOIN {table} AS t ON t.{key} = g.key
ORDER BY g.n";

/// What the file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// For spreadsheets: a header, then a record for each object.
    #[default]
    Csv,
    /// For programs: a JSON object in each line.
    Jsonl,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// `csv` for spreadsheets, `jsonl` for programs.
    #[serde(default)]
    format: Format,
}

struct Export;

/// Takes the rows of the selected objects away as CSV or JSON lines, for those who have the permission `TYPE.view`.
///
/// The run says which objects were there; the rows themselves are read when the file is downloaded. In CSV, texts that a
/// spreadsheet would take for formulas have an apostrophe in front, as in every export ([`crate::format::csv`]).
#[must_use]
pub fn export() -> Definition {
    Definition::new("export", "Export this {name}", Export)
        .plural("Export these {plural}")
        .about(
            "Makes a file of the selected objects: CSV for spreadsheets, JSON lines for programs.",
        )
        .permissions(&["{type}.view"])
        .offered(Places::Both)
        .on_rows()
        .example(json!({ "format": "csv" }))
        .example(json!({ "format": "jsonl" }))
        .download(Export)
}

impl Operation for Export {
    type Input = Choice;

    async fn run(&self, piece: &mut Piece<'_, '_>, _: &Choice) -> Result<(), Fault> {
        let relation = Relation::of(piece).await?;
        let ids: Vec<&str> = piece.items.iter().map(|item| item.object.id.as_str()).collect();
        let tx = piece.session.transaction();
        let sql = fill(FOUND, &relation.slots());
        let mut is_there = vec![false; ids.len()];
        for row in rows(tx, "look for the objects", &sql, &[&ids]).await? {
            let place = usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX);
            if let Some(is_there) = is_there.get_mut(place) {
                *is_there = true;
            }
        }
        piece.skip_gone(is_there);
        Ok(())
    }
}

impl Download for Export {
    fn head(&self, input: &Value) -> Head {
        match format(input) {
            Format::Csv => Head { content_type: "text/csv; charset=utf-8", extension: "csv" },
            Format::Jsonl => Head { content_type: "application/x-ndjson", extension: "jsonl" },
        }
    }

    fn begin<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(async move {
            if format(input) == Format::Jsonl {
                return Ok(Bytes::new());
            }
            let relation = Relation::of(piece).await?;
            let columns = columns(piece, &relation).await?;
            let mut out = Vec::new();
            record(&mut out, columns.iter().map(|(name, _)| name.as_str()))?;
            Ok(out.into())
        })
    }

    fn part<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(async move {
            let relation = Relation::of(piece).await?;
            let columns = columns(piece, &relation).await?;
            let cells = match format(input) {
                Format::Csv => list(&columns, |quoted| format!("t.{quoted}::text")),
                Format::Jsonl => {
                    let fields = list(&columns, |quoted| format!("t.{quoted}"));
                    format!("row_to_json((SELECT r FROM (SELECT {fields}) AS r))::text")
                }
            };
            let mut slots = relation.slots().to_vec();
            slots.push(("cells", &cells));
            let ids: Vec<&str> = piece.items.iter().map(|item| item.object.id.as_str()).collect();
            let tx = piece.session.transaction();
            let found = rows(tx, "read the objects", &fill(ROWS, &slots), &[&ids]).await?;
            let mut out = Vec::new();
            for row in &found {
                let cell = |index| row.get::<_, Option<&str>>(index).unwrap_or_default();
                match format(input) {
                    Format::Csv => record(&mut out, (0..row.len()).map(cell))?,
                    Format::Jsonl => {
                        out.extend_from_slice(cell(0).as_bytes());
                        out.push(b'\n');
                    }
                }
            }
            Ok(out.into())
        })
    }
}

fn format(input: &Value) -> Format {
    Choice::deserialize(input).unwrap_or_default().format
}

/// Names, as they are and in quotes.
async fn columns(
    piece: &Piece<'_, '_>,
    relation: &Relation,
) -> Result<Vec<(String, String)>, Fault> {
    let tx = piece.session.transaction();
    let found = rows(tx, "read the columns", COLUMNS, &[&relation.oid, &relation.hidden]).await?;
    Ok(found.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn list(columns: &[(String, String)], each: impl Fn(&str) -> String) -> String {
    columns.iter().map(|(_, quoted)| each(quoted)).collect::<Vec<_>>().join(", ")
}

fn record<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
    write_record(out, cells, Cells::Safe)
        .map_err(|error| Fault::caused("failed to write a record", error))
}
