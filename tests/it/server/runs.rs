//! What people run over HTTP: what is offered, selected, planned, run, and what is told of it; with actions of the tests'
//! own.

mod actions;
mod articles;
mod denied;
mod keys;
mod lists;
mod plans;
mod progress;
mod selections;
mod starts;

pub(crate) use articles::{Newsroom, catalog, fill};
