//! `POST /runs/{id}:cancel`: a run goes no further. What it has done stays.

use super::form::{RunForm, example};
use super::visible::{Watching, of_run};
use crate::access::Scope;
use crate::server::openapi::{Doc, Media};
use crate::server::path::UuidPath;
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Problem, Query};

pub(crate) fn doc() -> Doc {
    let mut run = example();
    run["state"] = "cancelled".into();
    run["cancelled_by"] = "user:ann".into();
    of_run("cancelRun", "Cancel a run")
        .text(
            "It goes no further; what it has done stays. One's own with `actions:run`, others' with `runs:cancel` where the \
             caller might run the same.",
        )
        .or(Scope::RunsCancel)
        .answers(OK, "The run, as it is now.", [Media::json::<RunForm>(run)])
        .problems([Kind::RunEnded])
}

pub(crate) async fn post(
    watching: Watching,
    Query(()): Query<()>,
    UuidPath(id): UuidPath,
) -> Result<JsonReply<RunForm>, Problem> {
    let run = watching.run(id).await?;
    let caller = &watching.reading.caller;
    let identity = caller.identity();
    let is_own = identity.who.resource == run.actor.resource;
    if !(is_own && identity.may(Scope::ActionsRun)) {
        caller.require(Scope::RunsCancel)?;
    }
    let asker = caller.asker().await?;
    let run = watching.reading.state.runs().cancel(&asker, id).await?;
    Ok(JsonReply(RunForm::from(&run)))
}
