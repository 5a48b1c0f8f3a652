//! What is counted, in the text form of `OpenMetrics`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use deadpool_postgres::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::access::Recorder;

/// Bounds of durations, in seconds: from below a cached read to the longest request.
const DURATIONS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0];

/// The metrics of a server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    actions: Family<ReceiptLabels, Counter>,
    batches: Histogram,
    export_pages: Counter,
    exported: Counter,
    connections: Family<ConnectionLabels, Gauge>,
    waiting: Gauge,
    left_out: Gauge,
    lost: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReceiptLabels {
    receipt: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    state: &'static str,
}

/// How large the shared commits are.
#[derive(Clone)]
pub(super) struct Batches(Histogram);

impl Batches {
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousands")]
    pub(super) fn observe(&self, len: usize) {
        self.0.observe(len as f64);
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("gesta");
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let durations =
            Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(DURATIONS));
        registry.register_with_unit(
            "http_request_duration",
            "Time to the head of the response",
            Unit::Seconds,
            durations.clone(),
        );
        let actions = Family::<ReceiptLabels, Counter>::default();
        registry.register("actions", "Actions that were sent to be appended", actions.clone());
        let batches = Histogram::new(exponential_buckets(1.0, 2.0, 11));
        registry.register("commit_actions", "Actions that shared a commit", batches.clone());
        let export_pages = Counter::default();
        registry.register("export_pages", "Pages read for exports", export_pages.clone());
        let exported = Counter::default();
        registry.register("exported_actions", "Actions read for exports", exported.clone());
        let connections = Family::<ConnectionLabels, Gauge>::default();
        registry.register("pool_connections", "Connections to the database", connections.clone());
        let waiting = Gauge::default();
        registry.register("pool_waiting", "Tasks that wait for a connection", waiting.clone());
        let (left_out, lost) = (Gauge::default(), Gauge::default());
        let help = "Refusals since the start that were counted and not recorded one by one";
        registry.register("refusals_left_out", help, left_out.clone());
        let help = "Reads and refusals since the start that the database did not take";
        registry.register("records_lost", help, lost.clone());
        Self(Arc::new(Inner {
            registry,
            requests,
            durations,
            actions,
            batches,
            export_pages,
            exported,
            connections,
            waiting,
            left_out,
            lost,
        }))
    }

    pub(super) fn batches(&self) -> Batches {
        Batches(self.0.batches.clone())
    }

    /// A response was made.
    pub(super) fn request(&self, method: &Method, route: &str, status: u16, duration: Duration) {
        let (method, route) = (known(method), route.to_owned());
        let labels = RequestLabels { method, route: route.clone(), status };
        self.0.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { method, route };
        self.0.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// So many actions were answered so.
    pub(super) fn actions(&self, receipt: &'static str, count: u64) {
        self.0.actions.get_or_create(&ReceiptLabels { receipt }).inc_by(count);
    }

    /// A page of so many actions was read for an export.
    pub(super) fn exported(&self, actions: usize) {
        self.0.export_pages.inc();
        self.0.exported.inc_by(actions as u64);
    }

    /// All of them, with the pool as it is now.
    pub(super) fn text(&self, pool: Status, recorder: &Recorder) -> Result<String, fmt::Error> {
        let gauge = |state| self.0.connections.get_or_create_owned(&ConnectionLabels { state });
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        gauge("open").set(count(pool.size));
        gauge("idle").set(count(pool.available));
        gauge("max").set(count(pool.max_size));
        self.0.waiting.set(count(pool.waiting));
        self.0.left_out.set(i64::try_from(recorder.left_out()).unwrap_or(i64::MAX));
        self.0.lost.set(i64::try_from(recorder.lost()).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Somebody may send any word as a method; each would be a row of its own for ever.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
