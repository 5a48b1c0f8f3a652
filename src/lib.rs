//! Gesta.
pub mod store;
