//! `GET /metrics`: what is counted, for whoever asks from this machine or has the scope `metrics:read`.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::access::Scope;
use crate::server::caller::is_local;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{AppState, Caller, Problem, Query};

const MEDIA_TYPE: &str = "application/openmetrics-text";
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub(crate) fn doc() -> Doc {
    let text = "The exposition format of OpenMetrics 1.0.";
    let example = "# TYPE gesta_http_requests counter\n# EOF\n";
    Doc::new(Tag::Meta, "metrics", "What is counted")
        .text("For whoever asks from the server's own machine, where no header says that a proxy stands between; others need a key.")
        .known_or_local(Scope::MetricsRead)
        .answers(OK, "The metrics.", [Media::text(MEDIA_TYPE, text).example("none", example.into())])
}

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
