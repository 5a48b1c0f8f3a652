//! `GET /metrics`: what is counted, for whoever asks from this machine or has the scope `metrics:read`.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::access::Scope;
use crate::server::caller::is_local;
use crate::server::{AppState, Caller, Problem, Query};

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub(crate) async fn get(
    Query(()): Query<()>,
    State(state): State<AppState>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    if !is_local(&parts) {
        Caller::from_request_parts(&mut parts, &state).await?.require(Scope::MetricsRead)?;
    }
    let status = state.store().pool().status();
    let text = state
        .metrics()
        .text(status, state.recorder())
        .map_err(|error| Problem::internal(&error))?;
    let mut response = text.into_response();
    response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
    Ok(response)
}
