//! Time and ids for what is appended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};

use crate::action::{ActionId, NewAction};

/// How far the random part of an id moves on within one microsecond: 2^40 on average, so that 2^21 ids fit in.
const STEP_BITS: u32 = 41;

/// A source of the current time; tests give their own.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The system's clock.
pub(crate) fn system() -> Now {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    Arc::new(Utc::now)
}

/// Hands out times and ids. Ids of one process rise (RFC 9562, section 6.2, method 2), also inside a microsecond and
/// when the clock steps back, so that what was emitted first stands first in every stream.
pub(crate) struct Stamps {
    now: Now,
    last: Mutex<Last>,
}

/// What was handed out last.
struct Last {
    /// By the clock; a writer's own time, which may lie ahead, must not become everybody's.
    shown: DateTime<Utc>,
    ids: Rising,
}

/// Hands out ids that rise inside each microsecond.
#[derive(Debug, Default)]
pub(crate) struct Rising {
    time: DateTime<Utc>,
    random: u64,
}

impl Stamps {
    pub(crate) fn new(now: Now) -> Self {
        let last = Last { shown: DateTime::UNIX_EPOCH, ids: Rising::default() };
        Self { now, last: Mutex::new(last) }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// Fills in the id and the time that the writer left out. What is below a microsecond is cut here: PostgreSQL would
    /// round towards its own year zero, 2000, and the id would tell another time than the column.
    pub(crate) fn stamp(&self, action: &mut NewAction) -> (ActionId, DateTime<Utc>) {
        let given = action.occurred_at.map(|time| time.trunc_subsecs(6));
        let (id, time) = match (action.id, given) {
            (Some(id), time) => (id, time.unwrap_or_else(|| id.time())),
            (None, Some(time)) => (self.last().ids.next(time), time),
            (None, None) => {
                let now = self.now().trunc_subsecs(6);
                let mut last = self.last();
                // A step back of the clock by up to a second is bridged; more is a correction, and believed.
                let bridged = last.shown > now && last.shown - now < chrono::TimeDelta::seconds(1);
                let time = if bridged { last.shown } else { now };
                last.shown = time;
                (last.ids.next(time), time)
            }
        };
        action.id = Some(id);
        action.occurred_at = Some(time);
        (id, time)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rising {
    /// An id for a moment: of the same moment as the last one, a greater one.
    pub(crate) fn next(&mut self, time: DateTime<Utc>) -> ActionId {
        let same = self.time == time;
        let random = match self.random.checked_add(1 + (random() >> (64 - STEP_BITS))) {
            Some(next) if same && next < 1 << 62 => next,
            // The top bit stays free, so that a microsecond has room for many ids above the first.
            _ => random() >> 3,
        };
        (self.time, self.random) = (time, random);
        ActionId::new(time, random)
    }
}

fn random() -> u64 {
    // The operating system's generator does not fail once it has started; a process without it cannot make ids.
    #[expect(clippy::expect_used, reason = "there is no other source of randomness")]
    getrandom::u64().expect("the operating system gives random numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, ResourceRef};

    fn stamps_at(micros: i64) -> Stamps {
        let time = DateTime::from_timestamp_micros(micros).expect("valid");
        Stamps::new(Arc::new(move || time))
    }

    fn action() -> NewAction {
        NewAction::new("close", &Context::new(&ResourceRef::new("user", "1").expect("valid")))
    }

    #[test]
    fn ids_of_one_moment_rise() {
        let stamps = stamps_at(1_700_000_000_000_000);
        let ids: Vec<_> = (0..20_000).map(|_| stamps.stamp(&mut action()).0).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        let at = DateTime::UNIX_EPOCH;
        let ids: Vec<_> = (0..100).map(|_| stamps.stamp(&mut action().at(at)).0).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "also where the writer gives the time");
    }

    #[test]
    fn small_steps_back_of_the_clock_are_bridged() {
        let micros = Arc::new(std::sync::atomic::AtomicI64::new(1_700_000_000_000_000));
        let shown = Arc::clone(&micros);
        let stamps = Stamps::new(Arc::new(move || {
            let micros = shown.fetch_sub(1000, std::sync::atomic::Ordering::SeqCst);
            DateTime::from_timestamp_micros(micros).expect("valid")
        }));
        let first = stamps.stamp(&mut action());
        let second = stamps.stamp(&mut action());
        assert!(first.0 < second.0 && first.1 == second.1);
    }

    #[test]
    fn a_writers_time_that_lies_ahead_is_nobody_elses() {
        let (stamps, now) = (stamps_at(1_000_000), DateTime::from_timestamp_micros(1_000_000));
        let ahead = now.expect("valid") + chrono::TimeDelta::milliseconds(500);
        assert_eq!(stamps.stamp(&mut action().at(ahead)).1, ahead);
        assert_eq!(Some(stamps.stamp(&mut action()).1), now);
    }

    #[test]
    fn times_are_cut_to_the_microsecond_in_action_and_id() {
        let time: DateTime<Utc> = "1999-12-31T23:59:59.999999999Z".parse().expect("a time");
        let (id, cut) = stamps_at(0).stamp(&mut action().at(time));
        assert_eq!((id.time(), cut.timestamp_subsec_nanos()), (cut, 999_999_000));
    }

    #[test]
    fn the_writers_own_id_gives_the_time() {
        let id = ActionId::new(DateTime::from_timestamp_micros(7).expect("valid"), 9);
        assert_eq!(stamps_at(99).stamp(&mut action().id(id)), (id, id.time()));
    }
}
