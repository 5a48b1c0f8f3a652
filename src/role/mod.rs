//! Roles: who may run what. Kept in two tables, and every change of them is an action.
//!
//! ```text
//! member user:ann ─► role editor ─► article.publish, page.* ─► Rights ─► definition::Asker ─► what is offered, planned, run
//! a proxy's group ──────┘
//! ```
//!
//! A role is a name and permissions; a member is any resource: a person, a service. Somebody's [`Rights`] are the
//! permissions of all roles that they are a member of, and of the roles that a trusted proxy names for one request. What a
//! permission allows is said by definitions, and nothing here knows which there are.
//!
//! # What holds
//!
//! - Each change is one action (`role.create`, `role.change`, `role.remove` of the role; `role.add` and `role.drop` of the
//!   member, to the role), in the transaction of the change. Only auditors see it. A change that changes nothing is none.
//! - Changes of one tenant's roles happen one after the other, under an advisory lock. So nobody becomes a member of a role
//!   that is removed at this moment, and what is compared with somebody's rights is what is written.
//! - Nobody gives what they do not have ([`Giver`]): neither by a role's permissions, nor by membership. To take away is
//!   open to whoever manages roles.
//! - The role [`ADMINISTRATOR`] exists in every tenant without a row, has `*`, and is neither changed nor removed.
//! - Rights are believed for [`RIGHTS_WITHIN`] without being read again, but not beyond a change by the same [`Roles`].
//!
//! Start reading at `model.rs`, then `change.rs`.

mod cache;
mod change;
mod error;
mod list;
mod member;
mod model;
mod name;
mod rights;
mod roles;

pub use crate::definition::{Rights, WORD_LEN_MAX};
pub use cache::RIGHTS_WITHIN;
pub use error::RoleError;
pub use list::MEMBERS_MAX;
pub use model::{
    ABOUT_LEN_MAX, Giver, Member, NewRole, PERMISSIONS_MAX, ROLES_MAX, RoleInfo, Written,
};
pub use name::{ADMINISTRATOR, NAME_LEN_MAX, Permission, PermissionError, RoleName, RoleNameError};
pub use roles::Roles;
