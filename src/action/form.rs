//! The JSON form of an action, the same everywhere: command line, import, HTTP, messages.
//!
//! ```json
//! {"id": "0192…", "tenant": "default", "actor": {"type": "user", "id": "42", "name": "Alice"}, "verb": "close",
//!  "object": {"type": "issue", "id": "70", "name": null}, "target": null,
//!  "occurred_at": "2026-11-20T14:03:22.123456Z", "recorded_at": "2026-11-20T14:03:22.130000Z", "run_id": null,
//!  "source": "emit", "outcome": "ok", "description": null, "changes": {"status": ["open", "closed"]},
//!  "data": null, "context": {"reason": "ticket OPS-123"}, "audience": ["public"]}
//! ```
//!
//! Written: every key, in this order; times in UTC with microseconds (RFC 3339); numbers as they were given, to the last
//! digit. Read as something to append ([`Given`]): `actor` and `verb` are required, keys that are not known are refused,
//! `recorded_at` is ignored because only the database sets it. Read as what was stored ([`Action`]): what is never null
//! above is required, and keys that are not known are skipped, so that a reader survives the keys of a later version.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Action, ActionId, Audience, InvalidAction, NewAction, Outcome, Source};
use crate::json::Json;
use crate::json::object::only_objects;
use crate::resource::{Named, ResourceId, ResourceRef, ResourceType, Tenant, cut};

/// A time as it is written everywhere: UTC, microseconds, `Z`.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Actor, object or target.
#[derive(Serialize)]
pub(crate) struct Party<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    name: Option<&'a str>,
}

impl<'a> From<&'a Named> for Party<'a> {
    fn from(named: &'a Named) -> Self {
        let ResourceRef { kind, id } = &named.resource;
        Self { kind: kind.as_str(), id: id.as_str(), name: named.name.as_deref() }
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_struct("Action", 16)?;
        form.serialize_field("id", &self.id)?;
        form.serialize_field("tenant", &self.tenant)?;
        form.serialize_field("actor", &Party::from(&self.actor))?;
        form.serialize_field("verb", &self.verb)?;
        form.serialize_field("object", &self.object.as_ref().map(Party::from))?;
        form.serialize_field("target", &self.target.as_ref().map(Party::from))?;
        form.serialize_field("occurred_at", &time(self.occurred_at))?;
        form.serialize_field("recorded_at", &time(self.recorded_at))?;
        form.serialize_field("run_id", &self.run)?;
        form.serialize_field("source", &self.source)?;
        form.serialize_field("outcome", &self.outcome)?;
        form.serialize_field("description", &self.description)?;
        form.serialize_field("changes", &self.changes)?;
        form.serialize_field("data", &self.data)?;
        form.serialize_field("context", &self.context)?;
        form.serialize_field("audience", &self.audience)?;
        form.end()
    }
}

/// Actor, object or target as they are given.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
pub(crate) struct GivenParty {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
}

impl GivenParty {
    pub(crate) fn check(self, field: &'static str) -> Result<Named, InvalidAction> {
        let refuse = |problem| InvalidAction::Resource { field, problem };
        let kind = ResourceType::new(self.kind).map_err(refuse)?;
        let id = ResourceId::new(self.id).map_err(refuse)?;
        Ok(Named { resource: ResourceRef { kind, id }, name: self.name.map(cut) })
    }
}

/// The JSON form of what was stored.
#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
struct Stored {
    id: ActionId,
    tenant: Tenant,
    actor: StoredParty,
    verb: String,
    object: Option<StoredParty>,
    target: Option<StoredParty>,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    run_id: Option<Uuid>,
    source: Source,
    outcome: Outcome,
    description: Option<String>,
    changes: Option<Json>,
    data: Option<Json>,
    context: Option<Json>,
    audience: Audience,
}

/// Actor, object or target of what was stored.
#[derive(Deserialize)]
#[serde(remote = "Self", expecting = "an object")]
struct StoredParty {
    #[serde(rename = "type")]
    kind: ResourceType,
    id: ResourceId,
    name: Option<String>,
}

impl From<StoredParty> for Named {
    fn from(StoredParty { kind, id, name }: StoredParty) -> Self {
        Self { resource: ResourceRef { kind, id }, name }
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Ok(Self {
            tenant: stored.tenant,
            id: stored.id,
            actor: stored.actor.into(),
            verb: stored.verb,
            object: stored.object.map(Into::into),
            target: stored.target.map(Into::into),
            occurred_at: stored.occurred_at,
            recorded_at: stored.recorded_at,
            run: stored.run_id,
            source: stored.source,
            outcome: stored.outcome,
            description: stored.description,
            changes: stored.changes,
            data: stored.data,
            context: stored.context,
            audience: stored.audience,
        })
    }
}

