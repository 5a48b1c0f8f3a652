//! `gesta object`: what was done to a resource, newest first.

use super::exit::Code;
use super::log::{Of, list_of};
use super::session::Session;
use crate::stream::StreamQuery;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta object issue:70                    what was done to issue 70
  gesta object issue:70 --changed status   how its status changed";

pub(crate) async fn run(args: Of, session: &Session) -> anyhow::Result<Code> {
    list_of(StreamQuery::object(&args.resource), &args, session).await
}
