//! CSV (RFC 4180): commas, CRLF, a header; safe to open in a spreadsheet unless raw cells are asked for.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and formulas can send data away (OWASP,
//! "CSV Injection"). Where a cell begins with one of these, with their full-width forms, or with TAB, CR or LF, and also
//! where spaces or quotation marks stand before it, an apostrophe goes in front, by which spreadsheets know a text. A
//! cell that is nothing but a negative decimal number (`-5`, `-0.25`) stays: it is no more than that number, and as a text
//! nobody could sum it up. No two cells become the same one: taking off an apostrophe from a cell that is dangerous without
//! it gives what was there.
//!
//! This holds where commas separate. Who opens the file with another separator opens other cells.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use super::Item;
use super::compact::compact;
use crate::action::form::time;
use crate::error::quote;
use crate::json::Json;
use crate::resource::Named;
use crate::stream::Reason;

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A column: a key of the JSON form, flat.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Column {
            $($(#[$doc])* $variant,)+
        }

        impl Column {
            /// Every column, in the usual order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in the header.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

columns! {
    /// The action's id.
    Id = "id",
    /// The tenant.
    Tenant = "tenant",
    /// The type of the actor.
    ActorType = "actor_type",
    /// The id of the actor.
    ActorId = "actor_id",
    /// What the actor was called.
    ActorName = "actor_name",
    /// The verb.
    Verb = "verb",
    /// The type of the object.
    ObjectType = "object_type",
    /// The id of the object.
    ObjectId = "object_id",
    /// What the object was called.
    ObjectName = "object_name",
    /// The type of the target.
    TargetType = "target_type",
    /// The id of the target.
    TargetId = "target_id",
    /// What the target was called.
    TargetName = "target_name",
    /// When it happened.
    OccurredAt = "occurred_at",
    /// When it was stored.
    RecordedAt = "recorded_at",
    /// The run.
    RunId = "run_id",
    /// The way it came in.
    Source = "source",
    /// How the attempt ended.
    Outcome = "outcome",
    /// Free text.
    Description = "description",
    /// `{field: [old, new]}` as JSON.
    Changes = "changes",
    /// The payload as JSON.
    Data = "data",
    /// The context as JSON.
    Context = "context",
    /// The labels, a JSON array.
    Audience = "audience",
    /// Why it is in the feed: `ROLE TYPE:ID`, with `; ` between; empty outside of feeds.
    Reasons = "reasons",
}

/// A name that no column has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given} is no column; there are {}", Column::ALL.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", "))]
pub struct UnknownColumn {
    given: String,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Column {
    type Err = UnknownColumn;
    fn from_str(text: &str) -> Result<Self, UnknownColumn> {
        let known = Self::ALL.iter().find(|column| column.as_str() == text);
        known.copied().ok_or_else(|| UnknownColumn { given: quote(text) })
    }
}

impl Column {
    /// The cell of an action, as it is; empty where there is nothing.
    #[must_use]
    pub fn cell<'a>(self, item: &Item<'a>) -> Cow<'a, str> {
        let action = item.action;
        let kind = |named: &'a Named| Cow::from(named.resource.kind.as_str());
        let id = |named: &'a Named| Cow::from(named.resource.id.as_str());
        let name = |named: &'a Named| named.name.as_deref().map(Cow::from);
        let json = |json: &'a Option<Json>| json.as_ref().map(|json| compact(json.get()));
        let (object, target) = (action.object.as_ref(), action.target.as_ref());
        let cell = match self {
            Self::Id => Some(action.id.to_string().into()),
            Self::Tenant => Some(action.tenant.as_str().into()),
            Self::ActorType => Some(kind(&action.actor)),
            Self::ActorId => Some(id(&action.actor)),
            Self::ActorName => name(&action.actor),
            Self::Verb => Some(action.verb.as_str().into()),
            Self::ObjectType => object.map(kind),
            Self::ObjectId => object.map(id),
            Self::ObjectName => object.and_then(name),
            Self::TargetType => target.map(kind),
            Self::TargetId => target.map(id),
            Self::TargetName => target.and_then(name),
            Self::OccurredAt => Some(time(action.occurred_at).into()),
            Self::RecordedAt => Some(time(action.recorded_at).into()),
            Self::RunId => action.run.map(|run| run.to_string().into()),
            Self::Source => Some(action.source.as_str().into()),
            Self::Outcome => Some(action.outcome.as_str().into()),
            Self::Description => action.description.as_deref().map(Cow::from),
            Self::Changes => json(&action.changes),
            Self::Data => json(&action.data),
            Self::Context => json(&action.context),
            Self::Audience => Some(serde_json::json!(action.audience.0).to_string().into()),
            Self::Reasons => item.reasons.map(|reasons| because(reasons).into()),
        };
        cell.unwrap_or_default()
    }
}

fn because(reasons: &[Reason]) -> String {
    let reason = |reason: &Reason| format!("{} {}", reason.role.as_str(), reason.followed);
    reasons.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// What becomes of cells that a spreadsheet would take for formulas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cells {
    /// An apostrophe goes in front.
    #[default]
    Safe,
    /// They stay as they are: for programs only.
    Raw,
}

/// Whether the text begins with a byte order mark, by which Excel knows UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// It does not.
    #[default]
    Without,
    /// It does.
    Bom,
}

/// How actions become CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    columns: Vec<Column>,
    cells: Cells,
    mark: Mark,
}

