//! Searches: that the database and the memory agree, that pages join, that values stay values, that nothing hidden is seen.

mod agree;
mod bounds;
mod hidden;
mod model;
mod pages;
