//! The relay: publishes the log to a stream, as one of any number that do so at once.
//!
//! ```text
//!  standby ──► claim ──► stream's tail ──► read after its position ──► publish, fenced ──► …
//!     ▲                                          (reads ahead)               │
//!     └───────────── overtaken, cut off, in trouble: a pause ◄───────────────┘
//! ```
//!
//! What is published is decided by the stream alone: each message carries its position in the log, and is stored only
//! behind the message that the relay saw at the end. So position and data advance together, and whatever is killed, the next
//! one goes on exactly there. Of relays that work at once one gets on, and the others are refused; so that they need not
//! try, one of them holds a claim in PostgreSQL for a few seconds (`gesta.relay`). Correctness does not hang on it.
//!
//! # What can go wrong, and does not
//!
//! - *A relay is killed.* What it had published is in the stream; its claim runs out, and another one goes on.
//! - *A relay is paused, and wakes up later.* The broker refuses what it sends: the stream ends elsewhere by then.
//! - *The broker is killed, and has lost its last messages.* The tail is an older one, and what came after it is published
//!   again. Messages that a client still has in its buffer do not fit ([`super::publish`]).
//! - *PostgreSQL is killed.* Nothing is read before it is durable, so nothing is published that a crash undoes.
//! - *The database is restored, or a replica promoted.* Its transaction ids are another history's, so the position means
//!   nothing. The log is read from an hour before the last action that the stream has, and what the stream has already is
//!   left out by its id. Until all that has been read, each message says since when ids are compared, so that a relay that
//!   takes over does the same. Not found are: actions of transactions that were open for more than an hour. Not taken back:
//!   messages whose actions the restored database has lost.
//! - *All messages have been dropped by age.* The position is noted in `gesta.relay` once a second. Where a relay was killed
//!   within a second after publishing, and nothing was published until all was dropped, that second's messages come again.
//! - *A message is too large.* A stub takes its place, `gesta.parked` says so, and the rest goes on.
//!
//! Writers are never blocked: the log is read in short transactions without locks. They need not tell anybody, either: the
//! relay looks every few milliseconds, and earlier where a bell rings ([`super::bell`]).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::{Context, stream::Stream};
use deadpool_postgres::Pool;
use tokio::sync::watch;
use tokio::time::sleep;

use super::bell;
use super::connect::pause;
use super::cursor::{self, Trust};
use super::error::RelayError;
use super::ledger::Ledger;
use super::message::{Encoder, MessageId};
use super::pack::{Poison, Refused};
use super::publish::Publisher;
use super::stream::StreamSpec;
use super::turn::{Ended, Turn};
use crate::error::chain;
use crate::log::{Log, LogError};
use crate::store::{Bell, spread};

/// How long an acknowledgement is waited for. The tail tells what became of a message, so there is no need for more.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(3);
/// Looks at a log in which nothing happens: at first, and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// How often one that waits looks whether the claim has run out: half of it, and a random part of the other half.
const STANDBY: Duration = Duration::from_secs(1);

/// How often one looks whether the client is connected again.
const RECONNECTING: Duration = Duration::from_millis(20);

/// Publishes the log of a database to a stream. Cheap to clone; each clone is another relay.
///
/// ```no_run
/// # async fn example(pool: deadpool_postgres::Pool) -> Result<(), Box<dyn std::error::Error>> {
/// use gesta::relay::{Encoder, NatsOptions, Relay, StreamSpec, Subjects};
///
/// let client = NatsOptions::parse("nats://localhost")?.connect().await?;
/// let subjects = Subjects::default();
/// let spec = StreamSpec::new("GESTA", &subjects)?;
/// // The pool's role is `gesta_relay`, or a member of it.
/// let relay = Relay::new(&pool, client, spec, Encoder::new(subjects));
/// relay.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Relay {
    pub(super) log: Log,
    pub(super) ledger: Ledger,
    pub(super) client: Client,
    pub(super) jet_stream: Context,
    pub(super) spec: StreamSpec,
    pub(super) encoder: Encoder,
    pub(super) publisher: Publisher,
    pub(super) told: Arc<dyn Fn(&News) + Send + Sync>,
}

