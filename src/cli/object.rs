//! `gesta object`: what was done to a resource, newest first; what it was at a time; what changed between two moments.

use super::exit::Code;
use super::history::{self, Place, Range};
use super::log::{Of, list_of};
use super::session::Session;
use crate::search::Who;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta object issue:70                           what was done to issue 70
  gesta object issue:70 changed:status to:done    when its status became done
  gesta object issue:70 --at yesterday            what it was then, and who had changed each field
  gesta object issue:70 --diff 2h..               what has changed in the last two hours
  gesta object issue:70 --diff 2026-11-01..2026-11-20";

/// Flags of the listing, which a history has no use for.
const OF_THE_LIST: [&str; 13] = [
    "query",
    "verb",
    "kind",
    "outcome",
    "changed",
    "data",
    "since",
    "until",
    "limit",
    "before",
    "after",
    "fail_empty",
    "long",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show what it was at that time, and who last changed each field: a time as for --since, or after the action of this id
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = "History")]
    #[arg(conflicts_with_all = OF_THE_LIST)]
    at: Option<Place>,
    /// Show what is different between two times, and the actions in between; `A..` is until now, `..B` from the beginning
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, help_heading = "History")]
    #[arg(conflicts_with = "at", conflicts_with_all = OF_THE_LIST)]
    diff: Option<Range>,
    #[command(flatten)]
    of: Of,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let Args { at, diff, of } = args;
    match (at, diff) {
        (Some(at), _) => history::state(&of.resource, at, &of.narrow, session).await,
        (None, Some(range)) => history::diff(&of.resource, range, &of.narrow, session).await,
        (None, None) => list_of(Who::Object, &of, session).await,
    }
}
