//! Who asks over HTTP, and what they may: keys, scopes, identities.
//!
//! A credential becomes an [`Identity`], and everything that a request does is done with it: it gives the reader that
//! streams are read through, and the tenant and actor of what is written.

mod bootstrap;
mod cache;
mod credential;
mod error;
mod identity;
mod key;
mod keys;
mod manage;
mod proxy;
mod rate;
mod read;
mod record;
mod row;

pub use cache::REVOKED_WITHIN;
pub use credential::{Credential, NoRandomness};
pub use error::{AccessError, KeyError};
pub use identity::{Identity, Scope, Sight, UnknownScope, Via};
pub use key::{KEY_NAME_LEN_MAX, KeyInfo, NewKey};
pub use keys::Keys;
pub use manage::LIST_LEN_MAX;
pub use proxy::{GROUPS_MAX, ProxyTrust, Rights};
pub use rate::{Decision, FAILURES_PER_MINUTE, RateLimits, WINDOW};
pub use read::{Denial, QUERY_LEN_MAX, Read, Refusal};
pub use record::{DENIED_PER_MINUTE, PENDING_MAX, READ_WINDOW, Recorder};
