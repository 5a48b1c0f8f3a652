//! Keys: made, listed, revoked. That a key was made or revoked is an action, in the same transaction.

use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::credential::{Credential, ID_LEN};
use super::error::KeyError;
use super::identity::Identity;
use super::key::{KeyInfo, NewKey};
use super::keys::Keys;
use super::row;
use crate::action::{Audience, NewAction, Source};
use crate::context::Context;
use crate::error::quote;
use crate::resource::{Named, ResourceRef, Tenant};
use crate::role::Roles;
use crate::store::{AppendError, Failure, failed, scope};

/// Keys of one list, the newest first. People and services have a few each; whoever has more names the tenant.
pub const LIST_LEN_MAX: i64 = 10_000;

const CREATE: &str = "-- access::manage::create
INSERT INTO gesta.key (id, tenant, name, hash, scopes, labels, actor_type, actor_id, actor_name, is_actor,
    rate_per_minute, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING id, tenant, name, scopes, labels, actor_type, actor_id, actor_name, is_actor, rate_per_minute, created_at,
    created_by, expires_at, revoked_at, last_used_at";

const LIST: &str = "-- access::manage::list
SELECT k.id, k.tenant, k.name, k.scopes, k.labels, k.actor_type, k.actor_id, k.actor_name, k.is_actor, k.rate_per_minute,
    k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at
FROM gesta.key AS k
WHERE k.tenant = $1
ORDER BY k.created_at DESC, k.id
LIMIT $2";

/// As far as row security shows them.
const LIST_ALL: &str = "-- access::manage::list_all
SELECT k.id, k.tenant, k.name, k.scopes, k.labels, k.actor_type, k.actor_id, k.actor_name, k.is_actor, k.rate_per_minute,
    k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at
FROM gesta.key AS k
ORDER BY k.created_at DESC, k.id
LIMIT $1";

const REVOKE: &str = "-- access::manage::revoke
UPDATE gesta.key AS k SET revoked_at = statement_timestamp()
WHERE k.id = $1 AND k.revoked_at IS NULL AND k.tenant IS NOT DISTINCT FROM $2
RETURNING k.id, k.tenant, k.name, k.scopes, k.labels, k.actor_type, k.actor_id, k.actor_name, k.is_actor,
    k.rate_per_minute, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at";

impl Keys {
    /// Makes a key, and gives what its holder has to be shown: it is nowhere else and cannot be had again. An action
    /// `create` of the object `key:ID` tells auditors of it; that of a key for all tenants stands in the log of the
    /// context's tenant. For people and programs at the database; a request makes keys by [`Keys::create_as`].
    ///
    /// # Errors
    /// When a field cannot be stored, or the database fails; then there is no key.
    pub async fn create(
        &self,
        key: NewKey,
        by: &Context,
    ) -> Result<(KeyInfo, Credential), KeyError> {
        let what = "make a key";
        let mut client = self.store.client().await.map_err(database(what))?;
        let tx = client.transaction().await.map_err(failed("begin")).map_err(database(what))?;
        let made = self.create_in(&tx, key, by).await?;
        tx.commit().await.map_err(failed("commit")).map_err(database(what))?;
        Ok(made)
    }

    /// The same for somebody with a key, who gives no more than they have: scopes, sight and tenant
    /// ([`Identity::may_make`]), and, with a scope for actions, runs or roles, what the roles allow of whom the key's
    /// requests are recorded as.
    ///
    /// # Errors
    /// As [`Keys::create`], and when the key would be worth more than its maker's.
    pub async fn create_as(
        &self,
        maker: &Identity,
        key: NewKey,
        by: &Context,
    ) -> Result<(KeyInfo, Credential), KeyError> {
        maker.may_make(&key)?;
        self.check_roles(maker, &key).await?;
        self.create(key, by).await
    }

    /// Whoever holds a key has the rights of whom its requests are recorded as, so their maker has them as well. What these
    /// are given later, they are given by somebody who sees in the log that there is such a key.
    async fn check_roles(&self, maker: &Identity, key: &NewKey) -> Result<(), KeyError> {
        let who = &key.who.resource;
        if *who == maker.who.resource || !key.scopes.iter().any(|scope| scope.is_by_roles()) {
            return Ok(());
        }
        let Some(tenant) = &key.tenant else { return Err(KeyError::Tenant) };
        let roles = Roles::new(&self.store);
        let given = roles.rights(tenant, who, &[]).await.map_err(KeyError::Role)?;
        let own = roles.rights(tenant, &maker.who.resource, &maker.groups).await;
        match own.map_err(KeyError::Role)?.lack(&given) {
            Some(permission) => Err(KeyError::Permission {
                who: quote(&who.to_string()),
                permission: permission.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// In a transaction of this module.
    pub(super) async fn create_in(
        &self,
        tx: &Transaction<'_>,
        key: NewKey,
        by: &Context,
    ) -> Result<(KeyInfo, Credential), KeyError> {
        key.check(self.store.now())?;
        let credential = Credential::random().map_err(KeyError::Randomness)?;
        let info = insert(tx, &key, &credential, by).await?;
        let told = serde_json::json!({
            "scopes": info.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
            "labels": info.sight.labels(),
            "actor": info.who.resource.to_string(),
            "is_actor": info.is_actor,
            "all_tenants": info.tenant.is_none(),
            "rate_per_minute": info.quota,
            "expires_at": info.expires_at,
        });
        let action = NewAction::new("create", &context_of(&info, by)).data(told);
        self.tell(tx, action, &info).await?;
        Ok((info, credential))
    }

    /// The keys of a tenant, the newest first, revoked ones included; without a tenant all keys of all tenants, which
    /// only the database's operator and auditors see. Up to 10,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, tenant: Option<&Tenant>) -> Result<Vec<KeyInfo>, KeyError> {
        let listed = async {
            let mut client = self.store.client().await?;
            let tx = client.transaction().await.map_err(failed("begin"))?;
            let what = "list the keys";
            let rows = match tenant {
                Some(tenant) => {
                    scope::enter(&tx, tenant.as_str()).await?;
                    scope::query(&tx, what, LIST, &[&tenant.as_str(), &LIST_LEN_MAX]).await?
                }
                None => scope::query(&tx, what, LIST_ALL, &[&LIST_LEN_MAX]).await?,
            };
            rows.iter().map(row::info).collect::<Result<Vec<_>, Failure>>()
        };
        listed.await.map_err(database("list the keys"))
    }

    /// Revokes a key of a tenant, or, without one, a key for all tenants; it is refused at once here, and by other
    /// processes within [`super::REVOKED_WITHIN`]. An action `revoke` tells auditors of it.
    ///
    /// # Errors
    /// When there is no such key there, or it is revoked already; when the database fails.
    pub async fn revoke(
        &self,
        tenant: Option<&Tenant>,
        id: &str,
        by: &Context,
    ) -> Result<KeyInfo, KeyError> {
        let not_found = || KeyError::NotFound { id: quote(id) };
        // Whatever else is given is no id, and may hold what the database cannot take.
        if id.len() != ID_LEN || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(not_found());
        }
        let what = "revoke the key";
        let mut client = self.store.client().await.map_err(database(what))?;
        let tx = client.transaction().await.map_err(failed("begin")).map_err(database(what))?;
        let tenant = tenant.map(Tenant::as_str);
        scope::enter(&tx, tenant.unwrap_or_default()).await.map_err(database(what))?;
        let rows = scope::query(&tx, what, REVOKE, &[&id, &tenant]).await.map_err(refused(what))?;
        let Some(row) = rows.first() else { return Err(not_found()) };
        let info = row::info(row).map_err(database(what))?;
        let action = NewAction::new("revoke", &context_of(&info, by));
        self.tell(&tx, action, &info).await?;
        tx.commit().await.map_err(failed("commit")).map_err(database(what))?;
        self.cache.forget(id);
        Ok(info)
    }

    async fn tell(
        &self,
        tx: &Transaction<'_>,
        action: NewAction,
        info: &KeyInfo,
    ) -> Result<(), KeyError> {
        let source = |error: crate::resource::ResourceError| Failure::Row(error.into());
        let resource = ResourceRef::new("key", info.id.clone()).map_err(source);
        let resource = resource.map_err(database("name the key"))?;
        let object = Named { resource, name: Some(info.name.clone()) };
        let action = action.object(&object).source(Source::Emit).audience(Audience::auditors());
        let told: Result<_, AppendError> = self.store.append(tx, action).await;
        told.map(drop).map_err(KeyError::Record)
    }
}

async fn insert(
    tx: &Transaction<'_>,
    key: &NewKey,
    credential: &Credential,
    by: &Context,
) -> Result<KeyInfo, KeyError> {
    let what = "make a key";
    let tenant = key.tenant.as_ref().map(Tenant::as_str);
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let labels = key.sight.labels();
    let rate = key.quota.map(|quota| i32::try_from(quota.get()).unwrap_or(i32::MAX));
    let hash = credential.hash();
    let params: [&(dyn ToSql + Sync); 13] = [
        &credential.id(),
        &tenant,
        &key.name,
        &hash.as_slice(),
        &scopes,
        &labels,
        &key.who.resource.kind.as_str(),
        &key.who.resource.id.as_str(),
        &key.who.name,
        &key.is_actor,
        &rate,
        &by.actor().resource.to_string(),
        &key.expires_at,
    ];
    scope::enter(tx, tenant.unwrap_or_default()).await.map_err(database(what))?;
    let rows = scope::query(tx, what, CREATE, &params).await.map_err(refused(what))?;
    let Some(row) = rows.first() else { unreachable!("the insert returns its row") };
    row::info(row).map_err(database(what))
}

/// What is done to a tenant's key stands in that tenant's log.
fn context_of(info: &KeyInfo, by: &Context) -> Context {
    match &info.tenant {
        Some(tenant) => by.clone().tenant(tenant.clone()),
        None => by.clone(),
    }
}

pub(super) fn database(what: &'static str) -> impl Fn(Failure) -> KeyError {
    move |source| KeyError::Database { what, source }
}

/// Row security refuses a key for all tenants to whoever is held to one.
fn refused(what: &'static str) -> impl Fn(Failure) -> KeyError {
    move |source| match source.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => KeyError::Operator(source),
        _ => KeyError::Database { what, source },
    }
}
