//! The HTTP API: a server in this process on a free port of the loopback, and requests to it.

mod meta;
mod read;
pub(crate) mod rig;
