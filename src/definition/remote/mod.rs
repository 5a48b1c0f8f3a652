//! Work that is done elsewhere: a request to a web service, or an order to workers over NATS.
//!
//! Both are asked at least once for each object. What makes them exact is on the other side, where the run and the object
//! together tell whether the same was asked before: they are in each body, and in `webhook-id`.

mod address;
mod body;
mod http;
mod nats;
mod sign;

pub use http::{Hook, HookError};
pub use nats::{Work, is_subject};
pub use sign::{Secret, SecretError};
