//! Actions in the formats that people use: JSON, JSON lines, CSV, Activity Streams, Atom, RSS, `CloudEvents`.
//!
//! [`Format::negotiate`] chooses by a header `Accept`; an [`Encoder`] writes a document piece by piece, from what [`Meta`]
//! says about it. Everything here is pure: times, URLs and names are passed in.
//! Every format but JSON, JSON lines, CSV and `CloudEvents` is a summary: it leaves payloads out.

pub mod event;
pub(crate) mod percent;

#[cfg(feature = "server")]
mod as2;
#[cfg(feature = "server")]
mod atom;
#[cfg(feature = "server")]
mod compact;
#[cfg(feature = "server")]
pub mod csv;
#[cfg(feature = "server")]
mod encoder;
#[cfg(feature = "server")]
mod item;
#[cfg(feature = "server")]
mod kind;
#[cfg(feature = "server")]
mod meta;
#[cfg(feature = "server")]
mod prose;
#[cfg(feature = "server")]
mod rss;
#[cfg(feature = "server")]
mod site;
#[cfg(feature = "server")]
mod xml;

#[cfg(feature = "server")]
pub use as2::activity;
#[cfg(feature = "server")]
pub use encoder::Encoder;
#[cfg(feature = "server")]
pub use item::Item;
#[cfg(feature = "server")]
pub use kind::{Format, NotAcceptable};
#[cfg(feature = "server")]
pub use meta::{Heading, Links, Meta};
#[cfg(feature = "server")]
pub use site::{InvalidBase, Site};
