//! The command `gesta`, as a program that is run: what it prints, and how it ends.

mod action;
mod codes;
mod demo;
mod doctor;
mod emit;
mod history;
mod import;
mod key;
mod output;
pub(crate) mod program;
mod psql;
mod query;
mod role;
mod track;
mod traps;
mod tail;
