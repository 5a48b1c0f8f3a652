//! A server on a test's database, keys for it, and a client.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use gesta::access::{Keys, NewKey, Scope};
use gesta::role::{Giver, RoleName, Roles};
use gesta::server::{AppState, ServeError, Settings, serve};
use gesta::{Context, Store};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{TestDb, resource};

/// A key of the tenant `default` that may read and write, and names the actor of each action.
pub(crate) const WRITER: &str = "writer";
/// The same, whose actions are all of `user:ann`.
pub(crate) const ANN: &str = "ann";
/// A key that may read only, and sees what is public.
pub(crate) const READER: &str = "reader";
/// A key of `user:ed`, who may run actions, and sees their own runs.
pub(crate) const EDITOR: &str = "editor";
/// A key of all tenants that may do anything and sees everything.
pub(crate) const ADMIN: &str = "admin";

/// A client of a server, wherever that runs.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    keys: HashMap<&'static str, String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A running server.
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) api: Api,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), ServeError>>,
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn code(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(json) => json,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }

    /// The body of a problem of this kind, with all that every problem has.
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        let body = self.json();
        assert_eq!((self.code(), &body["status"]), (status, &status.into()), "{body}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let kind = body["type"].as_str().expect("a type");
        assert!(kind.ends_with(&format!("/docs/problems/{slug}")), "{body}");
        assert_eq!(body["instance"], self.header("x-request-id"), "{body}");
        assert!(body["title"].is_string(), "{body}");
        body
    }
}

/// The keys above, by their names.
pub(crate) async fn make_keys(db: &TestDb) -> HashMap<&'static str, String> {
    let both = [Scope::EventsRead, Scope::EventsWrite];
    let named = |name: &str| NewKey::new(name, &resource(&format!("service:{name}")).named(name));
    let ann = resource("user:ann").named("Ann");
    let ed = resource("user:ed").named("Ed");
    let editing = [Scope::ActionsRead, Scope::ActionsRun, Scope::EventsRead];
    let all = [
        (WRITER, named("writer").scopes(both)),
        (ANN, NewKey::new("ann", &ann).scopes(both).acting()),
        (READER, named("reader").scopes([Scope::EventsRead])),
        (EDITOR, NewKey::new("editor", &ed).scopes(editing).acting()),
        (ADMIN, named("admin").scopes(Scope::ALL).all_tenants().auditor()),
    ];
    let mut made = HashMap::new();
    for (name, key) in all {
        made.insert(name, make_key(db, key).await);
    }
    make_administrator(db, "service:admin").await;
    made
}

/// Somebody may run everything in the tenant `default`, and say who else may.
pub(crate) async fn make_administrator(db: &TestDb, who: &str) {
    let roles = Roles::new(&db.unbound_store().await);
    let by = Giver::operator(&Context::new(&resource("user:operator")));
    let added = roles.add_member(&by, &RoleName::administrator(), &resource(who)).await;
    added.expect("a member");
}

/// One more key of the tenant `default`, or of all tenants.
pub(crate) async fn make_key(db: &TestDb, key: NewKey) -> String {
    let keys = Keys::new(&db.unbound_store().await);
    let by = Context::new(&resource("user:operator"));
    keys.create(key, &by).await.expect("a key").1.reveal()
}

impl Rig {
    /// A server on a database.
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db, Settings::default()).await
    }

    /// The same, as an operator has set it.
    pub(crate) async fn start_with(db: &TestDb, settings: Settings) -> Self {
        let keys = make_keys(db).await;
        Self::start_on(db.store().await, keys, settings).await
    }

    /// A server that nobody has a key for.
    pub(crate) async fn start_without_keys(store: Store) -> Self {
        Self::start_on(store, HashMap::new(), Settings::default()).await
    }

    /// A server on a store of a database.
    pub(crate) async fn start_over(db: &TestDb, store: Store) -> Self {
        Self::start_on(store, make_keys(db).await, Settings::default()).await
    }

    /// One more server of the same database, with the same keys.
    pub(crate) async fn another(&self, store: Store) -> Self {
        Self::start_on(store, self.keys.clone(), Settings::default()).await
    }

    async fn start_on(
        store: Store,
        keys: HashMap<&'static str, String>,
        settings: Settings,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = AppState::new(store.clone(), Keys::new(&store), settings);
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(serve(listener, state, async {
            let _ = stopped.await;
        }));
        Self { store, api: Api::new(address, keys), stop: Some(stop), running }
    }

    /// Asks it to end.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Asks it to end, and waits for that.
    pub(crate) async fn stop(mut self) -> Result<(), ServeError> {
        self.ask_to_stop();
        self.running.await.expect("no panic")
    }
}

impl Deref for Rig {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Api {
    pub(crate) fn new(address: SocketAddr, keys: HashMap<&'static str, String>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { address, keys, client }
    }

    /// The header of a key, by its name; of a text that is no name, as it is.
    pub(crate) fn bearer(&self, key: &str) -> String {
        format!("Bearer {}", self.keys.get(key).map_or(key, String::as_str))
    }

    /// Asks without a key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Asks with a key.
    pub(crate) async fn get_as(&self, key: &str, path: &str) -> Answer {
        let key = self.bearer(key);
        self.send(Method::GET, path, &[("authorization", &key)], "").await
    }

    /// Sends a body with a key.
    pub(crate) async fn post_as(
        &self,
        key: &str,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let key = self.bearer(key);
        let headers = [("authorization", key.as_str()), ("content-type", content_type)];
        self.send(Method::POST, path, &headers, body).await
    }

    /// Sends anything.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        self.ask(request).await.expect("an answer")
    }

    /// Sends anything to a server that may be gone.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let (parts, body) = self.client.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: parts.status, headers: parts.headers, body })
    }
}
