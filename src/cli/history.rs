//! An object's state at a time, and what is different between two: tables, JSON, CSV.

use std::io;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::entry::{self, party, shown_id};
use super::exit::Code;
use super::layout::{BAD, FAINT, Line, PLAIN, STRONG, cut, squeeze};
use super::output::{Format, Out};
use super::select::Narrow;
use super::session::{Role, Session, now};
use super::when::{When, short};
use super::{say, stats};
use crate::action::ActionId;
use crate::action::form::time;
use crate::error::{identity, quote};
use crate::json::Json;
use crate::resource::{Named, ResourceRef};
use crate::stream::history::{By, Difference, Life, Step, Value};
use crate::stream::{Comparison, History, Moment, State};

/// Characters of a field's name in a table.
const FIELD: usize = 24;
/// Characters of a value in a table; JSON and CSV have all of it.
const VALUE: usize = 200;
/// Actions in between that a table shows, the latest of them; JSON has more.
const STEPS: usize = 50;

/// A moment as it was given: a time, or an action's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Time(When),
    After(ActionId),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.parse(), text.parse()) {
            (Ok(id), _) => Ok(Self::After(id)),
            (_, Ok(when)) => Ok(Self::Time(when)),
            (_, Err(wrong)) => Err(format!("{wrong}, or the id of an action")),
        }
    }
}

impl Place {
    fn moment(self, now: DateTime<Utc>) -> Moment {
        match self {
            Self::Time(when) => Moment::At(when.at(now)),
            Self::After(id) => Moment::After(id),
        }
    }
}

/// Two moments; open ends are the beginning and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    from: Option<Place>,
    to: Option<Place>,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once("..").ok_or_else(|| {
            format!(
                "{} is no range; give A..B, such as `yesterday..now`, `2h..` or `..2026-11-20`",
                quote(text)
            )
        })?;
        let place = |text: &str| (!text.is_empty()).then(|| text.parse()).transpose();
        Ok(Self { from: place(from)?, to: place(to)? })
    }
}

/// A moment for people.
fn label(moment: Moment) -> String {
    match moment {
        Moment::Beginning => "the beginning".to_owned(),
        Moment::At(time) => short(time),
        Moment::After(id) => format!("after {id}"),
        Moment::Now => "now".to_owned(),
    }
}

/// Prints what the object was.
pub(super) async fn state(
    object: &ResourceRef,
    at: Place,
    narrow: &Narrow,
    session: &Session,
) -> anyhow::Result<Code> {
    let moment = at.moment(now());
    let database = session.open(Role::App).await?;
    let state = History::of(object).state(moment, &narrow.reader(&database)).await?;
    let mut out = session.out();
    match out.format() {
        Format::Jsonl => out.json(&state)?,
        Format::Csv => state_csv(&state, &mut out)?,
        Format::Table => state_table(&state, moment, &mut out)?,
    }
    out.flush()?;
    if let (Format::Csv, Some(by)) = (out.format(), state.deleted()) {
        let text = format!(
            "it was deleted {} by {}; this is what it was before",
            short(by.at),
            who(&by.actor)
        );
        say::note(&text);
    }
    doubts(&state);
    Ok(Code::Ok)
}

/// Prints what is different.
pub(super) async fn diff(
    object: &ResourceRef,
    range: Range,
    narrow: &Narrow,
    session: &Session,
) -> anyhow::Result<Code> {
    let now = now();
    let from = range.from.map_or(Moment::Beginning, |place| place.moment(now));
    let to = range.to.map_or(Moment::Now, |place| place.moment(now));
    let database = session.open(Role::App).await?;
    let reader = narrow.reader(&database);
    let comparison = History::of(object).compare(from, to, &reader).await?;
    let mut out = session.out();
    match out.format() {
        Format::Jsonl => out.json(&comparison)?,
        Format::Csv => diff_csv(&comparison, &mut out)?,
        Format::Table => diff_table(&comparison, (from, to), &mut out)?,
    }
    out.flush()?;
    doubts(&comparison.to);
    Ok(Code::Ok)
}

