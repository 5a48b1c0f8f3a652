//! The log: every committed action exactly once, in one safe order, for machines that follow it.
//!
//! Whoever follows the log (the relay, a live tail, an export, a seal) keeps a [`Position`], asks [`Log::read`] for what
//! comes after it, and keeps the position of the last entry that it has dealt with. Nothing else has to be stored for it,
//! neither here nor there; any number of readers do so at the same time.
//!
//! # Why not the greatest id or `seq` seen
//!
//! Both are handed out before the commit:
//!
//! ```text
//! transaction A   BEGIN ── INSERT seq 1 ─────────────────────────── COMMIT
//! transaction B        BEGIN ── INSERT seq 2 ── COMMIT
//! a reader                                            reads 2            "greater than 2" never gives 1: lost
//! ```
//!
//! Waiting for the oldest transaction (`pg_snapshot_xmin`) loses nothing, but one that is left open stops everybody, and the
//! order of transaction ids is not the order of commits.
//!
//! # Ticks
//!
//! A snapshot of PostgreSQL says which transactions have ended: all below `xmax` but those that were in progress. What a new
//! snapshot sees and an earlier one did not is a *tick*: it lies between two consistent states, so nothing is skipped,
//! nothing comes twice, and a transaction that stays open delays its own rows only. Here the reader's first tick has B, and
//! the position knows that A was in progress; the next tick after A's commit has A.
//!
//! `xmax` is the end of the transactions that have *ended*, not of those that have begun, so a snapshot does not list all that
//! are in progress. That is why a position also holds how far `seq` had come, and the transaction id that was next then
//! (`position.rs`).
//!
//! Inside a tick rows are ordered by `seq`. A tick may be longer than a chunk: then the position also holds the snapshot
//! that the tick ends with and the last `seq`, and reading goes on exactly there, whatever has been committed since.
//!
//! # The order
//!
//! If A was committed before B was inserted, A comes before B. So where a lock orders the writers of an object (its row is
//! updated in the same transaction, or B's writer has seen A), log order is commit order; rows of one transaction come as
//! they were inserted. Of transactions that overlap without a lock between them either may come first, and two readers may
//! see them in different order: the ticks are the reader's. Who needs one order for all writes it down, as the relay does.
//!
//! # What can go wrong, and does not
//!
//! - *Rollback, savepoints.* What was rolled back is in no snapshot; rows carry the id of their top-level transaction.
//! - *The sequence's row* says 32 more than has been given out while `nextval` writes the WAL for the next values. A reader that
//!   believed it would take what is stored next for what has been read, so it waits for `nextval` (`look.rs`).
//! - *Prepared transactions* are in progress until they are committed, also through a restart.
//! - *Crash.* A transaction that commits with `synchronous_commit = off` is visible before it is durable. Before anything is
//!   handed out, its WAL is on disk (`durable.rs`); what was handed out exists after any crash, and so do the values of
//!   `seq` that a position knows. PostgreSQL may give out transaction ids again that no WAL tells of; a row of such a
//!   transaction has a `seq` beyond the position's, which is looked at first.
//! - *Restored dump, promoted replica, point-in-time recovery.* The ids are another history's: [`LogError::OtherOrigin`], or
//!   [`LogError::SetBack`] where only the files were put back and less has been stored since. Go on with [`Log::at`] at a time
//!   well before the last action that you have, and leave out those whose id you have. Rows that were restored come once
//!   although their transaction ids are given out anew; only where such an id belongs to a transaction that is in progress
//!   at a reader's first look, or since then, may an old action come again.
//! - *Standby.* Its snapshots know no transactions in progress: [`LogError::Standby`].
//! - *Wraparound.* `xid8` is 64 bits wide; there is none.
//! - *Rows that move* to a new yearly partition keep both `xid` and `seq`; a row may lie in any partition.
//!
//! The audience of an action ([`crate::Action::audience`]) is the one that holds when it is read. Nothing is left out for
//! it: the log is read by machines that act for all, and who publishes what it reads looks at it.
//!
//! # Cost
//!
//! A look that finds nothing reads the sequence and takes a snapshot, and touches no table. What is new is found by
//! `seq`, from where the position's snapshot had not been, and by transaction id for those that were in progress, or by
//! `seq` alone where those cannot have begun long before.
//! Writers pay one index on `seq` and one on `(xid, seq)`, and nothing to be heard: readers look every few milliseconds,
//! and in the same process [`crate::Store::bell`] wakes them. Start reading at `reader.rs`.

mod durable;
mod error;
mod holder;
mod join;
mod look;
mod position;
mod reader;
mod snapshot;
mod tick;
mod wait;

pub use error::LogError;
#[cfg(feature = "cli")]
pub(crate) use holder::list as holders;
pub use holder::{Holder, Writing};
pub use position::{Origin, Position, PositionError};
pub use reader::{CHUNK_LEN_MAX, Chunk, Entry, Log};
pub(crate) use wait::Pauses;
