//! Connections: accepted, served, and at the end let finish what they have begun.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use super::router::router;
use super::state::AppState;

/// How long running requests may take when the server is asked to end: less than the 30 s after which those who asked
/// (systemd, Kubernetes) use force.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(25);
/// How long the last records may take then.
const RECORD_TIME_MAX: Duration = Duration::from_secs(3);
/// Connections at the same time. More wait to be accepted; each costs some ten kilobytes and a file descriptor.
const CONNECTIONS_MAX: usize = 8_192;
/// How long the head of a request may take, also that of the next one on a connection that is kept open.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a client may take in nothing of what is written to it.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of the head of a request: of the size that proxies allow. A key, a trace and cookies fit in many times.
const HEAD_LEN_MAX: usize = 32 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Requests at the same time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 256;
/// How long to wait after accepting failed, for what makes it fail (too many open files) passes when something ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Running requests did not end in time when the server was asked to.
    #[error("{left} connections did not end within {} s and were cut", DRAIN_TIME_MAX.as_secs())]
    Cut {
        /// How many.
        left: usize,
    },
}

/// Serves until `shutdown` is over; then takes no more connections, answers what is running, and returns.
///
/// # Errors
/// When running requests took too long at the end.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let recorder = state.recorder().clone();
    let app = router(state.clone());
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (graceful, builder) = (GracefulShutdown::new(), builder());
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, peer, room) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let app = app.clone();
        let serve = service_fn(move |request| answer(app.clone(), peer, request));
        let stream = TokioIo::new(Box::pin(in_time(stream)));
        let connection = builder.serve_connection(stream, serve).into_owned();
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            // How a connection breaks is its client's affair; what was answered is in the access log.
            if let Err(error) = connection.await {
                tracing::debug!(%peer, error, "a connection broke");
            }
            drop(room);
        });
    }
    drop(listener);
    state.close();
    let deadline = Instant::now() + DRAIN_TIME_MAX;
    let drained = tokio::time::timeout_at(deadline, graceful.shutdown()).await;
    // Runs that have outlasted their requests end their present piece.
    let _ = tokio::time::timeout_at(deadline, state.works().write()).await;
    while connections.try_join_next().is_some() {}
    let left = connections.len();
    connections.shutdown().await;
    // What was refused stands in the log before the program ends; where the database is away, it does not keep it.
    let _ = tokio::time::timeout(RECORD_TIME_MAX, recorder.finish()).await;
    match drained {
        Ok(()) => Ok(()),
        Err(_) => Err(ServeError::Cut { left }),
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_LEN_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEAD_TIME_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_LEN_MAX).unwrap_or(u32::MAX));
    builder
}

/// Whoever takes in nothing of their answer for that long is cut off, since it is in memory until they do.
fn in_time(stream: TcpStream) -> TimeoutStream<TcpStream> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME_MAX));
    stream
}

/// The next connection, when there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let room = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers are not held back for more of them.
                let _ = stream.set_nodelay(true);
                return (stream, peer, room);
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(
    mut app: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    app.call(request).await
}
