//! Actions, perhaps out of a feed, as rows of a table, JSON lines, CSV.

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::layout::{BAD, FAINT, Line, PLAIN, STRONG, cut};
use super::output::{Format, Out};
use super::when;
use crate::action::{Action, Outcome};
use crate::error::identity;
use crate::format::Item;
use crate::format::csv::Column;
use crate::json::Json;
use crate::registry::ago;
use crate::resource::{Named, ResourceRef};
use crate::stream::Reason;

/// Width of a time to the second.
const WHEN: usize = 19;
/// How wide the column of actors may be.
const WHO: std::ops::RangeInclusive<usize> = 8..=24;
/// Characters of an old or new value in a table.
const VALUE: usize = 40;
/// Changed fields that a table shows of an action, unless all is asked for.
const CHANGES: usize = 3;

/// How much of an action a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Who did what to what, and what changed.
    Brief,
    /// Everything.
    Full,
}

/// Prints entries as they come in, page by page.
pub(crate) struct Printer {
    detail: Detail,
    now: DateTime<Utc>,
    widths: Option<[usize; 3]>,
}

impl Printer {
    pub(crate) fn new(detail: Detail, now: DateTime<Utc>) -> Self {
        Self { detail, now, widths: None }
    }

    pub(crate) fn print(&mut self, out: &mut Out, entries: &[Item<'_>]) -> io::Result<()> {
        match out.format() {
            Format::Jsonl => entries.iter().try_for_each(|entry| out.json(entry)),
            Format::Csv => {
                if self.widths.replace([0; 3]).is_none() {
                    out.csv(Column::ALL.iter().map(|column| column.as_str()))?;
                }
                entries
                    .iter()
                    .try_for_each(|entry| out.csv(Column::ALL.iter().map(|it| it.cell(entry))))
            }
            Format::Table => self.table(out, entries),
        }
    }

    /// The first page decides how wide the columns are. Nothing has no header.
    fn table(&mut self, out: &mut Out, entries: &[Item<'_>]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let widths = if let Some(widths) = self.widths {
            widths
        } else {
            let widths = widths(out.width(), entries);
            let head = ["When (UTC)", "Who", "What"].map(|cell| vec![Line::of(STRONG, cell)]);
            out.row(&widths, &head)?;
            *self.widths.insert(widths)
        };
        let [_, who, _] = widths;
        let row = |entry| out.row(&widths, &self.cells(entry, who));
        entries.iter().try_for_each(row)
    }

    fn cells(&self, entry: &Item<'_>, width: usize) -> [Vec<Line>; 3] {
        let action = entry.action;
        let at = Line::plain(&when::short(action.occurred_at));
        let ago = Line::of(FAINT, &ago(self.now - action.occurred_at));
        let mut what = what(action, self.detail);
        if self.detail == Detail::Full {
            what.extend(rest(action));
        }
        what.extend(entry.reasons.unwrap_or_default().iter().map(because));
        let width = if self.detail == Detail::Full { usize::MAX } else { width };
        [vec![at, ago], who(&action.actor, width), what]
    }
}

/// The widths of the columns: actors get what they need, up to a limit, and the rest is for what they did.
fn widths(total: usize, entries: &[Item<'_>]) -> [usize; 3] {
    let lines = entries.iter().flat_map(|entry| who(&entry.action.actor, usize::MAX));
    let widest = lines.map(|line| line.width()).max().unwrap_or(0);
    let who = widest.clamp(*WHO.start(), (*WHO.end()).min(total * 3 / 10));
    [WHEN, who, total - WHEN - who - 4]
}

/// The name, cut to a line of this width, above the id, which is never cut: it is what a command takes.
fn who(actor: &Named, width: usize) -> Vec<Line> {
    let id = shown_id(&actor.resource);
    match actor.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => vec![Line::plain(&cut(&identity(name), width)), Line::of(FAINT, &id)],
        None => vec![Line::plain(&id)],
    }
}

/// `type:id`, in which nothing is hidden.
pub(super) fn shown_id(resource: &ResourceRef) -> String {
    format!("{}:{}", identity(resource.kind.as_str()), identity(resource.id.as_str()))
}

/// A resource with its name: `"Crash on save" (issue:70)`.
pub(super) fn party(line: Line, named: &Named) -> Line {
    let id = shown_id(&named.resource);
    match named.name.as_deref().filter(|name| !name.is_empty()) {
        // A quotation mark in the name cannot end it: what stands in brackets is always the real id.
        Some(name) => line
            .and(PLAIN, &format!("\"{}\" ", identity(name).replace('"', "\\\"")))
            .and(FAINT, &format!("({id})")),
        None => line.and(PLAIN, &id),
    }
}

fn what(action: &Action, detail: Detail) -> Vec<Line> {
    let mut first = Line::of(STRONG, &action.verb).and(PLAIN, " ");
    if action.outcome != Outcome::Ok {
        first = first.and(BAD, action.outcome.as_str()).and(PLAIN, " ");
    }
    let mut lines = vec![match &action.object {
        Some(object) => party(first, object),
        None => first,
    }];
    lines.extend(action.target.iter().map(|target| party(Line::of(FAINT, "target "), target)));
    let limit = if detail == Detail::Full { usize::MAX } else { CHANGES };
    lines.extend(changes(action.changes.as_ref(), limit));
    lines.extend(action.description.iter().map(|text| Line::plain(text)));
    lines
}

/// `status: open → closed`, a line each.
fn changes(changes: Option<&Json>, limit: usize) -> Vec<Line> {
    type Fields<'a> = BTreeMap<String, (&'a RawValue, &'a RawValue)>;
    let fields = changes.and_then(|json| serde_json::from_str::<Fields<'_>>(json.get()).ok());
    let fields = fields.unwrap_or_default();
    let line = |(field, (old, new)): (&String, &(&RawValue, &RawValue))| {
        Line::of(FAINT, &format!("{}: ", cut(field, VALUE)))
            .and(PLAIN, &value(old.get(), VALUE))
            .and(FAINT, " → ")
            .and(PLAIN, &value(new.get(), VALUE))
    };
    let mut lines: Vec<_> = fields.iter().take(limit).map(line).collect();
    if fields.len() > limit {
        lines.push(Line::of(FAINT, &format!("and {} more changes", fields.len() - limit)));
    }
    lines
}

/// A value for people: a text without its quotation marks, nothing as `–`.
pub(super) fn value(json: &str, width: usize) -> String {
    let text = serde_json::from_str::<String>(json);
    match text.as_deref().unwrap_or(json) {
        "null" if text.is_err() => "–".to_owned(),
        "" => "\"\"".to_owned(),
        text => cut(text, width),
    }
}

/// What a brief row leaves out.
fn rest(action: &Action) -> Vec<Line> {
    let json = |json: &Option<Json>| json.as_ref().map(|json| json.get().to_owned());
    let audience = match action.audience.0.as_slice() {
        [label] if label == "public" => None,
        labels => Some(serde_json::json!(labels).to_string()),
    };
    let named = [
        ("run", action.run.map(|run| run.to_string())),
        ("source", Some(action.source.as_str().to_owned())),
        ("recorded", Some(when::short(action.recorded_at))),
        ("data", json(&action.data)),
        ("context", json(&action.context)),
        ("audience", audience),
    ];
    let line = |(name, text): (&str, Option<String>)| {
        Some(Line::of(FAINT, &format!("{name} ")).and(PLAIN, &text?))
    };
    // The id says what it is, and with a name before it would be broken on a narrow terminal.
    let id = Line::of(FAINT, &action.id.to_string());
    std::iter::once(id).chain(named.into_iter().filter_map(line)).collect()
}

fn because(reason: &Reason) -> Line {
    let flag = reason.flag.as_deref().filter(|flag| !flag.is_empty());
    let flag = flag.map(|flag| format!(" ({flag})")).unwrap_or_default();
    let role = reason.role.as_str();
    Line::of(FAINT, &format!("via {} as {role}{flag}", shown_id(&reason.followed)))
}
