//! Who asks: the credential of a request, its tenant, and what the server itself saw of it.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::credential::{identify, too_often};
use super::entries::Entry;
use super::finish::Asker;
use super::problem::{Fault, Problem};
use super::refusal::of_role;
use super::state::AppState;
use super::status::Kind;
use crate::access::{Denial, Identity, Refusal, Scope, Via};
use crate::context::Context;
use crate::definition;
use crate::error::quote;
use crate::resource::Tenant;
use crate::role::Giver;
use crate::stream::Reader;

/// Names the tenant, for credentials of all tenants; others may name their own.
pub const TENANT_HEADER: HeaderName = HeaderName::from_static("x-gesta-tenant");

/// Who asks. A handler that takes one answers only to whoever has a valid credential.
#[derive(Clone, Debug)]
pub struct Caller {
    state: AppState,
    identity: Identity,
    tenant: Option<Tenant>,
    seen: Context,
}

impl Caller {
    /// What they may do.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the server saw of the request: its id, address, program and trace.
    #[must_use]
    pub fn seen(&self) -> &Context {
        &self.seen
    }

    /// The tenant that the request is in, where it is known without the body.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }

    /// Lets pass whoever may do something; that they may not is recorded.
    ///
    /// # Errors
    /// 403, with the name of the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.identity.may(scope) {
            return Ok(());
        }
        self.denied(attempt(scope), Refusal::Scope(scope));
        let challenge =
            format!(r#"Bearer realm="gesta", error="insufficient_scope", scope="{scope}""#);
        let problem =
            Problem::new(Kind::Scope, format!("the credential lacks the scope `{scope}`"));
        Err(match HeaderValue::try_from(challenge) {
            Ok(challenge) => problem.header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        })
    }

    /// The tenant of a request that must have one.
    ///
    /// # Errors
    /// 400 where neither the credential nor the header names one.
    pub fn need_tenant(&self) -> Result<&Tenant, Problem> {
        self.tenant.as_ref().ok_or_else(|| {
            let detail =
                "the credential is valid for all tenants; name one by the header `X-Gesta-Tenant`";
            Problem::new(Kind::TenantMissing, detail)
        })
    }

    /// A reader of the tenant that sees what the caller may see.
    ///
    /// # Errors
    /// 403 without the scope, 400 without a tenant.
    pub fn reader(&self, scope: Scope) -> Result<Reader, Problem> {
        self.require(scope)?;
        Ok(self.identity.reader(self.state.store(), self.need_tenant()?.clone()))
    }

    /// The caller with what their roles allow in the tenant, and those that a proxy names: for whatever is run over objects.
    /// A change of roles by this server is seen at once, one by another process within [`crate::role::RIGHTS_WITHIN`].
    ///
    /// # Errors
    /// 400 without a tenant; where the database does not answer.
    pub async fn asker(&self) -> Result<definition::Asker, Problem> {
        let (tenant, who) = (self.need_tenant()?, &self.identity.who.resource);
        let rights = self.state.roles().rights(tenant, who, &self.identity.groups).await;
        Ok(definition::Asker { context: self.context(tenant), rights: rights.map_err(of_role)? })
    }

    /// The caller as one who changes roles, and gives what they have.
    pub(super) fn giver(&self, reason: Option<String>) -> Result<Giver, Problem> {
        let by = self.context(self.need_tenant()?);
        let by = match reason {
            Some(reason) => by.reason(reason),
            None => by,
        };
        Ok(Giver::member(&by, &self.identity.groups))
    }

    /// The context of what the caller does in a tenant.
    pub(super) fn context(&self, tenant: &Tenant) -> Context {
        self.seen.clone().acting(&self.identity.who).tenant(tenant.clone())
    }

    /// Records that the caller was refused what they tried.
    pub(super) fn denied(&self, attempt: &'static str, refusal: Refusal) {
        self.record_denied(Denial::new(attempt, refusal));
    }

    /// The same, where more is known of it.
    pub(super) fn record_denied(&self, denial: Denial) {
        let denial = match &self.tenant {
            Some(tenant) => denial.tenant(tenant.clone()),
            None => denial,
        };
        let recorder = self.state.recorder();
        recorder.denied(Some(&self.identity), &self.seen, &denial, Instant::now());
    }
}

