//! The search path while statements of ours run.
//!
//! Whoever may make a schema can give it the name of an operator's role, which `"$user"` in the search path stands for, and
//! put functions and operators there that fit the types of our statements better than PostgreSQL's own: they would run with
//! the operator's rights. So statements for operators see PostgreSQL's own schema and nothing else; what a user named without
//! a schema is resolved before, by the user's own path.

use deadpool_postgres::Transaction;

use super::{Failure, failed, scope};

/// For the `options` of a connection. The schema of temporary tables would come first if it were not named.
pub(super) const OPTION: &str = "-c search_path=pg_catalog,pg_temp";

/// Until the transaction ends.
pub(super) const GUARD: &str = "-- store::path::guard
SET LOCAL search_path = pg_catalog, pg_temp";

/// A command and no function: nothing is looked up in the path that it tells.
const OWN: &str = "-- store::path::own
SHOW search_path";

const PUT_BACK: &str = "-- store::path::put_back
SELECT pg_catalog.set_config('search_path', $1, true)";

/// The search path that a caller's transaction had.
#[derive(Debug)]
pub(crate) struct OwnPath(String);

impl OwnPath {
    /// From here on PostgreSQL's own schema is all that is searched.
    pub(crate) async fn guard(tx: &Transaction<'_>) -> Result<Self, Failure> {
        let rows = scope::query(tx, "read the search path", OWN, &[]).await?;
        let own = rows.first().map(|row| row.get(0)).unwrap_or_default();
        tx.batch_execute(GUARD).await.map_err(failed("set the search path"))?;
        Ok(Self(own))
    }

    /// The caller's again.
    pub(crate) async fn put_back(self, tx: &Transaction<'_>) -> Result<(), Failure> {
        scope::query(tx, "put the search path back", PUT_BACK, &[&self.0]).await.map(drop)
    }
}
