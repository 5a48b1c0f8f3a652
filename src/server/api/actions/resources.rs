//! `GET /resources`: the types whose objects can be selected.

use serde::Serialize;
use utoipa::ToSchema;

use super::offered::is_open;
use crate::access::Scope;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{AppState, Caller, JsonReply, Problem, Query};

/// A type whose objects can be selected.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResourceKind)]
pub(crate) struct ResourceForm {
    /// The type of its objects.
    #[serde(rename = "type")]
    kind: String,
    /// What people call one of them.
    singular: String,
    /// What people call many of them.
    plural: String,
    /// Whether its objects can be selected by a filter.
    has_filter: bool,
}

/// Types.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResourceKinds)]
pub(crate) struct ResourceList {
    items: Vec<ResourceForm>,
}

pub(crate) fn doc() -> Doc {
    let article = serde_json::json!({"type": "article", "singular": "article", "plural": "articles", "has_filter": true});
    let types = serde_json::json!({ "items": [article] });
    Doc::new(Tag::Actions, "listResources", "List the types whose objects can be selected")
        .text("Those on whose objects the caller may run something.")
        .scope(Scope::ActionsRead)
        .in_tenant()
        .answers(OK, "The types.", [Media::json::<ResourceList>(types)])
}

pub(crate) async fn get(
    Query(()): Query<()>,
    axum::extract::State(state): axum::extract::State<AppState>,
    caller: Caller,
) -> Result<JsonReply<ResourceList>, Problem> {
    caller.require(Scope::ActionsRead)?;
    let asker = caller.asker().await?;
    let catalog = state.runs().catalog();
    let open = catalog.resources().filter(|(kind, _)| is_open(catalog, &asker, kind));
    let items = open.map(|(kind, spec)| ResourceForm {
        kind: kind.to_string(),
        singular: spec.singular().to_owned(),
        plural: spec.plural_name().to_owned(),
        has_filter: spec.table_and_key().is_some(),
    });
    Ok(JsonReply(ResourceList { items: items.collect() }))
}
