//! Who asks over HTTP, and what they may: keys, scopes, identities.
//!
//! A credential becomes an [`Identity`], and everything that a request does is done with it: it gives the reader that
//! streams are read through, and the tenant and actor of what is written.

mod cache;
mod credential;
mod error;
mod identity;
mod key;
mod keys;
mod manage;
mod row;

pub use cache::REVOKED_WITHIN;
pub use credential::{Credential, NoRandomness};
pub use error::{AccessError, KeyError};
pub use identity::{Identity, Scope, Sight, UnknownScope, Via};
pub use key::{KEY_NAME_LEN_MAX, KeyInfo, NewKey};
pub use keys::Keys;
pub use manage::LIST_LEN_MAX;
