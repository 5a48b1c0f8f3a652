//! A run between being recorded and being worked on: whoever starts it in the foreground knows its id before it ends.

use std::pin::pin;

use tokio::sync::watch;

use super::error::RunError;
use super::info::Started;
use super::job::Job;
use super::record::Recorded;
use super::runs::Runs;
use super::worker::Stop;
use crate::resource::Tenant;

/// A run that is recorded, and in the foreground still to be worked on. Dropped, it is taken up after the lease.
#[derive(Debug)]
pub(crate) struct Begun {
    runs: Runs,
    tenant: Tenant,
    recorded: Recorded,
}

impl Begun {
    pub(super) fn new(runs: &Runs, tenant: &Tenant, recorded: Recorded) -> Self {
        if recorded.holder.is_none() {
            runs.wake.notify_one();
        }
        Self { runs: runs.clone(), tenant: tenant.clone(), recorded }
    }

    /// Its id.
    #[cfg(feature = "server")]
    pub(crate) fn id(&self) -> uuid::Uuid {
        self.recorded.run
    }

    /// Works on it, where that is to be done here, until it ends; or until `stop` is done, and then leaves it behind its
    /// present piece to a worker.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn finish(self, stop: impl Future<Output = ()>) -> Result<Started, RunError> {
        let Self { runs, tenant, recorded: Recorded { run: id, holder, is_new } } = self;
        if let Some(holder) = holder {
            let (stopping, stopped) = watch::channel(Stop::No);
            let job = Job { tenant: tenant.clone(), id, holder };
            let mut work = Box::pin(runs.work(&job, stopped));
            tokio::select! {
                biased;
                worked = &mut work => worked?,
                () = pin!(stop) => {
                    stopping.send_replace(Stop::Yes);
                    work.await?;
                }
            }
        }
        let run = runs.run(&tenant, id).await?;
        Ok(Started { run, is_new })
    }
}
