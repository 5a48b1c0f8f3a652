//! Gesta.
fn main(){}
