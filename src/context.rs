//! Who acts, for whom, in which request and run: an argument of everything that writes, never a thread-local.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::json::{Json, JsonError};
use crate::resource::{Named, Resource, ResourceRef, ResourceType, Tenant};

/// The circumstances of an action. Made once a request or job, and passed to everything that it does.
///
/// ```
/// use gesta::{Context, ResourceRef};
/// let alice = ResourceRef::new("user", "42")?.named("Alice");
/// let ctx = Context::new(&alice).request_id("7f3a").reason("ticket OPS-123");
/// # Ok::<(), gesta::ResourceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub(crate) tenant: Tenant,
    pub(crate) actor: Named,
    pub(crate) run: Option<Uuid>,
    circumstances: Circumstances,
}

/// What stands in the column `context`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Circumstances {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<std::net::IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<ResourceRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Context {
    /// The context of somebody who acts, in the tenant `default`.
    #[must_use]
    pub fn new(actor: &(impl Resource + ?Sized)) -> Self {
        Self {
            tenant: Tenant::default(),
            actor: actor.to_named(),
            run: None,
            circumstances: Circumstances::default(),
        }
    }

    /// The context of what nobody asked for: clean-ups, imports, timers. The actor is `system:NAME`.
    ///
    /// # Errors
    /// When the name is no resource id.
    pub fn system(name: &str) -> Result<Self, crate::ResourceError> {
        let kind = ResourceType::new("system")?;
        Ok(Self::new(&ResourceRef { kind, id: name.parse()? }))
    }

    /// The context of a request whose sender is not known. The actor is `anonymous:anonymous`.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(&ResourceRef::anonymous())
    }

    /// The same circumstances, with somebody else who acts: whom a request's credential names.
    #[must_use]
    pub fn acting(mut self, actor: &(impl Resource + ?Sized)) -> Self {
        self.actor = actor.to_named();
        self
    }

    /// The tenant that everything done here belongs to.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = tenant;
        self
    }

    /// The run or bulk operation that everything done here belongs to.
    #[must_use]
    pub fn run(mut self, run: Uuid) -> Self {
        self.run = Some(run);
        self
    }

    /// The id of the request, as in the application's logs.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.circumstances.request_id = Some(id.into());
        self
    }

    /// Where the request came from.
    #[must_use]
    pub fn ip(mut self, ip: std::net::IpAddr) -> Self {
        self.circumstances.ip = Some(ip);
        self
    }

    /// Where the request came from, as far as that is known.
    #[cfg(feature = "server")]
    pub(crate) fn address(&self) -> Option<std::net::IpAddr> {
        self.circumstances.ip
    }

    /// With which program.
    #[must_use]
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.circumstances.user_agent = Some(agent.into());
        self
    }

    /// The trace that it belongs to (W3C Trace Context, `traceparent`).
    #[must_use]
    pub fn trace(mut self, trace: impl Into<String>) -> Self {
        self.circumstances.trace = Some(trace.into());
        self
    }

    /// Whom the actor stands in for.
    #[must_use]
    pub fn on_behalf_of(mut self, other: &(impl Resource + ?Sized)) -> Self {
        self.circumstances.on_behalf_of = Some(other.resource());
        self
    }

    /// Why it is done, in the actor's words.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.circumstances.reason = Some(reason.into());
        self
    }

    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> &Named {
        &self.actor
    }

    /// Why, where it was said.
    #[cfg(feature = "actions")]
    pub(crate) fn why(&self) -> Option<&str> {
        self.circumstances.reason.as_deref()
    }

    /// A context as it was stored: the actor, and what [`Context::to_json`] gave.
    #[cfg(feature = "actions")]
    pub(crate) fn stored(
        tenant: Tenant,
        actor: Named,
        circumstances: Option<serde_json::Value>,
    ) -> Result<Self, serde_json::Error> {
        let circumstances = circumstances.map(serde_json::from_value).transpose()?;
        let circumstances = circumstances.unwrap_or_default();
        Ok(Self { tenant, actor, run: None, circumstances })
    }

    /// The setting `gesta.context` of a transaction, which triggers record with: `{actor: {type, id, name}, run_id,
    /// context}`, each left out where there is nothing.
    ///
    /// # Errors
    /// When something in it is text that `jsonb` cannot hold.
    pub(crate) fn to_setting(&self) -> Result<Json, JsonError> {
        #[derive(Serialize)]
        struct Setting<'a> {
            actor: Actor<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            run_id: Option<Uuid>,
            #[serde(skip_serializing_if = "Option::is_none")]
            context: Option<Json>,
        }
        #[derive(Serialize)]
        struct Actor<'a> {
            #[serde(flatten)]
            resource: &'a ResourceRef,
            #[serde(skip_serializing_if = "Option::is_none")]
            name: Option<&'a str>,
        }
        let actor = Actor { resource: &self.actor.resource, name: self.actor.name.as_deref() };
        Json::of(&Setting { actor, run_id: self.run, context: self.to_json() })
    }

    /// What goes into the column `context`; nothing where nothing is known.
    pub(crate) fn to_json(&self) -> Option<Json> {
        if self.circumstances == Circumstances::default() {
            return None;
        }
        // Checked when it is appended: a NUL in a header must refuse the action there, not panic here.
        Json::written(&self.circumstances).ok()
    }

    /// The same with the credential's key, as one object.
    #[cfg(feature = "server")]
    pub(crate) fn to_json_with_key(&self, key: Option<&str>) -> Option<Json> {
        #[derive(Serialize)]
        struct Seen<'a> {
            #[serde(flatten)]
            circumstances: &'a Circumstances,
            #[serde(skip_serializing_if = "Option::is_none")]
            key: Option<&'a str>,
        }
        Json::written(&Seen { circumstances: &self.circumstances, key }).ok()
    }
}
