//! Buckets, by a clock of the tests' own.

use proptest::prelude::*;

use super::*;
use crate::stream::Sight;
use crate::{Resource as _, ResourceRef};

fn quota(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

fn key(id: &str, quota: Option<NonZeroU32>) -> Identity {
    Identity {
        tenant: None,
        who: ResourceRef::new("user", "1").expect("valid").to_named(),
        is_actor: false,
        scopes: Vec::new(),
        sight: Sight::Everything,
        groups: Vec::new(),
        quota,
        via: Via::Key(id.to_owned()),
    }
}

fn start() -> Instant {
    Instant::now()
}

#[test]
fn quota_is_there_at_once_and_comes_back_evenly() {
    let (limits, now) = (RateLimits::new(Some(quota(4))), start());
    let who = key("a", None);
    let told = |seconds| {
        let decision = limits.check(&who, now + Duration::from_secs(seconds)).expect("a limit");
        (decision.limit(), decision.retry_after_seconds())
    };
    for (seconds, limit, retry_after) in [
        (0, "r=3;t=15", None),
        (0, "r=2;t=30", None),
        (0, "r=1;t=45", None),
        (0, "r=0;t=60", None),
        (0, "r=0;t=60", Some(15)),
        (14, "r=0;t=46", Some(1)),
        (15, "r=0;t=60", None),
        (75, "r=3;t=15", None),
    ] {
        assert_eq!(told(seconds), (format!("\"default\";{limit}"), retry_after), "{seconds}");
    }
    let policy = limits.check(&who, now).expect("a limit").policy();
    assert_eq!(policy, "\"default\";q=4;w=60");
}

#[test]
fn each_key_has_its_own_and_none_where_nothing_is_set() {
    let now = start();
    let limits = RateLimits::new(Some(quota(1)));
    let passes = |who: &Identity| limits.check(who, now).is_none_or(|it| it.is_allowed());
    let (a, b, c) = (key("a", None), key("b", None), key("c", Some(quota(2))));
    assert!(passes(&a) && passes(&b) && passes(&c) && passes(&c));
    assert!(!passes(&a) && !passes(&b) && !passes(&c));
    let free = RateLimits::new(None);
    assert_eq!(free.check(&a, now), None);
    assert!(free.check(&c, now).is_some());
}

#[test]
fn addresses_that_fail_too_often_are_put_off() {
    let (limits, now) = (RateLimits::new(None), start());
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    let may = |text: &str| limits.failed(ip(text), now).is_allowed();
    for last in 0..FAILURES_PER_MINUTE.get() {
        assert!(may("192.0.2.1") && may(&format!("2001:db8::{last:x}")));
    }
    assert!(!may("192.0.2.1") && !may("::ffff:192.0.2.1") && !may("2001:db8::ffff:0:1"));
    assert!(may("192.0.2.2") && may("2001:db8:0:1::1"));
    let later = limits.failed(ip("192.0.2.1"), now + Duration::from_secs(2));
    assert!(later.is_allowed());
}

#[test]
fn buckets_are_bounded_and_full_ones_make_room() {
    let (mut buckets, now) = (Buckets::new(), start());
    for n in 0..=BUCKETS_MAX {
        assert!(buckets.take(n, quota(1), now).is_allowed());
    }
    assert_eq!(buckets.full_at.len(), BUCKETS_MAX);
    assert!(!buckets.take(0, quota(1), now).is_allowed());
    let later = now + WINDOW;
    assert!(buckets.take(BUCKETS_MAX + 7, quota(1), later).is_allowed());
    assert_eq!(buckets.full_at.len(), 1);
}

impl<K: Eq + Hash> Buckets<K> {
    /// What [`Buckets::take`] would say.
    fn look(&self, key: &K, quota: NonZeroU32, now: Instant) -> Decision {
        decide(self.full_at.get(key).copied(), quota, now).0
    }
}

proptest! {
    /// Never more than the quota and what comes back, never less than what was promised.
    #[test]
    fn bucket_keeps_its_promises(
        number in prop_oneof![1..2_000_u32, Just(u32::MAX)],
        pauses in prop::collection::vec(prop_oneof![Just(0_u64), 0..200_u64, 0..90_000_u64], 1..400),
    ) {
        let (mut buckets, start) = (Buckets::new(), start());
        let (mut passed, mut elapsed) = (0_u64, Duration::ZERO);
        for pause in pauses {
            elapsed += Duration::from_millis(pause);
            let now = start + elapsed;
            let before = buckets.look(&(), quota(number), now);
            let decision = buckets.take((), quota(number), now);
            prop_assert_eq!(before, decision);
            passed += u64::from(decision.is_allowed());
            let back = u128::from(number) * elapsed.as_nanos() / WINDOW.as_nanos();
            // The time of one token is cut to a nanosecond, so some more come back where the quota is huge.
            prop_assert!(number == u32::MAX || u128::from(passed) <= u128::from(number) + back + 1);
            prop_assert!(decision.reset <= WINDOW && decision.remaining < number);
            if let Some(wait) = decision.retry_after {
                prop_assert!(decision.remaining == 0 && wait <= WINDOW / number);
                let then = now + wait;
                prop_assert!(buckets.look(&(), quota(number), then).is_allowed());
                let early = then.checked_sub(Duration::from_nanos(1)).expect("a moment");
                prop_assert!(!buckets.look(&(), quota(number), early).is_allowed());
            } else {
                let empty = buckets.look(&(), quota(number), now).retry_after.is_some();
                prop_assert_eq!(empty, decision.remaining == 0);
            }
        }
    }
}
