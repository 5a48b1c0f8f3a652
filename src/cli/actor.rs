//! `gesta actor`: what somebody did, newest first.

use super::exit::Code;
use super::log::{Of, list_of};
use super::session::Session;
use crate::search::Who;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta actor user:ann                     what ann did
  gesta actor user:ann --outcome denied    what ann was refused";

pub(crate) async fn run(args: Of, session: &Session) -> anyhow::Result<Code> {
    list_of(Who::Actor, &args, session).await
}
