//! `GET /runs/{id}/download`: the file that a run has left, as a stream.

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;

use super::visible::{Watching, of_run};
use crate::access::Scope;
use crate::server::openapi::{Doc, Media};
use crate::server::path::UuidPath;
use crate::server::status::OK;
use crate::server::{Problem, Query};

pub(crate) fn doc() -> Doc {
    let csv = Media::text("text/csv", "A header, then a record for each object.");
    let lines = Media::text("application/x-ndjson", "A JSON object in each line.");
    of_run("downloadRun", "Take away the file of a run")
        .text(
            "Of a run of one's own that has ended and makes a file, as `export` does: of the objects that it has done, as \
             they are now. The download is in the log.",
        )
        .answers(OK, "The file, as the run's input says.", [csv, lines])
}

pub(crate) async fn get(
    watching: Watching,
    Query(()): Query<()>,
    UuidPath(id): UuidPath,
) -> Result<Response, Problem> {
    watching.run(id).await?;
    let caller = &watching.reading.caller;
    caller.require(Scope::ActionsRun)?;
    let asker = caller.asker().await?;
    let file = watching.reading.state.runs().download(&asker, id).await?;
    let bytes = file.bytes.inspect_err(
        |error| tracing::error!(error = %crate::error::chain(error), "a download broke off"),
    );
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    let name = format!("attachment; filename=\"{}\"", file.file_name);
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
