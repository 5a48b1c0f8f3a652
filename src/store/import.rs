//! Loading large inputs: COPY in chunks, each a transaction of its own.
//!
//! ```text
//! reader thread: read, parse, check, encode ──► 1 chunk waits ──► connection: COPY ──► commit
//! ```
//!
//! COPY knows no ON CONFLICT. A chunk is copied straight into the log, and when it meets an id that is there already it
//! is rolled back, and the same bytes go into a staging table and from there through the one INSERT, which tells
//! duplicates from conflicts row by row. As long as chunks meet duplicates they are staged at once, so that a repeated
//! import pays once for each. A role under row security may not COPY into the log; its chunks are always staged.
//!
//! A chunk is stored whole or not at all, and every action has the same id in every import. So an import that was
//! killed at any point is resumed by starting it again: what was stored is found as duplicates.

use std::ops::ControlFlow;

use super::copy::{Encoder, Rows};
use super::load::{Loader, Tally};
use super::{Failure, Store};
use crate::import::{Entry, Input, Position, Problem, ReadError, Refusal};
use crate::resource::Tenant;
use tokio::sync::mpsc;

/// Rows of a chunk. Large enough that its commit does not count, small enough to stop soon.
const CHUNK_LEN_MAX: usize = 10_000;
/// Bytes of a chunk; the last row may go beyond.
const CHUNK_BYTES_MAX: usize = 8 << 20;
/// Chunks that wait while one is being stored: the reader is ahead by this one and the one that it works on.
const CHUNKS_WAITING: usize = 1;

/// How an import is to be done.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ImportOptions {
    tenant: Tenant,
}

impl ImportOptions {
    /// Into another tenant than `default`. Lines that name a tenant must name this one.
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = tenant;
        self
    }
}

/// How many records were read, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Records read: the sum of all others.
    pub read: u64,
    /// Stored now.
    pub appended: u64,
    /// Stored before, or earlier in the same input.
    pub duplicates: u64,
    /// Not stored, because another action has the id.
    pub conflicts: u64,
    /// Not stored, because they cannot be.
    pub refused: u64,
}

/// How far an import is, after a chunk.
#[derive(Clone, Copy, Debug)]
pub struct ImportProgress {
    /// What has become of the records so far.
    pub counts: ImportCounts,
    /// Bytes of the input read so far, as they lie in the file; the reader is ahead of the database.
    pub bytes: u64,
}

/// Watches an import. `()` watches nothing.
pub trait ImportObserver: Send {
    /// A record was not stored. Called in the order of the input, before the progress of its chunk.
    fn refused(&mut self, refusal: &Refusal) {
        let _ = refusal;
    }

    /// A chunk is done. `Break` ends the import here; what has been stored stays.
    fn progress(&mut self, progress: &ImportProgress) -> ControlFlow<()> {
        let _ = progress;
        ControlFlow::Continue(())
    }
}

impl ImportObserver for () {}

/// Whether an import came to the end of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportEnd {
    /// All was read.
    Complete,
    /// The observer ended it.
    Stopped,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// What became of the records.
    pub counts: ImportCounts,
    /// Whether all of them were read.
    pub end: ImportEnd,
}

/// Why an import did not come to its end. What was stored before stays, and the same import can be started again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input cannot be read, or not any further.
    #[error(transparent)]
    Read(ReadError),
    /// The database failed.
    #[error("failed to store lines {first} to {last}")]
    Database {
        /// The first line of the chunk.
        first: u64,
        /// The last line of the chunk.
        last: u64,
        /// Why.
        source: Failure,
    },
    /// There is no connection, or the role cannot be asked for.
    #[error("failed to begin the import")]
    Begin(#[source] Failure),
    /// The reader's thread could not be started, or ended without a word.
    #[error("failed to read the input: its thread {0}")]
    Reader(&'static str),
}

/// Records that are stored together.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) rows: Rows,
    /// The line of each row.
    pub(crate) lines: Vec<u64>,
    /// Records that are no rows.
    refusals: Vec<Refusal>,
    bytes: u64,
}

/// What the reader's thread sends. Without the last word it has ended unexpectedly.
enum Message {
    Chunk(Chunk),
    End(Result<(), ReadError>),
}

impl Store {
    /// Loads an input through COPY, for files of any size: memory stays far under 200 MB. The pool's role should be
    /// `gesta_import`, or the owner; under row security (`gesta_app`) every chunk takes the slower way through a staging
    /// table, which needs the privilege TEMPORARY.
    ///
    /// A record that cannot be stored does not end the import; the observer hears of it.
    ///
    /// # Errors
    /// When the input cannot be read on, or the database fails for longer than the retries bridge. What was stored
    /// stays; the same import, started again, goes on after it.
    ///
    /// # Cancel safety
    /// Dropped, the chunk that is on its way may or may not be stored, as a whole; those before it are. The reader's
    /// thread ends at its next chunk.
    pub async fn import(
        &self,
        input: impl Input,
        options: ImportOptions,
        observer: &mut impl ImportObserver,
    ) -> Result<ImportReport, ImportError> {
        let ImportOptions { tenant } = options;
        let mut loader = Loader::start(self, &tenant).await.map_err(ImportError::Begin)?;
        let mut messages = spawn_reader(self.clone(), input, tenant)?;
        let mut counts = ImportCounts::default();
        let end = loop {
            match messages.recv().await {
                Some(Message::Chunk(chunk)) => {
                    if store_chunk(&mut loader, chunk, &mut counts, observer).await?.is_break() {
                        break ImportEnd::Stopped;
                    }
                }
                Some(Message::End(Ok(()))) => break ImportEnd::Complete,
                Some(Message::End(Err(error))) => return Err(ImportError::Read(error)),
                None => return Err(ImportError::Reader("ended without a word")),
            }
        };
        loader.finish().await;
        Ok(ImportReport { counts, end })
    }
}

