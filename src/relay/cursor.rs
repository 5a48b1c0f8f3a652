//! Where a relay goes on: after the stream's last message, whose header has its position in the log.
//!
//! Position and data advance together, so this is exact, whatever was killed: what the stream has lies at or before the
//! position, all else after it. Only where the position means nothing any more (the database was restored from a dump, or a
//! replica was promoted) it cannot be used; then ids are compared ([`Known`]).

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Stream;
use chrono::{DateTime, TimeDelta, Utc};

use super::error::{RelayError, broker};
use super::known::Known;
use super::ledger::Ledger;
use super::message::{COMPARED_HEADER, Incoming, MessageId};
use super::stream::{Tail, tail};
use crate::log::{Log, Position};

/// Where ids are compared, the log is read from this long before the last action that the stream has: a transaction that
/// was open for longer when the database was restored may be left out.
const MARGIN: TimeDelta = TimeDelta::hours(1);
/// How much further back the stream's ids are looked at: clocks differ, and rows are recorded a while before they commit.
const SKEW: TimeDelta = TimeDelta::hours(1);

/// Where to go on.
#[derive(Debug)]
pub(super) struct Cursor {
    /// All up to here is in the stream.
    pub(super) position: Position,
    /// The stream's last message.
    pub(super) sequence: u64,
    /// Its id, as it is printed there: an earlier version may have written it.
    pub(super) id: Option<String>,
    /// What is in the stream although it may lie after the position.
    pub(super) known: Option<Known>,
}

/// What is to be thought of the stream's last position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is exact.
    #[default]
    Exact,
    /// It lies before this action, but the broker says that it has it, as this message.
    Doubled { id: MessageId, sequence: u64 },
    /// It is another history's.
    Foreign,
}

/// Finds out where to go on.
pub(super) async fn find(
    stream: &Stream,
    log: &Log,
    ledger: &Ledger,
    trust: Trust,
) -> Result<Cursor, RelayError> {
    match tail(stream).await.map_err(RelayError::Stream)? {
        Tail::Empty => {
            Ok(Cursor { position: Position::start(), sequence: 0, id: None, known: None })
        }
        Tail::Dropped { sequence } => dropped(sequence, ledger).await,
        Tail::Message { sequence, position, id } => {
            let position = position
                .parse()
                .map_err(|error| RelayError::position(sequence, &position, error))?;
            let cursor = Cursor { position, sequence, id: Some(id), known: None };
            compared(cursor, stream, log, ledger, trust).await
        }
    }
}

/// The limits have dropped the last message, and its position with it. What was noted may be a second older.
async fn dropped(sequence: u64, ledger: &Ledger) -> Result<Cursor, RelayError> {
    let noted = ledger.find().await?.and_then(|noted| noted.place);
    // A greater number was noted for a stream that has been set back, or made anew, since.
    let noted = noted.filter(|place| place.sequence <= sequence);
    let place = noted.ok_or(RelayError::Forgotten { sequence })?;
    let position = place.position.parse();
    let position =
        position.map_err(|error| RelayError::position(sequence, &place.position, error))?;
    Ok(Cursor { position, sequence, id: None, known: None })
}

async fn compared(
    mut cursor: Cursor,
    stream: &Stream,
    log: &Log,
    ledger: &Ledger,
    trust: Trust,
) -> Result<Cursor, RelayError> {
    let last = message(stream, cursor.sequence).await?;
    match trust {
        Trust::Exact => {
            // A relay that compared was killed before it had read everything.
            if let Some(since) = since(&last) {
                cursor.known = Some(Known::collect(stream, since).await?);
            }
        }
        Trust::Doubled { id, sequence } => {
            let there = message(stream, sequence).await?;
            if Incoming::read(Some(&there.headers), &there.payload)
                .is_ok_and(|it| MessageId::of(&it.action) == id)
            {
                cursor.known =
                    Some(Known::collect(stream, recorded(&last)? - MARGIN - SKEW).await?.and(id));
            }
        }
        Trust::Foreign => {
            Known::check_database(stream, ledger).await?;
            let recorded = recorded(&last)?;
            cursor.known = Some(Known::collect(stream, recorded - MARGIN - SKEW).await?);
            cursor.position = log.at(recorded - MARGIN).await.map_err(RelayError::Log)?;
        }
    }
    Ok(cursor)
}

async fn message(stream: &Stream, sequence: u64) -> Result<StreamMessage, RelayError> {
    stream.get_raw_message(sequence).await.map_err(broker("read a message of the stream"))
}

fn since(message: &StreamMessage) -> Option<DateTime<Utc>> {
    let value = message.headers.get(COMPARED_HEADER)?.as_str();
    DateTime::parse_from_rfc3339(value).ok().map(|time| time.with_timezone(&Utc))
}

fn recorded(message: &StreamMessage) -> Result<DateTime<Utc>, RelayError> {
    let read = Incoming::read(Some(&message.headers), &message.payload);
    Ok(read.map_err(RelayError::Message)?.action.recorded_at)
}
