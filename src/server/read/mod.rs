//! What all operations that read actions share.
//!
//! ```text
//! Reading: who, where ─► Subject, Listing: what ─► Source: the query ─► page.rs: one page, in a format, with its links
//!                                                                    └► export.rs: all of it, page by page
//! ```
//!
//! - A [`Reading`] is a request of somebody who may read. It refuses, records, and makes the answer.
//! - A [`Subject`] is what a path names; a [`Listing`] what its parameters say. Both together are a `Source`, which gives
//!   pages.
//! - Whatever is read is recorded before it is sent ([`crate::access::Recorder`]).
//!
//! Start reading at `reading.rs`.

mod export;
mod heading;
mod listing;
mod page;
mod place;
mod reading;
mod renewal;
mod source;
mod streams;
mod subject;
mod window;
mod wrong;

pub(super) use listing::{FeedListing, Listing, TypeListing, VERBS, search, verbs};
pub(super) use page::linked;
pub(super) use reading::Reading;
pub(super) use renewal::Renewal;
pub(super) use streams::{Open, Streams};
pub(super) use subject::Subject;
pub(super) use window::Window;
pub(super) use wrong::{failed as search_failed, parameter, search_of_body, together};
