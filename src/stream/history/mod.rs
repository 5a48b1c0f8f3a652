//! History: what an object was at a time, who last changed each field, and what changed between two moments.
//!
//! Nothing is stored for it: a state is the object's stream, replayed. A *change* is `{field: [old, new]}`, so an object
//! whose recording began in the middle is known as well, field by field: before the first change of a field its value was
//! that change's `old`. A state says how far it can be trusted: whether it begins at a recorded creation, whether changes
//! did not fit to each other, and whether the reader sees everything.
//!
//! Not here: reading the application's own tables, and undoing what was done. Start reading at `replay.rs`.

mod state;
mod effect;
mod replay;
mod compare;
mod form;
mod read;

pub use compare::{Comparison, Difference, STEPS_MAX, Step};
pub use read::{History, HistoryError, Moment};
pub use state::{By, Field, Life, State, Value};
