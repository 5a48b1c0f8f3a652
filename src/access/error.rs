//! Why somebody is not let in, and why a key is not made.

use std::net::IpAddr;

use http::HeaderName;

use super::credential::NoRandomness;
use super::identity::Scope;
use crate::role::RoleError;
use crate::store::{AppendError, Failure};

/// Why a request has no identity. None of these texts holds a part of what was shown as a secret.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The text is no key at all.
    #[error("this is no key; a key is written gesta_ID_SECRET, 62 characters")]
    Malformed,
    /// There is no such key: the id, or the secret that goes with it.
    #[error("this key is not known")]
    Unknown,
    /// The key was known until some time ago.
    #[error("the key {id} has expired; make a new one")]
    Expired {
        /// The part of it that is no secret.
        id: String,
    },
    /// Somebody has revoked the key.
    #[error("the key {id} was revoked; make a new one")]
    Revoked {
        /// The part of it that is no secret.
        id: String,
    },
    /// Somebody who is no trusted proxy says who asks.
    #[error(
        "the header {header} is refused from {peer}, which is no trusted proxy; leave it out, or let the operator trust \
         the proxy's network"
    )]
    Untrusted {
        /// The connection's other end.
        peer: IpAddr,
        /// The first of the headers.
        header: HeaderName,
    },
    /// What a trusted proxy says cannot be understood.
    #[error("the trusted proxy's header {header} is refused: {problem}")]
    Header {
        /// Which.
        header: HeaderName,
        /// What is wrong with it.
        problem: String,
    },
    /// It could not be found out.
    #[error("failed to look for the key")]
    Database(#[source] Failure),
}

/// Why a key is not made, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A field of the new key.
    #[error("the key's {field} is refused: {problem}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What was given, and what is allowed.
        problem: String,
    },
    /// Whoever makes a key cannot give what they do not have.
    #[error("a key with the scope {0} can only be made by who has it")]
    Scope(Scope),
    /// As with scopes, so with what is seen and where.
    #[error("a key that sees more than its maker is refused; give labels that the maker has")]
    Sight,
    /// As with scopes, so with what the roles allow of whom the key's requests are recorded as.
    #[error(
        "a key whose requests are recorded as {who}, who has the permission `{permission}`, can only be made by who has it"
    )]
    Permission {
        /// Whom the key's requests would be recorded as, cut and quoted.
        who: String,
        /// The first permission that its maker has not.
        permission: String,
    },
    /// As with scopes, so with tenants.
    #[error("a key for another tenant, or for all, is refused; make it in this tenant")]
    Tenant,
    /// The database's role may not make keys for all tenants.
    #[error(
        "keys for all tenants are made and revoked by the database's operator; connect as a member of gesta_owner"
    )]
    Operator(#[source] Failure),
    /// There is no such key here, or it is revoked already.
    #[error("there is no key {id} here that could be revoked")]
    NotFound {
        /// What was given, cut and quoted.
        id: String,
    },
    /// No secret could be made.
    #[error("failed to make a secret")]
    Randomness(#[source] NoRandomness),
    /// The action that tells of it was refused.
    #[error("failed to record what is done to the key")]
    Record(#[source] AppendError),
    /// The roles of somebody are not known, or were not changed.
    #[error("failed to look at the roles")]
    Role(#[source] RoleError),
    /// The file of the first key.
    #[error("failed to write the key to {path}")]
    File {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database did not do it.
    #[error("failed to {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: Failure,
    },
}
