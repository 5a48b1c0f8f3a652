//! The two servers: Gesta's own, and one that commits each request by itself.

use std::fs::File;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use gesta::access::{Keys, NewKey, Scope};
use gesta::action::form::Given;
use gesta::layer::{ContextLayer, ProxyHeader};
use gesta::server::{
    AppState, Appends, Created, Payload, Problem, Settings, acceptable, content_type, serve,
};
use gesta::{Context, ResourceRef, Store};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::support::Bench;
use super::support::client::Client;

/// Connections to the database, as `gesta serve` has them.
const POOL: usize = 16;
/// Those of the server that commits each request by itself.
const POOL_ALONE: usize = 8;

pub(super) struct Place {
    pub(super) bench: Bench,
    pub(super) store: Store,
    pub(super) keys: Keys,
    /// Asks the server as it is.
    pub(super) gathered: Client,
    /// Asks the one that commits each request by itself.
    pub(super) alone: Client,
    servers: [JoinHandle<()>; 2],
}

impl Place {
    pub(super) async fn start() -> Self {
        log();
        let bench = Bench::start().await;
        let keys = Keys::new(&bench.operator());
        let somebody = ResourceRef::new("service", "bench").expect("valid");
        let key = NewKey::new("bench", &somebody).scopes([Scope::EventsRead, Scope::EventsWrite]);
        let made = keys.create(key, &Context::new(&somebody)).await;
        let key = made.expect("a key").1.reveal();
        let (store, other) = (bench.store("gesta_app", POOL), bench.store("gesta_app", POOL_ALONE));
        let [(first, gathered), (second, alone)] = [listen().await, listen().await];
        let [state, other] = [&store, &other]
            .map(|store| AppState::new(store.clone(), Keys::new(store), Settings::default()));
        let keys = state.keys().clone();
        let servers = [
            tokio::spawn(async move {
                serve(first, state, std::future::pending()).await.expect("it serves");
            }),
            tokio::spawn(one_by_one(second, other)),
        ];
        let [gathered, alone] =
            [gathered, alone].map(|address| Client { address, key: key.clone() });
        Self { bench, store, keys, gathered, alone, servers }
    }

    pub(super) async fn end(self) {
        self.servers.iter().for_each(JoinHandle::abort);
        self.bench.end().await;
    }
}

/// A line a request, as `gesta serve` writes it; the system drops it.
fn log() {
    let nowhere = File::options().write(true).open("/dev/null").expect("/dev/null");
    tracing_subscriber::fmt().with_writer(nowhere).with_ansi(false).init();
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// The same credentials, context and form of the body; no packing, no metrics, no log, no deadline, no panics caught.
async fn one_by_one(listener: TcpListener, state: AppState) {
    let context = ContextLayer::new(|_| None)
        .peer(|parts| Some(parts.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()))
        .trusted_proxies(ProxyHeader::XForwardedFor, []);
    let app = Router::new().route("/api/v1/events", post(append)).layer(context).with_state(state);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let listener =
        listener.tap_io(|stream| stream.set_nodelay(true).expect("nothing is held back"));
    axum::serve(listener, app).await.expect("it serves");
}

async fn append(
    State(state): State<AppState>,
    Appends(caller): Appends,
    payload: Payload,
) -> Result<Response, Problem> {
    acceptable(&payload.headers, &["application/json"])?;
    content_type(&payload.headers, &["application/json"])?;
    let given: Given = match serde_json::from_slice(&payload.bytes) {
        Ok(given) => given,
        Err(error) => return Ok((StatusCode::BAD_REQUEST, error.to_string()).into_response()),
    };
    let action = given.into_action(caller.need_tenant()?).expect("a valid action");
    let mut client = state.store().client().await.expect("a connection");
    let tx = client.transaction().await.expect("begun");
    let receipt = state.store().append(&tx, action).await.expect("appended");
    tx.commit().await.expect("committed");
    let id = receipt.id();
    let location = format!("/api/v1/events/{id}");
    let value = serde_json::json!({ "id": id, "duplicate": false });
    Ok(Created { value, location }.into_response())
}
