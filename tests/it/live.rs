//! The live stream: joining the shared reader from any position, falling behind it, who sees what, and a database that goes away.

mod audience;
mod chaos;
mod join;
mod lost;
mod slow;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gesta::live::{Event, Listener};
use gesta::{Action, ActionId, Live, Position, Reader, Store, Tenant};

/// Long enough for any test: what does not come until then does not come.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longer than any test, so that no position comes by time.
const NEVER: Duration = Duration::from_hours(1);

/// Live streams that tell a position only where there is nothing more.
fn live(store: &Store) -> Live {
    Live::new(store).heartbeat(NEVER)
}

/// Sees everything of the tenant `default`.
fn auditor(store: &Store) -> Reader {
    Reader::new(store, Tenant::default()).auditor()
}

/// Hears all that an auditor may.
fn listen(live: &Live, store: &Store, from: Option<&Position>) -> Listener {
    live.listen(&auditor(store), from.cloned(), |_| true)
}

async fn next(listener: &mut Listener) -> Event {
    let next = tokio::time::timeout(PATIENCE, listener.next()).await;
    match next.expect("something comes in time") {
        Ok(event) => event,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    }
}

/// The next event has to be an action; its position is read back from its text.
async fn action(listener: &mut Listener) -> (Arc<Action>, Position) {
    match next(listener).await {
        Event::Action { position, action } => {
            (action, position.to_string().parse().expect("a position"))
        }
        other => panic!("{other:?}"),
    }
}

/// The next event has to be a position.
async fn position(listener: &mut Listener) -> Position {
    match next(listener).await {
        Event::Position(position) => position.to_string().parse().expect("a position"),
        other => panic!("{other:?}"),
    }
}

/// So many actions, whatever else comes.
async fn take(listener: &mut Listener, len: usize) -> Vec<Arc<Action>> {
    let mut all = Vec::new();
    while all.len() < len {
        if let Event::Action { action, .. } = next(listener).await {
            all.push(action);
        }
    }
    all
}

/// All actions until it has caught up, and the position there.
async fn take_all(listener: &mut Listener) -> (Vec<Arc<Action>>, Position) {
    let mut all = Vec::new();
    loop {
        match next(listener).await {
            Event::Action { action, .. } => all.push(action),
            Event::Position(position) => return (all, position),
            reset @ Event::Reset { .. } => panic!("{reset:?}"),
        }
    }
}

/// The ids of the objects, in the order in which they came.
fn objects(actions: &[Arc<Action>]) -> Vec<&str> {
    let objects = actions.iter().filter_map(|action| action.object.as_ref());
    objects.map(|object| object.resource.id.as_str()).collect()
}

/// Ids without repetition, or the one that is there twice.
fn distinct(actions: &[Arc<Action>]) -> BTreeSet<ActionId> {
    let mut ids = BTreeSet::new();
    for action in actions {
        assert!(ids.insert(action.id), "{} comes twice", action.id);
    }
    ids
}
