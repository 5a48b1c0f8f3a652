//! What happens to every response: problems are written out, headers are added, one line is logged, and it is counted.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::state::AppState;
use super::status::Kind;
use crate::access::Decision;

/// As `layer` makes it and answers with it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Of draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Headers of every response that does not say otherwise. What is answered is somebody's: no cache keeps it. It is no
/// page: a browser that is led here runs nothing of it.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Who turned out to ask, and what is left of what they may: written by [`super::Caller`], read when the response is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Asker(Arc<Found>);

#[derive(Debug, Default)]
struct Found {
    key: OnceLock<String>,
    decision: OnceLock<Decision>,
}

impl Asker {
    pub(super) fn is(&self, key: &str) {
        let _ = self.0.key.set(key.to_owned());
    }

    pub(super) fn has_left(&self, decision: Decision) {
        let _ = self.0.decision.set(decision);
    }

    fn key(&self) -> &str {
        self.0.key.get().map_or("-", String::as_str)
    }

    /// `RateLimit-Policy`, `RateLimit` and, where the request was one too many, `Retry-After`.
    fn add_limits(&self, headers: &mut HeaderMap) {
        let Some(decision) = self.0.decision.get() else { return };
        let limits = [(POLICY, decision.policy()), (LIMIT, decision.limit())];
        let after =
            decision.retry_after_seconds().map(|seconds| (RETRY_AFTER, seconds.to_string()));
        for (name, text) in limits.into_iter().chain(after) {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        }
    }
}

/// The layer.
pub(super) async fn finish(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let asker = Asker::default();
    request.extensions_mut().insert(asker.clone());
    let method = request.method().clone();
    let id = request.headers().get(REQUEST_ID).cloned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    // Never the path itself, which holds ids and whatever else somebody sends.
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let mut response = next.run(request).await;
    let id = id.as_ref().and_then(|id| id.to_str().ok());
    write_problem(&state, &mut response, id);
    add_headers(response.headers_mut());
    asker.add_limits(response.headers_mut());
    let (status, duration) = (response.status().as_u16(), began.elapsed());
    state.metrics().request(&method, route, status, duration);
    tracing::info!(
        target: "gesta::access",
        %method,
        route,
        status,
        duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        key = asker.key(),
        request_id = id.unwrap_or("-"),
        "request"
    );
    response
}

/// Writes the body of a problem; what a library refused becomes one.
fn write_problem(state: &AppState, response: &mut Response, id: Option<&str>) {
    let problem = if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem
    } else {
        // A library's refusal, which is none yet.
        let Some(kind) = Kind::of_status(response.status()) else { return };
        let headers = std::mem::take(response.headers_mut());
        *response = Problem::of(kind).into_response();
        let Some(problem) = response.extensions_mut().remove::<Problem>() else { return };
        for (name, value) in headers.iter().filter(|(name, _)| !is_of_body(name)) {
            response.headers_mut().append(name, value.clone());
        }
        problem
    };
    if let Some(cause) = problem.cause_for_log() {
        tracing::error!(error = cause, request_id = id.unwrap_or("-"), "a request failed");
    }
    *response.body_mut() = Body::from(problem.body(state.base_path().as_str(), id));
}

fn is_of_body(name: &HeaderName) -> bool {
    *name == CONTENT_LENGTH || *name == axum::http::header::CONTENT_TYPE
}

fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
}
