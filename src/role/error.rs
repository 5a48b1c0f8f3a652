//! Why roles are not changed, listed or looked up.

use super::model::{ABOUT_LEN_MAX, PERMISSIONS_MAX, ROLES_MAX};
use super::name::ADMINISTRATOR;
use crate::store::{AppendError, Failure};

/// Why roles are not changed, listed or looked up.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// More permissions than a role may have.
    #[error(
        "{given} permissions are refused; a role may have up to {PERMISSIONS_MAX}: give `TYPE.*`, or make two roles"
    )]
    Permissions {
        /// How many were given.
        given: usize,
    },
    /// What the role is for cannot be stored.
    #[error(
        "what the role is for is refused: {given}; give up to {ABOUT_LEN_MAX} bytes without control characters"
    )]
    About {
        /// What was given, cut and quoted.
        given: String,
    },
    /// More roles than a tenant may have.
    #[error("the tenant has {ROLES_MAX} roles, which is all that it may have; remove one first")]
    TooMany,
    /// Nobody gives what they do not have.
    #[error("the permission `{permission}` can only be given by who has it")]
    Exceeds {
        /// The first of them.
        permission: String,
    },
    /// The role that has no row.
    #[error(
        "the role `{ADMINISTRATOR}` is built in with all permissions, and is neither changed nor removed; its members may be"
    )]
    BuiltIn,
    /// There is no such role in this tenant.
    #[error("there is no role {role} here")]
    NotFound {
        /// What was given, cut and quoted.
        role: String,
    },
    /// Somebody is no member.
    #[error("{member} is no member of the role {role}")]
    NotMember {
        /// Who, cut and quoted.
        member: String,
        /// Of what, cut and quoted.
        role: String,
    },
    /// A page of another length.
    #[error("a page of {given} members is refused; give 1 to {max}")]
    Limit {
        /// What was given.
        given: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The action that tells of it was refused.
    #[error("failed to record the change of the role")]
    Record(#[source] AppendError),
    /// The database did not do it.
    #[error("failed to {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: Failure,
    },
}

pub(super) fn database(what: &'static str) -> impl Fn(Failure) -> RoleError {
    move |source| RoleError::Database { what, source }
}
