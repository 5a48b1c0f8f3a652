//! Who sees which runs: with `runs:read` all of the tenant, with `actions:run` alone one's own.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use uuid::Uuid;

use crate::access::{Read, Scope};
use crate::resource::ResourceRef;
use crate::run::RunInfo;
use crate::server::openapi::text::uuid_text;
use crate::server::openapi::{Doc, Tag};
use crate::server::read::Reading;
use crate::server::{AppState, Kind, Problem};

/// A request of somebody who may see runs.
#[derive(Clone, Debug)]
pub(crate) struct Watching {
    pub(crate) reading: Reading,
}

impl FromRequestParts<AppState> for Watching {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let reading = Reading::from_request_parts(parts, state).await?;
        let identity = reading.caller.identity();
        if !identity.may(Scope::ActionsRun) {
            reading.caller.require(Scope::RunsRead)?;
        }
        reading.tenant()?;
        Ok(Self { reading })
    }
}

impl Watching {
    /// The one whose runs are seen; nobody where all are.
    pub(crate) fn only(&self) -> Option<&ResourceRef> {
        let identity = self.reading.caller.identity();
        (!identity.may(Scope::RunsRead)).then_some(&identity.who.resource)
    }

    /// A run that they may see.
    ///
    /// # Errors
    /// 404 where there is none, or not for them.
    pub(crate) async fn run(&self, id: Uuid) -> Result<RunInfo, Problem> {
        let run = self.reading.state.runs().run(self.reading.tenant()?, id).await?;
        if self.only().is_some_and(|who| *who != run.actor.resource) {
            return Err(Problem::of(Kind::NotFound));
        }
        Ok(run)
    }

    /// Records that something of a run was read.
    pub(crate) async fn record(&self, id: Uuid, pairs: &[(&str, String)]) -> Result<(), Problem> {
        let run = ResourceRef::new("run", id.to_string());
        let run = run.map_err(|error| Problem::internal(&error))?;
        self.reading.record(&Read::of(&run, &self.reading.told(pairs))).await
    }
}

/// What all operations that read one run have in common.
pub(crate) fn of_run(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(Tag::Runs, id, summary)
        .scope(Scope::RunsRead)
        .or(Scope::ActionsRun)
        .in_tenant()
        .path("id", "The run.", uuid_text())
        .problems([Kind::NotFound])
}
