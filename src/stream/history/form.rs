//! The JSON form of a state and of a comparison, the same everywhere.
//!
//! ```json
//! {"object": {"type": "issue", "id": "70", "name": "Crash"}, "life": "exists", "deleted": null,
//!  "created": {"action": "0192…", "verb": "create", "actor": {"type": "user", "id": "42", "name": "Alice"},
//!              "at": "2026-11-20T14:03:22.123456Z", "source": "save", "run_id": null},
//!  "complete": true, "gaps": 0, "sees_everything": true,
//!  "fields": {"status": {"kind": "plain", "value": "closed", "by": {…}}, "token": {"kind": "masked", "value": null, …}}}
//!
//! {"object": …, "from": {"life": "exists", …}, "to": {"life": "exists", …},
//!  "fields": {"status": {"old": {"kind": "plain", "value": "open"}, "new": {"kind": "plain", "value": "closed"}, "by": …}},
//!  "steps": [{"by": …, "fields": ["status"]}], "steps_total": 1}
//! ```
//!
//! A value that the log keeps to itself has the kind `masked` and is null, or `hashed` and is its hash; a relation has the
//! kind `members` and is an array. Numbers are as they were given, to the last digit.

use std::collections::BTreeMap;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::compare::{Comparison, Difference, Step};
use super::state::{By, Field, Life, State, Value};
use crate::action::form::{Party, time};

impl Serialize for By {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("By", 6)?;
        form.serialize_field("action", &self.action)?;
        form.serialize_field("verb", &self.verb)?;
        form.serialize_field("actor", &Party::from(&self.actor))?;
        form.serialize_field("at", &time(self.at))?;
        form.serialize_field("source", &self.source)?;
        form.serialize_field("run_id", &self.run)?;
        form.end()
    }
}

impl Value {
    /// `plain`, `masked`, `hashed` or `members`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Plain(_) => "plain",
            Self::Masked => "masked",
            Self::Hashed(_) => "hashed",
            Self::Members(_) => "members",
        }
    }

    fn write<F: SerializeStruct>(&self, form: &mut F) -> Result<(), F::Error> {
        form.serialize_field("kind", self.kind())?;
        match self {
            Self::Plain(json) => form.serialize_field("value", json),
            Self::Masked => form.serialize_field("value", &()),
            Self::Hashed(hash) => form.serialize_field("value", hash),
            Self::Members(members) => form.serialize_field("value", members),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("Value", 2)?;
        self.write(&mut form)?;
        form.end()
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("Field", 3)?;
        self.value.write(&mut form)?;
        form.serialize_field("by", &self.by)?;
        form.end()
    }
}

impl Life {
    /// `exists`, `deleted` or `not yet`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Deleted(_) => "deleted",
            Self::NotYet(_) => "not yet",
        }
    }
}

/// What is known of a moment, but for its fields.
#[derive(Serialize)]
struct Circumstances<'a> {
    life: &'static str,
    deleted: Option<&'a By>,
    created: Option<&'a By>,
    complete: bool,
    gaps: u64,
    sees_everything: bool,
}

impl<'a> From<&'a State> for Circumstances<'a> {
    fn from(state: &'a State) -> Self {
        Self {
            life: state.life.as_str(),
            deleted: state.deleted(),
            created: state.created.as_deref(),
            complete: state.is_complete,
            gaps: state.gaps,
            sees_everything: state.sees_everything,
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            object: Party<'a>,
            #[serde(flatten)]
            circumstances: Circumstances<'a>,
            fields: &'a BTreeMap<String, Field>,
        }
        let object = Party::from(&self.object);
        Form { object, circumstances: self.into(), fields: &self.fields }.serialize(serializer)
    }
}

impl Serialize for Comparison {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            object: Party<'a>,
            from: Circumstances<'a>,
            to: Circumstances<'a>,
            fields: &'a BTreeMap<String, Difference>,
            steps: &'a [Step],
            steps_total: u64,
        }
        let object = Party::from(&self.to.object);
        let (from, to) = ((&self.from).into(), (&self.to).into());
        let Self { fields, steps, steps_total, .. } = self;
        Form { object, from, to, fields, steps, steps_total: *steps_total }.serialize(serializer)
    }
}
