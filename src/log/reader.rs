//! Reading what has been committed after a position.
//!
//! A look comes first, which often tells that there is nothing; whoever waits for what comes next goes without, the first
//! time. Then, in one transaction of isolation `REPEATABLE READ` and in one flight, a snapshot is taken, the sequence is read,
//! then the next transaction id, then the rows: all of this under the one snapshot.
//!
//! ```text
//! LOOK     BEGIN     LOOK: snapshot N, then seq, next, WAL     ROWS, and whether the WAL is on disk up to there     COMMIT
//! ```
//!
//! With P the snapshot of the position, what N sees and P did not is, disjoint:
//! - rows with a `seq` beyond P's, whatever their transaction: by `seq`;
//! - rows with a `seq` up to P's of transactions that were in progress in P: by `(xid, seq)`. Those below P's `xmax` are
//!   listed in P. Of those beyond, all that P knows is that they are below its `next`. Their rows have a `seq` beyond P's
//!   `floor`; where that is close to P's `seq`, as it is while one tick follows another, they are found by `seq` as well.
//!
//! A row that P saw has a `seq` up to P's, since that was read after the snapshot. A transaction with an id from `next` on
//! began after that, so its rows have a `seq` beyond.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::{Client, Pool};
use tokio_postgres::types::ToSql;

use super::error::LogError;
use super::look::{Access, Mark, Now};
use super::position::{Point, Position};
use super::tick::{Range, WINDOW};
use super::wait;
use crate::action::Action;
use crate::resource::Tenant;
use crate::store::{Bell, Failure, Store};

/// Actions of a chunk. It is held in memory as a whole; payloads are up to 64 KiB each.
pub const CHUNK_LEN_MAX: usize = 1_000;

/// The last value of `seq` before the first action of a time or later.
const FLOOR: &str = "-- log::reader::floor
SELECT coalesce(min(a.seq) - 1, $2)
FROM gesta.action AS a
WHERE a.recorded_at >= $1 AND a.seq <= $2";

/// The committed actions of a database, in one safe order. Cheap to clone.
///
/// ```no_run
/// # async fn example(store: gesta::Store) -> Result<(), gesta::log::LogError> {
/// use gesta::{Log, Position};
///
/// let log = Log::of(&store).tenant("acme".parse().expect("a tenant"));
/// let mut position = Position::start();
/// loop {
///     let chunk = log.next(&position, 100).await?; // waits for more
///     for entry in &chunk.entries {
///         println!("{} {}", entry.position, entry.action.verb);
///     }
///     position = chunk.end;
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Log {
    pool: Pool,
    tenant: Option<Tenant>,
    bell: Bell,
    pauses: wait::Pauses,
}

/// Actions that follow a position.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The actions, in log order.
    pub entries: Vec<Entry>,
    /// Go on here, also where there are no entries: it may be a later position than the one given.
    pub end: Position,
    /// Whether there is more to be read at once. Otherwise there was no more at that moment.
    pub more: bool,
}

/// An action of the log, and where it stands.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Right after this action: whoever has dealt with it goes on here.
    pub position: Position,
    /// The action.
    pub action: Action,
    /// The transaction that stored it; null in no row, the same for all rows of a transaction.
    pub xid: u64,
    /// The order of insertion, which is unique in a database.
    pub seq: i64,
}

impl Log {
    /// The log that a pool's role may read: every tenant's for a role like `gesta_auditor`, one tenant's for an application.
    ///
    /// Nobody rings its bell but [`Log::ring`]; of a store of the same process rather take [`Log::of`].
    #[must_use]
    pub fn new(pool: &Pool) -> Self {
        let pauses = wait::Pauses::default();
        Self { pool: pool.clone(), tenant: None, bell: Bell::new(), pauses }
    }

