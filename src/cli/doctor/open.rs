//! Transactions that are open for long: nobody who follows the log gets their actions before they end.

use std::time::Duration;

use tokio_postgres::Client;

use super::Check;
use crate::log::{Holder, Writing, holders};

const NAME: &str = "transactions";

/// A request and a job's step end sooner; whoever asks how it goes may be asked to wait as long.
const AGE_MAX: Duration = Duration::from_mins(1);

pub(super) async fn check(client: &Client) -> Check {
    match holders(client).await {
        Ok(holders) => judge(&holders),
        Err(error) => Check::unknown(NAME, &error),
    }
}

/// The oldest stands first.
fn judge(holders: &[Holder]) -> Check {
    let old = |holder: &&Holder| holder.age.is_some_and(|age| age > AGE_MAX);
    let count = holders.iter().filter(old).count();
    let Some(oldest) = holders.iter().find(old) else {
        let unknown = holders.iter().filter(|holder| holder.age.is_none()).count();
        if unknown > 0 {
            let found =
                format!("{unknown} of other users that write are open, not known for how long");
            return Check::warn(NAME, found, "GRANT pg_read_all_stats TO this user");
        }
        return Check::ok(NAME, "none that writes is open for longer than a minute");
    };
    let seconds = oldest.age.unwrap_or_default().as_secs();
    let (what, fix) = match &oldest.writing {
        Writing::Session { pid } => {
            (format!("process {pid}"), format!("SELECT pg_terminate_backend({pid})"))
        }
        Writing::Prepared { gid } => {
            let gid = gid.replace('\'', "''");
            (format!("prepared as '{gid}'"), format!("COMMIT or ROLLBACK PREPARED '{gid}'"))
        }
    };
    let Holder { user, application, .. } = oldest;
    let by = if application.is_empty() { user.clone() } else { format!("{user} ({application})") };
    let found = format!(
        "{count} open for longer than a minute, the oldest for {seconds} s: {what} of {by}; its actions reach no follower \
         of the log before it ends"
    );
    Check::warn(NAME, found, format!("let it end, or {fix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(age: impl Into<Option<u64>>, writing: Writing) -> Holder {
        let (user, application) = ("app".to_owned(), "worker".to_owned());
        let (since, state, query_started) = (None, None, None);
        let age = age.into().map(Duration::from_secs);
        Holder { writing, xid: 7, user, application, since, age, query_started, state }
    }

    #[test]
    fn transaction_of_unknown_age_is_not_taken_for_a_short_one() {
        let [hidden, long] = [None, Some(90)].map(|age| holder(age, Writing::Session { pid: 42 }));
        let check = judge(std::slice::from_ref(&hidden));
        assert!(matches!(check.state, super::super::State::Warn), "{}", check.found);
        assert!(check.found.starts_with("1 of other users"), "{}", check.found);
        let check = judge(&[long, hidden]);
        assert!(check.found.starts_with("1 open for longer than a minute"), "{}", check.found);
    }

    #[test]
    fn oldest_transaction_is_named_with_what_ends_it() {
        let [short, long] = [59, 90].map(|age| holder(age, Writing::Session { pid: 42 }));
        assert_eq!(judge(std::slice::from_ref(&short)).fix, None);
        let check = judge(&[long, short]);
        assert!(check.found.starts_with(
            "1 open for longer than a minute, the oldest for 90 s: process 42 of app (worker)"
        ));
        assert_eq!(check.fix.as_deref(), Some("let it end, or SELECT pg_terminate_backend(42)"));
        let prepared = judge(&[holder(90, Writing::Prepared { gid: "a'b".to_owned() })]);
        assert_eq!(
            prepared.fix.as_deref(),
            Some("let it end, or COMMIT or ROLLBACK PREPARED 'a''b'")
        );
    }
}
