//! The local server as its users see it: processes that start it, share it, die, and come back.
//!
//! A process of its own is this test program again, run as `room::Process`.
#![cfg(feature = "local")]
#![expect(clippy::expect_used, reason = "a test may fail by panicking")]

mod faults;
mod finding;
mod life;
mod places;
mod room;
