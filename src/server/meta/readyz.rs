//! `GET /readyz`: the database answers, and its schema is the one of this program.

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{AppState, JsonReply, Kind, Problem, Query};
use crate::store::{MigrateError, MigrationStatus, migration_status};

/// How long the database may take to answer; whoever asks gives up soon after.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// That it is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready`
    status: &'static str,
    /// The last migration of the schema.
    schema: Option<String>,
}

pub(crate) fn doc() -> Doc {
    let ready = serde_json::json!({"status": "ready", "schema": "0007_access"});
    Doc::new(Tag::Meta, "readiness", "Whether it can serve requests")
        .text("The database answers, and its schema is the one of this program.")
        .answers(OK, "It is ready.", [Media::json::<Readiness>(ready)])
        .problems([Kind::NotReady])
}

pub(crate) async fn get(
    Query(()): Query<()>,
    State(state): State<AppState>,
) -> Result<JsonReply<Readiness>, Problem> {
    let not_ready = |detail: String| Problem::new(Kind::NotReady, detail);
    let asked = timeout(ANSWER_TIME_MAX, ask(&state)).await;
    let asked = asked.map_err(|_| {
        not_ready(format!("the database did not answer within {} s", ANSWER_TIME_MAX.as_secs()))
    })?;
    let mut status = asked.map_err(|problem| {
        let detail = match problem.kind() {
            Kind::Internal => "the state of the schema cannot be read: run `gesta doctor`",
            _ => "the database does not answer",
        };
        problem.told_as(Kind::NotReady, detail)
    })?;
    match (status.applied.pop(), status.pending.as_slice()) {
        (schema, []) => Ok(JsonReply(Readiness { status: "ready", schema })),
        (_, lacking) => {
            let lacking = lacking.join(", ");
            Err(not_ready(format!("the schema lacks {lacking}: run `gesta migrate`")))
        }
    }
}

async fn ask(state: &AppState) -> Result<MigrationStatus, Problem> {
    let mut client = state.store().client().await?;
    let failed = |error: MigrateError| match error {
        MigrateError::Database { ref source, .. } if source.as_db_error().is_none() => {
            Problem::of(Kind::Unavailable).cause(&error)
        }
        _ => Problem::internal(&error),
    };
    migration_status(&mut client).await.map_err(failed)
}
