//! The appends of many callers, gathered into shared commits.
//!
//! ```text
//! caller ─┐                      ┌─ committer ─ connection
//! caller ─┼─► queue ─► gatherer ─┤
//! caller ─┘  (bounded)           └─ committer ─ connection
//! ```
//!
//! There is no timer: what arrives while the committers are busy is the next batch, so an idle writer answers at once
//! and a busy one makes large batches by itself. A batch is one transaction, and a caller is answered after its commit.
//! Rows travel sorted by tenant and id: two committers that meet the same ids wait for each other in one order only.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::append::insert;
use super::retry::{self, Verdict};
use super::rows::Stamped;
use super::{AppendError, Failure, Receipt, Store, failed};
use crate::action::{ActionId, InvalidAction, NewAction};

/// Batches that are on their way at the same time, each on a connection of its own: while one waits for the disk another
/// is made and sent. Measured on two cores, 64 callers get a fifth more from two than from one; three make smaller
/// batches and later answers.
const COMMITTERS: usize = 2;
/// Actions of one commit. Larger ones gain nothing and answer later.
const BATCH_LEN_MAX: usize = 1_000;
/// Bytes of one commit, by [`weight`]; the last action may go beyond.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Bytes of all actions that wait or are on their way, by [`weight`]. Further callers wait for room.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// What an action weighs besides its texts.
const WEIGHT_MIN: usize = 1 << 10;

/// Appends the actions of many callers, each of which waits for its own to be durable, in few commits. Made by
/// [`Store::writer`], cheap to clone; the tasks behind it end after the last clone has gone and all is answered.
///
/// ```no_run
/// # async fn example(store: gesta::Store, closed: gesta::NewAction) -> Result<(), Box<dyn std::error::Error>> {
/// let writer = store.writer();
/// writer.append(closed).await?; // it is stored, and survives a crash of the server
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Writer {
    store: Store,
    queue: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
}

/// Why an action is not known to be stored.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The action cannot be stored as it is; it was not sent.
    #[error("the action is refused: {0}")]
    Invalid(InvalidAction),
    /// Another action has this id.
    #[error(
        "another action has the id {0} already; nothing was overwritten: give this one an id of its own"
    )]
    Conflict(ActionId),
    /// The database did not do it, or the connection broke each time. In that case the action may be stored nevertheless:
    /// to append it again with this id is safe.
    #[error("failed to append the action {id}")]
    Database {
        /// Its id, as it was given or made.
        id: ActionId,
        /// Why, shared with the others of the batch.
        source: Arc<Failure>,
    },
    /// The runtime that the writer was made on has been shut down. The action may be stored nevertheless.
    #[error("failed to append the action {id}: the writer was shut down before it answered")]
    Stopped {
        /// Its id, as it was given or made.
        id: ActionId,
    },
}

/// Hears how many actions a commit was of.
type Told = dyn Fn(usize) + Send + Sync;
type Answer = oneshot::Sender<Result<Receipt, WriteError>>;

/// An action in the queue, with the room that it takes there.
#[derive(Debug)]
struct Waiting {
    stamped: Stamped,
    answer: Answer,
    room: OwnedSemaphorePermit,
}

impl Store {
    /// A writer that gathers the appends of many callers into shared commits. Make one and clone it: two writers share
    /// nothing.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn writer(&self) -> Writer {
        self.writer_told(|_| {})
    }

    /// The same, which tells after each commit how many actions it was of.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn writer_told(&self, told: impl Fn(usize) + Send + Sync + 'static) -> Writer {
        let (queue, waiting) = mpsc::unbounded_channel();
        tokio::spawn(gather(self.clone(), waiting, Arc::new(told)));
        Writer { store: self.clone(), queue, room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)) }
    }
}

impl Writer {
    /// Appends an action and returns after its commit. The same action a second time is a duplicate and no error.
    ///
    /// Lost connections, deadlocks and restarts of the server are bridged for some seconds by sending the same ids
    /// again. Where a commit's outcome was lost, an action that is found stored afterwards counts as appended.
    ///
    /// # Errors
    /// When a field cannot be stored, another action has this id, or the database fails for longer. A neighbour's fault
    /// is never this caller's error.
    ///
    /// # Cancel safety
    /// Dropped while it waits for room, nothing is stored. Dropped later, the action may or may not be stored: append
    /// it again with the same id to be sure. Other callers notice nothing.
    pub async fn append(&self, action: NewAction) -> Result<Receipt, WriteError> {
        let stamped = self.store.stamp(action).map_err(WriteError::Invalid)?;
        let id = stamped.id;
        let stopped = || WriteError::Stopped { id };
        let weight = u32::try_from(weight(&stamped.action)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(weight).await;
        let room = room.map_err(|_| stopped())?;
        let (answer, receipt) = oneshot::channel();
        self.queue.send(Waiting { stamped, answer, room }).map_err(|_| stopped())?;
        receipt.await.unwrap_or_else(|_| Err(stopped()))
    }
}

/// About how many bytes an action takes. What `check` admits is far below [`QUEUE_BYTES_MAX`].
fn weight(action: &NewAction) -> usize {
    let json = [&action.changes, &action.data, &action.context];
    let json: usize = json.into_iter().flatten().map(|json| json.get().len()).sum();
    WEIGHT_MIN + json + action.description.as_ref().map_or(0, String::len)
}

/// Hands batches to committers, until the last writer has gone.
async fn gather(store: Store, mut queue: mpsc::UnboundedReceiver<Waiting>, told: Arc<Told>) {
    let mut commits = JoinSet::new();
    loop {
        while commits.try_join_next().is_some() {}
        if commits.len() >= COMMITTERS {
            commits.join_next().await;
        }
        // Who was answered just now, and has more to append, gets into this batch and not into the one after it.
        tokio::task::yield_now().await;
        let Some(batch) = next_batch(&mut queue).await else { break };
        commits.spawn(commit(store.clone(), batch, Arc::clone(&told)));
    }
    while commits.join_next().await.is_some() {}
}

/// What waits, up to the limits of a batch; nothing when all writers have gone.
async fn next_batch(queue: &mut mpsc::UnboundedReceiver<Waiting>) -> Option<Batch> {
    let mut next = Some(queue.recv().await?);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(waiting) = next {
        bytes += waiting.room.num_permits();
        batch.push(waiting);
        let full = batch.len() == BATCH_LEN_MAX || bytes >= BATCH_BYTES_MAX;
        next = if full { None } else { queue.try_recv().ok() };
    }
    Some(Batch::of(batch))
}

/// Actions of one transaction, by tenant and id, and who waits for them.
#[derive(Default)]
struct Batch {
    rows: Vec<Stamped>,
    answers: Vec<(Answer, OwnedSemaphorePermit)>,
}

impl Batch {
    fn of(mut waiting: Vec<Waiting>) -> Self {
        // Who has given up is not written for.
        waiting.retain(|waiting| !waiting.answer.is_closed());
        waiting.sort_by(|Waiting { stamped: a, .. }, Waiting { stamped: b, .. }| {
            (&a.action.tenant, a.id).cmp(&(&b.action.tenant, b.id))
        });
        let mut batch = Self::default();
        for Waiting { stamped, answer, room } in waiting {
            batch.rows.push(stamped);
            batch.answers.push((answer, room));
        }
        batch
    }

