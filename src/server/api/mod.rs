//! What is below `/api/v1`, one file an operation.

pub(super) mod whoami;
