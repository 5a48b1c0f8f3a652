//! The log reader: overlapping transactions, resuming anywhere, durability, other databases, and chaos.

pub(crate) mod chaos;
mod edges;
mod order;
mod restart;
mod ticks;

use std::collections::BTreeSet;

use gesta::log::{Chunk, Entry};
use gesta::{ActionId, Context, Log, NewAction, Position};

use crate::support::{TestDb, resource};

/// More chunks than any test's log has: a walk that goes round in circles must end.
const CHUNKS_MAX: usize = 100_000;

impl TestDb {
    /// The log of all tenants.
    pub(super) async fn log(&self) -> Log {
        Log::new(self.store_as("gesta_auditor").await.pool())
    }
}

/// `user:1 did thing:<object>`
pub(crate) fn action(object: &str) -> NewAction {
    let ctx = Context::new(&resource("user:1"));
    NewAction::new("did", &ctx).object(&resource(&format!("thing:{object}")))
}

/// A chunk, or what went wrong.
pub(super) async fn read(log: &Log, after: &Position, limit: usize) -> Chunk {
    match log.read(after, limit).await {
        Ok(chunk) => chunk,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    }
}

/// All that there is after a position, and where it ends. Each position is read back from its text.
pub(crate) async fn drain(log: &Log, after: &Position, limit: usize) -> (Vec<Entry>, Position) {
    let (mut all, mut at) = (Vec::new(), after.clone());
    for _ in 0..CHUNKS_MAX {
        let chunk = read(log, &at, limit).await;
        assert!(chunk.entries.len() <= limit);
        assert!(chunk.end.is_at_or_after(&at), "{at} {}", chunk.end);
        at = chunk.end.to_string().parse().expect("a position");
        assert_eq!(at, chunk.end);
        all.extend(chunk.entries);
        if !chunk.more {
            return (all, at);
        }
    }
    panic!("the log does not end");
}

/// The ids of the objects, in log order.
pub(super) fn objects(entries: &[Entry]) -> Vec<&str> {
    entries
        .iter()
        .filter_map(|entry| entry.action.object.as_ref())
        .map(|object| object.resource.id.as_str())
        .collect()
}

/// Ids without repetition, or the one that is there twice.
pub(super) fn distinct(entries: &[Entry]) -> BTreeSet<ActionId> {
    let mut ids = BTreeSet::new();
    for entry in entries {
        assert!(ids.insert(entry.action.id), "{} comes twice", entry.action.id);
    }
    ids
}
