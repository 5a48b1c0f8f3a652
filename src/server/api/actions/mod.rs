//! `/resources`: the types whose objects can be selected, and what can be run on them.
//!
//! What somebody may not run does not exist for them: it is in no list, and every path of it is answered as that of an
//! unknown one. That they tried stands in the log.

mod form;
pub(crate) mod list;
mod offered;
pub(crate) mod resources;
pub(crate) mod show;

#[cfg(feature = "cli")]
pub(crate) use form::ActionForm;
pub(super) use offered::{ActionPath, offer, type_of};
pub(super) use show::of_action;
