//! What can be run on selected objects: definitions, what they are called, who may run them, and what they do.
//!
//! ```text
//! Definition ──► Catalog (checked at start) ──► offered to an Asker ──► run over a selection (module `run`)
//! name, label,   site-wide or of a type         by permission, place    piece by piece
//! input, effect
//! ```
//!
//! Nothing here talks to a database; an [`Operation`] is given a session by whoever runs it. Start reading at
//! [`Definition`], then [`Catalog`].

mod asker;
mod effect;
mod input;
mod model;
mod piece;

pub use asker::{Asker, Rights};
pub(crate) use effect::{Effect, Local};
pub use effect::{Operation, Order, Remote, Reporter};
pub use input::Input;
pub use model::{Definition, Mode, Places, Risk, Stage, Unit};
pub use piece::{Fate, Fault, Item, Level, Message, Piece};
