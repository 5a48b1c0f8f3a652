//! Definitions that everybody has: delete what is selected, and take it away as a file.
//!
//! Both are site-wide: they work on every type that has a table, by plain SQL on its quoted names. No code of a model is
//! asked: a [`Hook`](crate::Hook) of a deleted row is not called, and triggers of the database are.
//!
//! ```text
//!  delete ─► cascade.rs: what goes with it, what forbids it (plan; run, under locks)
//!              └─► untold.rs: actions of what no trigger tells of ─► delete.rs: one DELETE a piece
//!  export ─► run: each object that is there is done ─► download: the rows of these, piece by piece
//! ```

mod cascade;
mod delete;
#[cfg(feature = "server")]
mod export;
mod reference;
mod relation;
mod untold;

pub use cascade::{DEPTH_MAX, KEYS_MAX, ROWS_MAX};
pub use delete::delete;
#[cfg(feature = "server")]
pub use export::export;
