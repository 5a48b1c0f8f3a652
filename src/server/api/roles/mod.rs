//! `/roles`: who may run what. Roles and their members are changed by who has the scope `roles:manage`, and nobody gives what
//! they do not have. Each change is an action that auditors see.

mod form;
pub(crate) mod list;
mod manages;
pub(crate) mod member;
pub(crate) mod members;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod show;

#[cfg(feature = "cli")]
pub(crate) use form::{MemberForm, RoleForm};
