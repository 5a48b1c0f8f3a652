//! Who asks: the credential of a request, its tenant, and what the server itself saw of it.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::finish::Asker;
use super::problem::{Fault, Problem};
use super::state::AppState;
use super::status::Kind;
use crate::access::{AccessError, Identity, Scope, Via};
use crate::context::Context;
use crate::error::quote;
use crate::resource::Tenant;
use crate::stream::Reader;

/// Names the tenant, for credentials of all tenants; others may name their own.
pub const TENANT_HEADER: HeaderName = HeaderName::from_static("x-gesta-tenant");

/// How to ask (RFC 6750, section 3).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="gesta""#);
const CHALLENGE_WRONG: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="gesta", error="invalid_token""#);

/// Who asks. A handler that takes one answers only to whoever has a valid credential.
#[derive(Clone, Debug)]
pub struct Caller {
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

    /// Lets pass whoever may do something.
    ///
    /// # Errors
    /// 403, with the name of the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.identity.may(scope) {
            return Ok(());
        }
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
    pub fn reader(&self, state: &AppState, scope: Scope) -> Result<Reader, Problem> {
        self.require(scope)?;
        Ok(self.identity.reader(state.store(), self.need_tenant()?.clone()))
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let key = bearer(&parts.headers)?;
        let identity = state.keys().authenticate(key).await.map_err(refused)?;
        if let (Some(asker), Via::Key(key)) = (parts.extensions.get::<Asker>(), &identity.via) {
            asker.is(key.clone());
        }
        let tenant = tenant(&identity, &parts.headers)?;
        let seen = parts.extensions.get::<Context>().cloned().unwrap_or_else(Context::anonymous);
        Ok(Self { identity, tenant, seen })
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

/// A key that is not let in. Its text tells of nothing that its holder does not know.
fn refused(error: AccessError) -> Problem {
    match error {
        AccessError::Database(failure) => failure.into(),
        error => Problem::new(Kind::Unauthenticated, error.to_string())
            .header(WWW_AUTHENTICATE, CHALLENGE_WRONG),
    }
}

/// The key of the request. It is never quoted in an answer.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let refused = |detail: &str| {
        Problem::new(Kind::Unauthenticated, detail).header(WWW_AUTHENTICATE, CHALLENGE)
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(refused("the request has no header `Authorization: Bearer gesta_…`"));
    };
    if values.next().is_some() {
        return Err(refused("the request has two headers `Authorization`; send one"));
    }
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim_start()),
        _ => Err(refused("the header `Authorization` is not of the form `Bearer gesta_…`")),
    }
}

/// The credential's own tenant, which the header may repeat; for a credential of all tenants, the header's.
fn tenant(identity: &Identity, headers: &HeaderMap) -> Result<Option<Tenant>, Problem> {
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
    match (&identity.tenant, given.transpose()?) {
        (Some(own), Some(given)) if *own != given => {
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
