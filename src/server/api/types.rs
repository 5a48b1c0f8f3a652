//! `GET /types/{type}/events`: the stream of a resource type, in any role or in one.

use axum::response::Response;

use crate::resource::ResourceType;
use crate::server::read::{Reading, Subject, TypeListing};
use crate::server::{Kind, Path, Problem, Query};

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
