//! Pages: some actions of a stream in time order, newest first, and the cursors to go on.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cursor::{Cursor, CursorError, Direction, Fingerprint};
use super::reader::QueryError;
use crate::action::{Action, ActionId};

/// Actions of a page, which is held in memory as a whole.
pub const PAGE_LEN_MAX: usize = 1000;

/// Bytes of the payloads of a page, if it has more than one action: [`Page`]s of such actions end before their limit.
pub const PAGE_BYTES_MAX: usize = 16 << 20;

/// Actions of a page where nothing else is asked for.
pub(crate) const PAGE_LEN: usize = 50;

/// Some items of a stream, newest first; fewer than were asked for where their payloads come to [`PAGE_BYTES_MAX`]. Whether the
/// stream goes on is what the cursors say.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Goes on to older ones; none where the stream ends.
    pub older: Option<Cursor>,
    /// Goes on to newer ones, also to those that are still to come; none while nothing has been seen.
    pub newer: Option<Cursor>,
}

/// The moments that a query looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Window {
    /// At this moment or later.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Before this moment.
    pub(crate) until: Option<DateTime<Utc>>,
}

impl Window {
    /// The ids of these moments, `low <= id < high`: the least and the greatest UUID where there is no bound.
    pub(crate) fn ids(self) -> (Uuid, Uuid) {
        let floor = |time| ActionId::floor(time).uuid();
        (self.since.map_or(Uuid::nil(), floor), self.until.map_or(Uuid::max(), floor))
    }

    /// The part of a query's fingerprint.
    pub(crate) fn part(self) -> String {
        let (low, high) = self.ids();
        format!("{low} {high}")
    }
}

/// The range of ids that a page may take from: `low <= id < high`, walked in a direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) low: Uuid,
    pub(crate) high: Uuid,
    pub(crate) direction: Direction,
}

impl Range {
    /// The window of a query, cut at the cursor.
    pub(crate) fn new(
        window: Window,
        cursor: Option<Cursor>,
        query: Fingerprint,
    ) -> Result<Self, QueryError> {
        Self::within(window.ids(), cursor, query)
    }

    /// A range of ids, cut at the cursor.
    pub(crate) fn within(
        (low, high): (Uuid, Uuid),
        cursor: Option<Cursor>,
        query: Fingerprint,
    ) -> Result<Self, QueryError> {
        let direction = cursor.map_or(Direction::Older, |cursor| cursor.direction);
        let mut range = Self { low, high, direction };
        let Some(cursor) = cursor else { return Ok(range) };
        if cursor.query != query {
            return Err(QueryError::Cursor(CursorError::OtherQuery));
        }
        match direction {
            Direction::Older => range.high = range.high.min(cursor.edge),
            Direction::Newer => range.low = range.low.max(after(cursor.edge)),
        }
        Ok(range)
    }
}

/// The next UUID.
pub(crate) fn after(edge: Uuid) -> Uuid {
    Uuid::from_u128(edge.as_u128().saturating_add(1))
}

/// How many of these are a page: one at least, and as many more as have room.
fn fitting<'a>(actions: impl Iterator<Item = &'a Action>) -> usize {
    let mut bytes = 0;
    let fits = |action: &&Action| {
        bytes += action.payload_len();
        bytes <= PAGE_BYTES_MAX
    };
    actions.take_while(fits).count().max(1)
}

/// Checks the length of a page; one more row is asked for, which tells whether the stream goes on.
pub(crate) fn check_limit(limit: usize) -> Result<i64, QueryError> {
    Ok(check_within(limit, PAGE_LEN_MAX)? + 1)
}

/// Checks a limit, which is 1 to `max`.
pub(crate) fn check_within(given: usize, max: usize) -> Result<i64, QueryError> {
    match i64::try_from(given) {
        Ok(limit @ 1..) if given <= max => Ok(limit),
        _ => Err(QueryError::Limit { given, max }),
    }
}

impl<T> Page<T> {
    /// Makes a page of up to `limit + 1` items, which are in the direction of the range.
    pub(crate) fn new(
        mut items: Vec<T>,
        limit: usize,
        cursor: Option<Cursor>,
        range: Range,
        query: Fingerprint,
        action: impl Fn(&T) -> &Action,
    ) -> Self {
        let id = |item: &T| action(item).id.uuid();
        let fitting = fitting(items.iter().take(limit).map(&action));
        let more = items.len() > fitting;
        items.truncate(fitting);
        if range.direction == Direction::Newer {
            items.reverse();
        }
        let at = |direction, edge| Some(Cursor { direction, edge, query, now: None });
        let older = match (items.last(), range.direction) {
            (Some(last), Direction::Older) if more => at(Direction::Older, id(last)),
            (Some(last), Direction::Newer) => at(Direction::Older, id(last)),
            // Nothing newer than the cursor: what is older begins at the cursor itself.
            (None, Direction::Newer) => cursor.and_then(|c| at(Direction::Older, after(c.edge))),
            _ => None,
        };
        let newer = match (items.first(), cursor) {
            (Some(first), _) => at(Direction::Newer, id(first)),
            (None, Some(cursor)) if cursor.direction == Direction::Newer => Some(cursor),
            (None, Some(cursor)) => {
                at(Direction::Newer, Uuid::from_u128(cursor.edge.as_u128().saturating_sub(1)))
            }
            (None, None) => None,
        };
        Self { items, older, newer }
    }
}
