//! Roles are made, changed and removed.

use deadpool_postgres::Transaction;
use serde_json::json;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::error::{RoleError, database};
use super::list::info;
use super::member::drop_all;
use super::model::{Giver, NewRole, ROLES_MAX, RoleInfo, Written};
use super::name::RoleName;
use super::roles::{Roles, begin, lock, may_give, resource};
use crate::action::NewAction;
use crate::definition::Rights;
use crate::error::quote;
use crate::store::scope;

const FIND: &str = "-- role::change::find
SELECT r.name, r.permissions, r.about, r.changed_at, r.changed_by
FROM gesta.role AS r
WHERE r.tenant = $1 AND r.name = $2";

const COUNT: &str = "-- role::change::count
SELECT count(*) FROM gesta.role AS r WHERE r.tenant = $1";

const PUT: &str = "-- role::change::put
INSERT INTO gesta.role AS r (tenant, name, permissions, about, changed_by)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, name) DO UPDATE
SET permissions = excluded.permissions, about = excluded.about, changed_at = statement_timestamp(),
    changed_by = excluded.changed_by
RETURNING r.name, r.permissions, r.about, r.changed_at, r.changed_by";

const REMOVE: &str = "-- role::change::remove
DELETE FROM gesta.role AS r
WHERE r.tenant = $1 AND r.name = $2";

impl Roles {
    /// Makes a role, or gives one other permissions. `role.create` or `role.change` tells auditors of it, with what was
    /// before.
    ///
    /// # Errors
    /// When the role is the built-in one or cannot be stored, when it would give permissions that the giver has not, or when
    /// the database fails; then nothing is changed.
    pub async fn put(&self, by: &Giver, role: &NewRole) -> Result<(RoleInfo, Written), RoleError> {
        role.check()?;
        let mut client = self.client("change a role").await?;
        let tx = begin(&mut client).await?;
        lock(&tx, &by.context).await?;
        let old = find(&tx, by.context.tenant.as_str(), &role.name).await?;
        let about = match (&role.about, &old) {
            (Some(text), _) => Some(text.clone()).filter(|text| !text.is_empty()),
            (None, Some(old)) => old.about.clone(),
            (None, None) => None,
        };
        let permissions: Vec<_> =
            role.permissions.iter().map(|it| it.as_str().to_owned()).collect();
        if let Some(old) = &old
            && old.permissions == permissions
            && old.about == about
        {
            return Ok((old.clone(), Written::Same));
        }
        if old.is_none() && count(&tx, by).await? >= ROLES_MAX {
            return Err(RoleError::TooMany);
        }
        let before = Rights::new(old.iter().flat_map(|old| old.permissions.iter().cloned()));
        let added = permissions.iter().filter(|permission| !before.have(permission)).cloned();
        may_give(&tx, by, &Rights::new(added)).await?;
        let new = self.write(&tx, by, old.as_ref(), (&role.name, &permissions, about)).await?;
        self.commit(tx).await?;
        Ok((new, if old.is_some() { Written::Changed } else { Written::New }))
    }

    async fn write(
        &self,
        tx: &Transaction<'_>,
        by: &Giver,
        old: Option<&RoleInfo>,
        (name, permissions, about): (&RoleName, &[String], Option<String>),
    ) -> Result<RoleInfo, RoleError> {
        let what = "write the role";
        let ctx = &by.context;
        let who = ctx.actor().resource.to_string();
        let params: [&(dyn ToSql + Sync); 5] =
            [&ctx.tenant.as_str(), &name.as_str(), &permissions, &about, &who];
        let rows = scope::query(tx, what, PUT, &params).await.map_err(database(what))?;
        let Some(row) = rows.first() else { unreachable!("the upsert returns its row") };
        let new = role(row)?;
        let verb = if old.is_some() { "role.change" } else { "role.create" };
        let action = NewAction::new(verb, ctx).object(&resource(name)?);
        self.tell(tx, action.changes(changes(old, Some(&new)))).await?;
        Ok(new)
    }

    /// Removes a role, after its members. `role.drop` tells of each of them, then `role.remove` of the role. Gives how many
    /// members it had.
    ///
    /// # Errors
    /// When there is no such role, or it is the built-in one; when the database fails. Then nothing is changed.
    pub async fn remove(&self, by: &Giver, name: &RoleName) -> Result<u64, RoleError> {
        if name.is_administrator() {
            return Err(RoleError::BuiltIn);
        }
        let what = "remove a role";
        let mut client = self.client(what).await?;
        let tx = begin(&mut client).await?;
        lock(&tx, &by.context).await?;
        let tenant = by.context.tenant.as_str();
        let old = find(&tx, tenant, name).await?.ok_or_else(|| not_found(name))?;
        let members = drop_all(self, &tx, by, name).await?;
        let removed = scope::query(&tx, what, REMOVE, &[&tenant, &name.as_str()]).await;
        removed.map_err(database(what))?;
        let action = NewAction::new("role.remove", &by.context).object(&resource(name)?);
        self.tell(&tx, action.changes(changes(Some(&old), None))).await?;
        self.commit(tx).await?;
        Ok(members)
    }
}

pub(super) fn not_found(name: &RoleName) -> RoleError {
    RoleError::NotFound { role: quote(name.as_str()) }
}

/// A role of the tenant that the transaction has entered, the built-in one as well.
pub(super) async fn find(
    tx: &Transaction<'_>,
    tenant: &str,
    name: &RoleName,
) -> Result<Option<RoleInfo>, RoleError> {
    if name.is_administrator() {
        return Ok(Some(RoleInfo::administrator()));
    }
    let what = "look for a role";
    let rows = scope::query(tx, what, FIND, &[&tenant, &name.as_str()]).await;
    rows.map_err(database(what))?.first().map(role).transpose()
}

fn role(row: &Row) -> Result<RoleInfo, RoleError> {
    info(row).map_err(database("read a role"))
}

async fn count(tx: &Transaction<'_>, by: &Giver) -> Result<usize, RoleError> {
    let what = "count the roles";
    let rows = scope::query(tx, what, COUNT, &[&by.context.tenant.as_str()]).await;
    let count = rows.map_err(database(what))?.first().map_or(0, |row| row.get::<_, i64>(0));
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// What is another, as `{field: [old, new]}`.
fn changes(old: Option<&RoleInfo>, new: Option<&RoleInfo>) -> serde_json::Value {
    let about = |role: Option<&RoleInfo>| json!(role.and_then(|role| role.about.as_deref()));
    let permissions = |role: Option<&RoleInfo>| json!(role.map(|role| &role.permissions));
    let all =
        [("about", about(old), about(new)), ("permissions", permissions(old), permissions(new))];
    let other = all.into_iter().filter(|(_, old, new)| old != new);
    other.map(|(field, old, new)| (field.to_owned(), json!([old, new]))).collect()
}
