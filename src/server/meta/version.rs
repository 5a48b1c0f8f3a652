//! `GET /version`.

use serde::Serialize;

use crate::server::{JsonReply, Query};

/// Which program it is.
#[derive(Debug, Serialize)]
pub(crate) struct Version {
    name: &'static str,
    version: &'static str,
}

pub(crate) async fn get(Query(()): Query<()>) -> JsonReply<Version> {
    JsonReply(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}
