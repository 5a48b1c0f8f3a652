//! `POST /queries:parse`: what a search means, without running it. The body is `{"q": "…"}`.

use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::access::Scope;
use crate::search::{Node, Query as Search};
use crate::server::read::{Reading, search_faults};
use crate::server::{Fault, JsonReply, Kind, Payload, Problem, Query, content_type};

/// A search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    q: String,
}

/// How it was understood.
#[derive(Debug, Serialize)]
struct Understood<'a> {
    query: String,
    indexes: Vec<&'static str>,
    tree: &'a Node,
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
