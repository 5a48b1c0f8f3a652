//! What somebody may.

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::error::{RoleError, database};
use super::name::{ADMINISTRATOR, RoleName};
use super::roles::Roles;
use crate::definition::Rights;
use crate::resource::{ResourceRef, Tenant};
use crate::store::{Failure, failed, scope};

/// The roles that somebody has, each with its row, which the built-in one and a group that is no role do not have. LIMIT keeps
/// the planner to one probe a role: it would rather read all roles of the tenant.
const RIGHTS: &str = "-- role::rights::read
SELECT h.role, r.permissions
FROM (
    SELECT m.role FROM gesta.role_member AS m WHERE m.tenant = $1 AND m.member_type = $2 AND m.member_id = $3
    UNION
    SELECT g.role FROM unnest($4::text[]) AS g (role)
) AS h
LEFT JOIN LATERAL (
    SELECT t.permissions FROM gesta.role AS t WHERE t.tenant = $1 AND t.name = h.role LIMIT 1
) AS r ON true";

impl Roles {
    /// What somebody may in a tenant: the permissions of all roles that they are a member of, and of those that these
    /// groups name. A group that is no role of the tenant gives nothing; the group `administrator` gives all.
    ///
    /// They are believed for [`super::RIGHTS_WITHIN`]; a change by this `Roles`, or a clone of it, is seen at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rights(
        &self,
        tenant: &Tenant,
        who: &ResourceRef,
        groups: &[String],
    ) -> Result<Rights, RoleError> {
        let mut named = groups.to_vec();
        named.sort_unstable();
        named.dedup();
        let whose = (tenant.clone(), who.clone(), named);
        let now = self.store.now();
        let asked = match self.cache.find(&whose, now) {
            Ok(rights) => return Ok(rights),
            Err(asked) => asked,
        };
        let rights = async {
            let mut client = self.store.client().await?;
            let tx = client.transaction().await.map_err(failed("begin"))?;
            scope::enter(&tx, tenant.as_str()).await?;
            read(&tx, tenant, who, &whose.2).await
        };
        let rights = rights.await.map_err(database("read the rights"))?;
        self.cache.keep(asked, whose, &rights, now);
        Ok(rights)
    }
}

/// In a transaction that has entered the tenant.
pub(super) async fn read(
    tx: &Transaction<'_>,
    tenant: &Tenant,
    who: &ResourceRef,
    groups: &[String],
) -> Result<Rights, Failure> {
    // What is no name of a role may hold what the database cannot take.
    let groups: Vec<_> =
        groups.iter().filter(|name| RoleName::new(name.as_str()).is_ok()).collect();
    let (kind, id) = (who.kind.as_str(), who.id.as_str());
    let params: [&(dyn ToSql + Sync); 4] = [&tenant.as_str(), &kind, &id, &groups];
    let mut all = Vec::new();
    for row in scope::query(tx, "read the rights", RIGHTS, &params).await? {
        if row.get::<_, &str>("role") == ADMINISTRATOR {
            return Ok(Rights::all());
        }
        all.extend(row.get::<_, Option<Vec<String>>>("permissions").unwrap_or_default());
    }
    Ok(Rights::new(all))
}
