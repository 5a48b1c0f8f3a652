//! What is below `/api/v1`, one file an operation.

pub(crate) mod actions;
pub(super) mod append;
pub(super) mod batch;
pub(super) mod count;
pub(super) mod event;
pub(super) mod event_context;
pub(super) mod event_diff;
pub(super) mod events;
pub(super) mod facets;
pub(super) mod feeds;
pub(super) mod follow;
pub(super) mod follows;
pub(super) mod histogram;
pub(super) mod keys;
pub(super) mod object;
pub(super) mod parse;
pub(super) mod roles;
pub(crate) mod runs;
pub(crate) mod selections;
pub(super) mod stream;
pub(super) mod streams;
pub(super) mod types;
pub(super) mod validate;
pub(super) mod whoami;
