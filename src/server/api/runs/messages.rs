//! `GET /runs/{id}/messages`: what a run said to whoever asked for it.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::form::MessageForm;
use super::visible::{Watching, of_run};
use crate::format::Format;
use crate::server::openapi::{Doc, Media};
use crate::server::path::UuidPath;
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Problem, Query};

/// Messages of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunMessages)]
pub(crate) struct MessagesForm {
    /// The oldest first.
    items: Vec<MessageForm>,
}

pub(crate) fn doc() -> Doc {
    let text = "3 subscribers will hear of it tomorrow.";
    let message = json!({"number": 1, "level": "info", "text": text, "told_at": "2026-11-20T14:03:20.400000Z"});
    let all = json!({ "items": [message] });
    of_run("listRunMessages", "What a run said to whoever asked for it")
        .text("The first 1,000 of a run are kept.")
        .answers(OK, "The messages.", [Media::json::<MessagesForm>(all)])
        .problems([Kind::NotAcceptable])
}

pub(crate) async fn get(
    watching: Watching,
    Query(()): Query<()>,
    UuidPath(id): UuidPath,
) -> Result<JsonReply<MessagesForm>, Problem> {
    let reading = &watching.reading;
    reading.place.format(&[Format::Json])?;
    watching.run(id).await?;
    watching.record(id, &[]).await?;
    let found = reading.state.runs().messages(reading.tenant()?, id).await?;
    Ok(JsonReply(MessagesForm { items: found.iter().map(MessageForm::from).collect() }))
}
