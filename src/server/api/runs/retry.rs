//! `POST /runs/{id}:retry`: a new run over what failed.

use axum::response::Response;

use super::prefer::Patience;
use super::started::{started, started_doc};
use super::visible::{Watching, of_run};
use crate::access::Scope;
use crate::server::openapi::Doc;
use crate::server::path::UuidPath;
use crate::server::{Kind, Problem, Query};

pub(crate) fn doc() -> Doc {
    let doc = of_run("retryRun", "Run again over what failed").text(
        "A new run with the same input, over the objects that failed; `retry_of` names this one. A run is tried again once: \
         sent again it gives the same one, and that one can be tried again in turn.",
    );
    started_doc(doc).problems([Kind::NothingToRetry, Kind::SelectionGone])
}

pub(crate) async fn post(
    watching: Watching,
    patience: Patience,
    Query(()): Query<()>,
    UuidPath(id): UuidPath,
) -> Result<Response, Problem> {
    let caller = &watching.reading.caller;
    caller.require(Scope::ActionsRun)?;
    watching.run(id).await?;
    let asker = caller.asker().await?;
    let (runs, state) = (watching.reading.state.runs().clone(), &watching.reading.state);
    let tenant = watching.reading.tenant()?;
    started(state, tenant, patience, async move { runs.begin_retry(&asker, id).await }).await
}
