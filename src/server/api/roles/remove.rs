//! `DELETE /roles/{name}`: a role goes, and its members before it.

use super::manages::{OfRole, Reason, role_doc, with_reason};
use crate::server::openapi::Doc;
use crate::server::reply::NoContent;
use crate::server::status::NO_CONTENT;
use crate::server::{Kind, Problem, Query};

pub(crate) fn doc() -> Doc {
    with_reason(role_doc("removeRole", "Remove a role"))
        .text(
            "Its members have it no longer; an action tells of each of them, and one of the role.",
        )
        .answers(NO_CONTENT, "It is removed.", [])
        .problems([Kind::NotFound, Kind::BuiltIn])
}

pub(crate) async fn delete(
    OfRole { by, name }: OfRole,
    Query(Reason(reason)): Query<Reason>,
) -> Result<NoContent, Problem> {
    let removed = by.0.state.roles().remove(&by.giver(reason)?, &name).await;
    removed.map_err(|error| by.refused(error))?;
    Ok(NoContent)
}
