//! Tests against a real PostgreSQL, in the order of the modules.
#![expect(clippy::expect_used, reason = "a test ends at the first failure")]

mod support;

mod import;
mod writer;
