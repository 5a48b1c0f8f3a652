//! `GET /resources/{type}/actions/{name}`: what an action is called, takes and does.

use axum::extract::State;

use super::form::{ActionForm, example};
use super::offered::{ActionPath, offer};
use crate::access::Scope;
use crate::server::openapi::text::{line, resource_type};
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{AppState, Caller, JsonReply, Kind, Problem, Query};

/// Bytes of a name, as far as the document is concerned.
pub(super) const NAME_LEN_MAX: usize = 63;

pub(crate) fn doc() -> Doc {
    of_action(Doc::new(Tag::Actions, "getAction", "What an action is called, takes and does"))
        .scope(Scope::ActionsRead)
        .answers(OK, "The action.", [Media::json::<ActionForm>(example())])
}

/// What all operations on one action have in common.
pub(crate) fn of_action(doc: Doc) -> Doc {
    doc.in_tenant()
        .path("type", "The type of the objects.", resource_type())
        .path("name", "The name of the action.", line(NAME_LEN_MAX))
        .problems([Kind::NotFound])
}

pub(crate) async fn get(
    Query(()): Query<()>,
    path: ActionPath,
    State(state): State<AppState>,
    caller: Caller,
) -> Result<JsonReply<ActionForm>, Problem> {
    caller.require(Scope::ActionsRead)?;
    let asker = caller.asker().await?;
    let (_, offer) = offer("read", state.runs().catalog(), &caller, &asker, &path)?;
    Ok(JsonReply(ActionForm::from(&offer)))
}
