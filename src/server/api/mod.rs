//! What is below `/api/v1`, one file an operation.

pub(super) mod append;
pub(super) mod batch;
pub(super) mod keys;
pub(super) mod validate;
pub(super) mod whoami;
