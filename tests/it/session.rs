//! Sessions: each way to write leads to exactly the actions expected, and what is not recorded is not done.

mod bulk;
mod failure;
mod fields;
mod hooks;
mod newsroom;
mod old;
mod order;
mod own_sql;
mod property;
mod relations;
mod save;
mod secrets;
mod stale;
mod tables;
