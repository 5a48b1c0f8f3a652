//! Runs that are one transaction: one object that fails undoes all.

use tokio::sync::watch;

use super::error::RunError;
use super::execute::Left;
use super::info::{Counts, RunState};
use super::job::{Task, place};
use super::runs::{MESSAGES_MAX, PIECE_LEN_MAX, cut};
use super::settle::{Settled, state, tally};
use super::worker::Stop;
use crate::definition::{Fate, Item, Local, Message};
use crate::error::chain;
use crate::store::retry_pause;

/// How often all of it is done again after a failure that passes.
const TRIES_MAX: u32 = 3;

/// Why all of it was undone.
struct Undone {
    why: String,
    /// The objects that were said to have failed, as far as they were named.
    named: Vec<(Item, Fate)>,
}

/// What came of the transaction.
enum Ended {
    Left(Left),
    Undone(Undone),
}

impl Task<'_> {
    /// All objects in one transaction. What becomes of them is written as it goes, and the run's own row at the end alone: a
    /// cancellation waits for nobody.
    pub(super) async fn whole(
        &self,
        local: &dyn Local,
        stopped: watch::Receiver<Stop>,
    ) -> Result<Left, RunError> {
        let mut tries = 0;
        loop {
            match self.all(local, &stopped).await {
                Ok(Ended::Left(left)) => return Ok(left),
                Ok(Ended::Undone(undone)) => return self.undo(undone).await,
                Err(error) if error.is_passing() && tries < TRIES_MAX => {
                    tries += 1;
                    retry_pause(tries).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn all(
        &self,
        local: &dyn Local,
        stopped: &watch::Receiver<Stop>,
    ) -> Result<Ended, RunError> {
        let mut client = self.runs.client().await?;
        let mut tx = self.begin(&mut client).await?;
        let (mut counts, mut behind) = (Counts::default(), -1);
        let (mut messages, mut said) = (Vec::new(), 0);
        loop {
            if *stopped.borrow() == Stop::Yes {
                return Ok(Ended::Left(Left::Stopped));
            }
            if !self.is_held(&tx).await? {
                return Ok(Ended::Left(Left::Over));
            }
            let items = self.pending(&tx, behind, PIECE_LEN_MAX).await?;
            let Some(last) = items.last() else { break };
            let since = self.last_told(&tx).await?;
            let tried = match self.attempt(local).caught(&mut tx, &items).await? {
                Ok(tried) => tried,
                Err(fault) => {
                    let why = cut(&chain(&fault));
                    return Ok(Ended::Undone(Undone { why, named: Vec::new() }));
                }
            };
            if let Some(undone) = undone(&items, &tried.fates) {
                return Ok(Ended::Undone(undone));
            }
            let piece = tally(&tried.fates);
            counts.done += piece.done;
            counts.skipped += piece.skipped;
            said += tried.messages.len();
            keep(&mut messages, tried.messages);
            self.write_items(&tx, &items, &tried.fates, since).await?;
            behind = place(last);
        }
        let Some((after, told)) = self.count(&tx, &counts, said).await? else {
            return Ok(Ended::Left(Left::Over));
        };
        self.write_messages(&tx, &messages, told).await?;
        if self.end(&tx, state(after), None).await? == Settled::Ended {
            self.runs.commit(tx, "commit the run").await?;
        }
        Ok(Ended::Left(Left::Over))
    }

    /// Nothing was done: says why, and of the objects that failed, which they were.
    async fn undo(&self, undone: Undone) -> Result<Left, RunError> {
        let mut client = self.runs.client().await?;
        let tx = self.begin(&mut client).await?;
        let (items, fates): (Vec<_>, Vec<_>) = undone.named.into_iter().unzip();
        if self.count(&tx, &tally(&fates), 0).await?.is_none() {
            return Ok(Left::Over);
        }
        self.write_items(&tx, &items, &fates, 0).await?;
        if self.end(&tx, RunState::Failed, Some(&undone.why)).await? == Settled::Ended {
            self.runs.commit(tx, "end the run").await?;
        }
        Ok(Left::Over)
    }
}

/// What fails together, where one of them did.
fn undone(items: &[Item], fates: &[Fate]) -> Option<Undone> {
    let named: Vec<_> = items
        .iter()
        .zip(fates)
        .filter(|(_, fate)| matches!(fate, Fate::Failed(_) | Fate::Denied(_)))
        .map(|(item, fate)| (item.clone(), fate.clone()))
        .collect();
    let (item, _) = named.first()?;
    let others = match named.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} others"),
    };
    let why = format!("nothing was done, because {}{others} could not be", item.object);
    Some(Undone { why: cut(&why), named })
}

/// Keeps as many as a run keeps.
fn keep(messages: &mut Vec<Message>, more: Vec<Message>) {
    let max = usize::try_from(MESSAGES_MAX).unwrap_or_default();
    messages.extend(more);
    messages.truncate(max);
}
