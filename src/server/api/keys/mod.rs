//! `/keys`: the keys of a tenant are made, listed and revoked by who has the scope `keys:manage`. Each making and revoking is
//! an action that auditors see.

pub(crate) mod create;
mod form;
pub(crate) mod list;
pub(crate) mod revoke;

#[cfg(feature = "cli")]
pub(crate) use form::KeyForm;
