//! Gesta: activity streams and audit events on PostgreSQL.
//!
//! Something happens in an application: somebody closes an issue, a job updates 20,000 rows, a request is refused. Gesta
//! records it as an **action**, *actor verb object target*, in one append-only table, in the transaction of the change
//! itself, and answers streams, follows and feeds out of that table.
//!
//! ```text
//!  Context ─► NewAction ─► Store::append(&tx) ─► gesta.action ─► StreamQuery::object(..).page(&reader) ─► Page<Action>
//!  who, why   what, with   in your transaction    one row        FeedQuery::new(..).page(&reader)
//!             what change                         is one fact
//! ```
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | actor, verb, object, target | who, what (`close`), done to what, in, to or for what |
//! | action | one row of the log; nobody changes it |
//! | resource | anything that actions are about, as `type:id` |
//! | stream | the actions of one object, actor, target, type, run or tenant in time order, newest first |
//! | follow, feed | an edge from somebody to a resource; the merged streams of all that somebody follows |
//! | cursor | opaque text that says where a page ended |
//! | batch | the actions of one bulk operation; they share a run id |
//! | tenant | the unit of isolation |
//! | reader | one tenant and what may be seen there; everything is read through one |
//!
//! # An action and its stream
//!
//! ```no_run
//! use gesta::{Context, NewAction, Reader, ResourceRef, Store, StreamQuery, Tenant};
//! use gesta::store::{Endpoint, PoolOptions};
//!
//! # async fn tour() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint: Endpoint = "postgresql://app@db.example/shop".parse()?;
//! let store = Store::new(endpoint.pool(&PoolOptions::default()).await?);
//!
//! let alice = ResourceRef::new("user", "42")?.named("Alice");
//! let issue = ResourceRef::new("issue", "70")?.named("Crash on save");
//! let ctx = Context::new(&alice).reason("ticket OPS-123");
//!
//! let mut client = store.pool().get().await?;
//! let tx = client.transaction().await?;
//! // … the application's own statements …
//! let _receipt = store.append(&tx, NewAction::new("close", &ctx).object(&issue)).await?;
//! tx.commit().await?; // now the action exists, and not before
//!
//! let reader = Reader::new(&store, Tenant::default());
//! for action in StreamQuery::object(&issue).page(&reader).await?.items {
//!     println!("{}", store.registry().sentence(&action)); // Alice close Crash on save
//! }
//! # Ok(()) }
//! ```
//!
//! The folder `examples` goes on from here. The modules below stand in the order of an action's path, and each uses only
//! those above it; ARCHITECTURE.md has the reasons.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `tls` | TLS to PostgreSQL |
//! | `gzip` | imports of packed files |
//! | `nats` | messages to NATS JetStream, and consumers of them |
//! | `local` | a private PostgreSQL, found or fetched |
//! | `actions` | definitions of what people run on selected objects, and their runs; roles that allow it |
//! | `server` | the HTTP API |
//! | `cli` (default) | the command `gesta`, with all of the above |
//! | `tower` (default) | a layer that makes a [`Context`] of each HTTP request |

pub mod error;
pub mod json;
pub mod resource;
pub mod context;
#[cfg(feature = "tower")]
pub mod layer;
pub mod action;
pub mod registry;
pub mod hook;
pub mod import;
pub mod store;
pub mod session;
pub mod track;
pub mod stream;
pub mod format;
pub mod search;
pub mod log;
pub mod live;
#[cfg(feature = "actions")]
pub mod definition;
#[cfg(feature = "actions")]
pub mod run;
#[cfg(feature = "actions")]
pub mod role;
#[cfg(feature = "nats")]
pub mod relay;
#[cfg(feature = "nats")]
pub mod subscription;
#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "cli")]
pub mod config;
#[cfg(feature = "cli")]
pub mod cli;

pub use action::{Action, ActionId, Audience, NewAction, Outcome, Source};
pub use context::Context;
pub use hook::{Change, Emitter, Hook, Model};
pub use json::Json;
pub use live::Live;
pub use log::{Log, Position};
pub use registry::{Registry, Verb};
pub use resource::{Named, Resource, ResourceError, ResourceId, ResourceRef, ResourceType, Tenant};
pub use search::{Query, SearchQuery};
pub use session::Session;
pub use store::{Receipt, Store, Writer};
pub use stream::{FeedQuery, Follow, Page, QueryError, Reader, StreamQuery};
