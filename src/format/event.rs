//! An action as a CloudEvent 1.0: the names and values of its attributes, and the structured form in JSON.
//!
//! ```json
//! {"specversion": "1.0", "id": "0192…", "source": "/act/default", "type": "issue.close", "subject": "issue:70",
//!  "time": "2026-11-20T14:03:22.123456Z", "datacontenttype": "application/json", "tenant": "default",
//!  "actor": "user:42", "target": "project:9", "data": {…}}
//! ```
//!
//! | attribute | what |
//! |---|---|
//! | `specversion` | `1.0` |
//! | `id` | the action's id |
//! | `source` | `/PREFIX/TENANT` ([`source`]), the same on every way out; with `id` it is unique |
//! | `type` | `OBJECTTYPE.VERB`, or `VERB` without an object |
//! | `subject` | the object, `TYPE:ID`; missing without an object |
//! | `time` | `occurred_at` |
//! | `datacontenttype` | `application/json` |
//! | `tenant` | the tenant; `source` has it to the last byte |
//! | `actor` | who, `TYPE:ID` |
//! | `target` | in, to or for what, `TYPE:ID`; missing without a target |
//! | `parked` | why `data` is without `changes`, `data`, `context` and `description`; missing where it is whole |
//!
//! `data` is the JSON form of the action ([`crate::action::form`]). CloudEvents allows neither control characters nor
//! noncharacters in attributes; where an id, verb or tenant has some, the attribute shows U+FFFD for each. `data` is always
//! exact, so identity is read there.

use std::borrow::Cow;

use serde::Serialize;

use super::percent;
use crate::action::{Action, form};
use crate::resource::{Named, Tenant};

/// The version of the specification, as `specversion` gives it.
pub const SPEC_VERSION: &str = "1.0";
/// The media type of one event in the structured form.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// The media type of a JSON array of events in the structured form.
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";

/// The source of the events of a tenant: `/PREFIX/TENANT`, with the tenant escaped as in the subjects of messages.
#[must_use]
pub fn source(prefix: &str, tenant: &Tenant) -> String {
    format!("/{prefix}/{}", percent::encode(tenant.as_str(), percent::is_token))
}

/// The attributes of an action's event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attributes<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    datacontenttype: &'static str,
    tenant: Cow<'a, str>,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<&'static str>,
}

impl<'a> Attributes<'a> {
    /// The attributes of an action, from a [`source`].
    #[must_use]
    pub fn of(action: &'a Action, source: &'a str) -> Self {
        let name = |named: &Named| allowed(&named.resource.to_string()).into_owned();
        let kind = match &action.object {
            Some(object) => format!("{}.{}", object.resource.kind, action.verb),
            None => action.verb.clone(),
        };
        Self {
            specversion: SPEC_VERSION,
            id: action.id.to_string(),
            source,
            kind: allowed(&kind).into_owned(),
            subject: action.object.as_ref().map(name),
            time: form::time(action.occurred_at),
            datacontenttype: "application/json",
            tenant: allowed(action.tenant.as_str()),
            actor: name(&action.actor),
            target: action.target.as_ref().map(name),
            parked: None,
        }
    }

    /// Says that `data` is a stub, and why.
    #[must_use]
    pub fn parked(mut self, why: Option<&'static str>) -> Self {
        self.parked = why;
        self
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("specversion", Some(self.specversion)),
            ("id", Some(self.id.as_str())),
            ("source", Some(self.source)),
            ("type", Some(self.kind.as_str())),
            ("subject", self.subject.as_deref()),
            ("time", Some(self.time.as_str())),
            ("datacontenttype", Some(self.datacontenttype)),
            ("tenant", Some(&*self.tenant)),
            ("actor", Some(self.actor.as_str())),
            ("target", self.target.as_deref()),
            ("parked", self.parked),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// An action's event in the structured form: serialises to the documented JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CloudEvent<'a> {
    /// The attributes.
    #[serde(flatten)]
    pub attributes: Attributes<'a>,
    /// The action.
    pub data: &'a Action,
}

impl<'a> CloudEvent<'a> {
    /// The event of an action, from a [`source`].
    #[must_use]
    pub fn of(action: &'a Action, source: &'a str) -> Self {
        Self { attributes: Attributes::of(action, source), data: action }
    }
}

/// What a CloudEvents attribute can hold of a text (CloudEvents 1.0, section "Type System"): no control characters and no
/// noncharacters.
fn allowed(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| {
        c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
    };
    if text.contains(forbidden) { text.replace(forbidden, "\u{fffd}").into() } else { text.into() }
}
