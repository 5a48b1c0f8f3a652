//! Actions: [`NewAction`] to append, [`Action`] in the log, and their ids.
//!
//! A [`NewAction`] is what a writer says; nothing of it is checked until [`NewAction::check`], which the store calls, so
//! that building one cannot fail. An [`Action`] was read from the log and cannot be changed. Their JSON form
//! ([`form`]) is the same everywhere: command line, import, messages.

pub mod form;
mod id;
mod new;
mod read;

pub use id::{ActionId, ActionIdError};
pub use new::{Audience, InvalidAction, NewAction, Outcome, Source};
#[cfg(feature = "server")]
pub(crate) use new::{DESCRIPTION_LEN_MAX, LABEL_LEN_MAX, LABELS_MAX, PAYLOAD_LEN_MAX};
pub(crate) use new::{VERB_LEN_MAX, is_verb};
pub use read::Action;
