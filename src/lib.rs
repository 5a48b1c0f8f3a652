//! Gesta: activity streams and audit events on PostgreSQL.

pub mod error;
pub mod json;
pub mod resource;
pub mod context;
pub mod action;
pub mod registry;
pub mod import;
pub mod store;
pub mod stream;
#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "cli")]
pub mod config;
#[cfg(feature = "cli")]
pub mod cli;

pub use action::{Action, ActionId, Audience, NewAction, Outcome, Source};
pub use context::Context;
pub use json::Json;
pub use registry::{Registry, Verb};
pub use resource::{Named, Resource, ResourceError, ResourceId, ResourceRef, ResourceType, Tenant};
pub use store::{Receipt, Store, Writer};
pub use stream::{FeedQuery, Follow, Page, QueryError, Reader, StreamQuery};
