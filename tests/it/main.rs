//! The tests against a real PostgreSQL, in the order of the library's modules.
//!
//! A test that needs a database begins with `support::database().await`.
#![cfg(feature = "local")]
#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

mod harness;
mod support;

mod migrate;
mod schema;
mod append_only;
mod append;
mod writer;
mod paging;
mod follow;
mod isolation;
mod conformance;
