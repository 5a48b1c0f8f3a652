//! `GET /healthz`: the process lives. Asks nobody else: a database that is away is no reason to restart this.

use serde::Serialize;

use crate::server::{JsonReply, Query};

/// That it lives.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
}

pub(crate) async fn get(Query(()): Query<()>) -> JsonReply<Health> {
    JsonReply(Health { status: "ok" })
}
