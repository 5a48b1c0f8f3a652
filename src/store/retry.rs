//! Which failures of the database may be answered by doing the same again, and how long to wait before that.
//!
//! Doing it again is safe only because every action carries its id: what was stored after all is found as a duplicate.
//! Nothing here is used for statements of the application's own.

use std::error::Error as _;
use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use super::Failure;

/// How often the same rows are sent before their writers are told of the failure. With the pauses of [`wait`] that
/// bridges about four seconds: a restart of the server, or a failover that is announced at once.
pub(crate) const ATTEMPTS_MAX: u32 = 9;
/// The longest pause before the second attempt; it doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// The longest pause at all, so that a server that is back is noticed.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What a failure means for the rows that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes: the same rows may be sent again.
    Again,
    /// A row is the reason: its neighbours can be stored without it.
    Row,
    /// It concerns all rows, and will not pass by itself.
    Final,
}

/// What a failure means.
pub(crate) fn judge(failure: &Failure) -> Verdict {
    match failure {
        Failure::Connection(PoolError::Backend(error)) => judge_error(error),
        Failure::Connection(_) | Failure::Row(_) => Verdict::Final,
        Failure::Statement { source, .. } => judge_error(source),
    }
}

fn judge_error(error: &tokio_postgres::Error) -> Verdict {
    match error.code() {
        Some(code) => judge_code(code),
        None if is_lost(error) => Verdict::Again,
        None => Verdict::Final,
    }
}

/// By SQLSTATE (PostgreSQL, appendix A): the first two characters are the class.
fn judge_code(code: &SqlState) -> Verdict {
    let passing = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    match &code.code()[..2] {
        // Serialization failure, deadlock; connection exceptions.
        "40" | "08" => Verdict::Again,
        // Data, integrity constraint, a limit of the server (the size of an index entry), an operator's own trigger.
        "22" | "23" | "54" | "P0" => Verdict::Row,
        _ if passing.contains(code) => Verdict::Again,
        _ => Verdict::Final,
    }
}

/// Whether the connection broke, so that nobody can say what became of the last statement.
pub(crate) fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Whether a transaction may have been committed although its commit, or a statement that commits by itself, failed in
/// this way. The server rolls back before it reports a conflict of transactions or a row's fault; after a lost
/// connection or a shutdown nobody knows.
pub(crate) fn leaves_doubt(failure: &Failure) -> bool {
    let Failure::Statement { source, .. } = failure else { return false };
    judge(failure) == Verdict::Again
        && source.code().is_none_or(|code| !code.code().starts_with("40"))
}

/// How long to wait at most after an attempt (the first is 1): a time that doubles.
fn longest(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX)
}

/// Half of a pause, and a random part of the other half, so that those who failed together do not come back together.
pub(crate) fn spread(longest: Duration) -> Duration {
    // Without randomness the pause is as long as it may be.
    part(longest, getrandom::u32().unwrap_or(u32::MAX))
}

fn part(longest: Duration, random: u32) -> Duration {
    let half = longest / 2;
    half + half.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Waits before the next attempt.
pub(crate) async fn wait(attempt: u32) {
    tokio::time::sleep(spread(longest(attempt))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_and_shutdowns_pass_and_rows_are_to_blame_for_their_data() {
        for (code, verdict) in [
            ("40001", Verdict::Again),
            ("40P01", Verdict::Again),
            ("57P01", Verdict::Again),
            ("57P03", Verdict::Again),
            ("08006", Verdict::Again),
            ("53300", Verdict::Again),
            ("22003", Verdict::Row),
            ("23514", Verdict::Row),
            ("54000", Verdict::Row),
            ("P0001", Verdict::Row),
            ("42501", Verdict::Final),
            ("42P01", Verdict::Final),
            ("53100", Verdict::Final),
            ("57014", Verdict::Final),
        ] {
            assert_eq!(judge_code(&SqlState::from_code(code)), verdict, "{code}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_second_and_are_spread() {
        let pauses: Vec<_> = (1..=ATTEMPTS_MAX).map(|n| longest(n).as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
        assert!(longest(u32::MAX) <= PAUSE_MAX);
        let parts = [0, u32::MAX].map(|random| part(PAUSE_FIRST, random).as_millis());
        assert_eq!(parts, [10, 20]);
    }
}
