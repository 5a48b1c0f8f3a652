//! A subscription: from a position on, out of the log where the stream does not have it, then live.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::{Context, Message};

use super::error::SubscriptionError;
use super::place::{self, Place, Trust};
use super::tap::{self, Drawn, Tap};
use crate::action::Action;
use crate::log::{CHUNK_LEN_MAX, Entry, Log, LogError, Position};
use crate::relay::{Filter, Incoming};
use crate::store::spread;

/// Actions that are held ready where nothing else is said.
const BATCH_LEN: usize = 100;
/// The longest pause between two attempts, and the first one.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// So many gaps one after the other are worth telling.
const GAPS_TO_TELL: u32 = 5;

/// An action that came, and how far it brings the consumer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The action.
    pub action: Action,
    /// Right after it: whoever has dealt with it goes on from here.
    pub position: Position,
    /// The number of its message; none where it came out of PostgreSQL.
    pub sequence: Option<u64>,
    /// Why `changes`, `data`, `context` and `description` are missing: the action was too large for the broker, and the
    /// subscription has no log to read it from.
    pub parked: Option<String>,
}

/// The actions after a position, each once and in order, from the stream of a relay.
///
/// See the [module](super) for what it promises, and [`Subscription::step`] for effects that happen exactly once.
pub struct Subscription {
    jet_stream: Context,
    stream: String,
    filters: Vec<Filter>,
    log: Option<Log>,
    batch: usize,
    /// Where the consumer is.
    pub(super) handed: Position,
    /// What comes next, in order.
    pub(super) ready: VecDeque<Delivery>,
    /// Everything up to here is in `ready` or was handed out.
    reached: Position,
    state: State,
    /// Whether its place in the stream was ever found.
    found: bool,
    failures: u32,
}

enum State {
    /// Nobody knows where `reached` lies in the stream.
    Lost,
    /// Out of the log from here on, until the tick ends.
    Replay(Position),
    /// The tap gives what follows on `reached`.
    Live(Tap),
    /// The stream had nothing after `reached`; the tap tells when there is something.
    Waiting(Tap),
}

impl Subscription {
    /// A subscription to everything in the stream of this name, from before everything on.
    #[must_use]
    pub fn new(jet_stream: &Context, stream: impl Into<String>) -> Self {
        Self {
            jet_stream: jet_stream.clone(),
            stream: stream.into(),
            filters: Vec::new(),
            log: None,
            batch: BATCH_LEN,
            handed: Position::start(),
            ready: VecDeque::new(),
            reached: Position::start(),
            state: State::Lost,
            found: false,
            failures: 0,
        }
    }

    /// Only what this filter admits, or one of several, which must not overlap.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Goes on after this position: the one of the last action that was dealt with, or [`Log::at`] a time.
    #[must_use]
    pub fn after(mut self, position: Position) -> Self {
        self.seek(position);
        self
    }

    /// Reads here what the stream does not have. It must be the log that the relay reads, and may be of one tenant if every
    /// filter names that tenant.
    #[must_use]
    pub fn log(mut self, log: Log) -> Self {
        self.log = Some(log);
        self
    }

    /// How many actions are held ready, and are in a [`Step`](super::Step) at most: 1 to 1,000; 100 by default. The broker
    /// sends as many again meanwhile, and no more.
    #[must_use]
    pub fn batch(mut self, len: usize) -> Self {
        self.batch = len.clamp(1, CHUNK_LEN_MAX);
        self
    }

