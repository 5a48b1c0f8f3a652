//! What somebody sends becomes an action of theirs: who, where and by which way is not for the body to say.
//!
//! - The tenant is the credential's. A body may repeat it; another one is refused. For a credential of all tenants it is
//!   the header's `X-Gesta-Tenant` or else the body's, and the two may not differ.
//! - Where the credential is the actor's own, the actor is the credential's. A body may repeat it; another one is refused.
//! - `source` is `api`. A body's `source` is read and replaced, as its `recorded_at` is: what was exported elsewhere can be
//!   sent here.
//! - `context.api` is what this server saw of the request: `request_id`, `ip`, `user_agent`, `trace`, and the credential's
//!   `key`. It is replaced as well, so nobody can forge it. The rest of `context` is the client's word, such as the address
//!   of *its* client. When an id is sent again, `context.api` is not compared.

use std::collections::BTreeMap;

use serde_json::Value;

use super::caller::Caller;
use super::problem::Fault;
use super::refusal::Refusal;
use crate::access::{self, Via};
use crate::action::form::Given;
use crate::action::{NewAction, Source};
use crate::error::quote;
use crate::json::Json;
use crate::resource::{Named, Tenant};

/// The key of `context` that only the server writes.
const SEEN: &str = "api";

/// Who sends, for all the actions of a request.
#[derive(Debug)]
pub(super) struct Sender {
    tenant: Option<Tenant>,
    actor: Option<Named>,
    seen: Json,
}

impl Sender {
    pub(super) fn new(caller: &Caller) -> Self {
        let identity = caller.identity();
        let key = match &identity.via {
            Via::Key(key) => Some(key.as_str()),
            Via::Proxy => None,
        };
        let seen = caller.seen().to_json_with_key(key);
        Self {
            tenant: caller.tenant().cloned(),
            actor: identity.is_actor.then(|| identity.who.clone()),
            seen: seen.unwrap_or_else(|| Json::from(Value::Object(serde_json::Map::new()))),
        }
    }

    /// The action of what was given.
    pub(super) fn admit(&self, given: Given) -> Result<NewAction, Refusal> {
        let tenant = self.tenant(given.tenant.as_deref())?;
        let mut action = given.into_action_of(&tenant, self.actor.as_ref())?;
        if let Some(actor) = &self.actor {
            if action.actor.resource != actor.resource {
                let given = quote(&action.actor.resource.to_string());
                let detail = format!(
                    "`actor` is {given}, but the credential is that of {}; leave `actor` out",
                    actor.resource
                );
                let denied = access::Refusal::Actor(action.actor.resource.to_string());
                return Err(Refusal::not_yours("/actor", detail, denied));
            }
            action.actor = actor.clone();
        }
        action.source = Source::Api;
        action.context = Some(self.context(action.context.as_ref())?);
        Ok(action)
    }

    /// The tenant of an action that names this one.
    pub(super) fn tenant(&self, given: Option<&str>) -> Result<Tenant, Refusal> {
        let refuse = |problem| {
            Refusal::from(crate::action::InvalidAction::Resource { field: "tenant", problem })
        };
        let given = given.map(|name| Tenant::new(name).map_err(refuse)).transpose()?;
        match (&self.tenant, given) {
            (Some(own), Some(given)) if *own != given => {
                let detail = format!(
                    "`tenant` is {}, but the request is in the tenant {}; leave `tenant` out",
                    quote(given.as_str()),
                    quote(own.as_str())
                );
                let denied = access::Refusal::Tenant(given.as_str().to_owned());
                Err(Refusal::not_yours("/tenant", detail, denied))
            }
            (Some(own), _) => Ok(own.clone()),
            (None, Some(given)) => Ok(given),
            (None, None) => {
                let detail = "`tenant` is missing: the credential is valid for all tenants, so name one here or by the \
                              header `X-Gesta-Tenant`";
                let fault = Fault::pointer("/tenant", "missing", detail);
                Err(Refusal { kind: super::Kind::TenantMissing, fault, denied: None })
            }
        }
    }

    /// The client's context, with what the server saw.
    fn context(&self, given: Option<&Json>) -> Result<Json, Refusal> {
        let refuse =
            |detail: String| Refusal::body(Fault::pointer("/context", "invalid-value", detail));
        let mut context: BTreeMap<String, Json> = match given {
            None => BTreeMap::new(),
            Some(json) => serde_json::from_str(json.get()).map_err(|_| {
                refuse(
                    "`context` is no JSON object; give one, such as {\"reason\": \"OPS-123\"}"
                        .to_owned(),
                )
            })?,
        };
        context.insert(SEEN.to_owned(), self.seen.clone());
        Json::of(&context).map_err(|problem| refuse(format!("`context` {problem}")))
    }
}
