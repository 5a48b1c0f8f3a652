//! Tracked tables: whether all that happens to them is recorded.

use tokio_postgres::Client;

use super::super::track::told;
use super::Check;
use crate::error::chain;
use crate::store::Failure;
use crate::track::{State, read_plainly};

/// One check for all tables that are in order, and one for each that is not.
pub(super) async fn checks(client: &Client) -> Vec<Check> {
    const NAME: &str = "tracked";
    let tracked = match read_plainly(client).await {
        Ok(tracked) => tracked,
        Err(Failure::Statement { source, .. }) => return vec![Check::unknown(NAME, &source)],
        Err(error) => return vec![Check::fail(NAME, chain(&error), "track the tables again")],
    };
    let well = tracked.iter().filter(|table| table.states.is_empty()).count();
    let mut checks = match (tracked.len(), well) {
        (0, _) => vec![Check::ok(NAME, "no table is tracked")],
        (_, 0) => Vec::new(),
        (_, well) => vec![Check::ok(NAME, format!("{well} tables, all changes are recorded"))],
    };
    for table in &tracked {
        for state in &table.states {
            let (found, fix) = told(state);
            let found = format!("{}: {found}", table.table);
            let lost = matches!(
                state,
                State::Disabled
                    | State::MissingOn(_)
                    | State::Outdated
                    | State::Subscribed
                    | State::HasChildren
                    | State::Unreadable
            );
            checks.push(if lost {
                Check::fail(NAME, found, fix)
            } else {
                Check::warn(NAME, found, fix)
            });
        }
    }
    checks
}
