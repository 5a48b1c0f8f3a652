//! Roles and members as JSON.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;

use crate::action::form::time;
use crate::role::{Member, NAME_LEN_MAX, RoleInfo};
use crate::server::openapi::text::{line, word_like};

/// A role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Role)]
pub(crate) struct RoleForm {
    /// What it is called.
    pub(crate) name: String,
    /// What its members may: `TYPE.WORD`, `TYPE.*` for all of a type, `*` for all.
    pub(crate) permissions: Vec<String>,
    /// What it is for.
    #[schema(required)]
    pub(crate) about: Option<String>,
    /// Whether it is there in every tenant, and is neither changed nor removed.
    pub(crate) is_built_in: bool,
    /// When it was made or last changed; null for the one that is built in.
    #[schema(required)]
    pub(crate) changed_at: Option<String>,
    /// Who did that, `TYPE:ID`.
    #[schema(required)]
    pub(crate) changed_by: Option<String>,
}

impl From<&RoleInfo> for RoleForm {
    fn from(role: &RoleInfo) -> Self {
        let changed = role.changed.as_ref();
        Self {
            name: role.name.to_string(),
            permissions: role.permissions.clone(),
            about: role.about.clone(),
            is_built_in: role.is_built_in(),
            changed_at: changed.map(|(at, _)| time(*at)),
            changed_by: changed.map(|(_, by)| by.clone()),
        }
    }
}

/// Somebody who has a role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoleMember)]
pub(crate) struct MemberForm {
    /// Their type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Their id.
    pub(crate) id: String,
    /// Since when.
    pub(crate) added_at: String,
    /// Who made them a member, `TYPE:ID`.
    pub(crate) added_by: String,
}

impl From<&Member> for MemberForm {
    fn from(member: &Member) -> Self {
        Self {
            kind: member.member.kind.to_string(),
            id: member.member.id.to_string(),
            added_at: time(member.added_at),
            added_by: member.added_by.clone(),
        }
    }
}

/// An example of a role.
pub(super) fn role_example() -> serde_json::Value {
    serde_json::json!({
        "name": "editor",
        "permissions": ["article.*", "page.publish"],
        "about": "The editors of the news desk",
        "is_built_in": false,
        "changed_at": "2026-11-20T14:03:22.123456Z",
        "changed_by": "user:ann",
    })
}

/// An example of a member.
pub(super) fn member_example() -> serde_json::Value {
    serde_json::json!({
        "type": "user",
        "id": "bob",
        "added_at": "2026-11-20T14:03:22.123456Z",
        "added_by": "user:ann",
    })
}

/// The schema of a role's name.
pub(super) fn name_schema() -> ObjectBuilder {
    line(NAME_LEN_MAX).pattern(Some(r"^[^,\u0000-\u001f\u007f-\u009f]+$"))
}

/// The schema of a permission.
pub(super) fn permission_schema() -> ObjectBuilder {
    word_like(r"^(\*|[A-Za-z0-9_.\-]{1,63}\.(\*|[A-Za-z0-9_\-]{1,63}))$")
}
