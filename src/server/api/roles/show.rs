//! `GET /roles/{name}`: one role.

use super::form::{RoleForm, role_example};
use super::manages::{OfRole, role_doc};
use crate::format::Format;
use crate::server::openapi::{Doc, Media};
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Problem, Query};

pub(crate) fn doc() -> Doc {
    role_doc("readRole", "Read a role")
        .answers(OK, "The role.", [Media::json::<RoleForm>(role_example())])
        .problems([Kind::NotFound, Kind::NotAcceptable])
}

pub(crate) async fn get(
    OfRole { by, name }: OfRole,
    Query(()): Query<()>,
) -> Result<JsonReply<RoleForm>, Problem> {
    by.0.place.format(&[Format::Json])?;
    let role = by.0.state.roles().role(by.0.tenant()?, &name).await;
    let role = role.map_err(|error| by.refused(error))?;
    Ok(JsonReply(RoleForm::from(&role)))
}
