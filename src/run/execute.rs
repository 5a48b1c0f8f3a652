//! Working on a run: piece by piece, until nothing is pending or somebody says stop.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

use super::attempt::Attempt;
use super::error::{RunError, database};
use super::info::RunState;
use super::job::{Job, Task, place};
use super::runs::{PIECE_LEN_MAX, Runs, begin, cut, query};
use super::settle::Settled;
use super::worker::Stop;
use crate::definition::{Effect, Local};
use crate::error::chain;
use crate::store::retry_pause;

/// Objects of the first piece. Pieces grow while they are quick.
const PIECE_LEN_FIRST: usize = 100;
/// A piece that takes less is followed by a larger one.
const PIECE_QUICK: Duration = Duration::from_millis(250);
/// A piece that takes more is followed by a smaller one, so that somebody sees how far it is, and a crash undoes little.
const PIECE_SLOW: Duration = Duration::from_secs(2);
/// How often a piece is done again after a failure that passes, before the run is left to the next worker.
const TRIES_MAX: u32 = 6;
/// How often a run is taken without getting on, before it has failed: it may be what kills those who take it.
const ATTEMPTS_MAX: u32 = 10;
/// How long a run is left alone that could not be worked on.
const PAUSE: Duration = Duration::from_secs(5);

/// Leaves a run to others, after a pause. An attempt that says nothing of the run is none.
const RELEASE: &str = "-- run::execute::release
UPDATE gesta.run AS r
SET held_until = clock_timestamp() + $4 * interval '1 second', attempts = greatest(r.attempts + $5, 0), waiting = $6
WHERE r.tenant = $1 AND r.id = $2 AND r.holder = $3 AND r.state = 'running'";

/// Why somebody works on a run no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It has ended, or is somebody else's.
    Over,
    /// The worker is to stop; objects are pending.
    Stopped,
    /// Nobody is there who could do it.
    Waiting {
        /// What it waits for, for people.
        what: String,
        /// Whether somebody had it before, and said nothing.
        attempted: Attempted,
    },
}

/// Whether leaving a run says something of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempted {
    Yes,
    /// The worker ends, or knows no such definition, or nobody is there who could do it.
    No,
}

/// How a run is left to others.
struct Leave<'w> {
    /// How long nobody else takes it.
    pause: Duration,
    /// What is added to its attempts. To claim it has added one; to begin it in the foreground has not.
    attempts: i32,
    /// What it waits for.
    waiting: Option<&'w str>,
}

impl Leave<'_> {
    /// By a worker, which has claimed it.
    fn claimed(pause: Duration, attempted: Attempted) -> Self {
        let attempts = -i32::from(attempted == Attempted::No);
        Self { pause, attempts, waiting: None }
    }

    /// By whoever began it.
    fn begun(pause: Duration, attempted: Attempted) -> Self {
        let attempts = i32::from(attempted == Attempted::Yes);
        Self { pause, attempts, waiting: None }
    }
}

/// What came of a piece.
enum Step {
    /// The run is over for this holder.
    Over,
    /// Nothing was pending behind the place.
    Nothing,
    /// All objects up to this place are settled.
    Until(i32),
}

impl Runs {
    /// Works on a run in the foreground. Where that fails or is stopped, a worker may take it up.
    pub(super) async fn work(
        &self,
        job: &Job,
        mut stopped: watch::Receiver<Stop>,
    ) -> Result<(), RunError> {
        loop {
            match self.work_until(job.clone(), stopped.clone()).await {
                Ok(Left::Over) => return Ok(()),
                Ok(Left::Stopped) => {
                    self.leave(job, Leave::begun(Duration::ZERO, Attempted::No)).await;
                    return Ok(());
                }
                // There may be no worker of ours that it could be left to, so it is kept.
                Ok(Left::Waiting { what, attempted }) => {
                    let leave = Leave::begun(self.lease, attempted);
                    self.leave(job, Leave { waiting: Some(&what), ..leave }).await;
                    let stop = stopped.wait_for(|stop| *stop == Stop::Yes);
                    drop(tokio::time::timeout(PAUSE.min(self.lease / 2), stop).await);
                }
                Err(error) => {
                    self.leave(job, Leave::begun(PAUSE, Attempted::Yes)).await;
                    return Err(error);
                }
            }
        }
    }

    /// Works on a run for a worker, who has nobody to tell of failures but the log.
    pub(super) async fn keep_working(&self, job: Job, stopped: watch::Receiver<Stop>) {
        match self.work_until(job.clone(), stopped).await {
            Ok(Left::Over) => {}
            Ok(Left::Stopped) => {
                self.leave(&job, Leave::claimed(Duration::ZERO, Attempted::No)).await;
            }
            // Its place is for others meanwhile.
            Ok(Left::Waiting { what, attempted }) => {
                let leave = Leave::claimed(PAUSE, attempted);
                self.leave(&job, Leave { waiting: Some(&what), ..leave }).await;
            }
            Err(error) => {
                let is_unknown = matches!(error, RunError::UnknownAction { .. });
                let attempted = if is_unknown { Attempted::No } else { Attempted::Yes };
                let error = chain(&error);
                tracing::warn!(run = %job.id, tenant = %job.tenant, %error, "a run could not go on");
                self.leave(&job, Leave::claimed(PAUSE, attempted)).await;
            }
        }
    }

