//! `CloudEvents` that come in: one in the structured form as an action to append.
//!
//! What [`super::event`] writes is read back as it was, from its `data`. Of anybody else's event:
//!
//! | of the action | is |
//! |---|---|
//! | verb | `type`; without the object's type and the dot, where it begins with these |
//! | object | `subject`, as `TYPE:ID` or `TYPE/ID`; what is neither, as `subject:SUBJECT` |
//! | actor | the extension `actor` as `TYPE:ID`; else `authtype` and `authid` (the extension "Auth Context"); else `source:SOURCE` |
//! | target | the extension `target`, as `TYPE:ID` |
//! | `occurred_at` | `time` |
//! | id | `id`, where it is a UUIDv7 of that time; else made of time, tenant, `source` and `id`, the same each time |
//! | data | `data`, exactly; `{"data_base64": …}` where it is binary |
//! | context | `{"source_id": ID, "cloudevent": {…}}`: all other attributes as they came |
//! | tenant | the extension `tenant`, else the one given |
//!
//! An event must have a `time` unless its `id` is a UUIDv7: without one, the same event sent twice would be two actions.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::action::{ActionId, Audience, NewAction, Outcome, Source};
use crate::error::{quote, visible};
use crate::import::{self, Problem};
use crate::json::Json;
use crate::resource::{Named, ResourceError, ResourceRef, Tenant};

/// Bytes of `id` and of `source`, which together identify.
const IDENTITY_LEN_MAX: usize = 2048;

/// Reads an event in the structured form.
///
/// # Errors
/// Names the attribute that is missing or wrong, and what is allowed; those of `data` in our own form as `data.KEY`.
pub fn read(text: &str, tenant: &Tenant) -> Result<NewAction, Problem> {
    let event: Event = serde_json::from_str(text).map_err(|error| {
        let text = format!("the event is no JSON object: {}", visible(&error.to_string()));
        Problem { field: None, text }
    })?;
    match event.required("specversion")?.as_str() {
        "1.0" => {}
        given => return Err(Problem::of("specversion", format!("{} is not `1.0`", quote(given)))),
    }
    let id = event.identity("id")?;
    let action = match event.own_id() {
        Some(own) => event.own(&own, &id, tenant)?,
        None => event.foreign(&id, tenant)?,
    };
    action.check()?;
    Ok(action)
}

/// The attributes by name, `data` among them.
struct Event(BTreeMap<String, Json>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Attributes;
        impl<'de> Visitor<'de> for Attributes {
            type Value = Event;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
                let mut attributes = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    let given = quote(&name);
                    if attributes.insert(name, value).is_some() {
                        return Err(de::Error::custom(format!("{given} is given twice")));
                    }
                }
                Ok(Event(attributes))
            }
        }
        deserializer.deserialize_map(Attributes)
    }
}

/// The keys that only our own form has together.
#[derive(Deserialize)]
struct Own {
    id: String,
    #[serde(rename = "tenant")]
    _tenant: IgnoredAny,
    #[serde(rename = "actor")]
    _actor: IgnoredAny,
    #[serde(rename = "verb")]
    _verb: IgnoredAny,
    #[serde(rename = "recorded_at")]
    _recorded_at: IgnoredAny,
    #[serde(rename = "audience")]
    _audience: IgnoredAny,
}

/// The column `context` of somebody else's event.
#[derive(Serialize)]
struct EventContext<'a> {
    source_id: &'a str,
    cloudevent: BTreeMap<&'a str, &'a Json>,
}

impl Event {
    /// The value of an attribute; null is none.
    fn value(&self, name: &str) -> Option<&Json> {
        self.0.get(name).filter(|json| json.get() != "null")
    }

    /// The text of an attribute.
    fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(json) = self.value(name) else { return Ok(None) };
        let text = serde_json::from_str::<String>(json.get());
        let text =
            text.map_err(|_| Problem::of(name, format!("{} is no text", quote(json.get()))))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn required(&self, name: &str) -> Result<String, Problem> {
        self.text(name)?.ok_or_else(|| {
            Problem::of(
                name,
                "is missing; every CloudEvent has `specversion`, `id`, `source` and `type`",
            )
        })
    }

    /// A text that is part of an identity.
    fn identity(&self, name: &str) -> Result<String, Problem> {
        let text = self.required(name)?;
        if text.len() > IDENTITY_LEN_MAX || text.contains('\0') {
            let given = quote(&text);
            let text =
                format!("{given} is refused; give 1 to {IDENTITY_LEN_MAX} bytes without NUL");
            return Err(Problem::of(name, text));
        }
        Ok(text)
    }

    /// The id in `data`, where that is an action in our own form.
    fn own_id(&self) -> Option<String> {
        let data = self.value("data")?;
        serde_json::from_str::<Own>(data.get()).ok().map(|own| own.id)
    }

    fn own(&self, own: &str, id: &str, tenant: &Tenant) -> Result<NewAction, Problem> {
        if own != id {
            let text =
                format!("{} is not the id of the action in `data`, {}", quote(id), quote(own));
            return Err(Problem::of("id", text));
        }
        if let Some(why) = self.text("parked")? {
            let text = format!("{} says that `data` is a stub; send the whole action", quote(&why));
            return Err(Problem::of("parked", text));
        }
        let data = self.value("data").map_or("null", Json::get);
        import::own(data, tenant).map_err(|problem| Problem {
            field: Some(problem.field.map_or("data".to_owned(), |field| format!("data.{field}"))),
            text: format!("`data`: {}", problem.text),
        })
    }