/// What speaks against taking it for the whole truth.
fn doubts(state: &State) {
    if !state.is_complete && !matches!(state.life, Life::NotYet(_)) {
        say::note(
            "its creation is not recorded in full: only fields that were ever changed are known",
        );
    }
    if state.gaps > 0 {
        let subject = match state.gaps {
            1 => "a change does".to_owned(),
            gaps => {
                format!("{} changes do", stats::number(i64::try_from(gaps).unwrap_or(i64::MAX)))
            }
        };
        say::warning(&format!(
            "{subject} not go on from what was known: something in between is not recorded, or not visible"
        ));
    }
    if !state.sees_everything {
        say::note("as far as these labels see; other actions may have changed it as well");
    }
}

fn state_csv(state: &State, out: &mut Out) -> io::Result<()> {
    out.csv([&["field", "kind", "value"][..], &BY].concat())?;
    for (name, field) in &state.fields {
        let mut record = vec![name.clone(), field.value.kind().to_owned(), exact(&field.value)];
        record.extend(by_record(field.by.as_deref()));
        out.csv(record.iter().map(String::as_str))?;
    }
    Ok(())
}

fn diff_csv(comparison: &Comparison, out: &mut Out) -> io::Result<()> {
    out.csv([&["field", "old_kind", "old", "new_kind", "new"][..], &BY].concat())?;
    for (name, Difference { old, new, by }) in &comparison.fields {
        let mut record = vec![name.clone()];
        for value in [old, new] {
            record.push(value.as_ref().map(Value::kind).unwrap_or_default().to_owned());
            record.push(value.as_ref().map(exact).unwrap_or_default());
        }
        record.extend(by_record(by.as_deref()));
        out.csv(record.iter().map(String::as_str))?;
    }
    Ok(())
}

/// Columns of the action that last changed a field.
const BY: [&str; 6] = ["action", "verb", "actor_type", "actor_id", "actor_name", "at"];

fn by_record(by: Option<&By>) -> [String; 6] {
    by.map_or_else(Default::default, |by| {
        let actor = &by.actor.resource;
        let name = by.actor.name.clone().unwrap_or_default();
        let (kind, id) = (actor.kind.to_string(), actor.id.to_string());
        [by.action.to_string(), by.verb.clone(), kind, id, name, time(by.at)]
    })
}

/// A value as JSON; nothing of a masked one.
fn exact(value: &Value) -> String {
    match value {
        Value::Plain(json) => json.get().to_owned(),
        Value::Masked => String::new(),
        Value::Hashed(hash) => hash.clone(),
        Value::Members(members) => {
            let texts: Vec<_> = members.iter().map(Json::get).collect();
            format!("[{}]", texts.join(", "))
        }
    }
}

/// A value for people.
fn shown(value: Option<&Value>) -> Line {
    match value {
        None => Line::of(FAINT, "–"),
        Some(Value::Plain(json)) => Line::plain(&entry::value(json.get(), VALUE)),
        Some(Value::Masked) => Line::of(FAINT, "(masked)"),
        Some(Value::Hashed(hash)) => Line::of(FAINT, &format!("({})", cut(hash, 15))),
        Some(Value::Members(members)) => {
            let texts = members.iter().map(|member| entry::value(member.get(), VALUE));
            Line::plain(&cut(&texts.collect::<Vec<_>>().join(", "), VALUE))
        }
    }
}

/// Who last changed it: when, what, who.
fn changed(by: Option<&By>) -> Vec<Line> {
    let Some(by) = by else { return vec![Line::of(FAINT, "before the first action")] };
    vec![Line::plain(&short(by.at)), Line::of(FAINT, &format!("{} by {}", by.verb, who(&by.actor)))]
}

fn who(actor: &Named) -> String {
    let id = shown_id(&actor.resource);
    match actor.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => format!("{} ({id})", cut(&identity(name), FIELD)),
        None => id,
    }
}

fn state_table(state: &State, moment: Moment, out: &mut Out) -> io::Result<()> {
    let mut head = vec![
        party(Line::default(), &state.object)
            .and(FAINT, &format!(" as of {} (UTC)", label(moment))),
    ];
    head.extend(state.created.as_deref().map(|by| told("created", PLAIN, by)));
    head.extend(state.deleted().map(|by| told("deleted", BAD, by).and(FAINT, "; before that:")));
    heading(head, out)?;
    let row = |(name, field): (&String, &crate::stream::history::Field)| {
        [name_cell(name), vec![shown(Some(&field.value))], changed(field.by.as_deref())]
    };
    let rows: Vec<_> = state.fields.iter().map(row).collect();
    if rows.is_empty() {
        return heading(vec![Line::of(FAINT, "none of its actions tells a field")], out);
    }
    table(["Field", "Value", "Last changed (UTC)"], &rows, out)
}

