//! Keys that were found a moment ago, so that many requests at once do not each cost a query.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::identity::{Identity, Via};

/// How long a key is believed without being looked up again, and so how long one that was revoked by another process may
/// go on being accepted.
pub const REVOKED_WITHIN: TimeDelta = TimeDelta::seconds(5);
/// Keys that are kept, of about 500 bytes each.
const CACHED_MAX: usize = 10_000;

/// SHA-256 of the whole key: neither the secret nor what the database has of it stays in memory.
pub(super) type Proof = [u8; 32];

/// Only what was found is kept: whoever guesses fills nothing.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<Proof, Entry>>);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) identity: Identity,
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Before the database was asked.
    pub(super) asked_at: DateTime<Utc>,
}

impl Entry {
    /// A clock that was set back makes it stale too.
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let age = now - self.asked_at;
        (TimeDelta::zero()..REVOKED_WITHIN).contains(&age)
            && self.expires_at.is_none_or(|end| now < end)
    }
}

impl Cache {
    /// Finding by a digest in a table with a random seed takes as long for a near guess as for a far one.
    pub(super) fn find(&self, proof: &Proof, now: DateTime<Utc>) -> Option<Identity> {
        let entries = self.entries();
        let entry = entries.get(proof).filter(|entry| entry.is_fresh(now))?;
        Some(entry.identity.clone())
    }

    pub(super) fn keep(&self, proof: Proof, entry: Entry, now: DateTime<Utc>) {
        let mut entries = self.entries();
        if entries.len() >= CACHED_MAX {
            entries.retain(|_, entry| entry.is_fresh(now));
        }
        if entries.len() >= CACHED_MAX {
            entries.clear();
        }
        entries.insert(proof, entry);
    }

    /// Drops the key with this id, which was revoked here.
    pub(super) fn forget(&self, id: &str) {
        let is_other = |via: &Via| !matches!(via, Via::Key(key) if key == id);
        self.entries().retain(|_, entry| is_other(&entry.identity.via));
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Proof, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceRef;
    use crate::stream::Sight;

    fn entry(id: usize, asked_at: DateTime<Utc>, expires_at: Option<DateTime<Utc>>) -> Entry {
        let identity = Identity {
            tenant: None,
            who: crate::Resource::to_named(&ResourceRef::new("user", "1").expect("valid")),
            is_actor: false,
            scopes: Vec::new(),
            sight: Sight::Everything,
            groups: Vec::new(),
            quota: None,
            via: Via::Key(id.to_string()),
        };
        Entry { identity, expires_at, asked_at }
    }

    fn proof(id: usize) -> Proof {
        let mut proof = [0; 32];
        proof[..8].copy_from_slice(&id.to_be_bytes());
        proof
    }

    #[test]
    fn key_is_believed_for_its_time_and_no_longer() {
        let (cache, start) = (Cache::default(), DateTime::UNIX_EPOCH);
        let end = start + TimeDelta::seconds(2);
        cache.keep(proof(1), entry(1, start, None), start);
        cache.keep(proof(2), entry(2, start, Some(end)), start);
        let found = |id, seconds| {
            cache.find(&proof(id), start + TimeDelta::milliseconds(seconds)).is_some()
        };
        assert!(found(1, 0) && found(1, 4_999) && !found(1, 5_000) && !found(1, -1));
        assert!(found(2, 1_999) && !found(2, 2_000) && !found(3, 0));
        cache.forget("1");
        assert!(!found(1, 0) && found(2, 0));
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let (cache, start) = (Cache::default(), DateTime::UNIX_EPOCH);
        for id in 0..=CACHED_MAX {
            cache.keep(proof(id), entry(id, start, None), start);
        }
        assert!(cache.find(&proof(CACHED_MAX), start).is_some());
        assert!(cache.entries().len() <= CACHED_MAX);
    }
}
