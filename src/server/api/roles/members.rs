//! `GET /roles/{name}/members`: who has a role, page by page.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::form::{MemberForm, member_example};
use super::manages::{OfRole, role_doc};
use crate::format::Format;
use crate::resource::ResourceRef;
use crate::role::MEMBERS_MAX;
use crate::server::openapi::text::{cursor, number};
use crate::server::openapi::{Doc, LINK as LINKED, Media};
use crate::server::read::linked;
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Pairs, Parameters, Problem, Query};

/// Members of a page where nothing else is asked for.
const PAGE_LEN: usize = 50;
/// One is read beyond the page, which tells whether there is another.
const PAGE_LEN_MAX: usize = MEMBERS_MAX - 1;

/// How many, and from where on.
#[derive(Debug)]
pub(crate) struct MembersQuery {
    limit: usize,
    cursor: Option<String>,
}

impl Parameters for MembersQuery {
    const NAMES: &'static [&'static str] = &["limit", "cursor"];

    fn read(pairs: &mut Pairs) -> Self {
        let limit = pairs.limit(PAGE_LEN_MAX);
        Self { limit: limit.unwrap_or(PAGE_LEN), cursor: pairs.cursor() }
    }
}

/// A page of members.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoleMembers)]
struct MembersForm {
    /// By type and id.
    items: Vec<MemberForm>,
    /// The URL of the next page.
    #[schema(required)]
    next: Option<String>,
}

pub(crate) fn doc() -> Doc {
    let members = serde_json::json!({"items": [member_example()], "next": null});
    let limit = number(1, PAGE_LEN_MAX).default(Some(PAGE_LEN.into()));
    role_doc("listRoleMembers", "Who has a role")
        .text("By type and id. Whom a proxy's groups give the role, is not known here.")
        .query("limit", "How many.", limit)
        .query("cursor", "Of `next`.", cursor())
        .answers_with(OK, "A page of members.", &[LINKED], [Media::json::<MembersForm>(members)])
        .problems([Kind::NotFound, Kind::NotAcceptable])
}

pub(crate) async fn get(
    OfRole { by, name }: OfRole,
    Query(asked): Query<MembersQuery>,
) -> Result<Response, Problem> {
    let reading = &by.0;
    reading.place.format(&[Format::Json])?;
    let of = reading.told(&[]);
    let after: Option<ResourceRef> = match &asked.cursor {
        Some(cursor) => reading.opened(&of, cursor).await?.parse().ok(),
        None => None,
    };
    let (roles, tenant) = (reading.state.roles(), reading.tenant()?);
    let members = roles.members(tenant, &name, after.as_ref(), asked.limit + 1).await;
    let mut members = members.map_err(|error| by.refused(error))?;
    let has_more = members.len() > asked.limit;
    members.truncate(asked.limit);
    let pairs = [("limit", asked.limit.to_string())];
    let last = members.last().filter(|_| has_more).map(|last| last.member.to_string());
    let links = reading.links(&of, &pairs, asked.cursor, last).await?;
    let items = members.iter().map(MemberForm::from).collect();
    Ok(linked(JsonReply(MembersForm { items, next: links.next.clone() }), &links))
}
