//! What becomes of old runs and selections.

use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::error::{RunError, database};
use super::runs::Runs;

/// Runs that are archived, and selections that are dropped, in one transaction: each may be a million rows.
const STEP: i32 = 10;

const ARCHIVE: &str = "-- run::archive::archive
SELECT gesta.archive_runs($1 * interval '1 second', $2)";

const DROP: &str = "-- run::archive::drop
SELECT gesta.drop_selections($1)";

impl Runs {
    /// Moves the detail of runs of all tenants that ended longer ago than that into `gesta.run_archive`, oldest first and
    /// never the newest run of a definition, and drops selections that have expired. Gives how many runs were moved.
    ///
    /// # Errors
    /// The database's. What was moved before is moved.
    pub async fn archive(&self, age: Duration) -> Result<u64, RunError> {
        let age = age.as_secs_f64();
        let moved = self.in_steps("archive old runs", ARCHIVE, &[&age, &STEP]).await?;
        self.drop_selections().await?;
        Ok(moved)
    }

    /// Drops selections of all tenants that have expired and that no run needs to know what is pending. Gives how many.
    ///
    /// # Errors
    /// The database's. What was dropped before is dropped.
    pub async fn drop_selections(&self) -> Result<u64, RunError> {
        self.in_steps("drop old selections", DROP, &[&STEP]).await
    }

    /// Runs a statement until it finds fewer than it may take. Gives how many it took.
    async fn in_steps(
        &self,
        what: &'static str,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, RunError> {
        let client = self.client().await?;
        let mut all = 0;
        loop {
            let row = client.query_one(sql, params).await.map_err(database(what))?;
            let step: i32 = row.get(0);
            all += u64::from(step.unsigned_abs());
            if step < STEP {
                return Ok(all);
            }
        }
    }
}
