//! Who asks over HTTP, and what they may: keys, scopes, identities.
//!
//! A credential becomes an [`Identity`], and everything that a request does is done with it: it gives the reader that
//! streams are read through, and the tenant and actor of what is written.

mod identity;

pub use identity::{Identity, Scope, Sight, Via};
