//! Where a position lies in a stream.

use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};

use super::error::SubscriptionError;
use crate::log::Position;
use crate::relay::message::{MessageError, POSITION_HEADER};

/// Where a position lies in a stream, whose positions rise.
pub(super) enum Place {
    /// Everything before the message of this number has been dealt with, it and everything after it has not.
    Before(u64),
    /// The stream has nothing after the position, and its next message has at least this number.
    Beyond(u64),
    /// The stream has no messages now; the next one has this number.
    Empty(u64),
    /// Between the position and the end of the tick of the next message there may be more than the stream tells.
    Aside {
        /// The end of that tick.
        end: Position,
    },
}

/// Finds the place of a position, by halves. None where the limits dropped a message that was looked at: look again.
pub(super) async fn find(
    stream: &Stream,
    position: &Position,
    trust: Trust,
) -> Result<Option<Place>, SubscriptionError> {
    let state = &stream.cached_info().state;
    if state.messages == 0 {
        return Ok(Some(Place::Empty(state.last_sequence + 1)));
    }
    // The messages up to `low` lie at or before the position, those after `high` do not.
    let (mut low, mut high) = (state.first_sequence - 1, state.last_sequence);
    let (mut before, mut after) = (None, None);
    // Who was here a moment ago is near the end.
    let mut look = high;
    let mut newest = None;
    while low < high {
        let Some(found) = position_of(stream, look).await? else { return Ok(None) };
        // Where a database was restored, the positions before and after it cannot be compared. Then those that are not of
        // the position's own log are all before it if that is the newest one, and else after it.
        let newest = *newest.get_or_insert(found.origin());
        let is_before = match position.origin() {
            ours if ours == found.origin() => position.is_at_or_after(&found),
            ours => ours == newest,
        };
        if is_before {
            (low, before) = (look, Some(found));
        } else {
            (high, after) = (look - 1, Some(found));
        }
        look = low + (high - low).div_ceil(2);
    }
    let Some(after) = after else {
        let exact = before.as_ref() == Some(position);
        return Ok(Some(if exact { Place::Before(low + 1) } else { Place::Beyond(low + 1) }));
    };
    let whole = low == 0;
    let exact = before.as_ref() == Some(position)
        || ((before.is_some() || whole) && after.is_in_tick_from(position))
        || (trust == Trust::FromTheFirst && whole && *position == Position::start());
    Ok(Some(if exact { Place::Before(low + 1) } else { Place::Aside { end: after.tick_end() } }))
}

/// Whether the first message of a stream is believed to be the first of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is: there is nothing that could tell.
    FromTheFirst,
    /// Only where its position says so.
    Nothing,
}

async fn position_of(
    stream: &Stream,
    sequence: u64,
) -> Result<Option<Position>, SubscriptionError> {
    let name = &stream.cached_info().config.name;
    let message = match stream.get_raw_message(sequence).await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
        Err(error) => {
            return Err(SubscriptionError::broker("read a message of", name)(error));
        }
    };
    let header = message.headers.get(POSITION_HEADER).ok_or_else(|| SubscriptionError::Message {
        stream: name.clone(),
        sequence,
        source: MessageError::NoHeader { header: POSITION_HEADER },
    });
    parse(name, sequence, header?.as_str()).map(Some)
}

/// The position of a message.
pub(super) fn parse(
    stream: &str,
    sequence: u64,
    text: &str,
) -> Result<Position, SubscriptionError> {
    let stream = stream.to_owned();
    text.parse().map_err(|source| SubscriptionError::Position { stream, sequence, source })
}
