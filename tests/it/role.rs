//! Roles: who has which, and what that allows.

mod change;
mod concurrent;
mod rights;
mod tenants;

use gesta::role::{Giver, NewRole, Rights, RoleError, RoleInfo, RoleName, Roles, Written};
use gesta::{Action, Context, Reader, ResourceRef, Store, StreamQuery, Tenant};

use crate::support::{TestDb, page, resource};

fn name(text: &str) -> RoleName {
    RoleName::new(text).expect(text)
}

fn tenant(text: &str) -> Tenant {
    Tenant::new(text).expect(text)
}

/// The database's operator, in the tenant `default`.
fn operator() -> Giver {
    Giver::operator(&Context::new(&resource("user:root")).reason("OPS-1"))
}

/// Somebody with what their roles in the tenant `default` have.
fn member(who: &str) -> Giver {
    Giver::member(&Context::new(&resource(who)), &[])
}

fn role(text: &str, permissions: &[&str]) -> NewRole {
    let permissions = permissions.iter().map(|text| text.parse().expect(text));
    NewRole::new(name(text)).permissions(permissions)
}

async fn put(roles: &Roles, by: &Giver, role: &NewRole) -> (RoleInfo, Written) {
    roles.put(by, role).await.unwrap_or_else(|error| panic!("{}", gesta::error::chain(&error)))
}

async fn add(roles: &Roles, by: &Giver, role: &str, who: &str) -> Written {
    let added = roles.add_member(by, &name(role), &resource(who)).await;
    added.unwrap_or_else(|error| panic!("{}", gesta::error::chain(&error))).1
}

async fn rights(roles: &Roles, who: &str) -> Vec<String> {
    rights_in(roles, &Tenant::default(), &resource(who), &[]).await
}

async fn rights_in(
    roles: &Roles,
    tenant: &Tenant,
    who: &ResourceRef,
    groups: &[&str],
) -> Vec<String> {
    let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
    let rights: Rights = roles.rights(tenant, who, &groups).await.expect("rights");
    rights.iter().map(str::to_owned).collect()
}

fn exceeds(error: &RoleError) -> Option<&str> {
    match error {
        RoleError::Exceeds { permission } => Some(permission),
        _ => None,
    }
}

/// All that auditors read of a tenant, the oldest first.
async fn log(store: &Store, tenant: &Tenant) -> Vec<Action> {
    let reader = Reader::new(store, tenant.clone()).auditor();
    let mut all = page(&reader, StreamQuery::tenant().limit(1000)).await;
    all.reverse();
    all
}

/// The same of the tenant `default`, as `actor verb object target`.
async fn told(db: &TestDb) -> Vec<String> {
    let shown = |action: Action| {
        let parts = [action.object, action.target];
        let parts = parts.into_iter().flatten().map(|part| part.resource.to_string());
        let words: Vec<_> =
            [action.actor.resource.to_string(), action.verb].into_iter().chain(parts).collect();
        words.join(" ")
    };
    log(&db.store().await, &Tenant::default()).await.into_iter().map(shown).collect()
}
