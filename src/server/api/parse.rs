//! `POST /queries:parse`: what a search means, without running it. The body is `{"q": "…"}`.

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Scope;
use crate::json::Json;
use crate::search::{Node, Query as Search};
use crate::server::openapi::text::search_text;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::read::{Reading, search_faults};
use crate::server::status::OK;
use crate::server::{Fault, JsonReply, Kind, Payload, Problem, Query, content_type};

/// A search.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GivenQuery)]
struct Given {
    #[schema(schema_with = search_text)]
    q: String,
}

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
    let given: Given = serde_json::from_slice(&payload.bytes).map_err(|error| {
        let detail = format!("the body is not of the form {{\"q\": \"…\"}}: {error}");
        Problem::fault(Kind::Body, Fault::pointer("", "invalid-value", detail))
    })?;
    let query = Search::parse(&given.q)
        .map_err(|error| Problem::faults(Kind::Body, search_faults("q", error)))?;
    let (text, indexes) = (query.to_string(), query.indexes());
    Ok(JsonReply(Understood { query: text, indexes, tree: query.root() }).into_response())
}
