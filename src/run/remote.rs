//! What is done elsewhere: asked for at least once, and stored report by report.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::{BoxFuture, Either, select};
use tokio::sync::watch;
use uuid::Uuid;

use super::error::RunError;
use super::execute::{Attempted, Left};
use super::job::{Task, place};
use super::runs::{PIECE_LEN_MAX, begin_by_index, cell, cut, query};
use super::settle::Settled;
use super::worker::Stop;
use crate::definition::{Fate, Fault, Item, Message, Order, Remote, Reporter, Sent};
use crate::error::chain;
use crate::store::retry_pause;

/// How often objects are asked for again of which nothing was reported, before they have failed. With the pauses between
/// them a worker elsewhere has some seconds to come back after a crash; a remote that waits for an answer adds its own time.
const ASKED_MAX: u32 = 8;
/// How often a report is stored again after a failure that passes.
const TRIES_MAX: u32 = 4;

/// Locked, so that of two reports at once the second sees what the first has settled.
const LOCK: &str = "-- run::remote::lock
SELECT FROM gesta.run AS r
WHERE r.tenant = $1 AND r.id = $2 AND r.holder = $3 AND r.state = 'running'
FOR NO KEY UPDATE";

const SETTLED: &str = "-- run::remote::settled
SELECT i.place
FROM gesta.run_item AS i
WHERE i.tenant = $1 AND i.run = $2 AND i.place = ANY ($3)";

/// Takes the reports about one order.
struct Reports<'t, 'r> {
    task: &'t Task<'r>,
    items: HashMap<u32, Item>,
    /// How many objects were settled by reports.
    settled: AtomicU32,
}

impl Task<'_> {
    /// Asks for all pending objects, up to 1,000 at a time, until none is pending.
    pub(super) async fn elsewhere(
        &self,
        remote: &dyn Remote,
        mut stopped: watch::Receiver<Stop>,
    ) -> Result<Left, RunError> {
        let (mut behind, mut in_vain) = (-1, 0);
        loop {
            if *stopped.borrow() == Stop::Yes {
                return Ok(Left::Stopped);
            }
            let Some(items) = self.open_items(behind).await? else { return Ok(Left::Over) };
            let Some(first) = items.first() else {
                if behind < 0 {
                    return Ok(Left::Over);
                }
                behind = -1;
                continue;
            };
            behind = place(first) - 1;
            let reports = Reports::new(self, &items);
            let order = self.order(items);
            let stop = pin!(stopped.wait_for(|stop| *stop == Stop::Yes));
            let sent = match select(remote.send(&order, &reports), stop).await {
                Either::Left((sent, _)) => sent,
                // What is under way elsewhere is asked for again by the next one, who tells so by run and place.
                Either::Right(_) => return Ok(Left::Stopped),
            };
            let why = match sent {
                Err(fault) => Some(cut(&chain(&fault))),
                Ok(Sent::Unheard(what)) => {
                    let was_heard = in_vain > 0;
                    let attempted = if was_heard { Attempted::Yes } else { Attempted::No };
                    return Ok(Left::Waiting { what, attempted });
                }
                Ok(Sent::Heard) if reports.settled.load(Ordering::Relaxed) > 0 => {
                    in_vain = 0;
                    None
                }
                Ok(Sent::Heard) => {
                    in_vain += 1;
                    let why =
                        || format!("it was asked for {ASKED_MAX} times, and nothing was reported");
                    (in_vain >= ASKED_MAX).then(why)
                }
            };
            if let Some(why) = why {
                in_vain = 0;
                let failed = order.items.iter().map(|item| (item.place, Fate::Failed(why.clone())));
                if !reports.store(failed.collect(), &[]).await? {
                    return Ok(Left::Over);
                }
            } else if in_vain > 0 {
                retry_pause(in_vain + 3).await;
            }
        }
    }

    /// The next pending objects; nothing where the run is no longer this holder's.
    async fn open_items(&self, behind: i32) -> Result<Option<Vec<Item>>, RunError> {
        let mut client = self.runs.client().await?;
        let tx = self.begin(&mut client).await?;
        if !self.is_held(&tx).await? {
            return Ok(None);
        }
        self.pending(&tx, behind, PIECE_LEN_MAX).await.map(Some)
    }

    fn order(&self, items: Vec<Item>) -> Order {
        Order {
            run: self.job.id,
            definition: self.definition.name.clone(),
            kind: self.kind.clone(),
            context: self.asker.context.clone(),
            input: self.input.clone(),
            items,
        }
    }
}

impl<'t, 'r> Reports<'t, 'r> {
    fn new(task: &'t Task<'r>, items: &[Item]) -> Self {
        let items = items.iter().map(|item| (item.place, item.clone())).collect();
        Self { task, items, settled: AtomicU32::new(0) }
    }

    /// Stores a report, in a transaction of its own; whether the run goes on.
    async fn store(&self, fates: Vec<(u32, Fate)>, messages: &[Message]) -> Result<bool, RunError> {
        let task = self.task;
        let mut client = task.runs.client().await?;
        let tx = begin_by_index(&mut client, &task.job.tenant).await?;
        let (tenant, id) = (task.job.tenant.as_str(), task.job.id);
        let held: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant, &id, &task.job.holder];
        if query(&tx, "read the run", LOCK, &held).await?.is_empty() {
            return Ok(false);
        }
        let known = known(&tx, tenant, id, &fates).await?;
        let mut fresh: HashMap<u32, (Item, Fate)> = HashMap::new();
        for (place, fate) in fates {
            // What was reported first stays.
            if let Some(item) = self.items.get(&place).filter(|_| !known.contains(&place)) {
                fresh.entry(place).or_insert_with(|| (item.clone(), fate));
            }
        }
        let (items, fates): (Vec<_>, Vec<_>) = fresh.into_values().unzip();
        match task.settle(&tx, &items, &fates, messages).await? {
            Settled::Lost => return Ok(false),
            Settled::Open | Settled::Ended => {}
        }
        task.runs.commit(tx, "store the report").await?;
        let settled = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.settled.fetch_add(settled, Ordering::Relaxed);
        Ok(true)
    }
}

impl Reporter for Reports<'_, '_> {
    fn report(
        &self,
        fates: Vec<(u32, Fate)>,
        messages: Vec<Message>,
    ) -> BoxFuture<'_, Result<bool, Fault>> {
        Box::pin(async move {
            if let Some((place, _)) =
                fates.iter().find(|(place, _)| !self.items.contains_key(place))
            {
                return Err(Fault::new(format!("the order has no object at the place {place}")));
            }
            let mut tries = 0;
            loop {
                match self.store(fates.clone(), &messages).await {
                    Ok(goes_on) => return Ok(goes_on),
                    Err(error) if error.is_passing() && tries < TRIES_MAX => {
                        tries += 1;
                        retry_pause(tries).await;
                    }
                    Err(error) => {
                        return Err(Fault::caused("the report could not be stored", error));
                    }
                }
            }
        })
    }
}

/// Which of these objects something became of before.
async fn known(
    tx: &deadpool_postgres::Transaction<'_>,
    tenant: &str,
    run: Uuid,
    fates: &[(u32, Fate)],
) -> Result<Vec<u32>, RunError> {
    let places: Vec<_> = fates.iter().map(|(place, _)| place.cast_signed()).collect();
    let rows = query(tx, "read the objects", SETTLED, &[&tenant, &run, &places]).await?;
    rows.iter().map(|row| cell::<i32>(row, "place").map(i32::cast_unsigned)).collect()
}
