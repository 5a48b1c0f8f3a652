//! What the tests share.

mod cluster;
mod database;

pub(crate) use database::{TestDb, database};

use tokio_postgres::Client;

/// Brings the template up to date. Every test's database is a copy of it.
async fn migrate_template(client: &mut Client) {
    client.batch_execute("CREATE SCHEMA gesta").await.expect("the template is migrated");
}
