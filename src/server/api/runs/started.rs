//! A run that was asked for: it has ended, or a worker will take it.

use axum::http::HeaderValue;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};

use super::form::{RunForm, example, queued};
use crate::run::{RunError, Started};
use crate::server::openapi::{Doc, LOCATION as LOCATED, Media};
use crate::server::status::{ACCEPTED, OK};
use crate::server::{AppState, JsonReply, Problem};

/// What the document says of it.
pub(super) fn started_doc(doc: Doc) -> Doc {
    doc.answers_with(
        OK,
        "The run, which has ended.",
        &[LOCATED],
        [Media::json::<RunForm>(example())],
    )
    .answers_with(
        ACCEPTED,
        "The run, which goes on.",
        &[LOCATED],
        [Media::json::<RunForm>(queued())],
    )
}

/// Starts it, and answers when it has ended, or is left to a worker. It goes on where nobody waits for the answer any more.
pub(super) async fn started(
    state: &AppState,
    start: impl Future<Output = Result<Started, RunError>> + Send + 'static,
) -> Result<Response, Problem> {
    let started = tokio::spawn(start).await.map_err(|error| Problem::internal(&error))??;
    Ok(answer(state, &started))
}

/// The answer with a run.
pub(super) fn answer(state: &AppState, started: &Started) -> Response {
    let run = RunForm::from(&started.run);
    let location = format!("{}/api/v1/runs/{}", state.base_path(), run.id);
    let is_ended = run.is_ended;
    let mut response = JsonReply(run).into_response();
    if !is_ended && response.status() == OK {
        *response.status_mut() = ACCEPTED;
    }
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
