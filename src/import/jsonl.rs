//! JSON lines: one object a line, in one of two forms, told apart by their keys.
//!
//! A *source event* is what another system recorded: `{event_id, actor, verb, object, target, occurred_at, data,
//! batch_id}`, where `actor`, `object` and `target` are `{type, id, name}`. Required are `event_id`, `actor`, `verb` and
//! `occurred_at`. Its action gets an id from its time, the tenant and `event_id`, so that every import finds the same
//! one, and its run from `batch_id`; both source ids stay in `context.source_id` and `context.batch_id`.
//!
//! An *action* is Gesta's own form ([`crate::action::form`]), as `gesta log` writes it; here its `id` is required, for
//! the same reason.
//!
//! In both, keys that are not known are refused. Empty lines are skipped, and counted. A byte order mark and CRLF are
//! taken off. A line may have up to 4 MiB.

use std::io::Read;

use chrono::{DateTime, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::decode::{Counted, decode};
use super::explain::{explain, utf8};
use super::field::field_at;
use super::lines::{LINE_LEN_MAX, Line, Lines};
use super::{Entry, Input, Position, Problem, ReadError, raw, run_of_batch};
use crate::action::form::{Given, GivenParty};
use crate::action::{ActionId, Audience, NewAction, Outcome, Source};
use crate::json::Json;
use crate::json::object::only_objects;
use crate::resource::Tenant;

/// What problems call a line.
const WHAT: &str = "line";

/// JSON lines from a reader, unpacked where they are packed with gzip (feature `gzip`).
#[derive(Debug)]
pub struct Jsonl<R> {
    input: R,
    position: Position,
    ids: Ids,
}

/// Whether an action in Gesta's own form must have an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ids {
    Required,
    Optional,
}

impl<R: Read + Send + 'static> Jsonl<R> {
    /// The lines of a reader. It is read in pieces of 64 KiB, so it needs no buffer of its own.
    #[must_use]
    pub fn new(input: R) -> Self {
        Self { input, position: Position::default(), ids: Ids::Required }
    }

    /// Takes actions in Gesta's own form also without an id, for lines that are appended once: a second time they are
    /// other actions.
    #[must_use]
    pub fn with_optional_ids(mut self) -> Self {
        self.ids = Ids::Optional;
        self
    }
}

impl<R: Read + Send + 'static> Input for Jsonl<R> {
    fn entries(
        self,
        tenant: &Tenant,
    ) -> Result<impl Iterator<Item = Result<Entry, ReadError>>, ReadError> {
        let text = decode(Counted { inner: self.input, position: self.position })?;
        let lines = Lines::new(text);
        Ok(Entries { lines, tenant: tenant.clone(), ids: self.ids, failed: false })
    }

    fn position(&self) -> Position {
        self.position.clone()
    }
}

struct Entries<R> {
    lines: Lines<R>,
    tenant: Tenant,
    ids: Ids,
    /// After a failure nothing more is read: it would not end.
    failed: bool,
}

impl<R: Read> Iterator for Entries<R> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let line = self.lines.number + 1;
            let (text, action) = match self.lines.next() {
                Ok(None) => return None,
                Ok(Some(Line::Whole(text))) if text.trim_ascii().is_empty() => continue,
                Ok(Some(Line::Whole(text))) => (text, parse(text, &self.tenant, self.ids)),
                Ok(Some(Line::Cut(text))) => (text, Err(too_long(text))),
                Err(source) => {
                    self.failed = true;
                    return Some(Err(ReadError::Read { line: line - 1, source }));
                }
            };
            return Some(Ok(Entry { line, raw: raw(text), action }));
        }
        None
    }
}

fn too_long(text: &[u8]) -> Problem {
    let field = field_at(text, text.len());
    let at = field.as_ref().map_or(String::new(), |field| format!("`{field}`: "));
    let text = format!("{at}the line has more than {LINE_LEN_MAX} bytes, which are allowed");
    Problem { field, text }
}

/// The action of a line.
fn parse(line: &[u8], tenant: &Tenant, ids: Ids) -> Result<NewAction, Problem> {
    let text = utf8(WHAT, line)?;
    let action = match serde_json::from_str::<SourceEvent>(text) {
        Ok(event) => event.into_action(tenant)?,
        Err(error) => own_form(text, tenant, &error)?,
    };
    if action.id.is_none() && ids == Ids::Required {
        let text = "is missing: without it, or the `event_id` of a source, a second import would store the action twice";
        return Err(Problem::of("id", text));
    }
    action.check()?;
    Ok(action)
}

/// A line that is no source event: an action in our own form, or a problem with one of the two.
fn own_form(text: &str, tenant: &Tenant, error: &serde_json::Error) -> Result<NewAction, Problem> {
    let probe: Probe = serde_json::from_str(text).map_err(|error| explain(WHAT, text, &error))?;
    if probe.event_id.or(probe.batch_id).is_some() {
        return Err(explain(WHAT, text, error));
    }
    let given: Given = serde_json::from_str(text).map_err(|error| explain(WHAT, text, &error))?;
    Ok(given.into_action(tenant)?)
}

