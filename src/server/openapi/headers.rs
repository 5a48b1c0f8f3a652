//! Headers of answers.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Ref, ResponseBuilder, Schema};

/// Name, what it says, and an example.
type Known = (&'static str, &'static str, &'static str);

pub(super) const REQUEST_ID: &str = "X-Request-Id";
/// What answers to those who are known have.
pub(super) const LIMITS: [&str; 2] = ["RateLimit-Policy", "RateLimit"];
pub(crate) const LOCATION: &str = "Location";
pub(crate) const LINK: &str = "Link";
pub(crate) const ETAG: &str = "ETag";
pub(crate) const CACHE_CONTROL: &str = "Cache-Control";
pub(super) const RETRY_AFTER: &str = "Retry-After";
pub(super) const CHALLENGE: &str = "WWW-Authenticate";
pub(super) const ACCEPT_POST: &str = "Accept-Post";

const ALL: [Known; 10] = [
    (
        REQUEST_ID,
        "The id of the request: the one that it brought, where that is 1 to 128 letters, digits, `-`, `_`, `.` and the like, \
         else a new one.",
        "0199f3c1-7a52-4b1e-9c54-0e4a5d1f2b3c",
    ),
    (
        LIMITS[0],
        "How many requests (`q`) the credential may make in how many seconds (`w`). There where it is limited.",
        r#""default";q=100;w=60"#,
    ),
    (
        LIMITS[1],
        "How many requests are left (`r`), and in how many seconds there are more (`t`). There where it is limited.",
        r#""default";r=50;t=30"#,
    ),
    (LOCATION, "The path of what was made.", "/api/v1/events/01935b3e-7a52-7b1e-9c54-0e4a5d1f2b3c"),
    (
        LINK,
        "The pages around this one (RFC 8288): `first`, `next`, `prev`.",
        "</api/v1/events?cursor=c>; rel=\"next\"",
    ),
    (ETAG, "What `If-None-Match` compares.", "W/\"0f1e2d3c4b5a69788796a5b4c3d2e1f0\""),
    (
        CACHE_CONTROL,
        "A client may keep it, and asks each time whether it still may see it.",
        "private, no-cache",
    ),
    (RETRY_AFTER, "In how many seconds to come again. There where that is known.", "7"),
    (CHALLENGE, "How to ask (RFC 6750).", r#"Bearer realm="gesta""#),
    (ACCEPT_POST, "The media types that are read here.", "application/json"),
];

pub(super) fn all() -> impl Iterator<Item = (&'static str, Header)> {
    ALL.into_iter().map(|(name, description, example)| {
        let schema = ObjectBuilder::new().schema_type(Type::String);
        let header = HeaderBuilder::new().schema(Some(Schema::from(schema)));
        (name, header.description(Some(description)).example(Some(example.into())).build())
    })
}

/// The same answer with one of these headers.
pub(super) fn with(response: ResponseBuilder, name: &'static str) -> ResponseBuilder {
    response.header_ref(name, Ref::new(format!("#/components/headers/{name}")))
}