impl Default for Sheet {
    /// All columns, safe, without a byte order mark.
    fn default() -> Self {
        Self { columns: Column::ALL.to_vec(), cells: Cells::Safe, mark: Mark::Without }
    }
}

impl Sheet {
    /// These columns in this order; all of them without any.
    #[must_use]
    pub fn columns(mut self, columns: Vec<Column>) -> Self {
        self.columns = if columns.is_empty() { Column::ALL.to_vec() } else { columns };
        self
    }

    /// What becomes of formulas.
    #[must_use]
    pub fn cells(mut self, cells: Cells) -> Self {
        self.cells = cells;
        self
    }

    /// Whether there is a byte order mark.
    #[must_use]
    pub fn mark(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }

    /// Writes the header.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn head(&self, mut out: impl Write) -> io::Result<()> {
        if self.mark == Mark::Bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        write_record(out, self.columns.iter().map(|column| column.as_str()), self.cells)
    }

    /// Writes the record of an action.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn item(&self, out: impl Write, item: &Item<'_>) -> io::Result<()> {
        write_record(out, self.columns.iter().map(|column| column.cell(item)), self.cells)
    }
}

/// Writes one record.
///
/// # Errors
/// When `out` fails.
pub fn write_record<T: AsRef<str>>(
    out: impl Write,
    cells: impl IntoIterator<Item = T>,
    how: Cells,
) -> io::Result<()> {
    let mut record =
        ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    for cell in cells {
        let cell = cell.as_ref();
        let cell = if how == Cells::Safe { safe(cell) } else { cell.into() };
        record.write_field(cell.as_bytes())?;
    }
    record.write_record(None::<&[u8]>)?;
    record.flush()
}

/// A cell that no spreadsheet takes for a formula.
fn safe(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) { format!("'{cell}").into() } else { cell.into() }
}

fn is_formula(cell: &str) -> bool {
    // Behind apostrophes too: one that was there is not to be taken for ours.
    if cell.trim_start_matches('\'').starts_with(['\t', '\r', '\n']) {
        return true;
    }
    let text = cell.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) && !is_negative_number(text)
}

fn is_negative_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(text) = text.strip_prefix('-') else { return false };
    match text.split_once('.') {
        Some((whole, rest)) => digits(whole) && digits(rest),
        None => digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_become_text() {
        for formula in [
            "=1+1", "+1", "-1+2", "-", "@x", "\t=1", "\r=1", "\n", "＝1", " =1", "\"=1", "' \"=1",
            "\u{a0}@x", "-1e5", "-1.", "-.5", "--1",
        ] {
            assert_eq!(safe(formula), format!("'{formula}"));
        }
        for text in ["", "a=1", "'", "\"a\"", "-1", "-0.25", "1-1", " -5", "'tis"] {
            assert_eq!(safe(text), text);
        }
    }

    fn read(text: &[u8]) -> Vec<String> {
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(text);
        let record = reader.records().next().expect("a record").expect("CSV");
        record.iter().map(str::to_owned).collect()
    }

    /// What was there before an apostrophe went in front.
    fn undone(cell: &str) -> &str {
        cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
    }

    #[test]
    fn apostrophe_before_a_tab_is_not_taken_for_ours() {
        let cells = ["\t", "'\t", "''\t"].map(safe);
        assert_eq!(cells, ["'\t", "''\t", "'''\t"]);
    }

    proptest! {
        #[test]
        fn any_cells_come_back(cells in prop::collection::vec("['\"=+@ ,;\\-\\t\\r\\n5a\\PC]{0,6}", 1..5)) {
            let (mut raw, mut safe) = (Vec::new(), Vec::new());
            write_record(&mut raw, &cells, Cells::Raw).expect("written");
            write_record(&mut safe, &cells, Cells::Safe).expect("written");
            prop_assert_eq!(&read(&raw), &cells);
            let safe = read(&safe);
            for (cell, given) in safe.iter().zip(&cells) {
                prop_assert_eq!(undone(cell), given);
            }
        }
    }

    #[test]
    fn columns_are_named_as_they_are_asked_for() {
        for column in Column::ALL {
            assert_eq!(column.as_str().parse(), Ok(*column));
        }
        let error = "actor".parse::<Column>().expect_err("none").to_string();
        assert!(
            error.starts_with("`actor` is no column; there are id, tenant, actor_type"),
            "{error}"
        );
    }
}
