//! A transaction with a context: how an application writes, so that nothing it saves goes unrecorded.
//!
//! ```text
//!  save, save_all, update, delete ──► one statement changes rows and returns them, old and new
//!                                          │ texts of rows, with the database's time under the row lock
//!                                          ▼
//!                                     hook (pure): actions ──► one INSERT into gesta.action ──► commit
//! ```
//!
//! ```no_run
//! use gesta::session::Selection;
//! use gesta::{Context, Hook, Model, Resource, ResourceRef, Session, Store};
//! use serde::{Deserialize, Serialize};
//! use serde_json::json;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Article { id: i64, title: String, state: String }
//!
//! impl Resource for Article {
//!     fn resource(&self) -> ResourceRef {
//!         ResourceRef::new("article", self.id.to_string()).expect("a number is an id")
//!     }
//!     fn name(&self) -> Option<String> { Some(self.title.clone()) }
//! }
//! impl Model for Article {
//!     const TABLE: &'static str = "newsroom.article";
//!     const KEY: &'static str = "id";
//! }
//! impl Hook for Article {} // create, update and delete, with the diff
//!
//! # async fn edit(store: &Store, ctx: &Context) -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = store.client().await?;
//! let mut session = Session::begin(store, &mut client, ctx).await?;
//! let mut article: Article = session.find(7).await?.ok_or("no such article")?;
//! article.title = "Storm over the bay".to_owned();
//! session.save(&article).await?; // one action, `update`, {"title": [old, new]}
//! let drafts = Selection::matching("state = $1", &[&"draft"]);
//! let published = session.update::<Article>(drafts, &json!({ "state": "published" })).await?;
//! println!("{} articles, run {:?}", published.updated, published.run);
//! session.commit().await?; // now the changes and their actions exist, and not before
//! # Ok(()) }
//! ```
//!
//! # What always holds
//!
//! - A change and its actions are one transaction. What cannot be recorded is not done: after any error of a method the
//!   session goes no further, and what it did is rolled back, at the latest when it is dropped.
//! - A bulk operation is one statement that changes rows, and its actions share a run. Rows and actions are held in
//!   memory for three pieces of 1,000 rows at a time, however many there are.
//! - All settings are local to the transaction, so a transaction pooler does no harm, and nobody inherits an actor:
//!   `gesta.tenant`, `gesta.context` for triggers, and `gesta.recorded`, which names the table that the session is
//!   changing itself, for as long as its own statement runs.
//! - Values are parameters. The names of tables and columns come from the model and are quoted; a condition of
//!   [`Selection::matching`] is text of the program (`&'static str`), never of a user.
//! - No error, in no form, holds the value of a row. Neither do the parameters that `tokio_postgres` writes to a debug
//!   log. PostgreSQL's own log does quote rows of failed constraints: `log_error_verbosity = terse` stops that.
//!
//! # The order of one object's actions
//!
//! An action's time is the database's, taken while the row is locked, and its id is made of it. So for one object the
//! order of its stream is the order in which its changes were committed, whatever the clocks of application servers say:
//!
//! | first session, clock an hour ahead | second session | time |
//! |---|---|---|
//! | begins; changes the row and locks it | | 12:00:00.1 |
//! | | begins; changes the row: waits for the lock | |
//! | commits | | |
//! | | has the lock: only now is the time read | 12:00:00.3 |
//! | | commits | |
//!
//! Had the second one's time been read when its statement began, or by its own clock, its action could stand before the
//! first one's. Emitted actions take the database's time as well, but no lock.

mod begin;
mod bulk;
mod document;
mod error;
mod record;
mod relation;
mod save;
mod selection;
mod shape;
mod statement;
mod written;

pub use begin::Session;
pub use bulk::FETCH_LEN_MAX;
pub use error::{DatabaseError, SessionError};
pub use relation::{Membership, Relation};
pub use save::SAVE_LEN_MAX;
pub use selection::{SELECTION_LEN_MAX, Selection};
#[cfg(feature = "actions")]
pub(crate) use statement::fill;
pub use written::{SaveOutcome, Saved, Written};
