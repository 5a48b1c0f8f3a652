//! Times of flags and of tables. What a time is, [`crate::search::when`] says; all are in UTC.

use chrono::{DateTime, Utc};

pub(crate) use crate::search::when::{When, length_of};

/// A moment for people, to the second.
pub(crate) fn short(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}
