//! Cancelling a run: it ends at once, and what is under way is rolled back.

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::RunError;
use super::info::{Counts, RunInfo, RunState};
use super::list::counts;
use super::runs::{RUN_CANCEL, Runs, begin, query};
use super::settle::summary;
use crate::definition::Asker;

/// Waits for the end of a piece that is being committed at this moment, and for nothing longer.
const CANCEL: &str = "-- run::cancel::cancel
UPDATE gesta.run AS r
SET state = 'cancelled', cancelled_by = $3, ended_at = clock_timestamp(), secret_input = NULL, holder = NULL,
    held_until = NULL, waiting = NULL
WHERE r.tenant = $1 AND r.id = $2 AND r.state IN ('queued', 'running')
RETURNING r.total, r.done, r.skipped, r.denied, r.failed";

impl Runs {
    /// Cancels a run that has not ended. What was done stays, what is pending is not done, and a piece that is under way is
    /// rolled back. Who asked for a run may cancel it, and who might run the same.
    ///
    /// # Errors
    /// Where there is no such run, or it has ended; where the asker may not (which is recorded); the database's.
    pub async fn cancel(&self, asker: &Asker, id: Uuid) -> Result<RunInfo, RunError> {
        let run = self.run(&asker.context.tenant, id).await?;
        let is_own = run.actor.resource == asker.context.actor().resource;
        if !is_own && self.catalog.find(asker, &run.kind, &run.name).is_none() {
            return Err(self.refuse(asker, &run.kind, &run.name).await);
        }
        let mut client = self.client().await?;
        let tx = begin(&mut client, &asker.context.tenant).await?;
        let Some(counts) = mark(&tx, asker, id).await? else {
            drop(tx);
            drop(client);
            let state = self.run(&asker.context.tenant, id).await?.state;
            return Err(RunError::NotCancellable { id, state });
        };
        let about = (&run.kind, run.name.as_str());
        let told = Self::told(RUN_CANCEL, &asker.context, (id, &run.label), about)?;
        let told = match self.catalog.known(&run.kind, &run.name) {
            Some(definition) => told.audience(definition.audience.clone()),
            None => told,
        };
        self.append(&tx, vec![told.data(summary(RunState::Cancelled, &counts))]).await?;
        self.commit(tx, "cancel the run").await?;
        self.run(&asker.context.tenant, id).await
    }
}

async fn mark(tx: &Transaction<'_>, asker: &Asker, id: Uuid) -> Result<Option<Counts>, RunError> {
    let by = asker.context.actor().resource.to_string();
    let params: [&(dyn ToSql + Sync); 3] = [&asker.context.tenant.as_str(), &id, &by];
    let rows = query(tx, "cancel the run", CANCEL, &params).await?;
    rows.first().map(counts).transpose()
}