/// Whether it is meant to be a source event.
#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
struct Probe {
    event_id: Option<IgnoredAny>,
    batch_id: Option<IgnoredAny>,
}

/// What another system recorded.
#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
struct SourceEvent {
    event_id: String,
    actor: GivenParty,
    verb: String,
    object: Option<GivenParty>,
    target: Option<GivenParty>,
    occurred_at: DateTime<Utc>,
    data: Option<Json>,
    batch_id: Option<String>,
}

only_objects!(Probe, SourceEvent);

/// The column `context` of an imported event.
#[derive(Serialize)]
struct SourceContext<'a> {
    source_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<&'a str>,
}

impl SourceEvent {
    fn into_action(self, tenant: &Tenant) -> Result<NewAction, Problem> {
        let event_id = source_id("event_id", &self.event_id)?;
        let batch_id = self.batch_id.as_deref();
        let batch_id = batch_id.map(|id| source_id("batch_id", id)).transpose()?;
        let context = SourceContext { source_id: event_id, batch_id };
        let context = Json::of(&context).map_err(|problem| Problem::of("event_id", problem))?;
        Ok(NewAction {
            tenant: tenant.clone(),
            id: Some(ActionId::from_source(self.occurred_at, tenant.as_str(), event_id)),
            actor: self.actor.check("actor")?,
            object: self.object.map(|party| party.check("object")).transpose()?,
            target: self.target.map(|party| party.check("target")).transpose()?,
            occurred_at: Some(self.occurred_at),
            run: batch_id.map(|batch_id| run_of_batch(tenant, batch_id)),
            verb: self.verb,
            source: Source::Import,
            outcome: Outcome::Ok,
            description: None,
            changes: None,
            data: self.data,
            context: Some(context),
            audience: Audience::public(),
        })
    }
}

/// Bytes of a source's own id. It is no key, but it identifies; real ones have less than a hundred.
const SOURCE_ID_LEN_MAX: usize = 2048;