impl Caller {
    /// Records that an action was to be appended as somebody else, or somewhere else.
    pub(super) fn tell(&self, refusal: &super::refusal::Refusal) {
        if let Some(denied) = &refusal.denied {
            self.denied("append", Refusal::clone(denied));
        }
    }

    /// The same of a batch: one record tells of it.
    pub(super) fn tell_first(&self, entries: &[Entry]) {
        let mut refused = entries.iter().filter_map(|entry| entry.action.as_ref().err());
        if let Some(refusal) = refused.find(|refusal| refusal.denied.is_some()) {
            self.tell(refusal);
        }
    }
}

/// What somebody tries who needs a scope, as a verb.
fn attempt(scope: Scope) -> &'static str {
    match scope {
        Scope::EventsRead | Scope::MetricsRead | Scope::ActionsRead | Scope::RunsRead => "read",
        Scope::EventsExport => "export",
        Scope::EventsWrite => "append",
        Scope::FeedsManage => "follow",
        Scope::KeysManage | Scope::RolesManage => "manage",
        Scope::ActionsRun => "run",
        Scope::RunsCancel => "cancel",
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let seen = parts.extensions.get::<Context>().cloned().unwrap_or_else(Context::anonymous);
        let asker = parts.extensions.get::<Asker>().cloned().unwrap_or_default();
        let identity = identify(parts, state, &seen).await?;
        if let Via::Key(key) = &identity.via {
            asker.is(key);
        }
        if let Some(decision) = state.limits().check(&identity, Instant::now()) {
            asker.has_left(decision);
            if !decision.is_allowed() {
                return Err(too_often(&decision));
            }
        }
        let mut caller = Self { state: state.clone(), identity, tenant: None, seen };
        caller.tenant = tenant(&caller, &parts.headers)?;
        Ok(caller)
    }
}

/// A [`Caller`] who may append: whoever may not is refused before the body is read.
#[derive(Clone, Debug)]
pub struct Appends(pub Caller);

impl FromRequestParts<AppState> for Appends {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require(Scope::EventsWrite)?;
        Ok(Self(caller))
    }
}

/// A [`Caller`] who may make and revoke keys: whoever may not is refused before the body is read.
#[derive(Clone, Debug)]
pub struct Manages(pub Caller);

impl FromRequestParts<AppState> for Manages {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require(Scope::KeysManage)?;
        Ok(Self(caller))
    }
}

/// A [`Caller`] who may run actions: whoever may not is refused before the body is read.
#[derive(Clone, Debug)]
pub(super) struct Acts(pub(super) Caller);

impl FromRequestParts<AppState> for Acts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.require(Scope::ActionsRun)?;
        caller.need_tenant()?;
        Ok(Self(caller))
    }
}

/// The credential's own tenant, which the header may repeat; for a credential of all tenants, the header's.
fn tenant(caller: &Caller, headers: &HeaderMap) -> Result<Option<Tenant>, Problem> {
    let mut values = headers.get_all(TENANT_HEADER).iter();
    let given = values.next();
    let refuse = |code, detail: String| {
        Problem::fault(Kind::Malformed, Fault::header("X-Gesta-Tenant", code, detail))
    };
    if values.next().is_some() {
        return Err(refuse("repeated", "the header `X-Gesta-Tenant` is there twice".to_owned()));
    }
    let given = given.map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        Tenant::new(text)
            .map_err(|error| refuse("invalid-value", format!("`X-Gesta-Tenant`: {error}")))
    });
    match (&caller.identity.tenant, given.transpose()?) {
        (Some(own), Some(given)) if *own != given => {
            caller.denied("ask", Refusal::Tenant(given.as_str().to_owned()));
            let given = quote(given.as_str());
            let detail =
                format!("`X-Gesta-Tenant` is {given}, but the credential is another tenant's");
            let fault = Fault::header("X-Gesta-Tenant", "identity-mismatch", detail);
            Err(Problem::fault(Kind::NotYours, fault))
        }
        (Some(own), _) => Ok(Some(own.clone())),
        (None, given) => Ok(given),
    }
}

/// Whether the other end of the connection is this machine, and nobody stands behind it: a proxy on this machine passes
/// on what others ask.
pub(super) fn is_local(parts: &Parts) -> bool {
    const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let is_loopback = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    is_loopback && !FORWARDED.iter().any(|name| parts.headers.contains_key(*name))
}
