//! Plans and runs of actions: what would happen, that it happens, and what became of each object.
//!
//! ```text
//! POST …/actions/{name}:plan ─► Plan with a token ─┐
//!                                                  ├─► POST …/actions/{name}/runs ─► Run: 200 ended, 202 goes on
//!                        Idempotency-Key, reason ──┘        409 with the plan, where it must be confirmed
//! ```
//!
//! Who has `runs:read` sees the runs of all; who has only `actions:run`, their own.

pub(crate) mod cancel;
pub(crate) mod download;
pub(crate) mod events;
mod form;
mod given;
pub(crate) mod items;
mod key;
pub(crate) mod list;
pub(crate) mod messages;
pub(crate) mod plan;
mod plan_form;
mod prefer;
pub(crate) mod progress;
pub(crate) mod retry;
pub(crate) mod show;
pub(crate) mod start;
mod started;
mod visible;
mod wrong;

#[cfg(feature = "cli")]
pub(crate) use form::{ItemForm, RunForm};
#[cfg(feature = "cli")]
pub(crate) use plan_form::{PlanForm, PlannedActionForm, PlannedForm};
