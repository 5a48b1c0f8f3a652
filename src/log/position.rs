//! Positions: how far somebody has read the log.
//!
//! ```text
//! position = identity of the log | from: snapshot, next, seq | inside a tick also: until: snapshot, next, seq; and seq
//! ```
//!
//! `seq` of a snapshot is how far the sequence had come when it had been taken, and `next` the transaction id that would have
//! been given out after that. They say what the snapshot does not: what transactions were in progress beyond its `xmax`,
//! which is the end of those that have *ended*; and that a row with a greater `seq` is later whatever its transaction id,
//! also where a crash has made the database give an id out again.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::snapshot::Snapshot;
use crate::error::quote;

/// The position before everything.
const START: &str = "start";
/// Begins every other one; the number is the version.
const PREFIX: &str = "g1.";
/// Bytes of SHA-256 at the end: a text that was cut or changed on its way is refused, not read as another position.
const CHECK_LEN: usize = 4;
/// Characters of a position. A transaction in progress takes one to three, twice inside a tick; a server for 10,000
/// connections stays below.
const TEXT_LEN_MAX: usize = 1 << 17;

/// Whose log a position is of: transaction ids mean something only there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Of the cluster (`pg_control_system`); another one after a restore from a dump, `initdb` or `pg_upgrade`.
    pub system: u64,
    /// Another one after a replica was promoted, or a backup was recovered to a point in time.
    pub timeline: u32,
    /// The database's oid; another one where it was made anew.
    pub database: u32,
    /// The oid of the table `gesta.action`; another one where it was made anew.
    pub table: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system, timeline, database, table } = self;
        write!(f, "cluster {system}, timeline {timeline}, database {database}, table {table}")
    }
}

/// A place between two ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// None before everything.
    pub(super) origin: Option<Origin>,
    pub(super) snapshot: Snapshot,
    /// No transaction from here on had been given its id when the sequence had come to `seq`.
    pub(super) next: u64,
    /// What the snapshot sees has a `seq` up to here.
    pub(super) seq: i64,
    /// Rows of the transactions that were in progress have a `seq` beyond this. What is older and has the id of one of them
    /// was restored from a dump, in which transaction ids are another cluster's.
    pub(super) floor: i64,
}

impl Point {
    /// The same point as one that was come to from an earlier one: transactions that began since then have a `seq` beyond
    /// the earlier one's.
    pub(super) fn after(self, earlier: &Self) -> Self {
        let oldest = self.snapshot.running.first().unwrap_or(&self.snapshot.xmax);
        let floor = if *oldest >= earlier.next { earlier.seq } else { earlier.floor };
        Self { floor, ..self }
    }

    /// Whether all that lies before this one lies before the other one, as far as can be said. What lies before a point
    /// are the rows that its snapshot sees, up to its `seq`.
    fn is_within(&self, other: &Self) -> bool {
        let same_log = self.origin.is_none() || self.origin == other.origin;
        same_log && self.seq <= other.seq && self.snapshot.is_within(&other.snapshot)
    }
}

/// A tick that was read in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// Where the tick ends.
    pub(super) until: Arc<Point>,
    /// Up to here it was read.
    pub(super) seq: i64,
}

/// How far somebody has read the log of one database: a short text of letters, digits, `_`, `-` and `.`, for a header, a
/// file or a command line. It holds ids of transactions and nothing of an action.
///
/// About 40 characters, or 55 inside of a tick; each transaction that was in progress adds one to three, twice inside of a
/// tick, and PostgreSQL's limits of connections and prepared transactions bound their number.
///
/// A position stays valid as long as the database lives, through restarts and crashes, and needs nothing to be kept for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub(super) from: Arc<Point>,
    pub(super) tick: Option<Unfinished>,
}

impl Position {
    /// Before everything that was ever recorded, in any database. Its text is `start`.
    #[must_use]
    pub fn start() -> Self {
        let snapshot = Snapshot::empty();
        let next = snapshot.xmax;
        Point { origin: None, snapshot, next, seq: 0, floor: 0 }.into()
    }

    /// Whether everything at or before the other position lies at or before this one, too.
    ///
    /// Two positions of one log can be compared where both stand between ticks, or one of them does and lies outside of the
    /// other one's tick, or both are of one reader's ticks. Two readers cut the log into ticks of their own: of two positions
    /// inside of ticks that overlap nobody can say which comes first, and neither of two with a crash of the server between
    /// them, for a moment. Then, and between logs, the answer is `false` both ways.
    #[must_use]
    pub fn is_at_or_after(&self, other: &Self) -> bool {
        let tick_is_within = || match (&other.tick, &self.tick) {
            (None, _) => true,
            (Some(theirs), ours) => {
                let ended = theirs.until.is_within(&self.from);
                ended || ours.as_ref().is_some_and(|ours| theirs.is_within(ours))
            }
        };
        self == other || (other.from.is_within(&self.from) && tick_is_within())
    }

