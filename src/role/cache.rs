//! Rights that were read a moment ago, so that many requests at once do not each cost a query.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::definition::Rights;
use crate::resource::{ResourceRef, Tenant};

/// How long rights are believed without being read again, and so how long a change by another process may go unnoticed.
pub const RIGHTS_WITHIN: TimeDelta = TimeDelta::seconds(5);
/// Permissions that are kept, of about 100 bytes each; somebody without any counts as one.
const KEPT_MAX: usize = 100_000;

/// Whose rights: the tenant, who, and the roles that a proxy names.
pub(super) type Whose = (Tenant, ResourceRef, Vec<String>);

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// How many changes there were.
    changes: u64,
    weight: usize,
    entries: HashMap<Whose, (Rights, DateTime<Utc>)>,
}

/// How many changes there were before the database was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(u64);

fn is_fresh(asked_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    // A clock that was set back makes it stale too.
    (TimeDelta::zero()..RIGHTS_WITHIN).contains(&(now - asked_at))
}

fn weight(rights: &Rights) -> usize {
    1 + rights.iter().count()
}

impl Cache {
    /// The rights, or what to give back with those that are read now.
    pub(super) fn find(&self, whose: &Whose, now: DateTime<Utc>) -> Result<Rights, Asked> {
        let kept = self.kept();
        let found = kept.entries.get(whose).filter(|(_, asked_at)| is_fresh(*asked_at, now));
        found.map(|(rights, _)| rights.clone()).ok_or(Asked(kept.changes))
    }

    /// Keeps what was read, unless something was changed in the meantime: it may have been read before.
    pub(super) fn keep(&self, asked: Asked, whose: Whose, rights: &Rights, now: DateTime<Utc>) {
        let mut guard = self.kept();
        let kept = &mut *guard;
        if kept.changes != asked.0 {
            return;
        }
        let added = weight(rights);
        if kept.weight + added > KEPT_MAX {
            kept.entries.retain(|_, (_, asked_at)| is_fresh(*asked_at, now));
            kept.weight = kept.entries.values().map(|(rights, _)| weight(rights)).sum();
        }
        if kept.weight + added > KEPT_MAX {
            kept.entries.clear();
            kept.weight = 0;
        }
        kept.weight += added;
        if let Some((replaced, _)) = kept.entries.insert(whose, (rights.clone(), now)) {
            kept.weight -= weight(&replaced);
        }
    }

    /// Forgets all: something was changed here.
    pub(super) fn forget(&self) {
        let mut kept = self.kept();
        kept.changes += 1;
        kept.weight = 0;
        kept.entries.clear();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(n: usize) -> Whose {
        (Tenant::default(), ResourceRef::new("user", n.to_string()).expect("valid"), Vec::new())
    }

    #[test]
    fn rights_are_believed_for_their_time_and_no_longer() {
        let (cache, start) = (Cache::default(), DateTime::UNIX_EPOCH);
        let asked = cache.find(&whose(1), start).expect_err("nothing is kept");
        cache.keep(asked, whose(1), &Rights::all(), start);
        let found = |n, millis| cache.find(&whose(n), start + TimeDelta::milliseconds(millis)).ok();
        assert_eq!(found(1, 4_999), Some(Rights::all()));
        assert_eq!((found(1, 5_000), found(1, -1), found(2, 0)), (None, None, None));
        let in_a_group = (whose(1).0, whose(1).1, vec!["editor".to_owned()]);
        assert!(cache.find(&in_a_group, start).is_err());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let (cache, now) = (Cache::default(), DateTime::UNIX_EPOCH);
        let asked = cache.find(&whose(1), now).expect_err("nothing is kept");
        cache.forget();
        cache.keep(asked, whose(1), &Rights::all(), now);
        assert!(cache.find(&whose(1), now).is_err());
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let (cache, now) = (Cache::default(), DateTime::UNIX_EPOCH);
        let many = Rights::new((0..999).map(|n| format!("article.w{n}")));
        for n in 0..=KEPT_MAX / 1_000 {
            let asked = cache.find(&whose(n), now).expect_err("nothing is kept");
            cache.keep(asked, whose(n), &many, now);
            cache.keep(asked, whose(n), &many, now);
        }
        let kept = cache.kept();
        assert!(kept.weight <= KEPT_MAX && kept.entries.len() * 1_000 == kept.weight);
    }
}
