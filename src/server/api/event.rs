//! `GET /events/{id}`: one action, whole.
//!
//! An action never changes, but who may see it can (`gesta.visibility`). So a client may keep it, and asks each time
//! whether it still may: `ETag` and `Cache-Control: private, no-cache`.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::access::Scope;
use crate::action::Action;
use crate::format::Format;
use crate::server::openapi::text::action_id;
use crate::server::openapi::{CACHE_CONTROL as CACHING, Doc, ETAG as TAGGED, Media, Tag, examples};
use crate::server::path::ActionPath;
use crate::server::read::Reading;
use crate::server::reply::{NotModified, json};
use crate::server::status::{NOT_MODIFIED, OK};
use crate::server::{Kind, Problem, Query};

const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

pub(crate) fn doc() -> Doc {
    let if_none_match = ObjectBuilder::new().schema_type(Type::String);
    Doc::new(Tag::Events, "getEvent", "Read one action")
        .scope(Scope::EventsRead)
        .in_tenant()
        .path("id", "The action's id.", action_id())
        .header("If-None-Match", "The `ETag` of what the client has.", if_none_match)
        .answers_with(
            OK,
            "The action.",
            &[TAGGED, CACHING],
            [Media::json::<Action>(examples::stored())],
        )
        .answers_with(NOT_MODIFIED, "The client has it.", &[TAGGED, CACHING], [])
        .problems([Kind::NotFound, Kind::NotAcceptable])
}

pub(crate) async fn get(
    reading: Reading,
    ActionPath(id): ActionPath,
    headers: HeaderMap,
    Query(()): Query<()>,
) -> Result<Response, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    reading.place.format(&[Format::Json])?;
    let action = reading.action(&reader, id, &[]).await?;
    let body = serde_json::to_vec(&action).map_err(|error| Problem::internal(&error))?;
    let tag = tag(&body);
    let mut response = if has(&headers, &tag) { NotModified.into_response() } else { json(body) };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response.headers_mut().insert(CACHE_CONTROL, ASK_AGAIN);
    Ok(response)
}

/// A weak one: packed, the bytes are others, and the action is the same.
fn tag(body: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(body).into();
    format!("W/\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// Whether the client has it (RFC 9110, section 13.1.2). Weak and strong ones are compared alike.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    given.flat_map(|value| value.split(',')).any(|it| it.trim() == "*" || opaque(it) == opaque(tag))
}
