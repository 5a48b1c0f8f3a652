//! Gesta.
fn main() {}