    /// Where the consumer is: the position of the last action that was handed out, or the one it began with.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.handed
    }

    /// Goes on from another position.
    pub fn seek(&mut self, position: Position) {
        self.ready.clear();
        self.reached = position.clone();
        self.handed = position;
        self.state = State::Lost;
    }

    /// The next action; waits until there is one. What fails and may pass is tried again for as long as it takes, with
    /// pauses of up to five seconds, once the subscription has found its place in the stream.
    ///
    /// # Errors
    /// What does not pass by itself, and every failure before its place was found. It can be called again: nothing is passed
    /// over.
    ///
    /// # Cancel safety
    /// An action that was not returned comes with the next call.
    pub async fn next(&mut self) -> Result<Delivery, SubscriptionError> {
        loop {
            self.make_ready().await?;
            if let Some(delivery) = self.next_ready() {
                return Ok(delivery);
            }
        }
    }

    /// The next action, if it is here already.
    pub fn next_ready(&mut self) -> Option<Delivery> {
        let delivery = self.ready.pop_front()?;
        self.handed = delivery.position.clone();
        Some(delivery)
    }

    /// The first so many were dealt with.
    pub(super) fn drop_ready(&mut self, len: usize) {
        if let Some(last) = self.ready.drain(..len).next_back() {
            self.handed = last.position;
        }
    }

    /// Returns when there is something in `ready`.
    pub(super) async fn make_ready(&mut self) -> Result<(), SubscriptionError> {
        self.check_tenants()?;
        while self.ready.is_empty() {
            match self.fill().await {
                Ok(Filled::Some) => self.failures = 0,
                Ok(Filled::Nothing) => {}
                Ok(Filled::Gap) => {
                    let (stream, failures) = (&self.stream, self.failures);
                    if failures < GAPS_TO_TELL {
                        tracing::debug!(stream, "a gap: looking for the place again");
                    } else {
                        tracing::warn!(
                            stream,
                            failures,
                            "the place is not found: are messages deleted?"
                        );
                    }
                    self.lose().await;
                }
                Err(error) if self.found && error.is_passing() => {
                    let error = crate::error::chain(&error);
                    tracing::warn!(stream = self.stream, error, "the subscription tries again");
                    self.lose().await;
                }
                Err(error) => {
                    self.state = State::Lost;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Gives its place up, and pauses.
    async fn lose(&mut self) {
        self.state = State::Lost;
        let longest = (PAUSE_MIN * 2_u32.pow(self.failures.min(10))).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(spread(longest)).await;
    }

    fn check_tenants(&self) -> Result<(), SubscriptionError> {
        let Some(tenant) = self.log.as_ref().and_then(Log::own_tenant) else { return Ok(()) };
        let is_fenced = |filter: &Filter| filter.clone().tenant(tenant) == *filter;
        if !self.filters.is_empty() && self.filters.iter().all(is_fenced) {
            return Ok(());
        }
        Err(SubscriptionError::OtherTenant { tenant: tenant.to_string() })
    }

    async fn fill(&mut self) -> Result<Filled, SubscriptionError> {
        match &mut self.state {
            State::Lost => self.find_place().await,
            State::Replay(at) => {
                let at = at.clone();
                let filled = self.replay(&at).await?;
                let ended = self.reached.is_between_ticks();
                self.state = if ended { State::Lost } else { State::Replay(self.reached.clone()) };
                Ok(filled)
            }
            State::Waiting(tap) => match tap.draw(1).await? {
                Drawn::Messages(_) => {
                    self.state = State::Lost;
                    Ok(Filled::Nothing)
                }
                Drawn::Gap => Ok(Filled::Gap),
            },
            State::Live(tap) => match tap.draw(self.batch).await? {
                Drawn::Messages(messages) => self.take_all(&messages),
                Drawn::Gap => Ok(Filled::Gap),
            },
        }
    }

    async fn find_place(&mut self) -> Result<Filled, SubscriptionError> {
        let stream = tap::stream(&self.jet_stream, &self.stream).await?;
        let trust = if self.log.is_some() { Trust::Nothing } else { Trust::FromTheFirst };
        let Some(place) = place::find(&stream, &self.reached, trust).await? else {
            return Ok(Filled::Gap);
        };
        let (filters, len) = (&self.filters, self.batch);
        self.state = match place {
            Place::Before(next) => State::Live(Tap::open(stream, filters, next, len).await?),
            Place::Beyond(next) => State::Waiting(Tap::open(stream, filters, next, 1).await?),
            Place::Aside { end } => {
                let Some(log) = &self.log else { return Err(self.gone()) };
                if let Some(at) = way(&self.reached, &end) {
                    State::Replay(at)
                } else {
                    // Where the database is another one, the log says so.
                    log.read(&self.reached, 1).await.map_err(|error| self.failed(error))?;
                    let same = self.reached.origin() == end.origin();
                    return if same { Ok(Filled::Gap) } else { Err(self.gone()) };
                }
            }
            Place::Empty(next) => {
                let before = self.reached.clone();
                let filled = match &self.log {
                    Some(_) => self.replay(&before).await?,
                    None => Filled::Nothing,
                };
                if self.reached != before {
                    return Ok(filled);
                }
                State::Waiting(Tap::open(stream, &self.filters, next, 1).await?)
            }
        };
        self.found = true;
        Ok(Filled::Nothing)
    }

    /// A chunk of the log.
    async fn replay(&mut self, at: &Position) -> Result<Filled, SubscriptionError> {
        let Some(log) = &self.log else { return Err(self.gone()) };
        let chunk = log.read(at, self.batch).await.map_err(|error| self.failed(error))?;
        for Entry { action, position, .. } in chunk.entries {
            self.admit(Delivery { action, position, sequence: None, parked: None });
        }
        self.reached = chunk.end;
        Ok(Filled::Some)
    }

    /// Messages, up to one that cannot be taken: that one is alone when it is met again.
    fn take_all(&mut self, messages: &[(u64, Message)]) -> Result<Filled, SubscriptionError> {
        for (n, (sequence, message)) in messages.iter().enumerate() {
            match self.take(*sequence, message) {
                Ok(true) => {}
                Ok(false) => return Ok(Filled::Nothing),
                Err(error) if n == 0 => return Err(error),
                Err(_) => {
                    self.state = State::Lost;
                    break;
                }
            }
        }
        Ok(Filled::Some)
    }

    /// A message; whether the next one follows.
    fn take(&mut self, sequence: u64, message: &Message) -> Result<bool, SubscriptionError> {
        let stream = &self.stream;
        let unreadable =
            |source| SubscriptionError::Message { stream: stream.clone(), sequence, source };
        let incoming = Incoming::read(message.headers.as_ref(), &message.payload);
        let Incoming { action, position, parked } = incoming.map_err(unreadable)?;
        let position = place::parse(stream, sequence, &position)?;
        if parked.is_some() && self.log.is_some() {
            // The log has the whole of it, and is read up to the end of its tick.
            self.state = match way(&self.reached, &position.tick_end()) {
                Some(at) => State::Replay(at),
                None => State::Lost,
            };
            return Ok(false);
        }
        self.reached = position.clone();
        self.admit(Delivery { action, position, sequence: Some(sequence), parked });
        Ok(true)
    }

    fn admit(&mut self, delivery: Delivery) {
        let admits = |filter: &Filter| filter.admits(&delivery.action);
        if self.filters.is_empty() || self.filters.iter().any(admits) {
            self.ready.push_back(delivery);
        }
    }

    fn gone(&self) -> SubscriptionError {
        SubscriptionError::Gone { stream: self.stream.clone() }
    }

    fn failed(&self, source: LogError) -> SubscriptionError {
        SubscriptionError::Log { stream: self.stream.clone(), source }
    }
}

/// What an attempt has brought.
enum Filled {
    /// It has come further.
    Some,
    /// It knows more about its place.
    Nothing,
    /// Its place is lost.
    Gap,
}

/// Where to read the log from, so that it goes from a position to the end of a tick, or of its own tick.
fn way(reached: &Position, end: &Position) -> Option<Position> {
    if reached.is_between_ticks() { reached.up_to(end) } else { Some(reached.clone()) }
}