fn source_id<'a>(field: &str, id: &'a str) -> Result<&'a str, Problem> {
    if id.is_empty() || id.len() > SOURCE_ID_LEN_MAX || id.contains('\0') {
        let given = crate::error::quote(id);
        let text = format!("{given} is refused; give 1 to {SOURCE_ID_LEN_MAX} bytes without NUL");
        return Err(Problem::of(field, text));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = concat!(
        r#"{"event_id":"e1","actor":{"type":"user","id":"1","name":"Ann"},"verb":"close","#,
        r#""object":{"type":"issue","id":"70"},"target":null,"occurred_at":"2026-11-20T14:03:22Z","#,
        r#""data":{"n":12345678901234567890.5},"batch_id":"b1"}"#
    );

    fn parsed(line: &str) -> NewAction {
        parse(line.as_bytes(), &Tenant::default(), Ids::Required).expect(line)
    }

    fn problem(line: impl AsRef<[u8]>) -> (String, String) {
        let line = line.as_ref();
        let problem = parse(line, &Tenant::default(), Ids::Required).expect_err("must be refused");
        (problem.field.unwrap_or_default(), problem.text)
    }

    #[test]
    fn source_event_becomes_an_action_with_ids_of_its_own() {
        let action = parsed(EVENT);
        let time = "2026-11-20T14:03:22Z".parse().expect("a time");
        assert_eq!(action.id, Some(ActionId::from_source(time, "default", "e1")));
        assert_eq!(action.run, Some(run_of_batch(&Tenant::default(), "b1")));
        assert_eq!(action.source, Source::Import);
        let text = |json: &Option<Json>| json.as_ref().map(|json| json.get().to_owned());
        assert_eq!(text(&action.context).as_deref(), Some(r#"{"source_id":"e1","batch_id":"b1"}"#));
        assert_eq!(text(&action.data).as_deref(), Some(r#"{"n":12345678901234567890.5}"#));
        let other = parse(EVENT.as_bytes(), &Tenant::new("other").expect("valid"), Ids::Required);
        assert_ne!(other.expect("valid").id, action.id);
    }

    #[test]
    fn own_form_is_told_apart_by_its_keys_and_needs_an_id() {
        let line = r#"{"id":"00000000-03e8-7000-8000-000000000007","actor":{"type":"u","id":"1"},"verb":"x"}"#;
        assert!(parsed(line).id.is_some());
        let without = r#"{"actor":{"type":"u","id":"1"},"verb":"x"}"#;
        assert_eq!(problem(without).0, "id");
        assert!(parse(without.as_bytes(), &Tenant::default(), Ids::Optional).is_ok());
        let (field, text) = problem(line.replace("verb", "event_id"));
        assert_eq!(field, "id");
        assert!(text.contains("unknown field `id`, expected one of `event_id`"), "{text}");
        let (field, text) = problem(line.replace("verb", "doing"));
        assert_eq!(field, "doing");
        assert!(text.contains("unknown field `doing`, expected one of `id`, `tenant`"), "{text}");
    }

    #[test]
    fn refusals_name_the_field() {
        for (from, to, field, text) in [
            (
                r#""id":"1""#,
                r#""id":1"#,
                "actor.id",
                "invalid type: integer `1`, expected a string",
            ),
            (r#""id":"1","#, "", "actor.id", "missing field `id`"),
            (r#""name":"Ann""#, r#""nick":"Ann""#, "actor.nick", "unknown field `nick`"),
            (
                r#"{"type":"user","id":"1","name":"Ann"}"#,
                r#"["user","1","Ann"]"#,
                "actor",
                "expected an object",
            ),
            (r#""verb":"close","#, "", "verb", "missing field `verb`"),
            ("close", "a\\nb", "verb", "without control characters"),
            ("close", "\\ud800", "verb", "surrogate"),
            (r#""id":"70""#, r#""id":"7\u0000""#, "object.id", "contains '\\0'"),
            ("issue", "is sue", "object.type", "letters, digits"),
            ("2026-", "0000-", "occurred_at", "outside of 1970"),
            ("2026-11-20T14:03:22Z", "yesterday", "occurred_at", "invalid characters"),
            ("12345678901234567890.5", "1e999", "data", "number out of range"),
            ("12345678901234567890.5", r#""\ud83d""#, "data", "surrogate"),
            ("12345678901234567890.5", r#""\u0000""#, "data", "\\u0000"),
            ("12345678901234567890.5", "tru", "data.n", "is not JSON at byte"),
            (r#""e1""#, r#""""#, "event_id", "is refused; give 1 to 2048 bytes"),
            ("b1", "b\\u0000", "batch_id", "without NUL"),
            (r#","batch_id":"b1"}"#, "", "data", "is not JSON at byte 200: EOF"),
            (r#"{"event_id""#, r#"{"verb":"x","event_id""#, "verb", "duplicate field `verb`"),
        ] {
            assert!(EVENT.contains(from), "{from}");
            let (found, message) = problem(EVENT.replacen(from, to, 1));
            assert_eq!(found, field, "{message}");
            assert!(message.contains(text), "{message}");
        }
    }

    #[test]
    fn hostile_lines_are_stored_exactly_or_refused_by_name() {
        let with = |from: &str, to: &str| EVENT.replacen(from, to, 1);
        let last_year = with("2026-11-20T14:03:22Z", "9999-12-31T23:59:59.999999Z");
        assert!(parsed(&last_year).occurred_at.is_some());
        let arabic = "\u{202e}\u{200f}\u{0645}";
        assert_eq!(parsed(&with("Ann", arabic)).actor.name.as_deref(), Some(arabic));
        let number = "9007199254740993";
        let exact = parsed(&with("12345678901234567890.5", number)).data.expect("data");
        assert_eq!(exact.get(), format!(r#"{{"n":{number}}}"#));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let (field, text) = problem(with("12345678901234567890.5", &deep));
        assert!(field == "data" && text.contains("at most 65536"), "{text}");
        let small = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let (field, text) = problem(with("12345678901234567890.5", &small));
        assert!(field == "data" && text.contains("127 levels"), "{text}");
        let (field, text) = problem(with(r#""1""#, &deep));
        assert_eq!(field, "actor.id", "{text}");
        let (field, text) = problem(with(r#""70""#, &format!("\"{}\"", "x".repeat(3000))));
        assert!(field == "object.id" && text.contains("at most 2048 bytes"), "{field}: {text}");
        let (field, text) =
            problem(with("12345678901234567890.5", &format!("\"{}\"", "x".repeat(2_000_000))));
        assert!(field == "data" && text.contains("at most 65536 are allowed"), "{field}: {text}");
        let mut bytes = EVENT.as_bytes().to_vec();
        let at = EVENT.find("Ann").expect("a name");
        bytes[at] = 0xff;
        let (field, text) = problem(bytes);
        assert_eq!(field, "actor.name");
        assert_eq!(text, format!("`actor.name`: byte {} of the line is not UTF-8", at + 1));
        for line in
            [deep.as_str(), "null", "1", "\"x\"", "\0", "{", "[]", "{}", &"{\"a\":".repeat(100_000)]
        {
            problem(line);
        }
    }

    #[test]
    fn lines_are_numbered_with_the_empty_ones() {
        let text = format!("\u{feff}{EVENT}\r\n\n  \t\nnonsense\n{EVENT}");
        let input = Jsonl::new(std::io::Cursor::new(text.clone()));
        let position = input.position();
        let entries: Vec<_> = input.entries(&Tenant::default()).expect("readable").collect();
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| {
                entry.as_ref().map(|entry| (entry.line, entry.action.is_ok())).expect("read")
            })
            .collect();
        assert_eq!(seen, [(1, true), (4, false), (5, true)]);
        assert_eq!(position.bytes(), text.len() as u64);
    }

    #[test]
    fn input_that_breaks_off_is_an_error_after_its_last_line() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("gone"))
            }
        }
        let input = Jsonl::new(std::io::Cursor::new(format!("{EVENT}\n")).chain(Broken));
        let entries: Vec<_> = input.entries(&Tenant::default()).expect("readable").collect();
        assert_eq!(entries.len(), 2);
        assert!(matches!(entries[1], Err(ReadError::Read { line: 1, .. })));
    }
}
