//! `GET /objects/{type}/{id}/events`, and of an actor, a target, or in any role: the stream of a resource.

use axum::response::Response;

use crate::server::openapi::Doc;
use crate::server::path::ResourcePath;
use crate::server::read::{Listing, Reading, Subject};
use crate::server::{Problem, Query};

pub(crate) fn object_doc() -> Doc {
    Listing::doc("listObjectEvents", "What was done to a resource").resource()
}

pub(crate) fn actor_doc() -> Doc {
    Listing::doc("listActorEvents", "What somebody did").resource()
}

pub(crate) fn target_doc() -> Doc {
    Listing::doc("listTargetEvents", "What was done in, to or for a resource").resource()
}

pub(crate) fn any_doc() -> Doc {
    Listing::doc("listResourceEvents", "What a resource has to do with, in any role").resource()
}

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
