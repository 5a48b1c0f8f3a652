//! The HTTP API: a server in this process on a free port of the loopback, and requests to it.

mod append;
mod batch;
mod cloudevents;
mod meta;
pub(crate) mod rig;
