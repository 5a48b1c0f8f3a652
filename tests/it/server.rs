//! The HTTP API: a server in this process on a free port of the loopback, and requests to it.

mod append;
mod batch;
#[cfg(feature = "cli")]
mod clients;
mod cloudevents;
mod fuzz;
mod keys;
mod limits;
mod meta;
mod openapi;
#[cfg(feature = "cli")]
mod private;
#[cfg(feature = "cli")]
mod process;
mod read;
pub(crate) mod rig;
mod roles;
pub(crate) mod runs;
mod shutdown;
