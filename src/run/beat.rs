//! The heartbeat of a run that is being worked on.

use tokio_postgres::types::ToSql;

use super::error::{RunError, database};
use super::job::Task;
use super::runs::begin;
use crate::error::chain;

const BEAT: &str = "-- run::beat::beat
UPDATE gesta.run AS r
SET held_until = clock_timestamp() + $4 * interval '1 second'
WHERE r.tenant = $1 AND r.id = $2 AND r.holder = $3 AND r.state = 'running'";

impl Task<'_> {
    /// Renews the lease three times in each. Returns when the run is no longer this holder's, or has been cancelled.
    ///
    /// A piece holds no lock of the run's row but for a moment at its end, so this waits for nobody. Where it fails, the next
    /// one may not; and if none succeeds, somebody else takes the run, and this holder commits nothing more.
    pub(super) async fn keep(&self) {
        loop {
            tokio::time::sleep(self.runs.lease / 3).await;
            match self.beat().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    run = %self.job.id, error = %chain(&error), "the lease of a run could not be renewed"
                ),
            }
        }
    }

    async fn beat(&self) -> Result<u64, RunError> {
        const WHAT: &str = "renew the lease of the run";
        let mut client = self.runs.client().await?;
        let tx = begin(&mut client, &self.job.tenant).await?;
        let (job, lease) = (&self.job, self.runs.lease.as_secs_f64());
        let params: [&(dyn ToSql + Sync); 4] = [&job.tenant.as_str(), &job.id, &job.holder, &lease];
        let statement = tx.prepare_cached(BEAT).await.map_err(database(WHAT))?;
        let renewed = tx.execute(&statement, &params).await.map_err(database(WHAT))?;
        tx.commit().await.map_err(database(WHAT))?;
        Ok(renewed)
    }
}
