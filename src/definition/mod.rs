//! What can be run on selected objects: definitions, what they are called, who may run them, and what they do.
//!
//! ```text
//! Definition ──► Catalog (checked at start) ──► offered to an Asker ──► run over a selection (module `run`)
//! name, label,   site-wide or of a type         by permission, place    piece by piece
//! input, effect
//! ```
//!
//! Nothing here connects to a database; an [`Operation`] is given a session by whoever runs it. Start reading at
//! [`Definition`], then [`Catalog`]; [`built_in`] has operations that everybody has, `file` and `remote` those of a file.

mod asker;
mod builder;
pub mod built_in;
mod catalog;
mod check;
mod consequence;
mod download;
mod effect;
#[cfg(feature = "cli")]
pub mod file;
mod input;
mod label;
mod level;
mod model;
mod offer;
mod permission;
mod piece;
#[cfg(feature = "cli")]
pub mod remote;
mod spec;

pub use asker::{Asker, Rights};
pub use builder::CatalogBuilder;
pub use catalog::Catalog;
pub use check::CatalogError;
pub use consequence::{Consequence, Consequences, Impact};
pub use download::{Download, Head};
#[doc(hidden)]
pub use effect::{Effect, Local};
pub use effect::{Operation, Order, Remote, Reporter, Sent};
pub use input::{Input, InputFault};
pub use label::by_count;
pub use level::{InvalidLevel, Level};
pub use model::{Definition, Mode, Place, Places, Risk, Stage, Unit};
pub use offer::Offer;
pub use permission::WORD_LEN_MAX;
pub(crate) use permission::is_word;
pub use piece::{Fate, Fault, Item, Message, Piece};
pub use spec::TypeSpec;