    /// The log of a store, which wakes up when a writer of the store has committed.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self { bell: store.bell().clone(), ..Self::new(store.pool()) }
    }

    /// Wakes up by this bell, such as a [`Store::bell`] whose pool has another role.
    #[must_use]
    pub fn with_bell(self, bell: &Bell) -> Self {
        Self { bell: bell.clone(), ..self }
    }

    /// Only the actions of one tenant.
    #[must_use]
    pub fn tenant(self, tenant: Tenant) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// How long [`Log::next`] waits between two looks: at first, and at most, which it comes to by doubling. 5 and 50 ms
    /// where nothing is said.
    #[must_use]
    pub fn pauses(self, first: Duration, longest: Duration) -> Self {
        Self { pauses: wait::Pauses { first, longest }, ..self }
    }

    /// Wakes whoever waits in [`Log::next`] on this log, its clones, or others with the same bell.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// The position at this moment: everything committed until now lies at or before it, and is durable.
    ///
    /// # Errors
    /// On a standby, without a tenant where one is needed, and when the database does not answer.
    pub async fn head(&self) -> Result<Position, LogError> {
        let client = self.client().await?;
        let mark = Mark::look(&client, self.tenant.as_ref()).await?;
        mark.settle(&client).await?;
        Ok(mark.point().into())
    }

    /// A position from which everything comes that was recorded ([`Action::recorded_at`]) at this time or later, and
    /// perhaps earlier actions as well: those that were inserted after the first of them, and those of transactions that
    /// are in progress now.
    ///
    /// It costs one pass over all actions.
    ///
    /// # Errors
    /// As [`Log::head`].
    pub async fn at(&self, time: DateTime<Utc>) -> Result<Position, LogError> {
        let client = self.client().await?;
        let now = Now::look(&client, self.tenant.as_ref()).await?;
        let (tenant, params) = (self.tenant.as_ref(), [&time as &(dyn ToSql + Sync), &now.seq]);
        let (mark, rows) = Mark::with_rows(&client, tenant, Access::All, FLOOR, &params).await?;
        mark.settle(&client).await?;
        let seq = rows.first().map_or(0, |row| row.get(0));
        // As if the sequence had come that far and no further when the snapshot was taken.
        Ok(Point { seq, ..mark.point() }.into())
    }

    /// The actions after a position, at most `limit` (1 to 1,000), without waiting for any.
    ///
    /// A chunk may be empty although there is more: follow `end` while `more` says so.
    ///
    /// # Errors
    /// When the limit is out of range, the position is of another log, on a standby, without a tenant where one is needed,
    /// and when the database does not answer.
    ///
    /// # Cancel safety
    /// Nothing is kept; read again from the same position.
    pub async fn read(&self, after: &Position, limit: usize) -> Result<Chunk, LogError> {
        check(limit)?;
        let client = self.client().await?;
        let now = Now::look(&client, self.tenant.as_ref()).await?;
        now.admits(after)?;
        if now.has_nothing_after(after) {
            return Ok(Chunk { entries: Vec::new(), end: after.clone(), more: false });
        }
        self.chunk(&client, after, limit).await
    }

    /// The actions after a position, at most `limit`; waits until there are some. The chunk is never empty.
    ///
    /// It looks again after 5 ms, then less often, at least every 50 ms ([`Log::pauses`]), and when the bell rings.
    ///
    /// # Errors
    /// As [`Log::read`]; the first failure ends it ([`LogError::is_passing`]).
    ///
    /// # Cancel safety
    /// Nothing is kept; read again from the same position.
    pub async fn next(&self, after: &Position, limit: usize) -> Result<Chunk, LogError> {
        let mut ear = self.bell.listen();
        let mut pauses = self.pauses.clone();
        let mut after = after.clone();
        // Whoever comes back at once has just been given some, and more are likely: it is not worth asking whether there are.
        let mut chunk = self.read_at_once(&after, limit).await?;
        loop {
            if !chunk.entries.is_empty() {
                return Ok(chunk);
            }
            if !chunk.more {
                pauses.pause(&mut ear).await;
            }
            after = chunk.end;
            chunk = self.read(&after, limit).await?;
        }
    }

    /// As [`Log::read`], without looking first whether there is anything.
    async fn read_at_once(&self, after: &Position, limit: usize) -> Result<Chunk, LogError> {
        check(limit)?;
        let client = self.client().await?;
        self.chunk(&client, after, limit).await
    }

    #[cfg(feature = "nats")]
    pub(crate) fn own_tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }

    pub(super) async fn client(&self) -> Result<Client, LogError> {
        let client = self.pool.get().await.map_err(Failure::Connection);
        client.map_err(LogError::Database)
    }

    async fn chunk(
        &self,
        client: &Client,
        after: &Position,
        limit: usize,
    ) -> Result<Chunk, LogError> {
        let range = Range::new(after);
        let (mut mark, rows) = range.rows(client, after, self.tenant.as_ref(), limit).await?;
        mark.now.admits(after)?;
        let until = match &after.tick {
            Some(tick) => Arc::clone(&tick.until),
            None => Arc::new(mark.point().after(&after.from)),
        };
        let chunk = range.chunk(after, &until, &rows, limit).map_err(LogError::Database)?;
        if after.tick.is_some() {
            // The tick is an earlier one, known to be durable, and another may have begun.
            let more = chunk.more || !mark.now.has_nothing_after(&chunk.end);
            return Ok(Chunk { more, ..chunk });
        }
        if chunk.entries.is_empty() && !chunk.more {
            let is_near = || mark.now.seq - after.from.seq < WINDOW / 10;
            // Nothing to hand out, so nobody is made to wait, unless each further look would pass over much again.
            if mark.now.has_nothing_after(after) || (is_near() && !mark.is_durable(client).await?) {
                return Ok(Chunk { end: after.clone(), ..chunk });
            }
        }
        mark.settle(client).await?;
        Ok(chunk)
    }
}

fn check(limit: usize) -> Result<(), LogError> {
    if (1..=CHUNK_LEN_MAX).contains(&limit) {
        return Ok(());
    }
    Err(LogError::Limit { given: limit, max: CHUNK_LEN_MAX })
}
