//! The `OpenAPI` document of the API: what `GET /openapi.json` answers, and `schema/openapi.json` holds.
//!
//! - Each handler's file has a `doc()`, a [`Doc`], next to the handler. `routes.rs` takes both at once, so that no path is
//!   without a description.
//! - What a request or an answer looks like is the `ToSchema` of the type that is read or written: derived where it is a plain
//!   form, else beside its `Serialize` or here, with the limits that the code has as constants.
//! - Problems come from the table in `status.rs`: a [`Doc`] names kinds, or what brings them along (a credential, a body).
//!
//! Start reading at `doc.rs`.

mod action;
mod doc;
mod document;
mod event;
pub(super) mod examples;
mod headers;
mod media;
mod page;
mod problems;
pub(super) mod text;

pub(super) use action::labels;
pub(super) use doc::{Doc, Tag};
pub(super) use document::document;
pub(super) use headers::{CACHE_CONTROL, ETAG, LINK, LOCATION};
pub(super) use media::Media;
pub(super) use page::formats;
