//! What can be run, for all commands that run something or serve it.

use super::session::Session;
use crate::definition::Catalog;

/// The definitions of the program itself.
#[expect(clippy::unnecessary_wraps, reason = "definitions that are read may be wrong")]
pub(super) fn catalog(session: &Session) -> anyhow::Result<Catalog> {
    Ok(session.catalog.clone())
}
