//! The one reader of a tenant's log: it reads from its head on for as long as somebody listens.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::event::ResetReason;
use super::open::Inner;
use super::ring::{Placed, Ring};
use crate::log::{Chunk, Entry, Log, LogError, Pauses};
use crate::resource::Tenant;
use crate::store::{AUDIENCE_CHANGED, Ear, retry_pause};

/// Actions of one look. They are in memory as a whole before the ring's limit of bytes is looked at.
pub(super) const LOOK_LEN: usize = 100;

/// What the listeners of a tenant share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ring: Ring,
    /// Why the log cannot be read now, where that does not pass by itself.
    pub(super) failure: Option<Arc<LogError>>,
    /// When the reader last saw that there was nothing more.
    current_at: Instant,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self { ring: Ring::default(), failure: None, current_at: Instant::now() }
    }

    /// For how long the reader may have missed something.
    pub(super) fn behind(&self) -> Duration {
        self.current_at.elapsed()
    }
}

/// Reads until nobody listens.
pub(super) async fn read(live: Arc<Inner>, tenant: Tenant, shared: Arc<watch::Sender<Shared>>) {
    let mut reading = Reading {
        log: live.log(&tenant),
        ear: live.store().bell().listen(),
        pauses: Pauses::default(),
        failures: 0,
    };
    loop {
        tokio::select! {
            () = shared.closed() => if live.has_ended(&tenant, &shared) { return },
            () = reading.step(&shared) => {}
        }
    }
}

/// Whether there is more to be read at once.
enum Rest {
    More,
    Nothing,
}

struct Reading {
    log: Log,
    ear: Ear,
    pauses: Pauses,
    /// One after the other.
    failures: u32,
}

impl Reading {
    /// A look, and a pause where it has found nothing or failed.
    ///
    /// # Cancel safety
    /// What was not put into the ring is read again.
    async fn step(&mut self, shared: &watch::Sender<Shared>) {
        match self.look(shared).await {
            Ok(rest) => {
                self.failures = 0;
                shared.send_if_modified(|shared| shared.failure.take().is_some());
                if matches!(rest, Rest::Nothing) {
                    shared.send_if_modified(|shared| {
                        shared.current_at = Instant::now();
                        false
                    });
                    self.pauses.pause(&mut self.ear).await;
                }
            }
            Err(error) => self.fail(shared, error).await,
        }
    }

    async fn look(&mut self, shared: &watch::Sender<Shared>) -> Result<Rest, LogError> {
        let tip = shared.borrow().ring.tip().cloned();
        let Some(tip) = tip else {
            let head = self.log.head().await?;
            shared.send_modify(|shared| shared.ring.begin(head));
            return Ok(Rest::More);
        };
        let chunk = self.log.read(&tip, LOOK_LEN).await?;
        let rest = if chunk.more { Rest::More } else { Rest::Nothing };
        if !chunk.entries.is_empty() {
            self.pauses = Pauses::default();
        }
        // Others' actions move the position; there is nothing to wake anybody for.
        shared.send_if_modified(|shared| put(&mut shared.ring, chunk));
        Ok(rest)
    }

    async fn fail(&mut self, shared: &watch::Sender<Shared>, error: LogError) {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            let error = crate::error::chain(&error);
            tracing::warn!(error, "a live stream waits: the log cannot be read");
        }
        if ResetReason::of(&error).is_some() {
            // Its own position is of a database that is no more. Those who listen learn it when they ask for theirs.
            shared.send_modify(|shared| shared.ring.lose());
        } else if !error.is_passing() {
            shared.send_modify(|shared| shared.failure = Some(Arc::new(error)));
        }
        retry_pause(self.failures).await;
    }
}

/// Whether something has come.
fn put(ring: &mut Ring, chunk: Chunk) -> bool {
    let tells_change = |entry: &Entry| entry.action.verb == AUDIENCE_CHANGED;
    if chunk.entries.iter().any(tells_change) {
        ring.forget();
    }
    let placed = |Entry { position, action, .. }| Placed { position, action: Arc::new(action) };
    let entries: Vec<_> = chunk.entries.into_iter().map(placed).collect();
    let something = !entries.is_empty();
    ring.push(entries, chunk.end);
    something
}
