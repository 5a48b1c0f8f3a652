//! A run that was asked for: it has ended, or it goes on.

use axum::http::HeaderValue;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use super::form::{RunForm, example, queued};
use super::prefer::{Patience, header};
use crate::resource::Tenant;
use crate::run::{Begun, RunError, Started};
use crate::server::openapi::{Doc, LOCATION as LOCATED, Media};
use crate::server::status::{ACCEPTED, OK};
use crate::server::{AppState, JsonReply, Problem};

/// What the document says of it.
pub(super) fn started_doc(doc: Doc) -> Doc {
    let (name, text, schema) = header();
    doc.header(name, &text, schema)
        .answers_with(
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

/// Starts it, and answers when it has ended, when it is left to a worker, or when nobody wants to wait any longer. It goes on
/// in any case; where the server ends, it is left to another one behind its present piece.
pub(super) async fn started(
    state: &AppState,
    tenant: &Tenant,
    Patience(patience): Patience,
    begin: impl Future<Output = Result<Begun, RunError>> + Send + 'static,
) -> Result<Response, Problem> {
    let (tell, recorded) = oneshot::channel();
    let (closing, working) = (state.closing(), state.works().clone());
    let mut work = tokio::spawn(async move {
        let _working = working.read_owned().await;
        let begun = begin.await?;
        // Nobody hears it where the client is gone.
        let _ = tell.send(begun.id());
        begun.finish(closing).await
    });
    let long = async {
        tokio::time::sleep(patience).await;
        // What is refused has no run.
        match recorded.await {
            Ok(id) => id,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        ended = &mut work => {
            let started = ended.map_err(|error| Problem::internal(&error))??;
            Ok(answer(state, &started))
        }
        id = long => {
            let run = state.runs().run(tenant, id).await?;
            Ok(answer(state, &Started { run, is_new: true }))
        }
    }
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
