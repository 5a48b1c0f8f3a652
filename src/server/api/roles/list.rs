//! `GET /roles`: the roles of the tenant.

use serde::Serialize;
use utoipa::ToSchema;

use super::form::{RoleForm, role_example};
use super::manages::{Manages, doc as common};
use crate::format::Format;
use crate::role::ROLES_MAX;
use crate::server::openapi::{Doc, Media};
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Problem, Query};

/// Roles.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoleList {
    /// By name, the one that is built in first.
    items: Vec<RoleForm>,
}

pub(crate) fn doc() -> Doc {
    let administrator = serde_json::json!({
        "name": "administrator",
        "permissions": ["*"],
        "about": "All permissions, in every tenant; built in",
        "is_built_in": true,
        "changed_at": null,
        "changed_by": null,
    });
    let all = serde_json::json!({"items": [administrator, role_example()]});
    common("listRoles", "List the roles of the tenant")
        .text(format!("By name, the one that is built in first. A tenant has up to {ROLES_MAX}."))
        .answers(OK, "The roles.", [Media::json::<RoleList>(all)])
        .problems([Kind::NotAcceptable])
}

pub(crate) async fn get(by: Manages, Query(()): Query<()>) -> Result<JsonReply<RoleList>, Problem> {
    by.0.place.format(&[Format::Json])?;
    let listed = by.0.state.roles().list(by.0.tenant()?).await;
    let roles = listed.map_err(|error| by.refused(error))?;
    Ok(JsonReply(RoleList { items: roles.iter().map(RoleForm::from).collect() }))
}
