//! `CloudEvents` 1.0 as actions: those that the relay writes are taken as they are, others by their attributes.
//!
//! | attribute | becomes |
//! |---|---|
//! | `id` | the id, where it is a UUIDv7; else one is made of `time`, tenant, `source` and `id`, the same each time |
//! | `type` | the verb; of `issue.close` with the subject `issue:70` the verb is `close` |
//! | `subject` | the object, where it is of the form `TYPE:ID` or `TYPE/ID` |
//! | `time` | `occurred_at` |
//! | `tenant`, `actor`, `target` (extensions) | the same; actor and target as `TYPE:ID` |
//! | `data` | `data` |
//! | the rest | `context.event`, with `id`, `source`, `type` and `subject` |
//!
//! An event whose `data` is an action of the same id is that action, as the relay writes it: the payload is exact, the
//! attributes need not be. A *parked* event lacks parts of its action, so it is refused.

use std::collections::BTreeMap;
use std::fmt;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::admit::Sender;
use super::problem::Fault;
use super::refusal::Refusal;
use super::status::Kind;
use crate::action::form::{Given, GivenParty};
use crate::action::{ActionId, NewAction};
use crate::error::quote;
use crate::format::event::SPEC_VERSION;
use crate::import;
use crate::json::Json;
use crate::json::object::only_objects;
use crate::resource::ResourceRef;
use crate::store::percent_decode;

/// What the headers of the attributes begin with, where the body is the data alone.
const HEADER_PREFIX: &str = "ce-";

/// Attributes of an event, its data among them.
#[derive(Debug, Default)]
pub(super) struct Event(BTreeMap<String, Json>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Attributes;
        impl<'de> Visitor<'de> for Attributes {
            type Value = Event;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a CloudEvent, which is an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Event, A::Error> {
                let mut event = Event::default();
                while let Some((name, value)) = entries.next_entry::<String, Json>()? {
                    if event.0.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    event.0.insert(name, value);
                }
                Ok(event)
            }
        }
        deserializer.deserialize_map(Attributes)
    }
}

/// What tells an action of the relay from other data.
#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
struct Probe {
    id: Option<Json>,
    verb: Option<Json>,
    actor: Option<Json>,
}

only_objects!(Probe);

impl Event {
    /// The event of headers that begin with `ce-`, whose body is the data; nothing where there are none.
    pub(super) fn of_headers(headers: &HeaderMap, data: &[u8]) -> Result<Option<Self>, Refusal> {
        let mut event = Self::default();
        for (name, value) in headers {
            let Some(name) = name.as_str().strip_prefix(HEADER_PREFIX) else { continue };
            let refuse = |what: &str| {
                let detail = format!("the header `{HEADER_PREFIX}{name}` {what}");
                Refusal::body(Fault::pointer(format!("/{name}"), "invalid-value", detail))
            };
            let text = decode(value.as_bytes())
                .ok_or_else(|| refuse("is no percent encoding of UTF-8"))?;
            if event.0.insert(name.to_owned(), Json::from(serde_json::Value::from(text))).is_some()
            {
                return Err(refuse("is there twice"));
            }
        }
        if event.0.is_empty() {
            return Ok(None);
        }
        if !data.is_empty() {
            event.0.insert(
                "data".to_owned(),
                import::read("body", data)
                    .map_err(|problem| Refusal::from(problem).below("/data"))?,
            );
        }
        Ok(Some(event))
    }

    /// The action of the event.
    pub(super) fn admit(mut self, sender: &Sender) -> Result<NewAction, Refusal> {
        if self.required("specversion")? != SPEC_VERSION {
            return Err(wrong("specversion", "is not `1.0`, the only version that is read"));
        }
        for (name, problem) in [
            ("parked", "is there: such an event lacks parts of its action, which PostgreSQL has"),
            ("data_base64", "is there: data in other formats than JSON is not stored; send `data`"),
        ] {
            if self.0.contains_key(name) {
                return Err(wrong(name, problem));
            }
        }
        let format = self.text("datacontenttype")?.unwrap_or_else(|| "application/json".to_owned());
        let media = format.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media != "application/json" && !media.ends_with("+json") {
            return Err(wrong("datacontenttype", "is no JSON, and nothing else is stored"));
        }
        let (id, data) = (self.required("id")?, self.0.remove("data"));
        match data {
            Some(data) if is_action(&data, &id) => {
                let given: Given = import::read("event", data.get().as_bytes())
                    .map_err(|problem| Refusal::from(problem).below("/data"))?;
                sender.admit(given).map_err(|refusal| refusal.below("/data"))
            }
            data => self.other(id, data, sender),
        }
    }

