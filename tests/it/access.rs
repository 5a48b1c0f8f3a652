//! Keys: who shows what, and what they may do then.

mod bootstrap;
mod keys;
mod record;
mod rights;
mod secrets;

use gesta::access::{Credential, Identity, KeyInfo, Keys, NewKey, Scope};
use gesta::{Context, Store, Tenant};

use crate::support::resource;

/// The tenant `NAME`.
fn tenant(name: &str) -> Tenant {
    Tenant::new(name).expect("a tenant")
}

/// Who makes the keys here.
fn admin() -> Context {
    Context::new(&resource("user:admin"))
}

/// A key of `service:shop` that reads.
fn reading() -> NewKey {
    NewKey::new("reader", &resource("service:shop")).scopes([Scope::EventsRead])
}

async fn made(store: &Store, key: NewKey) -> (KeyInfo, Credential) {
    match Keys::new(store).create(key, &admin()).await {
        Ok(made) => made,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    }
}

async fn who(keys: &Keys, credential: &Credential) -> Identity {
    match keys.authenticate(&credential.reveal()).await {
        Ok(identity) => identity,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    }
}
