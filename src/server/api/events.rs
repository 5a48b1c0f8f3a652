//! `GET /events`: the actions of the tenant, newest first, or those that a search finds.

use axum::response::Response;

use crate::server::openapi::Doc;
use crate::server::read::{Listing, Reading, Subject};
use crate::server::{Problem, Query};

pub(crate) fn doc() -> Doc {
    Listing::doc("listEvents", "List or search the actions of the tenant")
}

pub(crate) async fn get(
    reading: Reading,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Tenant, listing).await
}
