//! Keys out of the database.

use std::num::NonZeroU32;

use tokio_postgres::Row;

use super::identity::{Identity, Scope, Via};
use super::key::KeyInfo;
use crate::resource::{Named, ResourceRef, Tenant};
use crate::store::Failure;
use crate::stream::Sight;

/// What a key is worth. A scope that this program does not know, a later one's, allows nothing here.
fn scopes(row: &Row) -> Vec<Scope> {
    let words: Vec<&str> = row.get("scopes");
    words.into_iter().filter_map(|word| word.parse().ok()).collect()
}

fn sight(row: &Row) -> Sight {
    row.get::<_, Option<Vec<String>>>("labels").map_or(Sight::Everything, Sight::Labels)
}

fn quota(row: &Row) -> Option<NonZeroU32> {
    let rate: Option<i32> = row.get("rate_per_minute");
    rate.and_then(|rate| u32::try_from(rate).ok()).and_then(NonZeroU32::new)
}

fn strange(error: crate::resource::ResourceError) -> Failure {
    Failure::Row(error.into())
}

fn tenant(row: &Row) -> Result<Option<Tenant>, Failure> {
    let name: Option<String> = row.get("tenant");
    name.map(Tenant::new).transpose().map_err(strange)
}

fn who(row: &Row) -> Result<Named, Failure> {
    let resource = ResourceRef::new(row.get("actor_type"), row.get::<_, String>("actor_id"));
    Ok(Named { resource: resource.map_err(strange)?, name: row.get("actor_name") })
}

pub(super) fn identity(id: &str, row: &Row) -> Result<Identity, Failure> {
    Ok(Identity {
        tenant: tenant(row)?,
        who: who(row)?,
        is_actor: row.get("is_actor"),
        scopes: scopes(row),
        sight: sight(row),
        groups: Vec::new(),
        quota: quota(row),
        via: Via::Key(id.to_owned()),
    })
}

pub(super) fn info(row: &Row) -> Result<KeyInfo, Failure> {
    Ok(KeyInfo {
        id: row.get("id"),
        tenant: tenant(row)?,
        name: row.get("name"),
        scopes: scopes(row),
        sight: sight(row),
        who: who(row)?,
        is_actor: row.get("is_actor"),
        quota: quota(row),
        created_at: row.get("created_at"),
        created_by: row.get("created_by"),
        expires_at: row.get("expires_at"),
        revoked_at: row.get("revoked_at"),
        last_used_at: row.get("last_used_at"),
    })
}
