//! `GET /runs/{id}/events`: what a run or bulk operation did.

use axum::response::Response;
use uuid::Uuid;

use crate::error::quote;
use crate::server::openapi::Doc;
use crate::server::openapi::text::{text, uuid};
use crate::server::read::{Listing, Reading, Subject};
use crate::server::{Kind, Path, Problem, Query};

pub(crate) fn doc() -> Doc {
    let id = text(36).format(Some(uuid()));
    Listing::doc("listRunEvents", "What a run or bulk operation did")
        .path("id", "The run.", id)
        .problems([Kind::NotFound])
}

pub(crate) async fn get(
    reading: Reading,
    Path(run): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Response, Problem> {
    let run: Uuid = run.parse().map_err(|_| {
        Problem::new(Kind::NotFound, format!("there is no such run: {} is no UUID", quote(&run)))
    })?;
    reading.list(Subject::Run(run), listing).await
}
