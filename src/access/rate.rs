//! How often somebody may ask: a bucket of tokens each, as full as the quota, filled up again evenly within a minute.
//!
//! A bucket is one moment, that at which it will be full again: a request moves it on by the time in which one token
//! comes back, and is refused where it would lie more than a window ahead (the generic cell rate algorithm of ATM). The
//! clock is passed in. Each process counts for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::identity::{Identity, Via};

/// The time that a quota is for.
pub const WINDOW: Duration = Duration::from_mins(1);
/// Attempts with a wrong key, a minute, from one IPv4 address or one IPv6 network of 64 bits, that are told apart and recorded.
/// Nobody guesses a secret; this spares the log. A program with an old key tries again some times a minute.
pub const FAILURES_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
/// Buckets that are kept, of about 100 bytes each. Whoever is beyond has no limit until others' buckets are full again:
/// that many addresses at once are an attack that this cannot stop, and none of the keys.
const BUCKETS_MAX: usize = 100_000;
/// How often full buckets are looked for at most, which costs about a millisecond.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Whether a request is let pass, and what there is to tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Requests a minute.
    pub quota: NonZeroU32,
    /// Requests that would be let pass at this moment.
    pub remaining: u32,
    /// How long until the whole quota is there again.
    pub reset: Duration,
    /// How long until the next request is let pass, where this one is not.
    pub retry_after: Option<Duration>,
}

impl Decision {
    /// Whether the request is let pass.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.retry_after.is_none()
    }

    /// The header `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): `"default";q=100;w=60`.
    #[must_use]
    pub fn policy(&self) -> String {
        format!("\"default\";q={};w={}", self.quota, WINDOW.as_secs())
    }

    /// The header `RateLimit`: `"default";r=50;t=30`.
    #[must_use]
    pub fn limit(&self) -> String {
        format!("\"default\";r={};t={}", self.remaining, whole_seconds(self.reset))
    }

    /// The header `Retry-After`, in whole seconds, where the request is refused.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(whole_seconds)
    }
}

/// Rounded up: who waits that long is let pass.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// When each bucket is full again.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    full_at: HashMap<K, Instant>,
    swept_at: Option<Instant>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(super) fn new() -> Self {
        Self { full_at: HashMap::new(), swept_at: None }
    }

    /// Takes a token, where there is one.
    pub(super) fn take(&mut self, key: K, quota: NonZeroU32, now: Instant) -> Decision {
        let (decision, full_at) = decide(self.full_at.get(&key).copied(), quota, now);
        if decision.is_allowed() && (self.full_at.contains_key(&key) || self.has_room(now)) {
            self.full_at.insert(key, full_at);
        }
        decision
    }

    /// A full bucket is as good as none.
    fn has_room(&mut self, now: Instant) -> bool {
        let is_due = self.swept_at.is_none_or(|swept| now - swept >= SWEEP_EVERY);
        if self.full_at.len() >= BUCKETS_MAX && is_due {
            self.swept_at = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        self.full_at.len() < BUCKETS_MAX
    }
}

/// The answer, and when the bucket is full again if the token is taken.
fn decide(full_at: Option<Instant>, quota: NonZeroU32, now: Instant) -> (Decision, Instant) {
    let step = WINDOW / quota.get();
    let window = step * quota.get();
    let before = full_at.map_or(Duration::ZERO, |full_at| full_at.saturating_duration_since(now));
    let after = before + step;
    let left = |filling: Duration| {
        let tokens = window.saturating_sub(filling).as_nanos() / step.as_nanos().max(1);
        u32::try_from(tokens).unwrap_or(u32::MAX)
    };
    let (reset, retry_after) = match after.checked_sub(window) {
        Some(wait) if !wait.is_zero() => (before, Some(wait)),
        _ => (after, None),
    };
    (Decision { quota, remaining: left(reset), reset, retry_after }, now + after)
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Client {
    Key(Box<str>),
    Somebody(Box<str>),
}

/// The limits of one server.
#[derive(Debug)]
pub struct RateLimits {
    default: Option<NonZeroU32>,
    clients: Mutex<Buckets<Client>>,
    failures: Mutex<Buckets<IpAddr>>,
}

impl RateLimits {
    /// Limits with a number of requests a minute for whoever has none of their own; without one they are not limited.
    #[must_use]
    pub fn new(default: Option<NonZeroU32>) -> Self {
        let (clients, failures) = (Buckets::new(), Buckets::new());
        Self { default, clients: Mutex::new(clients), failures: Mutex::new(failures) }
    }

    /// Counts a request of somebody: a key, or whom a trusted proxy names. Nothing where they have no limit.
    #[must_use]
    pub fn check(&self, who: &Identity, now: Instant) -> Option<Decision> {
        let quota = who.quota.or(self.default)?;
        let client = match &who.via {
            Via::Key(id) => Client::Key(id.as_str().into()),
            Via::Proxy => Client::Somebody(who.who.resource.to_string().into()),
        };
        Some(lock(&self.clients).take(client, quota, now))
    }

    /// Counts an attempt with a wrong key. Whoever comes too often with such is told so; right keys pass from the same address,
    /// which may be that of a whole office.
    #[must_use]
    pub fn failed(&self, peer: IpAddr, now: Instant) -> Decision {
        lock(&self.failures).take(network(peer), FAILURES_PER_MINUTE, now)
    }
}

/// An IPv6 client has at least a network of 64 bits to choose addresses from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
