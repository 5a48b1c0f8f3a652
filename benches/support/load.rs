//! Callers that each ask again as soon as they are answered: how many answers a second, how long they took, and what it
//! cost this process.

use std::fs;
use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::client::{Client, Connection};

/// How long it runs before it is measured: connections and plans are made once, and not for a figure.
const WARM_UP: Duration = Duration::from_millis(300);

/// One figure.
#[derive(Default)]
pub(crate) struct Load {
    /// Answers a second.
    pub(crate) rate: f64,
    /// How long each took, the shortest first.
    pub(crate) waits: Vec<Duration>,
    /// Processor time of this process for an answer in microseconds, that of the client's thread left out.
    pub(crate) cost: f64,
}

impl Load {
    pub(crate) fn percentile(&self, p: usize) -> f64 {
        self.waits[(self.waits.len() - 1) * p / 100].as_secs_f64() * 1_000.0
    }
}

/// Somebody who asks once, and is asked to ask again.
pub(crate) trait Caller: Send + 'static {
    fn call(&mut self) -> impl Future<Output = ()> + Send;
}

/// A caller over HTTP, each on its own connection.
pub(crate) struct Remote<F> {
    connection: Connection,
    request: F,
}

impl<F: Fn() -> Vec<u8> + Send + 'static> Caller for Remote<F> {
    async fn call(&mut self) {
        let request = (self.request)();
        let answer = self.connection.ask(&request).await;
        assert!(
            matches!(answer.status, 200 | 201),
            "{}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
    }
}

/// Connections on a thread of their own, so that it can be told what they cost.
pub(crate) async fn remote<F>(
    client: &Client,
    connections: usize,
    window: Duration,
    request: F,
) -> Load
where
    F: Fn() -> Vec<u8> + Clone + Send + 'static,
{
    let address = client.address;
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut callers = Vec::new();
            for _ in 0..connections {
                let connection = Connection::open(address).await;
                callers.push(Remote { connection, request: request.clone() });
            }
            run(callers, window, || spent("/proc/thread-self/schedstat")).await
        })
    });
    thread.await.expect("it ends")
}

/// Callers among the other tasks of the process.
pub(crate) async fn local<C: Caller>(callers: Vec<C>, window: Duration) -> Load {
    run(callers, window, || Duration::ZERO).await
}

#[expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
async fn run<C: Caller>(callers: Vec<C>, window: Duration, own: impl Fn() -> Duration) -> Load {
    let (callers, _) = all(callers, WARM_UP).await;
    let (began, before, client) = (Instant::now(), process(), own());
    let (_, mut waits) = all(callers, window).await;
    let (took, spent) = (began.elapsed(), process().saturating_sub(before));
    let spent = spent.saturating_sub(own().saturating_sub(client));
    waits.sort_unstable();
    let count = waits.len() as f64;
    Load { rate: count / took.as_secs_f64(), waits, cost: spent.as_secs_f64() * 1e6 / count }
}

async fn all<C: Caller>(callers: Vec<C>, window: Duration) -> (Vec<C>, Vec<Duration>) {
    let until = Instant::now() + window;
    let mut tasks: JoinSet<_> = callers.into_iter().map(|caller| each(caller, until)).collect();
    let (mut callers, mut waits) = (Vec::new(), Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let (caller, mut own) = ended.expect("a caller that ends");
        callers.push(caller);
        waits.append(&mut own);
    }
    (callers, waits)
}

async fn each<C: Caller>(mut caller: C, until: Instant) -> (C, Vec<Duration>) {
    let mut waits = Vec::new();
    let mut began = Instant::now();
    while began < until {
        caller.call().await;
        let now = Instant::now();
        waits.push(now - began);
        began = now;
    }
    (caller, waits)
}

/// Processor time of all threads of this process; PostgreSQL is another one.
fn process() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.map(|thread| spent(thread.path().join("schedstat"))).sum()
}

/// Nothing where the system does not tell.
fn spent(file: impl AsRef<std::path::Path>) -> Duration {
    let text = fs::read_to_string(file).unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
