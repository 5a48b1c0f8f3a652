//! The credential of a request: a key, or the word of a trusted proxy.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::problem::Problem;
use super::state::AppState;
use super::status::Kind;
use crate::access::{AccessError, Decision, Denial, Identity, Refusal};
use crate::context::Context;

/// How to ask (RFC 6750, section 3).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="gesta""#);
const CHALLENGE_WRONG: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="gesta", error="invalid_token""#);

/// Who asks. A key counts more than what a proxy says: it was sent on purpose.
///
/// # Errors
/// 401, and 429 where too many wrong keys came from the same address.
pub(super) async fn identify(
    parts: &Parts,
    state: &AppState,
    seen: &Context,
) -> Result<Identity, Problem> {
    let key = bearer(&parts.headers)?;
    let by_proxy = by_proxy(parts, state);
    let found = match (key, by_proxy) {
        (_, Err(error @ AccessError::Untrusted { .. })) | (None, Err(error)) => Err(error),
        (None, Ok(Some(identity))) => Ok(identity),
        (None, Ok(None)) => {
            return Err(unauthenticated(
                "the request has no header `Authorization: Bearer gesta_…`",
            ));
        }
        (Some(key), _) => by_key(key, state, seen).await?,
    };
    found.map_err(|error| {
        if let Some(refusal) = Refusal::of(&error) {
            let denial = Denial::new("authenticate", refusal);
            state.recorder().denied(None, seen, &denial, Instant::now());
        }
        refused(error)
    })
}

async fn by_key(
    key: &str,
    state: &AppState,
    seen: &Context,
) -> Result<Result<Identity, AccessError>, Problem> {
    let found = state.keys().authenticate(key).await;
    let is_wrong = found.as_ref().is_err_and(|error| !matches!(error, AccessError::Database(_)));
    if let (true, Some(address)) = (is_wrong, seen.address()) {
        let decision = state.limits().failed(address, Instant::now());
        if !decision.is_allowed() {
            return Err(too_often(&decision));
        }
    }
    Ok(found)
}

fn by_proxy(parts: &Parts, state: &AppState) -> Result<Option<Identity>, AccessError> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    match (&state.settings().proxy_identity, peer) {
        (Some(trust), Some(peer)) => trust.identity(peer.0.ip(), &parts.headers),
        _ => Ok(None),
    }
}

/// That somebody came too often, and when to come again.
pub(super) fn too_often(decision: &Decision) -> Problem {
    let seconds = decision.retry_after_seconds().unwrap_or(1);
    let detail = format!("too many requests within a minute; come again in {seconds} s");
    Problem::new(Kind::Quota, detail).header(RETRY_AFTER, seconds.into())
}

/// A credential that is not let in. Its text tells of nothing that its holder does not know.
fn refused(error: AccessError) -> Problem {
    match error {
        AccessError::Database(failure) => failure.into(),
        error => Problem::new(Kind::Unauthenticated, error.to_string())
            .header(WWW_AUTHENTICATE, CHALLENGE_WRONG),
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Kind::Unauthenticated, detail).header(WWW_AUTHENTICATE, CHALLENGE)
}

/// The key of the request, where it has one. It is never quoted in an answer.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(unauthenticated("the request has two headers `Authorization`; send one"));
    }
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(key.trim_start())),
        _ => Err(unauthenticated("the header `Authorization` is not of the form `Bearer gesta_…`")),
    }
}
