//! Runs: what somebody does to many objects at once, by a definition of the catalog, and what became of each of them.
//!
//! ```text
//!  select ──► plan ──────────────► start ──► run row, `run.start` ──► pieces ──► `run.end`
//!  frozen     rolled back;         token,    recorded first           each one transaction:
//!  objects    confirmation token   key                                objects, fates, counts, actions
//!                                              │ background, or whoever ran it is gone
//!                                              └──► Worker: gesta.claim_run, lease, heartbeat
//! ```
//!
//! # What always holds
//!
//! - **Recorded first.** A run and its `run.start` are committed before any object is touched; a refused attempt is a run of
//!   the state `refused` and a `run.refuse`. All of them are actions of whoever asked, for auditors, on the object `run:ID`.
//! - **Nothing is done twice.** What a piece does to its objects, what became of them, the counts of the run and the actions
//!   are one transaction. It ends with an UPDATE of the run that names the holder: where the lease has gone to somebody else
//!   meanwhile, or the run was cancelled, nothing of the piece is committed.
//! - **The end is in the transaction of the last change**, and a cancellation ends a run at once: whoever is at work on a piece
//!   finds out at its end, and rolls it back.
//! - **A failing object undoes nothing but itself**, unless the definition says that one failing undoes all. A piece that
//!   fails is rolled back to its savepoint and divided until it is known which objects fail.
//! - **A selection is frozen**: it is resolved once, on the server, and only its maker can use it. What a row was like when it
//!   was planned is kept as a hash, and a run that was confirmed for other rows than there are is refused by their names.
//!
//! # Two who work on the same run
//!
//! | first, paused | second | the run |
//! |---|---|---|
//! | holds the run, works on objects 0 to 99 | | holder 1 |
//! | is paused for longer than the lease | | |
//! | | claims the run, reads what is pending: 0 to 99 | holder 2 |
//! | | works on 0 to 99: waits for the first one's row locks | |
//! | wakes up, ends its piece: no run of holder 1, rolls back | | |
//! | | has the locks, commits 0 to 99 | 100 done |
//!
//! Start reading at [`Runs`]; `execute.rs` has the loop, `attempt.rs` what is divided, `settle.rs` what is committed.

mod archive;
mod attempt;
mod beat;
mod begun;
mod cancel;
mod download;
mod error;
mod execute;
mod freeze;
mod info;
mod items;
mod job;
mod list;
mod open;
mod plan;
mod record;
mod refuse;
mod remote;
mod retry;
mod runs;
mod sample;
mod select;
mod settle;
mod start;
mod token;
mod version;
mod whole;
mod worker;

#[cfg(feature = "server")]
pub(crate) use begun::Begun;
pub use download::{Downloaded, RUN_DOWNLOAD};
pub use error::RunError;
pub use info::{
    Counts, ItemInfo, ItemOutcome, MessageInfo, RunInfo, RunState, SelectionInfo, Started,
};
pub use items::{ItemPage, ItemQuery};
pub use list::{RunPage, RunQuery};
pub use plan::{PLAN_LEN_MAX, Plan, Planned, PlannedAction};
pub use runs::{
    LEASE, MESSAGES_MAX, PIECE_LEN_MAX, RUN_CANCEL, RUN_END, RUN_REFUSE, RUN_START, Runs,
};
pub use select::{Filter, SELECTED_LEN_MAX, SELECTION_LIFE, Which};
pub use start::Start;
pub use worker::{Worker, WorkerOptions};
