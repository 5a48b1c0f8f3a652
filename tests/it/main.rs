//! The tests against a real PostgreSQL, in the order of the library's modules.
//!
//! A test that needs a database begins with `support::database().await`.
#![cfg(feature = "local")]
#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

#[cfg(feature = "tower")]
mod layer;

mod append_only;
mod migrate;
mod partitions;
mod schema;

mod append;
mod rows;
mod import;
mod writer;
mod track;

mod session;
mod capture;
#[cfg(feature = "actions")]
mod run;

mod conformance;
mod paging;
mod follow;
mod history;
mod search;
mod isolation;
mod plans;

mod log;
mod live;
#[cfg(feature = "actions")]
mod bulk;
#[cfg(feature = "nats")]
mod broker;
#[cfg(feature = "nats")]
mod relay;
#[cfg(feature = "nats")]
mod consumers;

#[cfg(feature = "actions")]
mod role;

#[cfg(feature = "server")]
mod access;
#[cfg(feature = "server")]
mod server;

#[cfg(feature = "cli")]
mod actions;
#[cfg(feature = "cli")]
mod cli;
mod examples;
mod harness;
mod support;