/// The JSON form as somebody gives it. `NewAction::try_from` checks it.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
pub struct Given {
    pub(crate) id: Option<Uuid>,
    pub(crate) tenant: Option<String>,
    pub(crate) actor: Option<GivenParty>,
    pub(crate) verb: String,
    pub(crate) object: Option<GivenParty>,
    pub(crate) target: Option<GivenParty>,
    pub(crate) occurred_at: Option<DateTime<Utc>>,
    #[serde(rename = "recorded_at")]
    pub(crate) _recorded_at: Option<serde::de::IgnoredAny>,
    pub(crate) run_id: Option<Uuid>,
    pub(crate) source: Option<Source>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) description: Option<String>,
    pub(crate) changes: Option<Json>,
    pub(crate) data: Option<Json>,
    pub(crate) context: Option<Json>,
    pub(crate) audience: Option<Audience>,
}

only_objects!(Given, GivenParty, Stored, StoredParty);

impl Given {
    /// The action, in the tenant given or else in this one.
    ///
    /// # Errors
    /// Names the first field that cannot be stored.
    pub fn into_action(self, tenant: &Tenant) -> Result<NewAction, InvalidAction> {
        self.into_action_of(tenant, None)
    }

    /// The same; the actor is the one given or else this one.
    pub(crate) fn into_action_of(
        self,
        tenant: &Tenant,
        actor: Option<&Named>,
    ) -> Result<NewAction, InvalidAction> {
        let tenant = match self.tenant {
            Some(given) => Tenant::new(given)
                .map_err(|problem| InvalidAction::Resource { field: "tenant", problem })?,
            None => tenant.clone(),
        };
        let action = NewAction {
            tenant,
            id: self.id.map(ActionId::try_from).transpose().map_err(InvalidAction::Id)?,
            actor: match (self.actor, actor) {
                (Some(given), _) => given.check("actor")?,
                (None, Some(actor)) => actor.clone(),
                (None, None) => return Err(InvalidAction::Missing { field: "actor" }),
            },
            verb: self.verb,
            object: self.object.map(|party| party.check("object")).transpose()?,
            target: self.target.map(|party| party.check("target")).transpose()?,
            occurred_at: self.occurred_at,
            run: self.run_id,
            source: self.source.unwrap_or_default(),
            outcome: self.outcome.unwrap_or_default(),
            description: self.description,
            changes: self.changes,
            data: self.data,
            context: self.context,
            audience: self.audience.unwrap_or_default(),
        };
        action.check()?;
        Ok(action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"id":"00000000-03e8-7000-8000-000000000007","tenant":"acme","actor":{"type":"user","id":"42","name":"Alice"},"#,
        r#""verb":"close","object":{"type":"issue","id":"70","name":null},"target":null,"#,
        r#""occurred_at":"1970-01-01T00:00:01.000000Z","recorded_at":"2026-11-20T14:03:22.130000Z","run_id":null,"#,
        r#""source":"emit","outcome":"denied","description":null,"changes":{"status":["open","closed"]},"#,
        r#""data":{"n":12345678901234567890.5},"context":null,"audience":["public"]}"#
    );

    #[test]
    fn form_round_trips_to_the_last_digit() {
        let given: Given = serde_json::from_str(LINE).expect("the documented form");
        let new = given.into_action(&Tenant::default()).expect("valid");
        let stored = Action {
            tenant: new.tenant,
            id: new.id.expect("given"),
            actor: new.actor,
            verb: new.verb,
            object: new.object,
            target: new.target,
            occurred_at: new.occurred_at.expect("given"),
            recorded_at: "2026-11-20T14:03:22.13Z".parse().expect("time"),
            run: new.run,
            source: new.source,
            outcome: new.outcome,
            description: new.description,
            changes: new.changes,
            data: new.data,
            context: new.context,
            audience: new.audience,
        };
        assert_eq!(serde_json::from_str::<Action>(LINE).expect("as it is written"), stored);
        assert_eq!(serde_json::to_string(&stored).expect("serialises"), LINE);
    }

    #[test]
    fn what_was_stored_is_read_with_the_keys_of_a_later_version() {
        let later = LINE.replacen('{', r#"{"seal":[1,{}],"#, 1);
        let read: Action = serde_json::from_str(&later).expect("a later version's");
        assert_eq!(serde_json::to_string(&read).expect("serialises"), LINE);
        let without = LINE.replace(r#""verb":"close","#, "");
        let error = serde_json::from_str::<Action>(&without).expect_err("no verb").to_string();
        assert!(error.starts_with("missing field `verb`"), "{error}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = r#"{"actor":{"type":"u","id":"1"},"verb":"x","when":1}"#;
        let error = serde_json::from_str::<Given>(text).expect_err("unknown key").to_string();
        assert!(
            error.starts_with("unknown field `when`, expected one of `id`, `tenant`"),
            "{error}"
        );
    }
}
