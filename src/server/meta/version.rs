//! `GET /version`.

use serde::Serialize;
use utoipa::ToSchema;

use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{JsonReply, Query};

/// Which program it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    /// `gesta`
    name: &'static str,
    /// Of the program, as in `0.1.0`.
    version: &'static str,
}

pub(crate) fn doc() -> Doc {
    let version = serde_json::json!({"name": "gesta", "version": env!("CARGO_PKG_VERSION")});
    Doc::new(Tag::Meta, "version", "Which program it is").answers(
        OK,
        "Name and version.",
        [Media::json::<Version>(version)],
    )
}

pub(crate) async fn get(Query(()): Query<()>) -> JsonReply<Version> {
    JsonReply(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}
