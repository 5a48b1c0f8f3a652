//! Statements in the caller's transaction, as one tenant.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Failure, failed};

const ENTER: &str = "-- store::scope::enter
SELECT set_config('gesta.tenant', $1, true)";

/// Sets the tenant that row security holds the rest of the transaction to.
pub(crate) async fn enter(tx: &Transaction<'_>, tenant: &str) -> Result<(), Failure> {
    query(tx, "set the tenant", ENTER, &[&tenant]).await.map(drop)
}

/// Runs a statement that is prepared once a connection.
pub(crate) async fn query(
    tx: &Transaction<'_>,
    what: &'static str,
    sql: &'static str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Failure> {
    let statement = tx.prepare_cached(sql).await.map_err(failed("prepare"))?;
    tx.query(&statement, params).await.map_err(failed(what))
}
