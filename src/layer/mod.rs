//! A tower layer that makes a [`Context`] of each HTTP request: who, from where, in which request and trace.
//!
//! ```
//! use std::net::SocketAddr;
//! use axum::{Extension, Router, extract::ConnectInfo, routing::post};
//! use gesta::layer::{ContextLayer, ProxyHeader};
//! use gesta::{Context, ResourceRef};
//!
//! #[derive(Clone)]
//! struct User { id: i64, name: String } // what the application's authentication puts into the request
//!
//! async fn publish(Extension(ctx): Extension<Context>) -> String {
//!     ctx.actor().resource.to_string()
//! }
//!
//! let context = ContextLayer::new(|request| {
//!     let user = request.extensions.get::<User>()?;
//!     Some(ResourceRef::new("user", user.id.to_string()).ok()?.named(&user.name))
//! })
//! .peer(|request| Some(request.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()))
//! .trusted_proxies(ProxyHeader::XForwardedFor, ["10.0.0.0/8".parse().expect("a network")]);
//! let app: Router = Router::new().route("/publish", post(publish)).layer(context); // authentication goes outside of it
//! ```
//!
//! A request without an actor is [`Context::anonymous`]: never nobody, and never whoever came before on the same
//! connection, since nothing is kept between requests. Outside of requests use [`Context::system`].
//!
//! Every header is somebody's input. A request id is taken where it is short and harmless, else a new one is made; a
//! `traceparent` is taken where it is valid (W3C Trace Context, section 3.2); the user agent is cut; a forwarded address
//! counts only as far as trusted proxies vouch for it.
//!
//! Not here: authentication, and reasons, which belong to what is done and not to the request.

mod client;
mod headers;
mod service;

#[cfg(feature = "server")]
pub(crate) use client::Networks;
pub use client::{HOPS_MAX, ProxyHeader};
pub use headers::{REQUEST_ID_LEN_MAX, USER_AGENT_LEN_MAX};
pub use service::{ContextService, ResponseFuture};

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use ipnet::IpNet;
use tower_layer::Layer;

use crate::context::Context;
use crate::resource::Named;
use client::Proxies;

type Actor = dyn Fn(&Parts) -> Option<Named> + Send + Sync;
type Peer = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;
type Refine = dyn Fn(Context, &Parts) -> Context + Send + Sync;

/// Makes a [`Context`] of each request and puts it into the request's extensions. Cheap to clone.
#[derive(Clone)]
pub struct ContextLayer {
    actor: Arc<Actor>,
    peer: Arc<Peer>,
    proxies: Arc<Proxies>,
    refine: Arc<Refine>,
}

impl ContextLayer {
    /// A layer that learns who acts from what the application's authentication has put into the request; none for a
    /// request that nobody has signed in for.
    #[must_use]
    pub fn new(actor: impl Fn(&Parts) -> Option<Named> + Send + Sync + 'static) -> Self {
        Self {
            actor: Arc::new(actor),
            peer: Arc::new(|_| None),
            proxies: Arc::new(Proxies::none()),
            refine: Arc::new(|ctx, _| ctx),
        }
    }

    /// Where the address of the connection's other end is found; without it no address is recorded. With axum it is in
    /// `ConnectInfo<SocketAddr>`.
    #[must_use]
    pub fn peer(mut self, peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.peer = Arc::new(peer);
        self
    }

    /// The networks of the application's own proxies, and the one header that they write addresses into. It must be the
    /// one that they really write: the other passes through them as the client sent it.
    #[must_use]
    pub fn trusted_proxies(
        mut self,
        header: ProxyHeader,
        networks: impl IntoIterator<Item = IpNet>,
    ) -> Self {
        self.proxies = Arc::new(Proxies::new(header, networks));
        self
    }

    /// What the application adds to each context: the tenant, or whom the actor stands in for.
    #[must_use]
    pub fn refine(
        mut self,
        refine: impl Fn(Context, &Parts) -> Context + Send + Sync + 'static,
    ) -> Self {
        self.refine = Arc::new(refine);
        self
    }

    /// The context of a request that has this id.
    fn context(&self, request: &Parts, request_id: Option<&str>) -> Context {
        let actor = (self.actor)(request);
        let mut ctx = actor.map_or_else(Context::anonymous, |actor| Context::new(&actor));
        if let Some(id) = request_id {
            ctx = ctx.request_id(id);
        }
        if let Some(ip) =
            (self.peer)(request).and_then(|ip| self.proxies.client(ip, &request.headers))
        {
            ctx = ctx.ip(ip);
        }
        if let Some(agent) = headers::user_agent(&request.headers) {
            ctx = ctx.user_agent(agent);
        }
        if let Some(trace) = headers::trace(&request.headers) {
            ctx = ctx.trace(trace);
        }
        (self.refine)(ctx, request)
    }
}

impl std::fmt::Debug for ContextLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContextLayer").field("proxies", &self.proxies).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService::new(self.clone(), inner)
    }
}
