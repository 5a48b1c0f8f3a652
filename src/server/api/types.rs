//! `GET /types/{type}/events`: the stream of a resource type, in any role or in one.

use axum::response::Response;

use crate::resource::ResourceType;
use crate::server::openapi::Doc;
use crate::server::openapi::text::{resource_type, word};
use crate::server::read::{Listing, Reading, Subject, TypeListing};
use crate::server::{Kind, Path, Problem, Query};
use crate::stream::Role;

pub(crate) fn doc() -> Doc {
    Listing::doc("listTypeEvents", "What resources of a type have to do with")
        .path("type", "The type.", resource_type())
        .query("role", "Only in this role.", word(Role::ALL.map(Role::as_str)))
}

pub(crate) async fn get(
    reading: Reading,
    Path(kind): Path<String>,
    Query(TypeListing(listing)): Query<TypeListing>,
) -> Result<Response, Problem> {
    let kind = ResourceType::new(kind).map_err(|error| {
        Problem::new(Kind::Malformed, format!("the path names no resource type: {error}"))
    })?;
    reading.list(Subject::Type(kind), listing).await
}