    /// Whose position it is; none of the start.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.from.origin
    }

    /// The ids of transactions that it waits for, because they were in progress: their actions come later, if they commit.
    /// Those that began after the last one that had ended are not among them.
    #[must_use]
    pub fn waits_for(&self) -> &[u64] {
        &self.tick.as_ref().map_or(&self.from, |tick| &tick.until).snapshot.running
    }
}

impl Unfinished {
    fn is_within(&self, other: &Self) -> bool {
        self.seq <= other.seq && self.until.is_within(&other.until)
    }
}

impl From<Point> for Position {
    fn from(point: Point) -> Self {
        Self { from: Arc::new(point), tick: None }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(origin) = self.from.origin else { return f.write_str(START) };
        let mut bytes = origin.system.to_be_bytes().to_vec();
        for number in [origin.timeline, origin.database, origin.table] {
            push(&mut bytes, u64::from(number));
        }
        push_point(&mut bytes, &self.from);
        if let Some(Unfinished { until, seq }) = &self.tick {
            push_point(&mut bytes, until);
            push(&mut bytes, seq.unsigned_abs());
        }
        bytes.extend(check(&bytes));
        write!(f, "{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Why a text is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// The text was not made here, or was damaged.
    #[error("{given} is no position; give one as it was printed, or `start`")]
    Malformed {
        /// What was given, cut and quoted.
        given: String,
    },
    /// The position of another version of the program.
    #[error(
        "{given} is a position of another version; this one reads those that begin with `{PREFIX}`"
    )]
    Version {
        /// What was given, cut and quoted.
        given: String,
    },
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        if text == START {
            return Ok(Self::start());
        }
        let given = || quote(text);
        let Some(body) = text.strip_prefix(PREFIX) else {
            let version = text.strip_prefix('g').and_then(|rest| rest.split_once('.'));
            return Err(match version {
                Some((number, _)) if number.parse::<u32>().is_ok() => {
                    PositionError::Version { given: given() }
                }
                _ => PositionError::Malformed { given: given() },
            });
        };
        decode(body).ok_or_else(|| PositionError::Malformed { given: given() })
    }
}

fn decode(body: &str) -> Option<Position> {
    if body.len() > TEXT_LEN_MAX {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
    let (bytes, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_LEN)?)?;
    if check(bytes) != sum {
        return None;
    }
    let (system, mut rest) = bytes.split_first_chunk()?;
    let mut number = || u32::try_from(pull(&mut rest)?).ok();
    let system = u64::from_be_bytes(*system);
    let (timeline, database, table) = (number()?, number()?, number()?);
    let origin = Origin { system, timeline, database, table };
    let from = Arc::new(pull_point(&mut rest, origin)?);
    if rest.is_empty() {
        return Some(Position { from, tick: None });
    }
    let until = Arc::new(pull_point(&mut rest, origin)?);
    let seq = i64::try_from(pull(&mut rest)?).ok()?;
    rest.is_empty().then_some(Position { from, tick: Some(Unfinished { until, seq }) })
}

fn check(bytes: &[u8]) -> [u8; CHECK_LEN] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    std::array::from_fn(|n| digest[n])
}

/// Transactions in progress are close to `xmax`, so the distances between them are small numbers.
fn push_point(bytes: &mut Vec<u8>, point: &Point) {
    let Snapshot { xmax, running } = &point.snapshot;
    push(bytes, point.seq.unsigned_abs());
    push(bytes, point.seq.saturating_sub(point.floor).unsigned_abs());
    push(bytes, *xmax);
    push(bytes, point.next.saturating_sub(*xmax));
    push(bytes, running.len() as u64);
    let mut above = *xmax;
    for &xid in running.iter().rev() {
        push(bytes, above - xid);
        above = xid;
    }
}

fn pull_point(bytes: &mut &[u8], origin: Origin) -> Option<Point> {
    let seq = i64::try_from(pull(bytes)?).ok()?;
    let floor = seq.checked_sub(i64::try_from(pull(bytes)?).ok()?)?;
    let mut above = pull(bytes)?;
    let (xmax, next) = (above, above.checked_add(pull(bytes)?)?);
    let len = usize::try_from(pull(bytes)?).ok()?;
    // Each takes a byte at least, so a great number in a short text asks for no memory.
    let mut running = Vec::with_capacity(len.min(bytes.len()));
    for _ in 0..len {
        above = above.checked_sub(pull(bytes)?)?;
        running.push(above);
    }
    running.reverse();
    let snapshot = Snapshot::new(xmax, running)?;
    Some(Point { origin: Some(origin), snapshot, next, seq, floor })
}

/// A number in groups of seven bits, the lowest first (LEB128).
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let group = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return bytes.push(group);
        }
        bytes.push(group | 0x80);
    }
}

fn pull(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        // No second text for a number: no bits beyond the 64th, no group of zeros at the end.
        if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests;
