//! Which roles there are, and who has them.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::change::{find, not_found};
use super::error::{RoleError, database};
use super::model::{Member, ROLES_MAX, RoleInfo};
use super::name::RoleName;
use super::roles::Roles;
use crate::resource::{ResourceRef, Tenant};
use crate::store::{Failure, failed, scope};

/// Members of one page.
pub const MEMBERS_MAX: usize = 1_000;

const LIST: &str = "-- role::list::list
SELECT r.name, r.permissions, r.about, r.changed_at, r.changed_by
FROM gesta.role AS r
WHERE r.tenant = $1
ORDER BY r.name
LIMIT $2";

/// No type is empty, so all members stand behind the first page's beginning. The role is compared twice: without it in the
/// row, the planner may walk through the members of all roles by the other index.
const MEMBERS: &str = "-- role::list::members
SELECT m.member_type, m.member_id, m.added_at, m.added_by
FROM gesta.role_member AS m
WHERE m.tenant = $1 AND m.role = $2 AND (m.role, m.member_type, m.member_id) > ($2, $3, $4)
ORDER BY m.member_type, m.member_id
LIMIT $5";

impl Roles {
    /// All roles of a tenant by name, the built-in one first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, tenant: &Tenant) -> Result<Vec<RoleInfo>, RoleError> {
        let what = "list the roles";
        let listed = async {
            let mut client = self.store.client().await?;
            let tx = client.transaction().await.map_err(failed("begin"))?;
            scope::enter(&tx, tenant.as_str()).await?;
            let limit = i64::try_from(ROLES_MAX).unwrap_or(i64::MAX);
            let rows = scope::query(&tx, what, LIST, &[&tenant.as_str(), &limit]).await?;
            let mut roles = vec![RoleInfo::administrator()];
            for row in &rows {
                roles.push(info(row)?);
            }
            Ok(roles)
        };
        listed.await.map_err(database(what))
    }

    /// One role of a tenant.
    ///
    /// # Errors
    /// When there is none of this name, or the database fails.
    pub async fn role(&self, tenant: &Tenant, name: &RoleName) -> Result<RoleInfo, RoleError> {
        let what = "look for a role";
        let mut client = self.client(what).await?;
        let tx = client.transaction().await.map_err(failed("begin")).map_err(database(what))?;
        scope::enter(&tx, tenant.as_str()).await.map_err(database(what))?;
        find(&tx, tenant.as_str(), name).await?.ok_or_else(|| not_found(name))
    }

    /// Members of a role, by type and id: up to `limit` of them, 1 to 1,000, behind the last one of the page before.
    ///
    /// # Errors
    /// When there is no such role, when the limit is out of range, or the database fails.
    pub async fn members(
        &self,
        tenant: &Tenant,
        name: &RoleName,
        after: Option<&ResourceRef>,
        limit: usize,
    ) -> Result<Vec<Member>, RoleError> {
        let limit = match i64::try_from(limit) {
            Ok(wanted @ 1..) if limit <= MEMBERS_MAX => wanted,
            _ => return Err(RoleError::Limit { given: limit, max: MEMBERS_MAX }),
        };
        let what = "list the members";
        let mut client = self.client(what).await?;
        let tx = client.transaction().await.map_err(failed("begin")).map_err(database(what))?;
        scope::enter(&tx, tenant.as_str()).await.map_err(database(what))?;
        find(&tx, tenant.as_str(), name).await?.ok_or_else(|| not_found(name))?;
        let (kind, id) = after.map_or(("", ""), |last| (last.kind.as_str(), last.id.as_str()));
        let params: [&(dyn ToSql + Sync); 5] =
            [&tenant.as_str(), &name.as_str(), &kind, &id, &limit];
        let rows = scope::query(&tx, what, MEMBERS, &params).await.map_err(database(what))?;
        rows.iter().map(member).collect::<Result<_, _>>().map_err(database(what))
    }
}

pub(super) fn info(row: &Row) -> Result<RoleInfo, Failure> {
    let name = RoleName::new(row.get::<_, String>("name"));
    Ok(RoleInfo {
        name: name.map_err(|error| Failure::Row(error.into()))?,
        permissions: row.get("permissions"),
        about: row.get("about"),
        changed: Some((row.get("changed_at"), row.get("changed_by"))),
    })
}

pub(super) fn member(row: &Row) -> Result<Member, Failure> {
    let member = ResourceRef::new(row.get("member_type"), row.get::<_, String>("member_id"));
    Ok(Member {
        member: member.map_err(|error| Failure::Row(error.into()))?,
        added_at: row.get("added_at"),
        added_by: row.get("added_by"),
    })
}
