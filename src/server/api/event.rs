//! `GET /events/{id}`: one action, whole, or as the activity that lists call by this URL.
//!
//! An action never changes, but who may see it can (`gesta.visibility`). So a client may keep it, and asks each time
//! whether it still may: `ETag` and `Cache-Control: private, no-cache`.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::access::Scope;
use crate::action::Action;
use crate::format::{Format, activity};
use crate::server::openapi::text::action_id;
use crate::server::openapi::{CACHE_CONTROL as CACHING, Doc, ETAG as TAGGED, Media, Tag, examples};
use crate::server::path::ActionPath;
use crate::server::read::Reading;
use crate::server::reply::{NotModified, json};
use crate::server::status::{NOT_MODIFIED, OK};
use crate::server::{Kind, Problem, Query};

const FORMATS: [Format; 2] = [Format::Json, Format::ActivityStreams];
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
            [
                Media::json::<Action>(examples::stored()),
                Media::object(
                    Format::ActivityStreams.media_type(),
                    "An activity (Activity Streams 2.0).",
                ),
            ],
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
    let format = reading.place.format(&FORMATS)?;
    let action = reading.action(&reader, id, &[]).await?;
    let body = match format {
        Format::ActivityStreams => {
            let site = reading.place.site(reading.tenant()?)?;
            activity(&site, &action, reader.store().registry())
        }
        _ => serde_json::to_vec(&action).map_err(Into::into),
    };
    let body = body.map_err(|error| Problem::internal(&error))?;
    let tag = tag(&body);
    let mut response = if has(&headers, &tag) {
        NotModified.into_response()
    } else {
        let mut response = json(body);
        let kind = HeaderValue::from_static(format.content_type());
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
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