    /// Two halves.
    fn halves(mut self) -> [Self; 2] {
        let middle = self.rows.len() / 2;
        let second =
            Self { rows: self.rows.split_off(middle), answers: self.answers.split_off(middle) };
        [self, second]
    }

    /// Answers each caller. Who has gone in the meantime is not an error.
    fn answer(self, result: Result<Vec<Receipt>, Failure>) {
        let result = result.map_err(Arc::new);
        for (n, (answer, room)) in self.answers.into_iter().enumerate() {
            let _ = answer.send(match &result {
                Ok(receipts) => match receipts[n] {
                    Receipt::Conflict(id) => Err(WriteError::Conflict(id)),
                    receipt => Ok(receipt),
                },
                Err(source) => {
                    Err(WriteError::Database { id: self.rows[n].id, source: Arc::clone(source) })
                }
            });
            drop(room);
        }
    }
}

/// Stores a batch. Where the database refuses it for the sake of a row, its halves are tried, down to that row.
async fn commit(store: Store, batch: Batch, told: Arc<Told>) {
    let mut pieces = vec![batch];
    while let Some(piece) = pieces.pop() {
        match store_rows(&store, &piece.rows).await {
            Err(failure) if piece.rows.len() > 1 && retry::judge(&failure) == Verdict::Row => {
                let [first, second] = piece.halves();
                pieces.extend([second, first]);
            }
            result => {
                if result.is_ok() {
                    told(piece.rows.len());
                }
                piece.answer(result);
            }
        }
    }
}

/// Sends the rows until they are stored, or the failure is one that does not pass.
async fn store_rows(store: &Store, rows: &[Stamped]) -> Result<Vec<Receipt>, Failure> {
    let mut doubt = Doubt::None;
    for attempt in 1.. {
        let failure = match transact(store, rows).await {
            Ok(receipts) => return Ok(doubt.settle(receipts)),
            Err((failure, stage)) => {
                if stage == Stage::Commit && retry::leaves_doubt(&failure) {
                    doubt = Doubt::MayBeStored;
                }
                failure
            }
        };
        if attempt >= retry::ATTEMPTS_MAX || retry::judge(&failure) != Verdict::Again {
            return Err(failure);
        }
        tracing::warn!(attempt, error = %crate::error::chain(&failure), "appending gathered actions again");
        retry::wait(attempt).await;
    }
    unreachable!("the last attempt returns")
}

/// Whether an earlier attempt may have been committed.
#[derive(Clone, Copy)]
enum Doubt {
    None,
    MayBeStored,
}

impl Doubt {
    /// After a commit whose outcome was lost, what is found stored was stored by it.
    fn settle(self, mut receipts: Vec<Receipt>) -> Vec<Receipt> {
        if let Self::MayBeStored = self {
            for receipt in &mut receipts {
                if let Receipt::Duplicate(id) = *receipt {
                    *receipt = Receipt::Appended(id);
                }
            }
        }
        receipts
    }
}

/// How far a transaction came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Rows,
    Commit,
}

/// One transaction.
async fn transact(store: &Store, rows: &[Stamped]) -> Result<Vec<Receipt>, (Failure, Stage)> {
    let early = |failure| (failure, Stage::Rows);
    let mut client = store.client().await.map_err(early)?;
    let tx = client.transaction().await.map_err(failed("begin")).map_err(early)?;
    let mut receipts = Vec::with_capacity(rows.len());
    for batch in rows.chunk_by(|a, b| a.action.tenant == b.action.tenant) {
        match insert(&tx, batch).await {
            Ok(more) => receipts.extend(more),
            Err(AppendError::Database { source, .. }) => return Err(early(source)),
            Err(_) => unreachable!("rows were checked, and conflicts are receipts"),
        }
    }
    tx.commit().await.map_err(|error| (failed("commit")(error), Stage::Commit))?;
    store.bell().ring();
    Ok(receipts)
}
