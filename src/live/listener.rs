//! One who listens: out of the ring where its position is a place there, and else out of the log, up to where the ring begins.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::event::{Event, LiveError, ResetReason};
use super::open::Inner;
use super::ring::{Found, Piece, Place, Placed, Ring, weight};
use super::tenant::{LOOK_LEN, Shared};
use crate::action::Action;
use crate::log::{Chunk, Log, LogError, Position};
use crate::store::retry_pause;
use crate::stream::Reader;

/// About how many bytes a listener holds of what it has read by itself; a single action may be larger.
const READY_BYTES_MAX: usize = 1 << 18;

pub(super) type Filter = Box<dyn Fn(&Action) -> bool + Send + Sync>;

/// One who listens to a tenant's actions: [`Live::listen`](super::Live::listen).
///
/// While nobody asks it for the [next](Listener::next) event it does nothing, and holds at most 256 KiB of actions, or one.
pub struct Listener {
    live: Arc<Inner>,
    log: Log,
    shared: watch::Receiver<Shared>,
    reader: Reader,
    filter: Filter,
    heartbeat: Duration,
    /// All up to here was handed out, or is not for this listener. None before the first look of one without a position.
    at: Option<Position>,
    /// The place of `at` in the ring, if it has one.
    place: Option<Place>,
    /// What it has read by itself, and not handed out yet.
    ready: Option<Ready>,
    /// How many actions it reads at once: fewer where they are large, as what it cannot hold is read in vain.
    len: usize,
    /// It reads ticks of its own only when so many of the ring have ended.
    asks_at: Option<u64>,
    /// Whether it was told once that it has caught up.
    told: bool,
    /// When it is told its position again.
    due: Instant,
    failures: u32,
}

struct Ready {
    entries: VecDeque<Placed>,
    /// The position after them.
    end: Position,
    /// [`Ring::changes`](super::ring::Ring::changes) when they were read.
    changes: u64,
}

/// What to do next.
enum Step {
    Give(Event),
    /// Look again.
    Again,
    /// Read the log from here.
    Read(Position),
    Wait,
}

impl Listener {
    pub(super) fn new(
        live: Arc<Inner>,
        shared: watch::Receiver<Shared>,
        reader: Reader,
        filter: Filter,
        from: Option<Position>,
        heartbeat: Duration,
    ) -> Self {
        let log = live.log(reader.tenant());
        Self {
            live,
            log,
            shared,
            reader,
            filter,
            heartbeat,
            at: from,
            place: None,
            ready: None,
            len: LOOK_LEN,
            asks_at: None,
            told: false,
            due: Instant::now() + heartbeat,
            failures: 0,
        }
    }

