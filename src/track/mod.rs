//! Triggers that record what any program does to a table: `gesta track`.
//!
//! [`Store::track`](crate::Store::track) writes a trigger function for one table, with its columns written out, and hangs it on statements:
//! INSERT, UPDATE, DELETE, MERGE, COPY, `ON CONFLICT`, TRUNCATE, cascades. What the functions of all tables share is in
//! `schema/0005_capture.sql`. It is for an operator: whoever owns the table, and may act as `gesta_owner`.
//!
//! # What always holds
//!
//! - **No change without its action, no action without its change**: the trigger runs in the statement's transaction, and
//!   what cannot be recorded is not done.
//! - **Nothing twice**: a statement of the session is the session's to record, and the trigger holds it to that
//!   (`gesta.claim`).
//! - **Who** is said by the transaction-local settings `gesta.context` and `gesta.tenant`; without them it is
//!   `system:ROLE`, the role that logged in.
//! - **The catalog is the only book.** The options stand in the comment of the function, which the table's triggers name,
//!   so that they survive dump, restore and renaming, and nothing can disagree with them.
//! - **A table whose shape has changed is recorded all the same**, by statements made at run time, until it is tracked
//!   again.
//!
//! What logical replication applies is not recorded: it fires no triggers of statements.
//!
//! Start reading at `store.rs`, then `body.sql`.

mod error;
mod options;
mod script;
mod standing;
mod store;
mod table;

pub use error::TrackError;
pub use options::Tracking;
#[cfg(feature = "cli")]
pub(crate) use standing::read_plainly;
pub use standing::{State, Tracked};
pub use store::{TRACKED, UNTRACKED};