    /// Leaves a run to others, or at the latest its lease does.
    async fn leave(&self, job: &Job, leave: Leave<'_>) {
        if let Err(error) = self.release(job, leave).await {
            let error = chain(&error);
            tracing::warn!(run = %job.id, %error, "a run is left to others only after its lease");
        }
    }

    async fn work_until(&self, job: Job, stopped: watch::Receiver<Stop>) -> Result<Left, RunError> {
        let Some(task) = Task::load(self, job).await? else { return Ok(Left::Over) };
        // On the heap, as the operation's own future is: callers hold this one.
        let work = Box::pin(task.work(stopped));
        match select(work, pin!(task.keep())).await {
            Either::Left((left, _)) => left,
            // What is under way is rolled back when it is dropped.
            Either::Right(((), _)) => Ok(Left::Over),
        }
    }

    async fn release(&self, job: &Job, leave: Leave<'_>) -> Result<(), RunError> {
        const WHAT: &str = "leave the run to others";
        let mut client = self.client().await?;
        let tx = begin(&mut client, &job.tenant).await?;
        let Leave { pause, attempts, waiting } = leave;
        let (pause, waiting) = (pause.as_secs_f64(), waiting.map(cut));
        let params: [&(dyn ToSql + Sync); 6] =
            [&job.tenant.as_str(), &job.id, &job.holder, &pause, &attempts, &waiting];
        query(&tx, WHAT, RELEASE, &params).await?;
        tx.commit().await.map_err(database(WHAT))
    }
}

impl Task<'_> {
    async fn work(&self, stopped: watch::Receiver<Stop>) -> Result<Left, RunError> {
        if self.attempts > ATTEMPTS_MAX {
            let why = format!("it was taken {ATTEMPTS_MAX} times and did not get on");
            return self.fail(&why).await;
        }
        match &self.definition.effect {
            Effect::Local(local) if self.is_atomic => self.whole(&**local, stopped).await,
            Effect::Local(local) => self.pieces(&**local, stopped).await,
            Effect::Remote(remote) => self.elsewhere(&**remote, stopped).await,
        }
    }

    /// Piece by piece, each a transaction.
    async fn pieces(
        &self,
        local: &dyn Local,
        stopped: watch::Receiver<Stop>,
    ) -> Result<Left, RunError> {
        let (mut behind, mut len, mut tries) = (self.reached().await?, PIECE_LEN_FIRST, 0);
        loop {
            if *stopped.borrow() == Stop::Yes {
                return Ok(Left::Stopped);
            }
            let began = Instant::now();
            match self.piece(local, behind, len).await {
                Ok(Step::Over) => return Ok(Left::Over),
                // Pieces are settled in order; what is pending before the place was left by another way of working.
                Ok(Step::Nothing) if behind < 0 => return Ok(Left::Over),
                Ok(Step::Nothing) => behind = -1,
                Ok(Step::Until(place)) => {
                    (behind, tries) = (place, 0);
                    len = next_len(len, began.elapsed());
                }
                Err(error) if error.is_passing() && tries < TRIES_MAX => {
                    tries += 1;
                    tracing::debug!(run = %self.job.id, error = %chain(&error), "a piece is done again");
                    retry_pause(tries).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn piece(&self, local: &dyn Local, behind: i32, len: usize) -> Result<Step, RunError> {
        let mut client = self.runs.client().await?;
        let mut tx = self.begin(&mut client).await?;
        let items = self.pending(&tx, behind, len).await?;
        let Some(last) = items.last() else { return Ok(Step::Nothing) };
        let tried = self.attempt(local).divided(&mut tx, &items).await?;
        let settled = self.settle(&tx, &items, &tried.fates, &tried.messages).await?;
        if settled == Settled::Lost {
            return Ok(Step::Over);
        }
        self.runs.commit(tx, "commit a piece").await?;
        Ok(if settled == Settled::Ended { Step::Over } else { Step::Until(place(last)) })
    }

    pub(super) fn attempt<'a>(&'a self, local: &'a dyn Local) -> Attempt<'a> {
        Attempt {
            store: &self.runs.store,
            catalog: &self.runs.catalog,
            asker: &self.asker,
            kind: &self.kind,
            local,
            input: &self.input,
        }
    }

    /// Ends the run as failed.
    pub(super) async fn fail(&self, why: &str) -> Result<Left, RunError> {
        let mut client = self.runs.client().await?;
        let tx = self.begin(&mut client).await?;
        if self.end(&tx, RunState::Failed, Some(why)).await? == Settled::Ended {
            self.runs.commit(tx, "end the run").await?;
        }
        Ok(Left::Over)
    }
}

/// How many objects the next piece has.
fn next_len(len: usize, took: Duration) -> usize {
    if took < PIECE_QUICK {
        (len * 2).min(PIECE_LEN_MAX)
    } else if took > PIECE_SLOW {
        (len / 2).max(1)
    } else {
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_grow_while_they_are_quick_and_shrink_when_they_are_slow() {
        let quick = Duration::from_millis(10);
        let grown = std::iter::successors(Some(PIECE_LEN_FIRST), |len| Some(next_len(*len, quick)));
        assert_eq!(grown.take(6).collect::<Vec<_>>(), [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(next_len(1000, Duration::from_secs(1)), 1000);
        assert_eq!(next_len(1000, Duration::from_secs(3)), 500);
        assert_eq!(next_len(1, Duration::from_mins(1)), 1);
    }
}
