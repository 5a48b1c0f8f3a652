//! `gesta target`: what was done in, to or for a resource, newest first.

use super::exit::Code;
use super::log::{Of, list_of};
use super::session::Session;
use crate::search::Who;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta target project:gesta               what was done in the project
  gesta target project:gesta --since 1w    the same, of the last week";

pub(crate) async fn run(args: Of, session: &Session) -> anyhow::Result<Code> {
    list_of(Who::Target, &args, session).await
}