/// What happens to a relay, for whoever watches it. Prints as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// Another relay publishes; this one waits.
    Waiting {
        /// The other one.
        holder: String,
    },
    /// It publishes.
    Publishing {
        /// The stream's last message.
        after: u64,
        /// How many ids it compares before that, where the stream's position cannot be trusted.
        compared: Option<usize>,
    },
    /// Everything committed so far is in the stream. Told once after each [`News::Publishing`].
    CaughtUp {
        /// The stream's last message.
        sequence: u64,
    },
    /// The stream ends elsewhere: another relay publishes, or the broker has lost messages.
    Overtaken,
    /// An action is in the stream as a stub, or not at all.
    Parked {
        /// Which one.
        id: MessageId,
        /// Why.
        reason: String,
    },
    /// The position in the stream is of another history of the database; ids are compared.
    Restored {
        /// How it was found.
        reason: String,
    },
    /// Something failed, and is tried again.
    Trouble {
        /// The error and its causes.
        error: String,
    },
    /// It has ended as it was asked to.
    Stopped,
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { holder } => write!(
                f,
                "waiting: relay {holder} publishes to a stream of this name; on another broker give it another name"
            ),
            Self::Publishing { after, compared: None } => {
                write!(f, "publishing after message {after}")
            }
            Self::Publishing { after, compared: Some(ids) } => {
                write!(f, "publishing after message {after}, except for what {ids} messages have")
            }
            Self::CaughtUp { sequence } => {
                write!(f, "caught up: the last action is message {sequence}")
            }
            Self::Overtaken => f.write_str("overtaken: the stream ends elsewhere by now"),
            Self::Parked { id, reason } => write!(f, "parked action {id}: {reason}"),
            Self::Restored { reason } => write!(f, "comparing ids: {reason}"),
            Self::Trouble { error } => write!(f, "trying again: {error}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// What one turn leaves for the next.
#[derive(Default)]
struct Memory {
    trust: Trust,
    poison: Poison,
    /// The stream's end that the last turn was refused at although it had just seen it: perhaps the broker, which was
    /// restarted, does not know the id of a last message that is older than its window for duplicates.
    refused_at: Option<u64>,
    /// Turns without progress.
    failures: usize,
    /// It has published before, so what fails now worked once.
    has_begun: bool,
}

/// A request to end, for all that waits.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    pub(super) async fn asked(&self) {
        // Where nobody is left to ask, the relay is being dropped.
        let _ = self.0.clone().wait_for(|asked| *asked).await;
    }
}

impl Relay {
    /// A relay on a pool whose role is `gesta_relay` or a member of it.
    #[must_use]
    pub fn new(pool: &Pool, client: Client, spec: StreamSpec, encoder: Encoder) -> Self {
        let jet_stream = ContextBuilder::new().timeout(ACK_WAIT).build(client.clone());
        let publisher = Publisher::new(jet_stream.clone(), spec.name());
        let ledger = Ledger::new(pool, spec.name());
        let log = Log::new(pool).pauses(LOOKS.0, LOOKS.1);
        let told = Arc::new(|_: &News| ());
        Self { log, ledger, client, jet_stream, spec, encoder, publisher, told }
    }

    /// Wakes up by this bell as well, such as the [`crate::Store::bell`] of writers in this process. It rings for them too
    /// when the one over NATS does, so a process that rings that one by the same bell would hear itself for ever.
    #[must_use]
    pub fn with_bell(self, bell: &Bell) -> Self {
        Self { log: self.log.with_bell(bell), ..self }
    }

    /// Tells what happens to it.
    #[must_use]
    pub fn told(self, told: impl Fn(&News) + Send + Sync + 'static) -> Self {
        Self { told: Arc::new(told), ..self }
    }

