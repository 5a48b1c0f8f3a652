//! What everybody can run without Rust: the built-in definitions, and those of a file.

mod delete;
mod elsewhere;
mod extraction;
mod file;
mod hook;
mod rig;
mod run;
mod sql;
