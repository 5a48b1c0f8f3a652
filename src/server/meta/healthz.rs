//! `GET /healthz`: the process lives. Asks nobody else: a database that is away is no reason to restart this.

use serde::Serialize;
use utoipa::ToSchema;

use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{JsonReply, Query};

/// That it lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`
    status: &'static str,
}

pub(crate) fn doc() -> Doc {
    let healthy = serde_json::json!({"status": "ok"});
    Doc::new(Tag::Meta, "health", "Whether the process lives")
        .text("Asks nobody else: a database that is away is no reason to restart the server.")
        .answers(OK, "It lives.", [Media::json::<Health>(healthy)])
}

pub(crate) async fn get(Query(()): Query<()>) -> JsonReply<Health> {
    JsonReply(Health { status: "ok" })
}
