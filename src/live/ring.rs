//! The latest actions of one reader of the log, in pieces that all listeners share.
//!
//! The positions in it are a chain: before each lies exactly what was before the one in front of it, and that one's action.
//! So a position that is found here is a place from which the ring goes on without a gap; any other is none.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::action::Action;
use crate::log::Position;
use crate::resource::Named;

/// Actions that a ring holds: some seconds of a busy tenant, so that a listener who pauses for a moment goes on from memory.
const RING_LEN_MAX: usize = 2_048;
/// About how many bytes these take at most. Payloads are up to 64 KiB each, and each tenant with a listener has a ring.
const RING_BYTES_MAX: usize = 8 << 20;
/// An action without its texts, and its position.
const WEIGHT_MIN: usize = 1_024;

/// An action, and the position right after it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) position: Position,
    pub(super) action: Arc<Action>,
}

/// About how many bytes an action takes.
pub(super) fn weight(action: &Action) -> usize {
    let json = [&action.changes, &action.data, &action.context];
    let json: usize = json.into_iter().flatten().map(|json| json.get().len()).sum();
    let name = |named: &Named| {
        named.resource.id.as_str().len() + named.name.as_ref().map_or(0, String::len)
    };
    let names = [Some(&action.actor), action.object.as_ref(), action.target.as_ref()];
    let names: usize = names.into_iter().flatten().map(name).sum();
    WEIGHT_MIN + json + names + action.description.as_ref().map_or(0, String::len)
}

/// What one look at the log brought.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where the look began.
    before: Position,
    pub(super) entries: Vec<Placed>,
    /// Where it ended.
    pub(super) end: Position,
    bytes: usize,
}

/// Between two entries of a ring: so many entries of a piece lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) piece: u64,
    pub(super) entry: usize,
}

/// What is found at a place.
pub(super) enum Found {
    /// The entries from the place on.
    Piece(Arc<Piece>),
    /// Nothing yet.
    Tip,
    /// It is no place of this ring any more.
    Gone,
}

/// The latest pieces.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// The number of the first piece. Numbers only rise.
    first: u64,
    pieces: VecDeque<Arc<Piece>>,
    /// How far the reader has come; none before its first look.
    tip: Option<Position>,
    len: usize,
    bytes: usize,
    ticks: u64,
    changes: u64,
}

impl Ring {
    /// Begins anew at a position that has nothing to do with those before.
    pub(super) fn begin(&mut self, at: Position) {
        self.lose();
        self.tip = Some(at);
        self.ticks += 1;
    }

    /// Gives up all places and the tip.
    pub(super) fn lose(&mut self) {
        self.forget();
        // The place at the old tip is none of the new ones.
        self.first += 1;
        self.tip = None;
    }

    /// Drops what it holds: somebody's right to see it has changed. Who is at the tip stays there.
    pub(super) fn forget(&mut self) {
        self.first = self.next();
        self.pieces.clear();
        (self.len, self.bytes) = (0, 0);
        self.changes += 1;
    }

    /// What follows on the tip, and the new tip.
    pub(super) fn push(&mut self, entries: Vec<Placed>, end: Position) {
        if self.tip.as_ref() == Some(&end) {
            return;
        }
        self.ticks += u64::from(end.is_between_ticks());
        let Some(before) = self.tip.replace(end.clone()) else { return };
        if entries.is_empty() {
            return;
        }
        let bytes = entries.iter().map(|entry| weight(&entry.action)).sum();
        self.len += entries.len();
        self.bytes += bytes;
        self.pieces.push_back(Arc::new(Piece { before, entries, end, bytes }));
        while self.len > RING_LEN_MAX || self.bytes > RING_BYTES_MAX {
            let Some(piece) = self.pieces.pop_front() else { break };
            self.first += 1;
            self.len -= piece.entries.len();
            self.bytes -= piece.bytes;
        }
    }

    /// The number of the next piece.
    fn next(&self) -> u64 {
        self.first + self.pieces.len() as u64
    }

    /// The place of a position, if it is one of the ring's.
    pub(super) fn find(&self, position: &Position) -> Option<Place> {
        if self.tip.as_ref() == Some(position) {
            return Some(Place { piece: self.next(), entry: 0 });
        }
        // Who was here a moment ago is near the end.
        for (number, piece) in (self.first..self.next()).rev().zip(self.pieces.iter().rev()) {
            if piece.end == *position {
                return Some(Place { piece: number + 1, entry: 0 });
            }
            let is_it = |entry: &Placed| entry.position == *position;
            if let Some(entry) = piece.entries.iter().rposition(is_it) {
                return Some(Place { piece: number, entry: entry + 1 });
            }
            if piece.before == *position {
                return Some(Place { piece: number, entry: 0 });
            }
        }
        None
    }

    /// What is at a place.
    pub(super) fn at(&self, place: Place) -> Found {
        if place.piece == self.next() && self.tip.is_some() {
            return Found::Tip;
        }
        let nth = place.piece.checked_sub(self.first).and_then(|n| usize::try_from(n).ok());
        nth.and_then(|n| self.pieces.get(n))
            .map_or(Found::Gone, |piece| Found::Piece(piece.clone()))
    }

    /// How far the reader has come.
    pub(super) fn tip(&self) -> Option<&Position> {
        self.tip.as_ref()
    }

    /// The latest position of the ring that stands between two ticks: others can read the log up to there and no further.
    pub(super) fn boundary(&self) -> Option<&Position> {
        let pieces = self.pieces.iter().rev().flat_map(|piece| [&piece.end, &piece.before]);
        self.tip.iter().chain(pieces).find(|position| position.is_between_ticks())
    }

    /// How many ticks have ended: whatever was known when there were so many is seen by the snapshot of the one after next.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks
    }

    /// How often what may be seen has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Actions in it, and about how many bytes they take.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.len, self.bytes)
    }
}
