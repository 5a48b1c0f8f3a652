//! Runs: what somebody does to many objects at once, and what becomes of each of them.

mod archive;
mod audience;
mod cancel;
mod chaos;
mod claim;
mod hostile;
mod list;
mod pieces;
mod plan;
mod press;
mod refuse;
mod remote;
mod retry;
mod select;
mod start;
mod whole;
