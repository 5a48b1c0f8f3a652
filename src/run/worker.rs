//! The worker: takes runs that wait, and those whose holder is gone.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use uuid::Uuid;

use super::error::{RunError, database};
use super::job::Job;
use super::open::random_id;
use super::runs::{LEASE, Runs};
use crate::error::chain;
use crate::resource::Tenant;

/// How often a worker with free hands looks for runs; a run that is started in the same process is seen at once.
const POLL: Duration = Duration::from_millis(500);
/// How often old runs and selections are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

const CLAIM: &str = "-- run::worker::claim
SELECT c.tenant, c.run
FROM gesta.claim_run($1, $2 * interval '1 second') AS c";

/// How a worker works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    slots: usize,
    lease: Duration,
    keep: Option<Duration>,
}

impl Default for WorkerOptions {
    /// Four runs at a time, a lease of [`LEASE`], runs kept for ever.
    fn default() -> Self {
        Self { slots: 4, lease: LEASE, keep: None }
    }
}

impl WorkerOptions {
    /// So many runs at a time. Each takes a connection of the pool, and now and then a second one.
    #[must_use]
    pub fn slots(self, slots: usize) -> Self {
        Self { slots: slots.max(1), ..self }
    }

    /// How long a run is left alone when its worker is not heard of.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Archives runs that ended longer ago than this.
    #[must_use]
    pub fn keep(self, age: Duration) -> Self {
        Self { keep: Some(age), ..self }
    }
}

/// Works on runs of all tenants, in turn: a tenant with a thousand of them waits with its second one for those who have
/// one. Any number of workers share a database.
#[derive(Debug)]
pub struct Worker {
    runs: Runs,
    options: WorkerOptions,
}

impl Worker {
    /// A worker.
    #[must_use]
    pub fn new(runs: &Runs, options: WorkerOptions) -> Self {
        let runs = runs.clone().lease(options.lease);
        Self { runs, options }
    }

    /// Works until `stop` is done. Then each run is left behind its present piece, for another worker to go on with, and
    /// all is committed when this returns.
    ///
    /// # Cancel safety
    /// Dropped, pieces that are under way are rolled back, and the runs are taken up by others after the lease.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(Stop::No);
        let mut stop = std::pin::pin!(stop);
        let mut works = JoinSet::new();
        let (mut swept_at, mut failures) = (None, 0);
        loop {
            let is_full = works.len() >= self.options.slots;
            if !is_full {
                match self.claim().await {
                    Ok(Some(job)) => {
                        let (runs, stopped) = (self.runs.clone(), stopped.clone());
                        works.spawn(async move { runs.keep_working(job, stopped).await });
                        failures = 0;
                        continue;
                    }
                    Ok(None) => failures = 0,
                    Err(error) => {
                        warn_first(&mut failures, &error);
                    }
                }
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = self.sweep(&mut swept_at) => {}
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = works.join_next() => tell_panic(ended),
                () = self.runs.wake.notified(), if !is_full => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        stopping.send_replace(Stop::Yes);
        while let Some(ended) = works.join_next().await {
            tell_panic(ended);
        }
    }

    /// Looks for old runs and selections, now and then.
    async fn sweep(&self, swept_at: &mut Option<Instant>) {
        if swept_at.is_some_and(|at| at.elapsed() < SWEEP_EVERY) {
            return;
        }
        *swept_at = Some(Instant::now());
        let swept = match self.options.keep {
            Some(age) => self.runs.archive(age).await,
            None => self.runs.drop_selections().await,
        };
        if let Err(error) = swept {
            tracing::warn!(error = %chain(&error), "old runs and selections could not be removed");
        }
    }

    async fn claim(&self) -> Result<Option<Job>, RunError> {
        const WHAT: &str = "claim a run";
        let client = self.runs.client().await?;
        let (holder, lease) = (random_id()?, self.options.lease.as_secs_f64());
        let statement = client.prepare_cached(CLAIM).await.map_err(database(WHAT))?;
        let rows = client.query(&statement, &[&holder, &lease]).await.map_err(database(WHAT))?;
        let Some(row) = rows.first() else { return Ok(None) };
        let tenant: String = row.get(0);
        let tenant = Tenant::new(tenant).map_err(|_| RunError::Row("a tenant"))?;
        Ok(Some(Job { tenant, id: row.get::<_, Uuid>(1), holder }))
    }
}

/// Its run is taken up by others after the lease.
fn tell_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(error = %chain(&error), "work on a run broke off");
    }
}

/// An outage is told once, not twice a second.
fn warn_first(failures: &mut u32, error: &RunError) {
    if *failures == 0 {
        tracing::warn!(error = %chain(error), "no run can be claimed");
    }
    *failures += 1;
}

/// Whether a worker is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    Yes,
}
