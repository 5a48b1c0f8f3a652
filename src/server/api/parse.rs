//! `POST /queries:parse`: what a search means, without running it. The body is `{"q": "…"}`.

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Scope;
use crate::import;
use crate::json::Json;
use crate::json::object::only_objects;
use crate::search::{Node, Query as Search};
use crate::server::openapi::text::search_text;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::read::{Reading, search_of_body};
use crate::server::refusal::Refusal;
use crate::server::status::OK;
use crate::server::{JsonReply, Payload, Problem, Query, content_type};

/// A search.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
#[schema(as = GivenQuery)]
struct Given {
    #[schema(schema_with = search_text)]
    q: String,
}

only_objects!(Given);

/// How it was understood.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnderstoodQuery)]
struct Understood<'a> {
    /// The search, normalised.
    query: String,
    /// What finds it.
    #[schema(value_type = Vec<String>)]
    indexes: Vec<&'static str>,
    /// Its tree.
    #[schema(value_type = Json)]
    tree: &'a Node,
}

pub(crate) fn doc() -> Doc {
    let given = serde_json::json!({"q": "verb:close actor:user:42"});
    let media = Media::json::<Understood<'_>>(
        serde_json::json!({"query": "verb:close", "indexes": [], "tree": {}}),
    );
    Doc::new(Tag::Events, "parseQuery", "What a search means, without running it")
        .scope(Scope::EventsRead)
        .reads([Media::json::<Given>(given)])
        .answers(OK, "How it was understood.", [media])
}

pub(crate) async fn post(
    reading: Reading,
    Query(()): Query<()>,
    payload: Payload,
) -> Result<Response, Problem> {
    reading.caller.require(Scope::EventsRead)?;
    content_type(&payload.headers, &["application/json"])?;
    let given: Given = import::read("body", &payload.bytes).map_err(Refusal::from)?;
    let query = Search::parse(&given.q).map_err(search_of_body)?;
    let (text, indexes) = (query.to_string(), query.indexes());
    Ok(JsonReply(Understood { query: text, indexes, tree: query.root() }).into_response())
}
