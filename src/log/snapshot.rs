//! Snapshots of PostgreSQL: which transactions a statement saw as ended.

use std::fmt;
use std::str::FromStr;

/// Transactions up to `xmax`, without it, and without those in progress. Both are 64 bits wide (`xid8`), so nothing here
/// ever wraps around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// One more than the last transaction id that had *ended*. Transactions from here on may have been in progress, too.
    pub(super) xmax: u64,
    /// Transactions in progress, rising, all below `xmax`. Subtransactions are not among them: rows carry the id of their
    /// top-level transaction.
    pub(super) running: Vec<u64>,
}

/// What PostgreSQL calls a snapshot of nothing: ids from 1 on are all still to come.
const XMAX_FIRST: u64 = 1;

impl Snapshot {
    /// Before the first transaction.
    pub(super) fn empty() -> Self {
        Self { xmax: XMAX_FIRST, running: Vec::new() }
    }

    /// Whether it saw a transaction as ended.
    pub(super) fn sees(&self, xid: u64) -> bool {
        xid < self.xmax && self.running.binary_search(&xid).is_err()
    }

    /// Whether the other one sees all that this one sees.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let beyond = self.running.partition_point(|&xid| xid < other.xmax);
        let beyond = u64::try_from(self.running.len() - beyond).unwrap_or(u64::MAX);
        beyond == self.xmax.saturating_sub(other.xmax)
            && !other.running.iter().any(|&xid| self.sees(xid))
    }
}

/// As `pg_snapshot` prints: `xmin:xmax:xip,xip`.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.running.first().unwrap_or(&self.xmax), self.xmax)?;
        for (n, xid) in self.running.iter().enumerate() {
            write!(f, "{}{xid}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// A text that is no snapshot.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no snapshot")]
pub(super) struct NoSnapshot(String);

impl FromStr for Snapshot {
    type Err = NoSnapshot;

    fn from_str(text: &str) -> Result<Self, NoSnapshot> {
        let refuse = || NoSnapshot(text.to_owned());
        let mut parts = text.splitn(3, ':').skip(1);
        let xmax = parts.next().and_then(|xmax| xmax.parse().ok()).ok_or_else(refuse)?;
        let running = parts.next().ok_or_else(refuse)?.split(',').filter(|xid| !xid.is_empty());
        let running: Result<Vec<u64>, _> = running.map(str::parse).collect();
        Self::new(xmax, running.map_err(|_| refuse())?).ok_or_else(refuse)
    }
}

impl Snapshot {
    /// Nothing where the transactions in progress do not rise, or are beyond `xmax`.
    pub(super) fn new(xmax: u64, running: Vec<u64>) -> Option<Self> {
        let rises = running.is_sorted_by(|a, b| a < b);
        let below = running.last().is_none_or(|&xid| xid < xmax);
        let valid = rises && below && xmax >= XMAX_FIRST && running.first() != Some(&0);
        valid.then_some(Self { xmax, running })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any() -> impl Strategy<Value = Snapshot> {
        (1u64..40, prop::collection::btree_set(1u64..40, 0..10)).prop_map(|(xmax, running)| {
            let running = running.into_iter().filter(|&xid| xid < xmax).collect();
            Snapshot::new(xmax, running).expect("a snapshot")
        })
    }

    proptest! {
        #[test]
        fn text_round_trips(snapshot in any()) {
            prop_assert_eq!(snapshot.to_string().parse::<Snapshot>().expect("own text"), snapshot);
        }

        #[test]
        fn within_means_that_the_other_sees_all(a in any(), b in any()) {
            let all = (1..50).all(|xid| !a.sees(xid) || b.sees(xid));
            prop_assert_eq!(a.is_within(&b), all, "{} {}", a, b);
        }
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        for text in
            ["", "1", "1:2", "1:x:", "5:9:7,6", "5:9:9", "5:9:7,7", "0:0:", "0:2:0", "1:2:-1"]
        {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
        assert_eq!("1:1:".parse::<Snapshot>().expect("nothing"), Snapshot::empty());
    }
}
