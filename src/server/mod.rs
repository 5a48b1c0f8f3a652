//! The HTTP API: what `gesta serve` answers.
//!
//! ```text
//! connection ─► Context ─► finish ─► panics, deadline ─► (un)packing ─► route ─► Caller ─► handler ─► store
//!  serve.rs      layer/    finish.rs     router.rs                               caller.rs  api/, meta/
//! ```
//!
//! - [`Problem`] is every refusal and failure; [`Kind`] is the table of them, and `status.rs` the only file that knows the
//!   status codes of HTTP. A handler returns `Result<_, Problem>`; `finish.rs` writes it out, with the request's id, and logs
//!   the cause of a failure once.
//! - [`Caller`] is who asks: a handler that takes one is refused to whoever gives no valid credential. It gives the reader
//!   that a stream is read through.
//! - [`Query`] reads the parameters of an URL, strictly; [`Path`] those of the path.
//! - `read/` is what all operations that read actions share: what is asked for, pages in each format, exports.
//! - One file an operation, in `api/` (below `/api/v1`) and `meta/` (outside of it): the handler, and what the `OpenAPI`
//!   document says of it (`openapi/`).
//!
//! Start reading at `router.rs`.

mod accept;
mod admit;
mod api;
mod body;
mod caller;
mod cloudevent;
mod credential;
mod edge;
mod entries;
mod finish;
mod meta;
mod metrics;
mod openapi;
mod origin;
mod path;
mod packed;
mod problem;
mod query;
mod read;
mod reads;
mod reason;
mod refusal;
mod reply;
mod results;
mod router;
mod routes;
mod seal;
mod serve;
mod state;
mod status;
mod suggest;
mod verbs;

#[cfg(feature = "cli")]
pub(crate) use api::actions::ActionForm;
#[cfg(feature = "cli")]
pub(crate) use api::keys::KeyForm;
#[cfg(feature = "cli")]
pub(crate) use api::roles::{MemberForm, RoleForm};
#[cfg(feature = "cli")]
pub(crate) use api::runs::{ItemForm, PlanForm, PlannedActionForm, PlannedForm, RunForm};

pub use accept::{acceptable, content_type};
pub use body::{BODY_LEN_MAX, Payload};
pub use caller::{Appends, Caller, Manages, TENANT_HEADER};
pub use origin::{Origin, OriginError};
pub use path::Path;
pub use problem::{Fault, Problem};
pub use query::{Pairs, Parameters, Query};
pub use reply::{Created, JsonReply};
pub use router::router;
pub use serve::{DRAIN_TIME_MAX, ServeError, serve};
pub use state::{AppState, BasePath, BasePathError, Settings};
pub use status::Kind;