    /// Publishes until it is asked to stop; then it waits for acknowledgements under way and lets others go on.
    ///
    /// What fails is tried again, with pauses of up to two seconds, as long as it takes.
    ///
    /// # Errors
    /// What is wrong with the stream, the database or the role before anything was published, and will not pass.
    ///
    /// # Cancel safety
    /// Dropped, it leaves a beginning of what it was publishing, and others wait some seconds for its claim to run out.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Result<(), RelayError> {
        self.run_as(holder(), stop).await
    }

    /// The same for one that may have the claim already.
    pub(super) async fn run_as(
        &self,
        holder: String,
        stop: impl Future<Output = ()>,
    ) -> Result<(), RelayError> {
        let (sender, receiver) = watch::channel(false);
        let ask = async {
            stop.await;
            sender.send_replace(true);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = self.turns(&holder, Stop(receiver)) => ended,
            () = bell::hear(&self.client, self.encoder.subjects(), &self.log) => Ok(()),
            () = ask => Ok(()),
        }
    }

    async fn turns(&self, holder: &str, stop: Stop) -> Result<(), RelayError> {
        let mut memory = Memory::default();
        loop {
            let ended = match self.turn(holder, &mut memory, &stop).await {
                Ok(Ended::Stopped) => break,
                Ok(ended) => ended,
                Err(error) => {
                    // The others may have better luck.
                    if !matches!(error, RelayError::Database(_) | RelayError::Log(_)) {
                        let _ = self.ledger.release(holder).await;
                    }
                    self.failed(error, &mut memory)?
                }
            };
            self.learn(ended, &mut memory);
            tokio::select! {
                () = stop.asked() => break,
                () = sleep(pause(memory.failures)) => {}
            }
        }
        // Others wait a few seconds longer where it cannot be released.
        let _ = self.ledger.release(holder).await;
        self.tell(&News::Stopped);
        Ok(())
    }

    /// Waits for the claim, and publishes as long as it gets on.
    async fn turn(
        &self,
        holder: &str,
        memory: &mut Memory,
        stop: &Stop,
    ) -> Result<Ended, RelayError> {
        tokio::select! {
            () = stop.asked() => return Ok(Ended::Stopped),
            claimed = async { self.connected().await; self.claim(holder).await } => claimed?,
        }
        // Of all that changes the connection, what happened before the tail is read is none of its concern.
        let connects = self.connects();
        let stream = self.open().await?;
        let trust = std::mem::take(&mut memory.trust);
        let mut cursor = cursor::find(&stream, &self.log, &self.ledger, trust).await?;
        if memory.refused_at == Some(cursor.sequence) {
            cursor.id = None;
        }
        let compared = cursor.known.as_ref().map(super::known::Known::len);
        self.tell(&News::Publishing { after: cursor.sequence, compared });
        let begun = cursor.sequence;
        let turn = Turn { relay: self, stream: &stream, holder, poison: &memory.poison, connects };
        let (ended, last) = turn.run(cursor, stop).await;
        let is_refused = last == begun && matches!(ended, Ok(Ended::Overtaken));
        memory.refused_at = is_refused.then_some(begun);
        if last > begun || matches!(ended, Ok(Ended::Moved)) {
            memory.failures = 0;
        }
        // Whether it is this database's stream at all, the next turn finds out.
        memory.has_begun |= last > begun || !ended.as_ref().is_err_and(is_foreign);
        ended
    }

    /// Waits for the connection to the broker: who has none keeps nobody from publishing.
    async fn connected(&self) {
        while self.client.connection_state() != State::Connected {
            sleep(RECONNECTING).await;
        }
    }

    async fn claim(&self, holder: &str) -> Result<(), RelayError> {
        let mut told = None;
        while !self.ledger.claim(holder).await? {
            let other = self.ledger.find().await?.map(|noted| noted.holder);
            if let Some(other) = other.filter(|other| told.as_ref() != Some(other)) {
                self.tell(&News::Waiting { holder: other.clone() });
                told = Some(other);
            }
            sleep(spread(STANDBY)).await;
        }
        Ok(())
    }

    async fn open(&self) -> Result<Stream, RelayError> {
        self.spec.open(&self.jet_stream).await.map_err(RelayError::Stream)
    }

    /// How often the client has connected: after each time the broker may be another one.
    pub(super) fn connects(&self) -> u64 {
        self.client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// What an error means for the next turn.
    fn failed(&self, error: RelayError, memory: &mut Memory) -> Result<Ended, RelayError> {
        if is_foreign(&error) {
            self.tell(&News::Restored { reason: chain(&error) });
            return Ok(Ended::Foreign);
        }
        if !memory.has_begun && !error.is_passing() {
            return Err(error);
        }
        self.tell(&News::Trouble { error: chain(&error) });
        Ok(Ended::Failed)
    }

    fn learn(&self, ended: Ended, memory: &mut Memory) {
        match ended {
            Ended::Overtaken => self.tell(&News::Overtaken),
            Ended::Doubled { id, sequence } => memory.trust = Trust::Doubled { id, sequence },
            Ended::Foreign => memory.trust = Trust::Foreign,
            Ended::TooLarge(id) => {
                let refused = match memory.poison.get(&id) {
                    None => Refused::Whole,
                    Some(_) => Refused::Stub,
                };
                memory.poison.insert(id, refused);
            }
            Ended::Moved | Ended::Failed | Ended::Stopped => {}
        }
        memory.failures += 1;
    }

    pub(super) fn tell(&self, news: &News) {
        match news {
            News::Trouble { .. } | News::Parked { .. } | News::Restored { .. } => {
                tracing::warn!(stream = self.spec.name(), "{news}");
            }
            _ => tracing::info!(stream = self.spec.name(), "{news}"),
        }
        (self.told)(news);
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("stream", &self.spec.name()).finish_non_exhaustive()
    }
}

/// Whether the stream's position means nothing in this database.
fn is_foreign(error: &RelayError) -> bool {
    matches!(error, RelayError::Log(LogError::OtherOrigin { .. } | LogError::SetBack { .. }))
}

/// A name that no other relay has, and that says which process it is.
pub(super) fn holder() -> String {
    format!("{}-{:08x}", std::process::id(), getrandom::u32().unwrap_or_default())
}