    /// Where to go on if nothing more is taken from it: all before was handed out, or is not for this listener.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.at.as_ref()
    }

    /// The next event; waits for it, also while the database is away.
    ///
    /// # Errors
    /// When the log cannot be read, and that does not pass by itself. Then end it, and let who listened come back later.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was not returned comes with the next call.
    pub async fn next(&mut self) -> Result<Event, LiveError> {
        loop {
            match self.look()? {
                Step::Give(event) => return Ok(self.give(event)),
                Step::Again => tokio::task::consume_budget().await,
                Step::Read(from) => match self.heartbeat() {
                    Some(event) => return Ok(self.give(event)),
                    None => {
                        if let Some(event) = self.read(&from).await? {
                            return Ok(self.give(event));
                        }
                    }
                },
                Step::Wait => {
                    if let Some(event) = self.caught_up() {
                        return Ok(self.give(event));
                    }
                    let changed = tokio::time::timeout_at(self.due, self.shared.changed()).await;
                    if let Ok(Err(_)) = changed {
                        return Err(LiveError::Stopped);
                    }
                }
            }
        }
    }

    fn give(&mut self, event: Event) -> Event {
        self.due = Instant::now() + self.heartbeat;
        event
    }

    /// The position, where it is time to tell it.
    fn heartbeat(&mut self) -> Option<Event> {
        if Instant::now() < self.due {
            return None;
        }
        self.due = Instant::now() + self.heartbeat;
        // Whatever keeps its position and the ring's apart, it asks the log itself.
        self.asks_at = None;
        self.at.clone().map(Event::Position)
    }

    /// The position, where it is told for the first time that there is nothing more, or it is time.
    fn caught_up(&mut self) -> Option<Event> {
        match &self.at {
            Some(at) if !self.told => {
                self.told = true;
                Some(Event::Position(at.clone()))
            }
            _ => self.heartbeat(),
        }
    }

    fn look(&mut self) -> Result<Step, LiveError> {
        if let Some(step) = self.take_ready() {
            return Ok(step);
        }
        let shared = self.shared.borrow_and_update();
        let ring = &shared.ring;
        if self.at.is_none() {
            self.at = ring.tip().cloned();
        }
        let found = self.at.as_ref().and_then(|at| {
            let place = self.place.or_else(|| ring.find(at))?;
            Some((place, ring.at(place)))
        });
        match found {
            Some((place, Found::Piece(piece))) => {
                drop(shared);
                self.asks_at = None;
                return Ok(self.scan(place, &piece));
            }
            Some((place, Found::Tip)) => {
                (self.at, self.place, self.asks_at) = (ring.tip().cloned(), Some(place), None);
            }
            Some((_, Found::Gone)) => {
                drop(shared);
                self.place = None;
                return Ok(Step::Again);
            }
            None => {
                let way = self.at.as_ref().and_then(|at| way(at, ring, self.asks_at));
                if let Some(way) = way {
                    return Ok(Step::Read(way));
                }
            }
        }
        match &shared.failure {
            Some(failure) => Err(LiveError::Log(Arc::clone(failure))),
            None => Ok(Step::Wait),
        }
    }

    /// Of what it has read by itself.
    fn take_ready(&mut self) -> Option<Step> {
        let ready = self.ready.as_mut()?;
        if ready.changes != self.shared.borrow().ring.changes() {
            // Perhaps it may not see them any more: they are read again.
            self.ready = None;
            return Some(Step::Again);
        }
        if let Some(Placed { position, action }) = ready.entries.pop_front() {
            self.at = Some(position.clone());
            return Some(Step::Give(Event::Action { position, action }));
        }
        self.at = Some(ready.end.clone());
        self.ready = None;
        None
    }

    /// The next entry of a piece that is for this listener; else it goes on behind the piece.
    fn scan(&mut self, place: Place, piece: &Piece) -> Step {
        for (n, Placed { position, action }) in piece.entries.iter().enumerate().skip(place.entry) {
            if self.admits(action) {
                self.place = Some(Place { entry: n + 1, ..place });
                self.at = Some(position.clone());
                let (position, action) = (position.clone(), Arc::clone(action));
                return Step::Give(Event::Action { position, action });
            }
        }
        self.place = Some(Place { piece: place.piece + 1, entry: 0 });
        self.at = Some(piece.end.clone());
        Step::Again
    }

    fn admits(&self, action: &Action) -> bool {
        self.reader.sees(action) && (self.filter)(action)
    }

    /// Reads the log by itself; an event only where its position says nothing there.
    async fn read(&mut self, from: &Position) -> Result<Option<Event>, LiveError> {
        let changes = self.shared.borrow().ring.changes();
        let read = self.live.catch_up(&self.log, from, self.len).await;
        let error = match read {
            Ok(chunk) => {
                self.failures = 0;
                if from.is_between_ticks() {
                    self.asks_at = Some(self.shared.borrow().ring.ticks() + 2);
                }
                self.keep(chunk, changes);
                return Ok(None);
            }
            Err(error) => error,
        };
        match ResetReason::of(&error) {
            Some(reason) => match self.log.head().await {
                Ok(head) => Ok(Some(self.reset(reason, head))),
                Err(error) => self.pass(error).await,
            },
            None => self.pass(error).await,
        }
    }

    /// Waits a moment after what may pass by itself.
    async fn pass(&mut self, error: LogError) -> Result<Option<Event>, LiveError> {
        if !error.is_passing() {
            return Err(LiveError::Log(Arc::new(error)));
        }
        self.failures = self.failures.saturating_add(1);
        retry_pause(self.failures).await;
        Ok(None)
    }

    fn reset(&mut self, reason: ResetReason, head: Position) -> Event {
        (self.place, self.ready, self.asks_at) = (None, None, None);
        self.at = Some(head.clone());
        Event::Reset { reason, position: head }
    }

    /// Keeps what is for this listener, up to its limit; the rest is read again.
    fn keep(&mut self, chunk: Chunk, changes: u64) {
        let (mut entries, mut end, mut bytes) = (VecDeque::new(), chunk.end, 0);
        let mut len = (self.len * 2).min(LOOK_LEN);
        for (n, entry) in chunk.entries.into_iter().enumerate() {
            if !self.admits(&entry.action) {
                continue;
            }
            bytes += weight(&entry.action);
            let (position, action) = (entry.position, Arc::new(entry.action));
            let is_full = bytes >= READY_BYTES_MAX;
            if is_full {
                (end, len) = (position.clone(), n + 1);
            }
            entries.push_back(Placed { position, action });
            if is_full {
                break;
            }
        }
        self.len = len;
        self.ready = Some(Ready { entries, end, changes });
    }
}

/// Where to read the log from: up to the latest end of a tick that the ring has, or to the end of its own tick. None where
/// the ring is what it waits for.
fn way(at: &Position, ring: &Ring, asks_at: Option<u64>) -> Option<Position> {
    if !at.is_between_ticks() {
        return Some(at.clone());
    }
    let joined = ring.boundary().and_then(|end| at.up_to(end));
    joined.or_else(|| asks_at.is_none_or(|ticks| ring.ticks() >= ticks).then(|| at.clone()))
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (tenant, at) = (self.reader.tenant(), &self.at);
        f.debug_struct("Listener").field("tenant", tenant).field("at", at).finish_non_exhaustive()
    }
}