    fn foreign(&self, id: &str, tenant: &Tenant) -> Result<NewAction, Problem> {
        let (source, kind) = (self.identity("source")?, self.required("type")?);
        let tenant = match self.text("tenant")? {
            Some(given) => Tenant::new(given).map_err(|error| Problem::of("tenant", error))?,
            None => tenant.clone(),
        };
        let object = self.object()?;
        let (id, occurred_at) = (self.id(id, &source, &tenant)?, self.time()?);
        Ok(NewAction {
            id: Some(id),
            actor: self.actor(&source)?,
            verb: verb(kind, object.as_ref()),
            object: object.map(unnamed),
            target: self.reference("target")?.map(unnamed),
            occurred_at,
            run: None,
            source: Source::Api,
            outcome: Outcome::Ok,
            description: None,
            changes: None,
            data: self.data()?,
            context: Some(self.context()?),
            audience: Audience::public(),
            tenant,
        })
    }

    fn time(&self) -> Result<Option<DateTime<Utc>>, Problem> {
        let Some(text) = self.text("time")? else { return Ok(None) };
        let time = DateTime::parse_from_rfc3339(&text).map_err(|_| {
            let given = quote(&text);
            Problem::of(
                "time",
                format!("{given} is no time such as `2026-11-20T14:03:22Z` (RFC 3339)"),
            )
        })?;
        Ok(Some(time.to_utc()))
    }

    /// The id itself, where it can be an action's and agrees with the time; else one that is always the same for the event.
    fn id(&self, id: &str, source: &str, tenant: &Tenant) -> Result<ActionId, Problem> {
        let own = Uuid::parse_str(id).ok().and_then(|id| ActionId::try_from(id).ok());
        match (own, self.time()?) {
            (Some(own), None) => Ok(own),
            (Some(own), Some(time)) if own.time().timestamp_millis() == time.timestamp_millis() => {
                Ok(own)
            }
            (_, Some(time)) => {
                // The length of the first in front, so that no two pairs are read alike.
                let name = format!("{}:{source}{id}", source.len());
                Ok(ActionId::from_source(time, tenant.as_str(), &name))
            }
            (None, None) => Err(Problem::of(
                "time",
                "is missing; without it, and without an `id` that is a UUIDv7, a second delivery would be another action",
            )),
        }
    }

    fn object(&self) -> Result<Option<ResourceRef>, Problem> {
        let Some(subject) = self.text("subject")? else { return Ok(None) };
        let parts = subject.split_once([':', '/']);
        let parts = parts.and_then(|(kind, id)| ResourceRef::new(kind, id).ok());
        let object = match parts {
            Some(object) => object,
            None => ResourceRef::new("subject", subject).map_err(wrong("subject"))?,
        };
        Ok(Some(object))
    }

    fn actor(&self, source: &str) -> Result<Named, Problem> {
        let actor = match (self.reference("actor")?, self.text("authid")?) {
            (Some(actor), _) => actor,
            (None, Some(id)) => {
                let kind = self.text("authtype")?.unwrap_or_else(|| "user".to_owned());
                ResourceRef::new(&kind, id).map_err(wrong("authid"))?
            }
            (None, None) => ResourceRef::new("source", source).map_err(wrong("source"))?,
        };
        Ok(unnamed(actor))
    }

    /// An extension of the form `TYPE:ID`.
    fn reference(&self, name: &'static str) -> Result<Option<ResourceRef>, Problem> {
        self.text(name)?.map(|text| text.parse().map_err(wrong(name))).transpose()
    }

    fn data(&self) -> Result<Option<Json>, Problem> {
        let Some(binary) = self.value("data_base64") else {
            return Ok(self.value("data").cloned());
        };
        if self.value("data").is_some() {
            return Err(Problem::of("data_base64", "stands beside `data`; give one of them"));
        }
        let data = BTreeMap::from([("data_base64", binary)]);
        Json::of(&data).map(Some).map_err(|problem| Problem::of("data_base64", problem))
    }

    fn context(&self) -> Result<Json, Problem> {
        let source_id = self.identity("id")?;
        let elsewhere = ["specversion", "id", "data", "data_base64"];
        let kept = self.0.iter().map(|(name, value)| (name.as_str(), value));
        let cloudevent = kept.filter(|(name, _)| !elsewhere.contains(name)).collect();
        let context = EventContext { source_id: &source_id, cloudevent };
        Json::of(&context).map_err(|problem| Problem {
            field: None,
            text: format!("the attributes cannot be stored: {problem}"),
        })
    }
}

/// The type as a verb: without the type of the object, where it stands before it as in our own events.
fn verb(kind: String, object: Option<&ResourceRef>) -> String {
    let of_object =
        object.and_then(|object| kind.strip_prefix(object.kind.as_str())?.strip_prefix('.'));
    match of_object.filter(|verb| !verb.is_empty()) {
        Some(verb) => verb.to_owned(),
        None => kind,
    }
}

fn wrong(name: &'static str) -> impl Fn(ResourceError) -> Problem {
    move |error| Problem::of(name, error)
}

fn unnamed(resource: ResourceRef) -> Named {
    Named { resource, name: None }
}

#[cfg(test)]
mod tests;
