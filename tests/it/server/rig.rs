//! A server on a test's database, keys for it, and a client.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use gesta::access::{Identity, Scope, Sight, Via};
use gesta::server::{AppState, Keys, ServeError, Settings, serve};
use gesta::{Store, Tenant};
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
pub(crate) const WRITER: &str = "gesta_writer";
/// The same, whose actions are all of `user:ann`.
pub(crate) const ANN: &str = "gesta_ann";
/// A key that may read only, and sees what is public.
pub(crate) const READER: &str = "gesta_reader";
/// A key of all tenants that may do anything and sees everything.
pub(crate) const ADMIN: &str = "gesta_admin";

/// A running server.
pub(crate) struct Rig {
    pub(crate) store: Store,
    pub(crate) address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
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

fn identity(name: &str, tenant: Option<&str>, scopes: &[Scope]) -> Identity {
    Identity {
        tenant: tenant.map(|name| Tenant::new(name).expect("a tenant")),
        who: resource(&format!("service:{name}")).named(name),
        is_actor: false,
        scopes: scopes.to_vec(),
        sight: Sight::Labels(vec!["public".to_owned()]),
        via: Via::Key(name.to_owned()),
    }
}

fn keys() -> Keys {
    let both = [Scope::EventsRead, Scope::EventsWrite];
    let ann = resource("user:ann").named("Ann");
    Keys::fixed(
        [
            (WRITER, identity("writer", Some("default"), &both)),
            (ANN, Identity { who: ann, is_actor: true, ..identity("ann", Some("default"), &both) }),
            (READER, identity("reader", Some("default"), &[Scope::EventsRead])),
            (ADMIN, Identity { sight: Sight::Everything, ..identity("admin", None, &Scope::ALL) }),
        ]
        .map(|(key, identity)| (key.to_owned(), identity)),
    )
}

impl Rig {
    /// A server on a database.
    pub(crate) async fn start(db: &TestDb) -> Self {
        Self::start_with(db.store().await, Settings::default()).await
    }

    pub(crate) async fn start_with(store: Store, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = AppState::new(store.clone(), keys(), settings);
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(serve(listener, state, async {
            let _ = stopped.await;
        }));
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { store, address, client, stop: Some(stop), running }
    }

    /// Asks without a key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Asks with a key.
    pub(crate) async fn get_as(&self, key: &str, path: &str) -> Answer {
        let key = format!("Bearer {key}");
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
        let key = format!("Bearer {key}");
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
        let response = self.client.request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
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
