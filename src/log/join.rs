//! Positions of one reader's ticks and another reader of the log: reading up to a tick's end and no further.

use std::sync::Arc;

use super::position::{Point, Position, Unfinished};

impl Position {
    /// Whether it stands between two ticks, so that everything its snapshot sees lies before it.
    #[must_use]
    pub fn is_between_ticks(&self) -> bool {
        self.tick.is_none()
    }

    /// The end of the tick that it lies in; itself between ticks.
    #[must_use]
    pub fn tick_end(&self) -> Self {
        let end = self.tick.as_ref().map_or(&self.from, |tick| &tick.until);
        Self { from: Arc::clone(end), tick: None }
    }

    /// Whether it lies in a tick that begins at the other position: what lies before this one and not before the other
    /// one are the actions of that tick, from its first on.
    #[must_use]
    pub fn is_in_tick_from(&self, other: &Self) -> bool {
        let same_log = other.from.origin.is_none() || other.from.origin == self.from.origin;
        let point = |point: &Point| Point { origin: None, ..point.clone() };
        let same = || point(&self.from) == point(&other.from);
        self.tick.is_some() && other.tick.is_none() && same_log && same()
    }

    /// The same place, from which [`Log::read`](super::Log::read) goes exactly up to `end`, whatever has been committed
    /// since. None where one of the two lies inside of a tick, or `end` does not lie after this one.
    ///
    /// It is how somebody reads for himself what another reader, who wrote down the position `end`, has read up to there.
    #[must_use]
    pub fn up_to(&self, end: &Self) -> Option<Self> {
        let whole = self.tick.is_none() && end.tick.is_none();
        if !whole || self == end || !end.is_at_or_after(self) {
            return None;
        }
        let from = Point { origin: end.from.origin, ..(*self.from).clone() };
        let tick = Unfinished { until: Arc::clone(&end.from), seq: 0 };
        Some(Self { from: Arc::new(from), tick: Some(tick) })
    }
}
