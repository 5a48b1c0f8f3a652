//! `DELETE /keys/{id}`: a key is refused from now on. Its row stays, so that what it did keeps its name.

use axum::extract::State;

use super::form::{KeyForm, example};
use crate::access::{REVOKED_WITHIN, Scope};
use crate::server::openapi::text::word_like;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::refusal::of_key;
use crate::server::status::OK;
use crate::server::{AppState, JsonReply, Kind, Manages, Path, Problem, Query};

pub(crate) fn doc() -> Doc {
    let mut revoked = example();
    revoked["state"] = "revoked".into();
    revoked["revoked_at"] = "2026-11-20T15:00:00.000000Z".into();
    Doc::new(Tag::Keys, "revokeKey", "Revoke a key")
        .text(format!(
            "This server refuses it at once, others of the same database within {} s. It stays in the list.",
            REVOKED_WITHIN.num_seconds()
        ))
        .scope(Scope::KeysManage)
        .in_tenant()
        .path("id", "The part of the key between the underscores.", word_like("^[a-z0-9]{12}$"))
        .answers(OK, "The key, as it is now.", [Media::json::<KeyForm>(revoked)])
        .problems([Kind::NotFound])
}

pub(crate) async fn delete(
    Query(()): Query<()>,
    Path(id): Path<String>,
    State(state): State<AppState>,
    Manages(caller): Manages,
) -> Result<JsonReply<KeyForm>, Problem> {
    let tenant = caller.need_tenant()?;
    let by = caller.context(tenant);
    let key = state.keys().revoke(Some(tenant), &id, &by).await.map_err(of_key)?;
    Ok(JsonReply(KeyForm::of(&key, state.store().now())))
}
