//! `PUT` and `DELETE /roles/{name}/members/{type}/{id}`: somebody becomes a member, or is one no longer.

use axum::response::{IntoResponse, Response};

use super::form::{MemberForm, member_example};
use super::manages::{OfMember, OfRole, Reason, role_doc, with_reason};
use crate::role::Written;
use crate::server::openapi::{Doc, LOCATION, Media};
use crate::server::reply::NoContent;
use crate::server::status::{CREATED, NO_CONTENT, OK};
use crate::server::{Created, JsonReply, Kind, Problem, Query};

fn doc(id: &'static str, summary: &'static str) -> Doc {
    with_reason(role_doc(id, summary)).resource().problems([Kind::NotFound])
}

pub(crate) fn put_doc() -> Doc {
    let member = || [Media::json::<MemberForm>(member_example())];
    doc("addRoleMember", "Give somebody a role")
        .text("Nobody gives what they do not have: the caller's own roles allow all that this one allows. It can be sent again.")
        .answers_with(CREATED, "They are a member now.", &[LOCATION], member())
        .answers(OK, "They were a member before.", member())
        .problems([Kind::Worth])
}

pub(crate) fn delete_doc() -> Doc {
    doc("dropRoleMember", "Take a role from somebody").answers(
        NO_CONTENT,
        "They are no member now.",
        [],
    )
}

pub(crate) async fn put(
    OfRole { by, name }: OfRole,
    OfMember(who): OfMember,
    Query(Reason(reason)): Query<Reason>,
) -> Result<Response, Problem> {
    let added = by.0.state.roles().add_member(&by.giver(reason)?, &name, &who).await;
    let (member, written) = added.map_err(|error| by.refused(error))?;
    let value = MemberForm::from(&member);
    Ok(match written {
        Written::New => Created { value, location: by.0.place.url(&[]) }.into_response(),
        Written::Changed | Written::Same => JsonReply(value).into_response(),
    })
}

pub(crate) async fn delete(
    OfRole { by, name }: OfRole,
    OfMember(who): OfMember,
    Query(Reason(reason)): Query<Reason>,
) -> Result<NoContent, Problem> {
    let dropped = by.0.state.roles().remove_member(&by.giver(reason)?, &name, &who).await;
    dropped.map_err(|error| by.refused(error))?;
    Ok(NoContent)
}
