//! What the tests share.

pub(crate) mod cases;
mod check;
mod cluster;
mod database;
#[cfg(feature = "cli")]
mod home;
#[cfg(feature = "nats")]
mod nats;
mod own;
mod property;
mod replay;
#[cfg(feature = "nats")]
mod own_nats;
pub(crate) mod proxy;
#[cfg(feature = "nats")]
mod relay;
mod store;
#[cfg(any(feature = "cli", feature = "nats"))]
pub(crate) mod tools;

pub(crate) use check::{check_log, check_log_but_xids, problems};
#[cfg(feature = "nats")]
pub(crate) use database::copy;
pub(crate) use database::{TestDb, bare_database, database};
#[cfg(feature = "cli")]
pub(crate) use home::OwnHome;
#[cfg(feature = "nats")]
pub(crate) use nats::{TestNats, nats, program as nats_program};
pub(crate) use own::OwnCluster;
#[cfg(feature = "nats")]
pub(crate) use own_nats::{OwnNats, copy_folder};
pub(crate) use property::holds;
#[cfg(feature = "nats")]
pub(crate) use relay::relay;
pub(crate) use replay::check_replay;
pub(crate) use store::{
    append, append_all, day, ids, page, public, resource, runtime, set_audience, until_any_waits,
    until_waiting, walk, walk_feed,
};

use tokio_postgres::Client;

/// Brings the template up to date. Every test's database is a copy of it.
async fn migrate_template(client: &mut Client) {
    gesta::store::migrate(client).await.expect("the template is migrated");
}
