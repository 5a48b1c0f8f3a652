//! Gesta: activity streams and audit events on PostgreSQL.

pub mod error;
pub mod json;
pub mod resource;
pub mod context;
pub mod action;
pub mod registry;
pub mod import;

pub mod store;
pub use action::{Action, ActionId, Audience, NewAction, Outcome, Source};
pub use context::Context;
pub use json::Json;
pub use registry::{Registry, Verb};
pub use resource::{Named, Resource, ResourceError, ResourceId, ResourceRef, ResourceType, Tenant};
pub use store::{Receipt, Store, Writer};
