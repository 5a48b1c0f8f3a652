//! Members come and go.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::change::{find, not_found};
use super::error::{RoleError, database};
use super::list::member;
use super::model::{Giver, Member, Written};
use super::name::RoleName;
use super::roles::{Roles, begin, lock, may_give, resource};
use crate::action::{Audience, NewAction};
use crate::definition::Rights;
use crate::error::quote;
use crate::resource::Resource;
use crate::store::scope;

/// Members that go with their role by one statement. There may be any number, and this many are in memory.
const DROPPED_AT_ONCE: i64 = 1_000;

const ADD: &str = "-- role::member::add
INSERT INTO gesta.role_member AS m (tenant, role, member_type, member_id, added_by)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, role, member_type, member_id) DO NOTHING
RETURNING m.member_type, m.member_id, m.added_at, m.added_by";

const FIND: &str = "-- role::member::find
SELECT m.member_type, m.member_id, m.added_at, m.added_by
FROM gesta.role_member AS m
WHERE m.tenant = $1 AND m.role = $2 AND m.member_type = $3 AND m.member_id = $4";

const DROP: &str = "-- role::member::drop
DELETE FROM gesta.role_member AS m
WHERE m.tenant = $1 AND m.role = $2 AND m.member_type = $3 AND m.member_id = $4
RETURNING m.member_id";

const DROP_SOME: &str = "-- role::member::drop_some
DELETE FROM gesta.role_member AS m
WHERE m.tenant = $1 AND m.role = $2 AND (m.member_type, m.member_id) IN (
    SELECT n.member_type, n.member_id
    FROM gesta.role_member AS n
    WHERE n.tenant = $1 AND n.role = $2
    ORDER BY n.member_type, n.member_id
    LIMIT $3
)
RETURNING m.member_type, m.member_id, m.added_at, m.added_by";

impl Roles {
    /// Makes somebody a member of a role; `role.add` tells auditors of it. Who is one already stays one.
    ///
    /// # Errors
    /// When there is no such role, when it has permissions that the giver has not, or when the database fails; then
    /// nothing is changed.
    pub async fn add_member(
        &self,
        by: &Giver,
        name: &RoleName,
        who: &(impl Resource + Sync + ?Sized),
    ) -> Result<(Member, Written), RoleError> {
        let mut client = self.client("add a member").await?;
        let tx = begin(&mut client).await?;
        let added = self.add_member_in(&tx, by, name, who).await?;
        self.commit(tx).await?;
        Ok(added)
    }

    /// The same in a transaction of this crate, which its owner commits.
    pub(crate) async fn add_member_in(
        &self,
        tx: &Transaction<'_>,
        by: &Giver,
        name: &RoleName,
        who: &(impl Resource + Sync + ?Sized),
    ) -> Result<(Member, Written), RoleError> {
        let (ctx, who) = (&by.context, who.to_named());
        lock(tx, ctx).await?;
        let tenant = ctx.tenant.as_str();
        let role = find(tx, tenant, name).await?.ok_or_else(|| not_found(name))?;
        may_give(tx, by, &Rights::new(role.permissions)).await?;
        let what = "add a member";
        let (kind, id) = (who.resource.kind.as_str(), who.resource.id.as_str());
        let adder = ctx.actor().resource.to_string();
        let params: [&(dyn ToSql + Sync); 5] = [&tenant, &name.as_str(), &kind, &id, &adder];
        let rows = scope::query(tx, what, ADD, &params).await.map_err(database(what))?;
        if let Some(row) = rows.first() {
            let action = NewAction::new("role.add", ctx).object(&who).target(&resource(name)?);
            self.tell(tx, action).await?;
            return Ok((of(row)?, Written::New));
        }
        let rows = scope::query(tx, what, FIND, &params[..4]).await.map_err(database(what))?;
        let Some(row) = rows.first() else { unreachable!("nobody else changes members now") };
        Ok((of(row)?, Written::Same))
    }

    /// Makes somebody a member no longer; `role.drop` tells auditors of it.
    ///
    /// # Errors
    /// When there is no such role, or they are no member of it; when the database fails. Then nothing is changed.
    pub async fn remove_member(
        &self,
        by: &Giver,
        name: &RoleName,
        who: &(impl Resource + Sync + ?Sized),
    ) -> Result<(), RoleError> {
        let (ctx, who, what) = (&by.context, who.to_named(), "drop a member");
        let mut client = self.client(what).await?;
        let tx = begin(&mut client).await?;
        lock(&tx, ctx).await?;
        let tenant = ctx.tenant.as_str();
        find(&tx, tenant, name).await?.ok_or_else(|| not_found(name))?;
        let (kind, id) = (who.resource.kind.as_str(), who.resource.id.as_str());
        let rows = scope::query(&tx, what, DROP, &[&tenant, &name.as_str(), &kind, &id]).await;
        if rows.map_err(database(what))?.is_empty() {
            let (member, role) = (quote(&who.resource.to_string()), quote(name.as_str()));
            return Err(RoleError::NotMember { member, role });
        }
        let action = NewAction::new("role.drop", ctx).object(&who).target(&resource(name)?);
        self.tell(&tx, action).await?;
        self.commit(tx).await
    }
}

fn of(row: &Row) -> Result<Member, RoleError> {
    member(row).map_err(database("read a member"))
}

/// Drops all members of a role that is removed; each is told of.
pub(super) async fn drop_all(
    roles: &Roles,
    tx: &Transaction<'_>,
    by: &Giver,
    name: &RoleName,
) -> Result<u64, RoleError> {
    let (what, ctx, role) = ("drop the members", &by.context, resource(name)?);
    let mut dropped = 0;
    loop {
        let params: [&(dyn ToSql + Sync); 3] =
            [&ctx.tenant.as_str(), &name.as_str(), &DROPPED_AT_ONCE];
        let rows = scope::query(tx, what, DROP_SOME, &params).await.map_err(database(what))?;
        if rows.is_empty() {
            return Ok(dropped);
        }
        dropped += rows.len() as u64;
        let mut actions = Vec::with_capacity(rows.len());
        for row in &rows {
            let action = NewAction::new("role.drop", ctx).object(&of(row)?.member).target(&role);
            actions.push(action.audience(Audience::auditors()));
        }
        let told = roles.store.append_all(tx, actions).await;
        told.map(drop).map_err(RoleError::Record)?;
    }
}
