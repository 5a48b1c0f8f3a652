//! Whether an action in memory is what a search asks for: exactly what the SQL of [`super::compile`] says.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::key::{Key, Who};
use super::number::Number;
use super::query::{Node, Op, Part, Query, Scalar, Term, Value};
use super::range::spans;
use crate::action::Action;
use crate::json::Json;
use crate::resource::Named;

impl Query {
    /// Whether an action satisfies the search, where relative times are seen from `now`. The same as what
    /// [`super::SearchQuery`] finds, but for who may see it, which the caller has to check.
    #[must_use]
    pub fn matches(&self, action: &Action, now: DateTime<Utc>) -> bool {
        Look { action, now, fields: &[] }.node(&self.root)
    }
}

/// The fields that `from` and `to` are about: those of the `changed:` beside them. None means all.
pub(super) fn fields_of(parts: &[Node]) -> Vec<&str> {
    let mut fields = Vec::new();
    for part in parts {
        if let Node::Term(Term { key: Key::Changed, value: Value::Is(names), .. }) = part {
            fields.extend(names.iter().filter_map(text_of));
        }
    }
    fields
}

pub(super) fn text_of(scalar: &Scalar) -> Option<&str> {
    if let Scalar::Text(text) = scalar { Some(text) } else { None }
}

struct Look<'a> {
    action: &'a Action,
    now: DateTime<Utc>,
    fields: &'a [&'a str],
}

