//! The roles of a database, and how each change of them begins and ends.

use std::sync::Arc;

use deadpool_postgres::{Client, Transaction};
use tokio_postgres::IsolationLevel;

use super::cache::Cache;
use super::error::{RoleError, database};
use super::model::{Bound, Giver};
use super::name::RoleName;
use super::rights;
use crate::action::{Audience, NewAction};
use crate::context::Context;
use crate::definition::Rights;
use crate::resource::ResourceRef;
use crate::store::{Failure, Store, failed, scope};

/// Second part of the hashed text of the advisory lock: `gestarol` in ASCII. Tenants whose hashes are the same wait for
/// each other, and nothing else.
const LOCK_KEY: i64 = 0x67_65_73_74_61_72_6f_6c;

/// Before the first statement that looks at roles, which then sees what the last holder has committed.
const LOCK: &str = "-- role::roles::lock
SELECT pg_advisory_xact_lock(hashtextextended($1, $2))";

/// The roles of a database. Cheap to clone; clones share the rights that were read a moment ago.
#[derive(Clone, Debug)]
pub struct Roles {
    pub(super) store: Store,
    pub(super) cache: Arc<Cache>,
}

impl Roles {
    /// The roles of a store's database.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), cache: Arc::default() }
    }

    pub(super) async fn client(&self, what: &'static str) -> Result<Client, RoleError> {
        self.store.client().await.map_err(database(what))
    }

    /// Commits a change; whoever asks from now on is told of it.
    pub(super) async fn commit(&self, tx: Transaction<'_>) -> Result<(), RoleError> {
        let committed = tx.commit().await.map_err(failed("commit"));
        // Also where it is not known whether it is committed.
        self.cache.forget();
        committed.map_err(database("change a role"))?;
        self.store.bell().ring();
        Ok(())
    }

    /// Appends what tells of a change.
    pub(super) async fn tell(
        &self,
        tx: &Transaction<'_>,
        action: NewAction,
    ) -> Result<(), RoleError> {
        let action = action.audience(Audience::auditors());
        self.store.append(tx, action).await.map(drop).map_err(RoleError::Record)
    }
}

/// A transaction whose statements each see what is committed, whatever the database's default is.
pub(super) async fn begin(client: &mut Client) -> Result<Transaction<'_>, RoleError> {
    let begun = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start();
    begun.await.map_err(failed("begin")).map_err(database("change a role"))
}

/// In the tenant of the context, waits until nobody else changes its roles.
pub(super) async fn lock(tx: &Transaction<'_>, ctx: &Context) -> Result<(), RoleError> {
    let tenant = ctx.tenant.as_str();
    let locked = async {
        scope::enter(tx, tenant).await?;
        scope::query(tx, "wait for other changes", LOCK, &[&tenant, &LOCK_KEY]).await
    };
    locked.await.map(drop).map_err(database("change a role"))
}

/// Whether somebody may give these permissions, by their rights at this moment.
pub(super) async fn may_give(
    tx: &Transaction<'_>,
    by: &Giver,
    given: &Rights,
) -> Result<(), RoleError> {
    let Bound::Roles(groups) = &by.bound else { return Ok(()) };
    let who = &by.context.actor().resource;
    let own = rights::read(tx, &by.context.tenant, who, groups).await;
    match own.map_err(database("read the rights"))?.lack(given) {
        Some(permission) => Err(RoleError::Exceeds { permission: permission.to_owned() }),
        None => Ok(()),
    }
}

/// How the log calls a role.
pub(super) fn resource(name: &RoleName) -> Result<ResourceRef, RoleError> {
    let strange = |error: crate::resource::ResourceError| Failure::Row(error.into());
    ResourceRef::new("role", name.as_str()).map_err(strange).map_err(database("name the role"))
}
