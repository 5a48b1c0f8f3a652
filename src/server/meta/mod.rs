//! What operators ask: whether it lives, is ready, what it counts, which version it is, what a problem means.

pub(super) mod healthz;
pub(super) mod metrics;
pub(super) mod openapi;
pub(super) mod problems;
pub(super) mod readyz;
pub(super) mod version;
