//! `GET /selections/{id}`: a selection of one's own.

use axum::extract::State;

use super::form::{SelectionForm, example};
use crate::access::Scope;
use crate::server::caller::Acts;
use crate::server::openapi::text::uuid_text;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::path::UuidPath;
use crate::server::status::OK;
use crate::server::{AppState, JsonReply, Kind, Problem, Query};

pub(crate) fn doc() -> Doc {
    Doc::new(Tag::Actions, "getSelection", "How many objects a selection has, and until when")
        .scope(Scope::ActionsRun)
        .in_tenant()
        .path("id", "The selection.", uuid_text())
        .answers(OK, "The selection.", [Media::json::<SelectionForm>(example())])
        .problems([Kind::SelectionGone, Kind::NotFound])
}

pub(crate) async fn get(
    Query(()): Query<()>,
    UuidPath(id): UuidPath,
    State(state): State<AppState>,
    Acts(caller): Acts,
) -> Result<JsonReply<SelectionForm>, Problem> {
    let asker = caller.asker().await?;
    Ok(JsonReply(state.runs().selection(&asker, id).await?.into()))
}