impl Look<'_> {
    fn node(&self, node: &Node) -> bool {
        match node {
            Node::And(parts) => {
                let fields = fields_of(parts);
                let fields = if fields.is_empty() { self.fields } else { &fields };
                let look = Look { fields, ..*self };
                parts.iter().all(|part| look.node(part))
            }
            Node::Or(parts) => parts.iter().any(|part| self.node(part)),
            Node::Not(part) => !self.node(part),
            Node::Text(text) => contains(&self.words(), &text.text),
            Node::Term(term) => self.term(term),
        }
    }

    /// Everything that a text is looked for in.
    fn words(&self) -> String {
        let action = self.action;
        let mut words = vec![action.verb.clone()];
        words.extend(action.description.clone());
        for named in [Some(&action.actor), action.object.as_ref(), action.target.as_ref()] {
            words.extend(named.map(|named| named.resource.to_string()));
            words.extend(named.and_then(|named| named.name.clone()));
        }
        words.join("\n")
    }

    fn term(&self, term: &Term) -> bool {
        let (action, value) = (self.action, &term.value);
        match &term.key {
            Key::Whole(who) => self.parties(*who).into_iter().any(|party| is_party(party, value)),
            Key::Type(who) => {
                let kinds =
                    self.parties(*who).into_iter().map(|party| party.resource.kind.as_str());
                any_text(kinds, value, |kind, wanted| kind == wanted)
            }
            Key::Name(who) => {
                let names =
                    self.parties(*who).into_iter().filter_map(|party| party.name.as_deref());
                any_text(names, value, contains)
            }
            Key::Verb => any_text([action.verb.as_str()], value, is_in_category),
            Key::Occurred => {
                let id = action.id.uuid();
                spans(value, self.now).into_iter().any(|span| {
                    let (low, high) = span.ids();
                    low <= id && id < high
                })
            }
            Key::Recorded => {
                let time = action.recorded_at;
                spans(value, self.now).iter().any(|span| {
                    span.since.is_none_or(|since| since <= time)
                        && span.until.is_none_or(|until| time < until)
                })
            }
            Key::Changed => {
                any_text(self.changes().keys().map(String::as_str), value, |field, wanted| {
                    field == wanted
                })
            }
            Key::From => self.any_pair(0, value),
            Key::To => self.any_pair(1, value),
            Key::Has => list(value).iter().any(|part| self.has(part)),
            Key::Run => is_among(action.run.map(Scalar::Uuid), value),
            Key::Id => is_among(Some(Scalar::Uuid(action.id.uuid())), value),
            Key::Source => is_among(Some(Scalar::Source(action.source)), value),
            Key::Outcome => is_among(Some(Scalar::Outcome(action.outcome)), value),
            Key::Request => self.circumstance("request_id", value, |id, wanted| id == wanted),
            Key::Trace => self.circumstance("trace", value, contains),
            Key::Agent => self.circumstance("user_agent", value, contains),
            Key::Reason => self.circumstance("reason", value, contains),
            Key::Ip => self.ip(value),
            Key::Audience => {
                let labels = action.audience.0.iter().map(String::as_str);
                any_text(labels, value, |label, wanted| label == wanted)
            }
            Key::Data(path) => any_value(action.data.as_ref(), path, value),
            Key::Context(path) => any_value(action.context.as_ref(), path, value),
        }
    }

    fn parties(&self, who: Who) -> Vec<&Named> {
        let Action { actor, object, target, .. } = self.action;
        match who {
            Who::Actor => vec![actor],
            Who::Object => object.iter().collect(),
            Who::Target => target.iter().collect(),
            Who::About => {
                [Some(actor), object.as_ref(), target.as_ref()].into_iter().flatten().collect()
            }
        }
    }

    fn has(&self, part: &Scalar) -> bool {
        let action = self.action;
        let Scalar::Part(part) = part else { return false };
        match part {
            Part::Changes => action.changes.is_some(),
            Part::Data => action.data.is_some(),
            Part::Context => action.context.is_some(),
            Part::Object => action.object.is_some(),
            Part::Target => action.target.is_some(),
            Part::Run => action.run.is_some(),
            Part::Description => action.description.is_some(),
        }
    }

    fn changes(&self) -> HashMap<String, &RawValue> {
        self.action.changes.as_ref().and_then(|json| object(json.get())).unwrap_or_default()
    }

    /// Whether a changed field's old (0) or new (1) value is one of these.
    fn any_pair(&self, place: usize, value: &Value) -> bool {
        let changes = self.changes();
        let mut fields = changes
            .iter()
            .filter(|(field, _)| self.fields.is_empty() || self.fields.contains(&field.as_str()));
        fields.any(|(_, pair)| {
            let values = array(pair.get()).unwrap_or_default();
            values.get(place).is_some_and(|found| match value {
                Value::Present => found.get() != "null",
                _ => is_value(found.get(), value),
            })
        })
    }

    fn context(&self, name: &str) -> Option<String> {
        let context = object(self.action.context.as_ref()?.get())?;
        serde_json::from_str(context.get(name)?.get()).ok()
    }

    fn circumstance(&self, name: &str, value: &Value, is: fn(&str, &str) -> bool) -> bool {
        any_text(self.context(name).as_deref(), value, is)
    }

    fn ip(&self, value: &Value) -> bool {
        let Some(text) = self.context("ip") else { return false };
        let is_in = |net: &Scalar| {
            let Scalar::Network(net) = net else { return false };
            address(&text).is_some_and(|address| net.contains(&address))
        };
        matches!(value, Value::Present) || list(value).iter().any(is_in)
    }
}

fn list(value: &Value) -> &[Scalar] {
    if let Value::Is(list) = value { list } else { &[] }
}

/// Whether there is something, and it is one of those that are asked for.
fn is_among(found: Option<Scalar>, value: &Value) -> bool {
    found.is_some_and(|found| *value == Value::Present || list(value).contains(&found))
}

/// Whether one of the texts is one of those that are asked for.
fn any_text<'a>(
    found: impl IntoIterator<Item = &'a str>,
    value: &Value,
    is: fn(&str, &str) -> bool,
) -> bool {
    found.into_iter().any(|text| match value {
        Value::Present => true,
        _ => list(value).iter().filter_map(text_of).any(|wanted| is(text, wanted)),
    })
}

