//! Who asks over HTTP, and what they may: keys, proxies, limits, and the record of what was read.
//!
//! ```text
//! gesta_ID_SECRET ─► Keys::authenticate ─┐
//!                                        ├─► Identity ─► RateLimits::check ─► Reader, Context ─► Recorder
//! peer, headers ──► ProxyTrust::identity ┘               429                  what is done       who did it
//! ```
//!
//! A credential becomes an [`Identity`], and everything that a request does is done with it: it gives the reader that
//! streams are read through, and the tenant and actor of what is written. Nothing here knows HTTP but for header names:
//! status and bodies are the server's.
//!
//! # What holds
//!
//! - The database has a SHA-256 of each secret, and no role but the schema's owner can read it: a session asks whether a
//!   hash is the right one. No error, no `Debug`, no log line and no action holds a part of a secret.
//! - A session sees and revokes the keys of its tenant. Nobody brings back, extends or deletes one. A key for all tenants
//!   is made by the database's operator.
//! - A key that is revoked is refused at once where it was revoked, and by every other process within [`REVOKED_WITHIN`].
//! - Nobody makes a key that is worth more than their own ([`Keys::create_as`]).
//! - That a key was made or revoked, that something was read or exported, and that somebody was refused, are actions that
//!   only auditors see. Start reading at `keys.rs`, then `record.rs`.

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

pub use crate::stream::Sight;
pub use cache::REVOKED_WITHIN;
pub use credential::{Credential, NoRandomness};
pub use error::{AccessError, KeyError};
pub use identity::{Identity, Scope, UnknownScope, Via};
pub use key::{KEY_NAME_LEN_MAX, KeyInfo, NewKey};
pub use keys::Keys;
pub use manage::LIST_LEN_MAX;
pub use proxy::{GROUPS_MAX, ProxyTrust, Rights};
pub use rate::{Decision, FAILURES_PER_MINUTE, RateLimits, WINDOW};
pub use read::{Denial, QUERY_LEN_MAX, Read, Refusal};
pub use record::{DENIED_PER_MINUTE, PENDING_MAX, READ_WINDOW, Recorder};
