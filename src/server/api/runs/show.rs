//! `GET /runs/{id}`: a run.

use super::form::{RunForm, example};
use super::visible::{Watching, of_run};
use crate::format::Format;
use crate::server::openapi::{Doc, Media};
use crate::server::path::UuidPath;
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Problem, Query};

pub(crate) fn doc() -> Doc {
    of_run("getRun", "Read a run")
        .text("With `runs:read` those of everybody, with `actions:run` alone one's own.")
        .answers(OK, "The run.", [Media::json::<RunForm>(example())])
        .problems([Kind::NotAcceptable])
}

pub(crate) async fn get(
    watching: Watching,
    Query(()): Query<()>,
    UuidPath(id): UuidPath,
) -> Result<JsonReply<RunForm>, Problem> {
    watching.reading.place.format(&[Format::Json])?;
    let run = watching.run(id).await?;
    watching.record(id, &[]).await?;
    Ok(JsonReply(RunForm::from(&run)))
}