    /// The action of somebody else's event.
    fn other(
        mut self,
        id: String,
        data: Option<Json>,
        sender: &Sender,
    ) -> Result<NewAction, Refusal> {
        let (source, kind) = (self.required("source")?, self.required("type")?);
        let subject = self.text("subject")?;
        let object = subject.as_deref().and_then(|text| text.split_once([':', '/']));
        let object = object.and_then(|(kind, id)| ResourceRef::new(kind, id).ok());
        let time = self.text("time")?.map(|text| {
            let time = DateTime::parse_from_rfc3339(&text).map(|time| time.with_timezone(&Utc));
            time.map_err(|_| {
                wrong(
                    "time",
                    &format!("is {}, which is no time such as 2026-11-20T14:03:22Z", quote(&text)),
                )
            })
        });
        let time = time.transpose()?;
        let tenant = self.text("tenant")?;
        let verb = object
            .as_ref()
            .and_then(|object| kind.strip_prefix(object.kind.as_str())?.strip_prefix('.'));
        let verb = verb.filter(|verb| !verb.is_empty()).unwrap_or(&kind).to_owned();
        let given = Given {
            id: Some(Self::action_id(&id, &source, time, &sender.tenant(tenant.as_deref())?)?),
            tenant,
            actor: self.party("actor")?,
            verb,
            object: object.map(party),
            target: self.party("target")?,
            occurred_at: time,
            data: data.filter(|data| data.get() != "null"),
            ..Given::default()
        };
        for (name, value) in
            [("id", Some(id)), ("source", Some(source)), ("type", Some(kind)), ("subject", subject)]
        {
            if let Some(value) = value {
                self.0.insert(name.to_owned(), Json::from(serde_json::Value::from(value)));
            }
        }
        let context = BTreeMap::from([("event", &self.0)]);
        let context =
            Json::of(&context).map_err(|problem| unstorable("context", &problem.to_string()))?;
        sender.admit(Given { context: Some(context), ..given })
    }

    fn action_id(
        id: &str,
        source: &str,
        time: Option<DateTime<Utc>>,
        tenant: &crate::Tenant,
    ) -> Result<Uuid, Refusal> {
        match (id.parse::<ActionId>(), time) {
            (Ok(id), _) => Ok(id.uuid()),
            // The length in front: no two pairs are read alike.
            (Err(_), Some(time)) => {
                let id = format!("{} {source} {id}", source.len());
                Ok(ActionId::from_source(time, tenant.as_str(), &id).uuid())
            }
            (Err(_), None) => Err(wrong(
                "time",
                "is missing; it may only where `id` is a UUIDv7, which has a time",
            )),
        }
    }

    /// The text of an attribute, which is taken out; null counts as none.
    fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|_| wrong(name, "is no text"))
    }

    fn required(&mut self, name: &str) -> Result<String, Refusal> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| {
            let detail = format!("the attribute `{name}` is missing");
            Refusal::body(Fault::pointer(format!("/{name}"), "missing", detail))
        })
    }

    fn party(&mut self, name: &str) -> Result<Option<GivenParty>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let reference = text.parse::<ResourceRef>();
        reference
            .map(|it| Some(party(it)))
            .map_err(|error| wrong(name, &format!("is refused: {error}")))
    }
}

fn is_action(data: &Json, id: &str) -> bool {
    let probe = serde_json::from_str::<Probe>(data.get());
    probe.is_ok_and(|probe| {
        let own = probe.id.and_then(|own| serde_json::from_str::<String>(own.get()).ok());
        own.as_deref() == Some(id) && probe.verb.is_some() && probe.actor.is_some()
    })
}

fn party(reference: ResourceRef) -> GivenParty {
    let ResourceRef { kind, id } = reference;
    GivenParty { kind: kind.as_str().to_owned(), id: id.as_str().to_owned(), name: None }
}

fn wrong(name: &str, problem: &str) -> Refusal {
    let detail = format!("the attribute `{name}` {problem}");
    Refusal::body(Fault::pointer(super::refusal::pointer(name), "invalid-value", detail))
}

/// The same of one that is of its form, and cannot be stored.
fn unstorable(name: &str, problem: &str) -> Refusal {
    Refusal { kind: Kind::Unprocessable, ..wrong(name, problem) }
}

/// Headers of an event are percent-encoded UTF-8 (HTTP binding, section 3.1.3.2).
fn decode(bytes: &[u8]) -> Option<String> {
    String::from_utf8(percent_decode(str::from_utf8(bytes).ok()?)?).ok()
}
