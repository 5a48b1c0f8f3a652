//! Ids of actions: UUIDv7 (RFC 9562, section 5.7) whose time is the action's own, to the microsecond.
//!
//! The 48-bit field holds milliseconds; the 12 bits of `rand_a` hold the rest of the microsecond (section 6.2, method 3),
//! so the order of ids is the order of `occurred_at`, and 62 random bits tell actions of one microsecond apart.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::quote;

/// The last microsecond that 48 bits of milliseconds can tell.
const MICROS_MAX: u64 = (1 << 48) * 1000 - 1;

/// The id of an action: idempotency key within its tenant, and place in every stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct ActionId(Uuid);

/// Why a text or UUID is no id of an action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionIdError {
    /// Not a UUID at all.
    #[error("{given} is not a UUID")]
    NotUuid {
        /// What was given, cut and quoted.
        given: String,
    },
    /// A UUID of another version.
    #[error("{given} is a UUID of version {version}; ids of actions are UUIDv7 (RFC 9562)")]
    NotVersion7 {
        /// What was given.
        given: Uuid,
        /// Its version field.
        version: usize,
    },
}

impl ActionId {
    /// An id for a moment, from at least 62 random bits. Moments before 1970 count as 1970, moments after 10889, where
    /// the 48 bits end, as their end.
    #[must_use]
    pub fn new(time: DateTime<Utc>, random: u64) -> Self {
        let micros = u64::try_from(time.timestamp_micros()).unwrap_or(0).min(MICROS_MAX);
        let (millis, rest) = (micros / 1000, micros % 1000);
        // 1,000 steps in 4,096: the next integer above, so that `time` finds the microsecond again.
        let fraction = (rest * 4096).div_ceil(1000);
        let high = (millis << 16) | 0x7000 | fraction;
        Self(Uuid::from_u64_pair(high, random & (u64::MAX >> 2) | 1 << 63))
    }

    /// The id of an action that has an id of its own in another system: always the same for the same tenant, source id
    /// and time, so that a second import finds the first.
    #[must_use]
    pub fn from_source(time: DateTime<Utc>, tenant: &str, source_id: &str) -> Self {
        Self::new(time, digest(tenant, source_id))
    }

    /// The least id of a moment's millisecond and microsecond: everything at or after it has a greater or equal id.
    #[must_use]
    pub fn floor(time: DateTime<Utc>) -> Self {
        Self::new(time, 0)
    }

    /// The time in the id, in microseconds where the maker of the id put them there, else in milliseconds.
    #[must_use]
    pub fn time(self) -> DateTime<Utc> {
        let high = self.0.as_u64_pair().0;
        let micros = (high >> 16) * 1000 + ((high & 0xfff) * 1000) / 4096;
        i64::try_from(micros).ok().and_then(DateTime::from_timestamp_micros).unwrap_or_default()
    }

    /// The UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

/// 64 bits of SHA-256 over both parts, each with its length in front so that no two pairs are read alike.
fn digest(tenant: &str, source_id: &str) -> u64 {
    let mut hash = Sha256::new();
    for part in [tenant, source_id] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    bytes[..8].iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

impl TryFrom<Uuid> for ActionId {
    type Error = ActionIdError;
    fn try_from(uuid: Uuid) -> Result<Self, ActionIdError> {
        match uuid.get_version_num() {
            7 => Ok(Self(uuid)),
            version => Err(ActionIdError::NotVersion7 { given: uuid, version }),
        }
    }
}

impl From<ActionId> for Uuid {
    fn from(id: ActionId) -> Uuid {
        id.0
    }
}

impl FromStr for ActionId {
    type Err = ActionIdError;
    fn from_str(text: &str) -> Result<Self, ActionIdError> {
        Uuid::parse_str(text)
            .map_err(|_| ActionIdError::NotUuid { given: quote(text) })
            .and_then(Self::try_from)
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YEAR_9999: i64 = 253_402_300_799_999_999;

    proptest! {
        #[test]
        fn id_keeps_its_time_and_sorts_by_it(a in 0..YEAR_9999, b in 0..YEAR_9999, ra: u64, rb: u64) {
            let time = |micros| DateTime::from_timestamp_micros(micros).expect("in range");
            let (x, y) = (ActionId::new(time(a), ra), ActionId::new(time(b), rb));
            prop_assert_eq!(x.time(), time(a));
            prop_assert_eq!(x.uuid().get_version_num(), 7);
            if a != b {
                prop_assert_eq!(x < y, a < b);
            }
            prop_assert!(ActionId::floor(time(a)) <= x);
        }
    }

    #[test]
    fn moments_beyond_all_ids_are_their_ends() {
        let (first, last) =
            (ActionId::floor(DateTime::<Utc>::MIN_UTC), ActionId::floor(DateTime::<Utc>::MAX_UTC));
        let year_9999 = DateTime::from_timestamp_micros(YEAR_9999).expect("in range");
        assert!(
            first <= ActionId::floor(DateTime::UNIX_EPOCH)
                && last > ActionId::new(year_9999, u64::MAX)
        );
    }

    #[test]
    fn source_id_and_tenant_cannot_be_confused() {
        let t = DateTime::UNIX_EPOCH;
        assert_ne!(ActionId::from_source(t, "ab", "c"), ActionId::from_source(t, "a", "bc"));
        assert_eq!(ActionId::from_source(t, "a", "b"), ActionId::from_source(t, "a", "b"));
    }

    #[test]
    fn other_versions_are_refused() {
        let error = "e4eaaaf2-d142-11e1-b3e4-080027620cdd".parse::<ActionId>().expect_err("v1");
        assert!(error.to_string().contains("version 1; ids of actions are UUIDv7"), "{error}");
    }
}
