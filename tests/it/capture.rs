//! Sessions and triggers on the same tables: nothing missing, nothing twice, whoever writes in whatever way.

mod chaos;
mod tables;
mod ways;
mod writer;