fn diff_table(
    comparison: &Comparison,
    (from, to): (Moment, Moment),
    out: &mut Out,
) -> io::Result<()> {
    let of_what = format!(" from {} to {} (UTC)", label(from), label(to));
    let mut head = vec![party(Line::default(), &comparison.to.object).and(FAINT, &of_what)];
    let (before, after) = (&comparison.from, &comparison.to);
    if before.created != after.created {
        head.extend(after.created.as_deref().map(|by| told("created", PLAIN, by)));
    }
    if before.deleted() != after.deleted() {
        head.extend(after.deleted().map(|by| told("deleted", BAD, by)));
    }
    heading(head, out)?;
    let row = |(name, difference): (&String, &Difference)| {
        let Difference { old, new, by } = difference;
        let change = vec![shown(old.as_ref()), Line::of(FAINT, "→ ").with(shown(new.as_ref()))];
        [name_cell(name), change, changed(by.as_deref())]
    };
    let rows: Vec<_> = comparison.fields.iter().map(row).collect();
    if rows.is_empty() {
        heading(vec![Line::of(FAINT, "no field is different")], out)?;
    } else {
        table(["Field", "Change", "Last changed (UTC)"], &rows, out)?;
    }
    steps(comparison, out)
}

/// The actions in between.
fn steps(comparison: &Comparison, out: &mut Out) -> io::Result<()> {
    let Comparison { steps, steps_total: total, .. } = comparison;
    if steps.is_empty() {
        return Ok(());
    }
    let latest = &steps[steps.len().saturating_sub(STEPS)..];
    let left_out = total - u64::try_from(latest.len()).unwrap_or(u64::MAX);
    let mut title = Line::of(STRONG, "Actions in between");
    if left_out > 0 {
        let left_out = stats::number(i64::try_from(left_out).unwrap_or(i64::MAX));
        title = title.and(FAINT, &format!("  the latest, after {left_out} others"));
    }
    heading(vec![Line::default(), title], out)?;
    let row = |Step { by, fields }: &Step| {
        let fields: Vec<_> = fields.iter().map(|field| cut(field, FIELD)).collect();
        let what = Line::of(STRONG, &by.verb).and(PLAIN, " ").and(FAINT, &fields.join(", "));
        [vec![Line::plain(&short(by.at))], vec![Line::plain(&who(&by.actor))], vec![what]]
    };
    table(["When (UTC)", "Who", "What"], &latest.iter().map(row).collect::<Vec<_>>(), out)
}

fn told(what: &str, style: anstyle::Style, by: &By) -> Line {
    Line::of(style, what).and(FAINT, &format!(" {} by {}", short(by.at), who(&by.actor)))
}

fn name_cell(name: &str) -> Vec<Line> {
    vec![Line::plain(&cut(name, FIELD))]
}

/// Lines over the whole width.
fn heading(lines: Vec<Line>, out: &mut Out) -> io::Result<()> {
    let width = out.width();
    out.row(&[width], &[lines])
}

/// Rows below a header, each column as wide as it needs to be, as far as there is room.
fn table(header: [&str; 3], rows: &[[Vec<Line>; 3]], out: &mut Out) -> io::Result<()> {
    let head = header.map(|cell| vec![Line::of(STRONG, cell)]);
    let mut widths = [0; 3];
    for row in std::iter::once(&head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.iter().map(Line::width).max().unwrap_or(0));
        }
    }
    squeeze(&mut widths, None, out.width());
    std::iter::once(&head).chain(rows).try_for_each(|row| out.row(&widths, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_two_ends_which_may_be_open() {
        let range = |text: &str| text.parse::<Range>();
        let both = range("2026-11-01..yesterday").expect("a range");
        assert!(both.from.is_some() && both.to.is_some());
        let id = "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f";
        let after = range(&format!("{id}..")).expect("a range");
        assert!(matches!((after.from, after.to), (Some(Place::After(_)), None)));
        assert_eq!(range("..").expect("a range"), Range { from: None, to: None });
        let error = range("yesterday").expect_err("one end");
        assert!(error.contains("give A..B"), "{error}");
        let error = range("soon..").expect_err("no time");
        assert!(error.contains("`soon` is no time") && error.contains("id of an action"));
    }
}
