//! `GET /objects/{type}/{id}/events`, and of an actor, a target, or in any role: the stream of a resource.

use axum::response::Response;

use crate::server::path::ResourcePath;
use crate::server::read::{Listing, Reading, Subject};
use crate::server::{Problem, Query};

pub(crate) async fn of_object(
    reading: Reading,
    ResourcePath(resource): ResourcePath,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Object(resource), listing).await
}

pub(crate) async fn of_actor(
    reading: Reading,
    ResourcePath(resource): ResourcePath,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Actor(resource), listing).await
}

pub(crate) async fn of_target(
    reading: Reading,
    ResourcePath(resource): ResourcePath,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Target(resource), listing).await
}

pub(crate) async fn in_any_role(
    reading: Reading,
    ResourcePath(resource): ResourcePath,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Any(resource), listing).await
}
