//! Changes of rows become actions: what a model is, what its hook says about a change, and what stays out of the log.
//!
//! ```text
//!  row before, row after ──► diff of their texts ──► redaction (Rule) ──┐
//!        (as the database returned them)                                ▼
//!                 └──► M, M ──► Change ──► Hook::on_save ──► Emitter ──► actions
//! ```
//!
//! All of it is pure: the session ([`crate::session`]) fetches rows and appends what comes out of here. Three things hold:
//!
//! - **Nothing escapes.** Each changed row leads to an action whose object is that row. Where a hook says nothing about
//!   it, the default action is recorded.
//! - **History can be replayed.** One of these actions carries the row's diff, whatever verb the hook gave it.
//! - **Diffs are made of what the database returned**, not of the struct: columns that the struct does not have, and what
//!   defaults and triggers put into a row, are in it.
//!
//! A model with a secret, and a hook that says what a change means:
//!
//! ```
//! use gesta::hook::Rule;
//! use gesta::{Change, Emitter, Hook, Model, Resource, ResourceRef, Verb};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Article { id: i64, title: String, state: String, edit_token: String }
//!
//! impl Resource for Article {
//!     fn resource(&self) -> ResourceRef {
//!         ResourceRef::new("article", self.id.to_string()).expect("a number is an id")
//!     }
//!     fn name(&self) -> Option<String> { Some(self.title.clone()) }
//! }
//!
//! impl Model for Article {
//!     const TABLE: &'static str = "newsroom.article";
//!     const KEY: &'static str = "id";
//!     const RULES: &'static [Rule] = &[Rule::Mask("edit_token")];
//! }
//!
//! pub const PUBLISH: Verb = Verb::new("article", "publish").summary("{actor} published {object}");
//!
//! impl Hook for Article {
//!     fn on_save(change: Change<'_, Self>, emit: &mut Emitter<'_>) {
//!         match change {
//!             Change::Deleted(article) if article.state == "published" => emit.refuse("it is public"),
//!             Change::Updated { before, after } if before.state != after.state && after.state == "published" => {
//!                 emit.action(PUBLISH, after);
//!             }
//!             other => emit.record(other), // create, update, delete
//!         }
//!     }
//! }
//! ```

mod capture;
mod change;
mod diff;
mod emitter;
mod model;
mod row;

pub(crate) use capture::{CaptureError, Captured, RowChange, capture, read};
pub use change::Change;
pub use emitter::Emitter;
pub use model::{Hook, Model, Rule};
pub(crate) use row::RawRow;
use row::plain;
