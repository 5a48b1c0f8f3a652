//! A role that is to be, what is known of one that is, its members, and who changes them.

use chrono::{DateTime, Utc};

use super::error::RoleError;
use super::name::{Permission, RoleName};
use crate::context::Context;
use crate::error::quote;
use crate::resource::ResourceRef;

/// Permissions of one role: all of them are told, before and after, by each action of a change.
pub const PERMISSIONS_MAX: usize = 100;
/// Roles of one tenant: people read them in one list.
pub const ROLES_MAX: usize = 1_000;
/// Bytes of the text that says what a role is for.
pub const ABOUT_LEN_MAX: usize = 1_024;

/// A role as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    pub(super) name: RoleName,
    pub(super) permissions: Vec<Permission>,
    pub(super) about: Option<String>,
}

impl NewRole {
    /// A role with this name, without permissions.
    #[must_use]
    pub fn new(name: RoleName) -> Self {
        Self { name, permissions: Vec::new(), about: None }
    }

    /// With these permissions and no others, up to 100.
    #[must_use]
    pub fn permissions(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.permissions = permissions.into_iter().collect();
        self.permissions.sort_unstable();
        self.permissions.dedup();
        self
    }

    /// What it is for, in a line for people of up to 1,024 bytes; an empty one says nothing. Without it, a role that is
    /// there keeps what it says.
    #[must_use]
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about = Some(text.into());
        self
    }

    pub(super) fn check(&self) -> Result<(), RoleError> {
        if self.name.is_administrator() {
            return Err(RoleError::BuiltIn);
        }
        if self.permissions.len() > PERMISSIONS_MAX {
            return Err(RoleError::Permissions { given: self.permissions.len() });
        }
        let is_wrong =
            |text: &&str| text.len() > ABOUT_LEN_MAX || text.chars().any(char::is_control);
        match self.about.as_deref().filter(is_wrong) {
            Some(text) => Err(RoleError::About { given: quote(text) }),
            None => Ok(()),
        }
    }
}

/// What is known of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleInfo {
    /// What it is called.
    pub name: RoleName,
    /// What its members may, sorted.
    pub permissions: Vec<String>,
    /// What it is for.
    pub about: Option<String>,
    /// When it was made or last changed, by the database's clock, and by whom, as `TYPE:ID`; none for the role that is
    /// built in.
    pub changed: Option<(DateTime<Utc>, String)>,
}

impl RoleInfo {
    /// The role that is built in.
    pub(super) fn administrator() -> Self {
        Self {
            name: RoleName::administrator(),
            permissions: vec!["*".to_owned()],
            about: Some("All permissions, in every tenant; built in".to_owned()),
            changed: None,
        }
    }

    /// Whether it exists without having been made.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.changed.is_none()
    }
}

/// Somebody who has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub member: ResourceRef,
    /// Since when, by the database's clock.
    pub added_at: DateTime<Utc>,
    /// Who made them a member, as `TYPE:ID`.
    pub added_by: String,
}

/// What a change has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was not there before.
    New,
    /// It was there, and is another now.
    Changed,
    /// It was there as it is; nothing is told.
    Same,
}

/// Who changes roles, and what they may give.
#[derive(Clone, Debug)]
pub struct Giver {
    pub(super) context: Context,
    pub(super) bound: Bound,
}

#[derive(Clone, Debug)]
pub(super) enum Bound {
    Nothing,
    Roles(Vec<String>),
}

impl Giver {
    /// The database's operator, who may give anything, in the context's tenant.
    #[must_use]
    pub fn operator(ctx: &Context) -> Self {
        Self { context: ctx.clone(), bound: Bound::Nothing }
    }

    /// The context's actor, who gives only what their own roles in its tenant have, and the roles that these groups name.
    #[must_use]
    pub fn member(ctx: &Context, groups: &[String]) -> Self {
        Self { context: ctx.clone(), bound: Bound::Roles(groups.to_vec()) }
    }
}
