//! An action, perhaps out of a feed, as a row of a table, a JSON object, a record of CSV.

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, Utc};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::layout::{BAD, FAINT, Line, PLAIN, STRONG, cut, write_row};
use super::output::{Format, Out};
use super::when;
use crate::action::form::time;
use crate::action::{Action, Outcome};
use crate::json::Json;
use crate::registry::ago;
use crate::resource::Named;
use crate::stream::{FeedItem, Reason};

/// Width of a time to the second.
const WHEN: usize = 19;
/// How wide the column of actors may be.
const WHO: std::ops::RangeInclusive<usize> = 8..=24;
/// Characters of an old or new value in a table.
const VALUE: usize = 40;
/// Changed fields that a table shows of an action, unless all is asked for.
const CHANGES: usize = 3;

/// The columns of CSV: those of the JSON form, flat.
const RECORD: [&str; 23] = [
    "id",
    "tenant",
    "actor_type",
    "actor_id",
    "actor_name",
    "verb",
    "object_type",
    "object_id",
    "object_name",
    "target_type",
    "target_id",
    "target_name",
    "occurred_at",
    "recorded_at",
    "run_id",
    "source",
    "outcome",
    "description",
    "changes",
    "data",
    "context",
    "audience",
    "reasons",
];

/// How much of an action a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Who did what to what, and what changed.
    Brief,
    /// Everything.
    Full,
}

/// An action to be printed.
pub(crate) struct Entry<'a> {
    pub(crate) action: &'a Action,
    pub(crate) reasons: Option<&'a [Reason]>,
}

impl<'a> From<&'a Action> for Entry<'a> {
    fn from(action: &'a Action) -> Self {
        Self { action, reasons: None }
    }
}

impl<'a> From<&'a FeedItem> for Entry<'a> {
    fn from(item: &'a FeedItem) -> Self {
        Self { action: &item.action, reasons: Some(&item.reasons) }
    }
}

/// The JSON form of the action; in a feed also `reasons`.
impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct FromFeed<'a> {
            #[serde(flatten)]
            action: &'a Action,
            reasons: Vec<ReasonForm<'a>>,
        }
        match self.reasons {
            None => self.action.serialize(serializer),
            Some(reasons) => {
                let reasons = reasons.iter().map(ReasonForm).collect();
                FromFeed { action: self.action, reasons }.serialize(serializer)
            }
        }
    }
}

struct ReasonForm<'a>(&'a Reason);

impl Serialize for ReasonForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("Reason", 3)?;
        form.serialize_field("followed", &self.0.followed)?;
        form.serialize_field("role", self.0.role.as_str())?;
        form.serialize_field("flag", &self.0.flag)?;
        form.end()
    }
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

    pub(crate) fn print(&mut self, out: &mut Out, entries: &[Entry<'_>]) -> io::Result<()> {
        match out.format() {
            Format::Jsonl => entries.iter().try_for_each(|entry| out.json(entry)),
            Format::Csv => {
                if self.widths.replace([0; 3]).is_none() {
                    out.csv(RECORD)?;
                }
                entries.iter().try_for_each(|entry| {
                    let record = entry.record();
                    out.csv(record.iter().map(String::as_str))
                })
            }
            Format::Table => self.table(out, entries),
        }
    }

    /// The first page decides how wide the columns are.
    fn table(&mut self, out: &mut Out, entries: &[Entry<'_>]) -> io::Result<()> {
        let widths = if let Some(widths) = self.widths {
            widths
        } else {
            let widths = widths(out.width(), entries);
            let head = ["When (UTC)", "Who", "What"].map(|cell| vec![Line::of(STRONG, cell)]);
            write_row(out.writer(), &widths, &head)?;
            *self.widths.insert(widths)
        };
        let [_, who, _] = widths;
        let row = |entry| write_row(out.writer(), &widths, &self.cells(entry, who));
        entries.iter().try_for_each(row)
    }

    fn cells(&self, entry: &Entry<'_>, width: usize) -> [Vec<Line>; 3] {
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
fn widths(total: usize, entries: &[Entry<'_>]) -> [usize; 3] {
    let lines = entries.iter().flat_map(|entry| who(&entry.action.actor, usize::MAX));
    let widest = lines.map(|line| line.width()).max().unwrap_or(0);
    let who = widest.clamp(*WHO.start(), (*WHO.end()).min(total * 3 / 10));
    [WHEN, who, total - WHEN - who - 4]
}

/// The name, cut to a line of this width, above the id, which is never cut: it is what a command takes.
fn who(actor: &Named, width: usize) -> Vec<Line> {
    let id = actor.resource.to_string();
    match actor.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => vec![Line::plain(&cut(name, width)), Line::of(FAINT, &id)],
        None => vec![Line::plain(&id)],
    }
}

/// A resource with its name: `"Crash on save" (issue:70)`.
pub(super) fn party(line: Line, named: &Named) -> Line {
    let id = named.resource.to_string();
    match named.name.as_deref().filter(|name| !name.is_empty()) {
        // A quotation mark in the name cannot end it: what stands in brackets is always the real id.
        Some(name) => line
            .and(PLAIN, &format!("\"{}\" ", name.replace('"', "\\\"")))
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
    Line::of(FAINT, &format!("via {} as {role}{flag}", reason.followed))
}

impl Entry<'_> {
    fn record(&self) -> Vec<String> {
        let action = self.action;
        let kind = |named: Option<&Named>| named.map(|named| named.resource.kind.to_string());
        let id = |named: Option<&Named>| named.map(|named| named.resource.id.to_string());
        let name = |named: Option<&Named>| named.and_then(|named| named.name.clone());
        let json = |json: &Option<Json>| json.as_ref().map(|json| json.get().to_owned());
        let (actor, object, target) =
            (Some(&action.actor), action.object.as_ref(), action.target.as_ref());
        let reasons = self.reasons.map(|reasons| {
            let reason = |reason: &Reason| format!("{} {}", reason.role.as_str(), reason.followed);
            reasons.iter().map(reason).collect::<Vec<_>>().join("; ")
        });
        [
            Some(action.id.to_string()),
            Some(action.tenant.to_string()),
            kind(actor),
            id(actor),
            name(actor),
            Some(action.verb.clone()),
            kind(object),
            id(object),
            name(object),
            kind(target),
            id(target),
            name(target),
            Some(time(action.occurred_at)),
            Some(time(action.recorded_at)),
            action.run.map(|run| run.to_string()),
            Some(action.source.as_str().to_owned()),
            Some(action.outcome.as_str().to_owned()),
            action.description.clone(),
            json(&action.changes),
            json(&action.data),
            json(&action.context),
            Some(serde_json::json!(action.audience.0).to_string()),
            reasons,
        ]
        .map(Option::unwrap_or_default)
        .into()
    }
}
