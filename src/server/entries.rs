//! Bodies as actions: one of them, or many, each with its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::admit::Sender;
use super::body::Payload;
use super::cloudevent::Event;
use super::problem::{Fault, Problem};
use super::refusal::Refusal;
use super::status::Kind;
use crate::action::NewAction;
pub(super) use crate::format::event::{BATCH_MEDIA_TYPE as BATCH, MEDIA_TYPE as STRUCTURED};
use crate::import::{self, Line, Lines};
use crate::store::BATCH_LEN_MAX;

/// One action, or an array of them.
pub(super) const JSON: &str = "application/json";
/// One action a line.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// What one action can be read from. With headers `ce-…` a body of JSON is the data of a `CloudEvent`.
pub(super) const ONE: [&str; 2] = [JSON, STRUCTURED];
/// What many can be read from.
pub(super) const MANY: [&str; 3] = [JSON, NDJSON, BATCH];
/// What can be looked at without storing it.
pub(super) const ANY: [&str; 4] = [JSON, NDJSON, STRUCTURED, BATCH];

/// Where an action stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A line, from 1.
    Line(u64),
    /// An element of an array, from 0.
    Index(usize),
}

/// An action of a batch.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) action: Result<NewAction, Refusal>,
}

/// The action of a body.
pub(super) fn one(media: &str, payload: &Payload, sender: &Sender) -> Result<NewAction, Refusal> {
    if media == STRUCTURED {
        return event(&payload.bytes, sender);
    }
    match Event::of_headers(&payload.headers, &payload.bytes)? {
        Some(event) => event.admit(sender),
        None => native("body", &payload.bytes, sender),
    }
}

/// The actions of a body.
pub(super) fn many(media: &str, payload: &Payload, sender: &Sender) -> Result<Vec<Entry>, Problem> {
    match media {
        NDJSON => lines(&payload.bytes, sender),
        BATCH => elements(&payload.bytes, |text| event(text, sender)),
        _ => elements(&payload.bytes, |text| native("action", text, sender)),
    }
}

/// The actions of a body, of which one that is no array is one. What is no JSON is no action that could be judged.
pub(super) fn any(media: &str, payload: &Payload, sender: &Sender) -> Result<Vec<Entry>, Problem> {
    let is_array = payload.bytes.trim_ascii_start().starts_with(b"[");
    if media == STRUCTURED || (media == JSON && !is_array) {
        import::read::<IgnoredAny>("body", &payload.bytes).map_err(Refusal::from)?;
        let action = one(media, payload, sender);
        return Ok(vec![Entry { place: Place::Index(0), action }]);
    }
    many(media, payload, sender)
}

fn native(what: &str, text: &[u8], sender: &Sender) -> Result<NewAction, Refusal> {
    sender.admit(import::read(what, text)?)
}

fn event(text: &[u8], sender: &Sender) -> Result<NewAction, Refusal> {
    import::read::<Event>("event", text)?.admit(sender)
}

/// Each line is refused or taken by itself. Empty ones are skipped, and counted.
fn lines(text: &[u8], sender: &Sender) -> Result<Vec<Entry>, Problem> {
    let (mut lines, mut entries) = (Lines::new(text), Vec::new());
    while let Some(line) = lines.next().map_err(|error| Problem::internal(&error))? {
        let action = match line {
            Line::Whole(text) if text.trim_ascii().is_empty() => continue,
            Line::Whole(text) => native("line", text, sender),
            Line::Cut(_) => {
                let detail = "the line is longer than an action can be";
                Err(Refusal::body(Fault::pointer("", "too-large", detail)))
            }
        };
        entries.push(Entry { place: Place::Line(lines.number), action });
        if entries.len() > BATCH_LEN_MAX {
            return Err(too_many());
        }
    }
    Ok(entries)
}

/// Each element is refused or taken by itself; what is no array is refused as a whole.
fn elements(
    text: &[u8],
    read: impl Fn(&[u8]) -> Result<NewAction, Refusal>,
) -> Result<Vec<Entry>, Problem> {
    let elements: Elements<'_> = import::read("body", text).map_err(Refusal::from)?;
    if elements.0.len() > BATCH_LEN_MAX {
        return Err(too_many());
    }
    let entry = |(index, text): (usize, &&RawValue)| Entry {
        place: Place::Index(index),
        action: read(text.get().as_bytes()),
    };
    Ok(elements.0.iter().enumerate().map(entry).collect())
}

fn too_many() -> Problem {
    let detail = format!("at most {BATCH_LEN_MAX} actions are allowed; send several batches");
    Problem::new(Kind::TooLarge, detail)
}

/// The texts of an array's elements; of too many only one too many, since an array of ones has a million to a megabyte.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of actions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Elements<'de>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    if texts.len() > BATCH_LEN_MAX {
                        while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                        break;
                    }
                    texts.push(text);
                }
                if texts.is_empty() {
                    return Err(A::Error::custom("the array is empty; send at least one action"));
                }
                Ok(Elements(texts))
            }
        }
        deserializer.deserialize_seq(Texts)
    }
}