async fn store_chunk(
    loader: &mut Loader,
    mut chunk: Chunk,
    counts: &mut ImportCounts,
    observer: &mut impl ImportObserver,
) -> Result<ControlFlow<()>, ImportError> {
    let lines = chunk.lines.first().copied().zip(chunk.lines.last().copied());
    let (first, last) = lines.unwrap_or_default();
    let stored = match chunk.rows.len() {
        0 => Ok(Tally::default()),
        len => loader.store(&chunk, 0..len).await,
    };
    let tally = stored.map_err(|source| ImportError::Database { first, last, source })?;
    counts.read += (chunk.rows.len() + chunk.refusals.len()) as u64;
    counts.refused += (chunk.refusals.len() + tally.refused.len()) as u64;
    counts.appended += tally.appended;
    counts.conflicts += tally.conflicts.len() as u64;
    counts.duplicates += tally.duplicates;
    let mut refusals = std::mem::take(&mut chunk.refusals);
    refusals.extend(tally.conflicts);
    refusals.extend(tally.refused);
    refusals.sort_by_key(|refusal| refusal.line);
    for refusal in &refusals {
        observer.refused(refusal);
    }
    Ok(observer.progress(&ImportProgress { counts: *counts, bytes: chunk.bytes }))
}

/// Starts to read. A thread of its own and not one of the runtime's: a reader that blocks for ever, on a terminal, must
/// not keep the runtime from shutting down.
fn spawn_reader(
    store: Store,
    input: impl Input,
    tenant: Tenant,
) -> Result<mpsc::Receiver<Message>, ImportError> {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    std::thread::Builder::new()
        .name("gesta-import".to_owned())
        .spawn(move || {
            let position = input.position();
            let result = read(&store, input, &tenant, &position, &sender);
            // Nobody listens any more when the import was dropped.
            let _ = sender.blocking_send(Message::End(result));
        })
        .map(|_| receiver)
        .map_err(|_| ImportError::Reader("could not be started"))
}

/// Reads to the end, or until nobody listens any more.
fn read(
    store: &Store,
    input: impl Input,
    tenant: &Tenant,
    position: &Position,
    sender: &mpsc::Sender<Message>,
) -> Result<(), ReadError> {
    let mut builder =
        Builder { store, tenant, encoder: Encoder::default(), chunk: Chunk::default() };
    let mut result = Ok(());
    for entry in input.entries(tenant)? {
        match entry {
            Ok(entry) => builder.push(entry),
            Err(error) => result = Err(error),
        }
        if result.is_err() {
            break;
        }
        if builder.is_full() && sender.blocking_send(builder.take(position)).is_err() {
            return Ok(());
        }
    }
    if builder.len() > 0 {
        let _ = sender.blocking_send(builder.take(position));
    }
    result
}

/// Collects entries into a chunk.
struct Builder<'a> {
    store: &'a Store,
    tenant: &'a Tenant,
    encoder: Encoder,
    chunk: Chunk,
}

impl Builder<'_> {
    fn push(&mut self, entry: Entry) {
        let Entry { line, raw, action } = entry;
        match action.and_then(|action| self.encode(action)) {
            Ok(()) => self.chunk.lines.push(line),
            Err(problem) => self.chunk.refusals.push(Refusal { line, problem, raw }),
        }
    }

    fn encode(&mut self, action: crate::NewAction) -> Result<(), Problem> {
        if action.tenant != *self.tenant {
            let text = format!(
                "the line is of `{}`, but the import is into `{}`: import each tenant by itself",
                crate::error::visible(action.tenant.as_str()),
                crate::error::visible(self.tenant.as_str()),
            );
            return Err(Problem::of("tenant", text));
        }
        let stamped = self.store.stamp(action)?;
        self.encoder.push(stamped.id, stamped.occurred_at, &stamped.action);
        Ok(())
    }

    fn len(&self) -> usize {
        self.chunk.lines.len() + self.chunk.refusals.len()
    }

    fn is_full(&self) -> bool {
        self.len() >= CHUNK_LEN_MAX || self.encoder.len() >= CHUNK_BYTES_MAX
    }

    fn take(&mut self, position: &Position) -> Message {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.rows = self.encoder.take();
        chunk.bytes = position.bytes();
        Message::Chunk(chunk)
    }
}
