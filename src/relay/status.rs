//! How far the relay is, for people and for metrics.

use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use chrono::{DateTime, TimeZone, Utc};
use serde::Serialize;

use super::error::RelayError;
use super::ledger::ParkedAction;
use super::run::Relay;
use super::stream::{Tail, tail};
use crate::log::{CHUNK_LEN_MAX, Entry, Holder, LogError, Position};

/// Actions that are counted one by one.
const COUNTED_MAX: u64 = 10_000;

const NOW: &str = "-- relay::status::now
SELECT clock_timestamp(), coalesce(pg_sequence_last_value('gesta.action_seq'), 0)";

/// How far the relay is.
#[derive(Clone, Debug)]
pub struct RelayStatus {
    /// The stream's name.
    pub stream: String,
    /// Where the stream ends; none where there is no stream yet.
    pub tip: Option<Tip>,
    /// The relay that publishes, and for how much longer its claim holds; none where nobody does.
    pub publisher: Option<(String, Duration)>,
    /// When a relay last noted that it is at work, by the database's clock.
    pub seen_at: Option<DateTime<Utc>>,
    /// What is committed and not in the stream; none where that is not known, because the position in the stream is of
    /// another history of the database.
    pub lag: Option<Lag>,
    /// The position up to which all is in the stream, as printed.
    pub position: Option<String>,
    /// Actions that are in the stream as a stub only, or not at all; up to 1,000.
    pub parked: Vec<ParkedAction>,
    /// Transactions in progress that have written, the oldest first: their actions come when they commit.
    pub writing: Vec<Holder>,
}

/// Where a stream ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tip {
    /// The number of the last message; 0 before the first one.
    pub sequence: u64,
    /// When it was stored, by the broker's clock; none before the first one.
    pub time: Option<DateTime<Utc>>,
    /// Messages that the stream has.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How far the stream is behind the log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lag {
    /// Committed actions that are not in the stream.
    pub actions: u64,
    /// Whether there may be fewer: beyond 10,000 they are estimated by the sequence, which counts what was rolled back.
    pub is_estimate: bool,
    /// Seconds since the first of them was recorded, by the database's clock; 0 where there are none.
    pub seconds: f64,
}

impl Relay {
    /// How far the relays of this stream are, whoever publishes. Changes nothing.
    ///
    /// # Errors
    /// When the broker or the database does not answer.
    pub async fn status(&self) -> Result<RelayStatus, RelayError> {
        let noted = self.ledger.find().await?;
        let stream = self.spec.look(&self.jet_stream).await.map_err(RelayError::Stream)?;
        let tail = match &stream {
            Some(stream) => tail(stream).await.map_err(RelayError::Stream)?,
            None => Tail::Empty,
        };
        let place = noted.as_ref().and_then(|noted| noted.place.clone());
        let position = match (&tail, place) {
            (Tail::Empty, _) => Some(Position::start().to_string()),
            (Tail::Message { position, .. }, _) => Some(position.clone()),
            (Tail::Dropped { .. }, place) => place.map(|place| place.position),
        };
        let lag = match &position {
            Some(position) => self.lag(position, tail.sequence()).await?,
            None => None,
        };
        let publisher = noted.as_ref().filter(|noted| !noted.held_for.is_zero());
        Ok(RelayStatus {
            stream: self.spec.name().to_owned(),
            tip: stream.as_ref().map(tip),
            publisher: publisher.map(|noted| (noted.holder.clone(), noted.held_for)),
            seen_at: noted.as_ref().and_then(|noted| noted.saved_at),
            lag,
            position,
            parked: self.ledger.parked().await?,
            writing: self.log.holders().await.map_err(RelayError::Log)?,
        })
    }

    async fn lag(&self, position: &str, sequence: u64) -> Result<Option<Lag>, RelayError> {
        let mut after: Position =
            position.parse().map_err(|error| RelayError::position(sequence, position, error))?;
        let (mut actions, mut first, mut last) = (0, None, 0);
        let more = loop {
            let chunk = match self.log.read(&after, CHUNK_LEN_MAX).await {
                Ok(chunk) => chunk,
                Err(LogError::OtherOrigin { .. } | LogError::SetBack { .. }) => return Ok(None),
                Err(error) => return Err(RelayError::Log(error)),
            };
            actions += chunk.entries.len() as u64;
            let recorded = |entry: &Entry| entry.action.recorded_at;
            first = chunk.entries.iter().map(recorded).min().into_iter().chain(first).min();
            last = chunk.entries.last().map_or(last, |entry| entry.seq);
            after = chunk.end;
            if !chunk.more || actions >= COUNTED_MAX {
                break chunk.more;
            }
        };
        let row = self.ledger.query("tell the time", NOW, &[]).await?;
        let (now, given): (DateTime<Utc>, i64) =
            row.first().map_or((DateTime::UNIX_EPOCH, 0), |row| (row.get(0), row.get(1)));
        let seconds = first.and_then(|first| (now - first).to_std().ok());
        let beyond = if more { u64::try_from(given - last).unwrap_or(0) } else { 0 };
        Ok(Some(Lag {
            actions: actions + beyond,
            is_estimate: more,
            seconds: seconds.unwrap_or_default().as_secs_f64(),
        }))
    }
}

fn tip(stream: &Stream) -> Tip {
    let state = &stream.cached_info().state;
    let nanos = i64::try_from(state.last_timestamp.unix_timestamp_nanos()).ok();
    Tip {
        sequence: state.last_sequence,
        time: nanos.filter(|_| state.last_sequence > 0).map(|nanos| Utc.timestamp_nanos(nanos)),
        messages: state.messages,
        bytes: state.bytes,
    }
}
