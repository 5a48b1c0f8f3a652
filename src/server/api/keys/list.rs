//! `GET /keys`: the keys of the tenant, the newest first.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::form::{KeyForm, example};
use crate::access::{LIST_LEN_MAX, Scope};
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::refusal::of_key;
use crate::server::status::OK;
use crate::server::{AppState, JsonReply, Manages, Problem, Query};

/// Keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// The newest first.
    items: Vec<KeyForm>,
}

pub(crate) fn doc() -> Doc {
    let one = serde_json::json!({"items": [example()]});
    Doc::new(Tag::Keys, "listKeys", "List the keys of the tenant")
        .text(format!("Up to {LIST_LEN_MAX}, the newest first, expired and revoked ones included. Nobody is told a secret."))
        .scope(Scope::KeysManage)
        .in_tenant()
        .answers(OK, "The keys.", [Media::json::<KeyList>(one)])
}

pub(crate) async fn get(
    Query(()): Query<()>,
    State(state): State<AppState>,
    Manages(caller): Manages,
) -> Result<JsonReply<KeyList>, Problem> {
    let tenant = caller.need_tenant()?;
    let keys = state.keys().list(Some(tenant)).await.map_err(of_key)?;
    let now = state.store().now();
    Ok(JsonReply(KeyList { items: keys.iter().map(|key| KeyForm::of(key, now)).collect() }))
}