fn is_party(party: &Named, value: &Value) -> bool {
    let is = |wanted: &Scalar| match wanted {
        Scalar::Resource(resource) => party.resource == *resource,
        Scalar::Text(text) => {
            let name = party.name.as_deref();
            party.resource.id.as_str() == text
                || name.is_some_and(|name| name.eq_ignore_ascii_case(text))
        }
        _ => false,
    };
    matches!(value, Value::Present) || list(value).iter().any(is)
}

fn contains(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

fn is_in_category(verb: &str, category: &str) -> bool {
    let verb = verb.to_ascii_lowercase();
    verb.strip_prefix(category).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// An address as PostgreSQL's `inet` and Rust read it alike; an IPv4 address inside of an IPv6 one only as `::ffff:…`.
fn address(text: &str) -> Option<IpAddr> {
    if let Some(mapped) = text.strip_prefix("::ffff:").and_then(|v4| v4.parse::<Ipv4Addr>().ok()) {
        return Some(mapped.to_ipv6_mapped().into());
    }
    if text.contains(':') && text.contains('.') {
        return None;
    }
    text.parse::<Ipv4Addr>()
        .map(IpAddr::from)
        .or_else(|_| text.parse::<Ipv6Addr>().map(IpAddr::from))
        .ok()
}

fn object(json: &str) -> Option<HashMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

fn array(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

/// Whether the value at a path, or an element of the array there, is what is asked for.
fn any_value(json: Option<&Json>, path: &[String], value: &Value) -> bool {
    let Some(found) = json.and_then(|json| at(json.get(), path)) else { return false };
    match (value, array(found)) {
        (Value::Present, _) => found != "null",
        (_, Some(elements)) => elements.iter().any(|element| is_value(element.get(), value)),
        (_, None) => is_value(found, value),
    }
}

/// The value at a path, as `#>` finds it: in an array a step is the place of an element, from the end where it is negative.
fn at<'a>(json: &'a str, path: &[String]) -> Option<&'a str> {
    let mut found = json;
    for step in path {
        found = if let Some(elements) = array(found) {
            let place: i32 = step.parse().ok()?;
            let place =
                i64::from(place) + if place < 0 { i64::try_from(elements.len()).ok()? } else { 0 };
            elements.get(usize::try_from(place).ok()?)?.get()
        } else {
            object(found)?.get(step.as_str())?.get()
        };
    }
    Some(found)
}

/// Whether a single value is what is asked for: numbers by their value, texts to the letter.
fn is_value(json: &str, value: &Value) -> bool {
    match value {
        Value::Present => json != "null",
        Value::Is(list) => list.iter().filter_map(text_of).any(|wanted| is_equal(json, wanted)),
        Value::Compare(op, wanted) => is_op(json, *op, wanted),
        Value::Range(from, to) => {
            is_op(json, Op::GreaterOrEqual, from) && is_op(json, Op::LessOrEqual, to)
        }
    }
}

fn is_equal(json: &str, wanted: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(json).is_ok_and(|text| text == wanted),
        Some(b't' | b'f') => json == wanted,
        Some(b'-' | b'0'..=b'9') => compare(json, wanted) == Some(Ordering::Equal),
        _ => false,
    }
}

/// Two numbers.
fn compare(json: &str, wanted: &str) -> Option<Ordering> {
    Some(Number::parse(json)?.cmp(&Number::parse(wanted)?))
}

fn is_op(json: &str, op: Op, wanted: &Scalar) -> bool {
    let Some(wanted) = text_of(wanted) else { return false };
    let ordering = if Number::parse(wanted).is_some() {
        compare(json, wanted)
    } else {
        serde_json::from_str::<String>(json).ok().map(|text| text.as_str().cmp(wanted))
    };
    ordering.is_some_and(|ordering| match op {
        Op::Greater => ordering.is_gt(),
        Op::GreaterOrEqual => ordering.is_ge(),
        Op::Less => ordering.is_lt(),
        Op::LessOrEqual => ordering.is_le(),
    })
}

#[cfg(test)]
mod tests;
