//! `GET /runs/{id}/events`: what a run or bulk operation did.

use axum::response::Response;

use crate::server::openapi::Doc;
use crate::server::openapi::text::uuid_text;
use crate::server::path::UuidPath;
use crate::server::read::{Listing, Reading, Subject};
use crate::server::{Kind, Problem, Query};

pub(crate) fn doc() -> Doc {
    Listing::doc("listRunEvents", "What a run or bulk operation did")
        .path("id", "The run.", uuid_text())
        .problems([Kind::NotFound])
}

pub(crate) async fn get(
    reading: Reading,
    UuidPath(run): UuidPath,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    reading.list(Subject::Run(run), listing).await
}
