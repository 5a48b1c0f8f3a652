//! What everybody can run without Rust: the built-in definitions, and those of a file.

mod command;
mod delete;
mod elsewhere;
mod extraction;
mod file;
mod hook;
mod over_http;
mod rig;
mod run;
mod sql;
