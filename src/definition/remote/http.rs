//! A request to a web service for each object, or for batches of them.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use http::uri::{Scheme, Uri};
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use sha2::{Digest as _, Sha256};

use super::super::effect::{Order, Remote, Reporter, Sent};
use super::super::piece::{Fate, Fault, Item};
use super::address::{Reach, Resolver, is_public};
use super::body::body;
use super::sign::Secret;
use crate::error::{chain, quote, visible};

/// How often the same request is sent before its objects have failed.
const ATTEMPTS: u32 = 5;
/// Requests of one run that are under way: enough to hide the way there, few enough for a small service.
const AT_ONCE: usize = 4;
/// The pause after the first attempt; it doubles with each.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, also where the service asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The platform's authorities, read once for all hooks of a file.
static ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // What cannot be read there is told when a server's certificate is not trusted.
    let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// A request to a web service: POST of JSON, signed as Standard Webhooks ask for.
///
/// The body is `{run, action, type, tenant, actor, reason, input, objects: [{place, id, name}]}`. `webhook-id` is the same
/// for the same objects of a run, however often they are sent: who has seen it before need not do it again.
///
/// An answer of 2xx means that all objects of the request are done. After 408, 425, 429, 5xx, no answer in time and no
/// connection it is sent again, up to five times, with growing pauses; another answer is what the objects fail with.
/// Redirects are answers. A host whose addresses are private is refused, unless it was allowed by name.
#[derive(Clone)]
pub struct Hook {
    url: Uri,
    secret: Secret,
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    batch: usize,
    timeout: Duration,
    pause: Duration,
}

/// Why requests cannot go to a URL.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It is none of the web.
    #[error("{given} is no URL of the form https://host/path, without user and password")]
    Url {
        /// What was given, cut and quoted.
        given: String,
    },
    /// It is the address of a private network.
    #[error("{host} is a private address; name it in `allow` if that is meant")]
    Private {
        /// The host.
        host: String,
    },
    /// TLS cannot be set up.
    #[error("failed to set up TLS")]
    Tls(#[source] rustls::Error),
}

impl Hook {
    /// Requests to a URL. `allow` has names of hosts that may have private addresses.
    ///
    /// # Errors
    /// When the URL cannot be one, or is a private address.
    pub fn new(url: &str, secret: Secret, allow: &[String]) -> Result<Self, HookError> {
        let wrong = || HookError::Url { given: quote(url) };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_web = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme());
        let host = uri.host().filter(|host| is_web && !host.is_empty()).ok_or_else(wrong)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(HookError::Url { given: "the URL".to_owned() });
        }
        let is_allowed = allow.iter().any(|name| name.eq_ignore_ascii_case(host));
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if !is_allowed && bare.parse::<IpAddr>().is_ok_and(|address| !is_public(address)) {
            return Err(HookError::Private { host: quote(host) });
        }
        let reach = if is_allowed { Reach::Anywhere } else { Reach::Public };
        Ok(Self {
            secret,
            client: client(reach)?,
            url: uri,
            batch: 1,
            timeout: Duration::from_secs(15),
            pause: PAUSE,
        })
    }

    /// So many objects in a request; one by default.
    #[must_use]
    pub fn batch(self, objects: u32) -> Self {
        Self { batch: usize::try_from(objects.max(1)).unwrap_or(1), ..self }
    }

    /// How long an answer may take; 15 s by default.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The pause before the second attempt; 1 s by default.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Sends some objects, as often as it takes, and says what became of them.
    async fn ask(&self, order: &Order, items: &[Item]) -> Fate {
        let body = Bytes::from(body(order, items));
        let id = message_id(order, items);
        let mut attempt = 1;
        loop {
            let answer = self.post(&id, body.clone()).await;
            let (told, after) = match answer {
                Ok((status, _)) if status.is_success() => return Fate::Done,
                Ok((status, after)) if is_passing(status) => (format!("answers {status}"), after),
                Ok((status, _)) => return Fate::Failed(format!("the service answers {status}")),
                Err(problem) => (problem, None),
            };
            if attempt == ATTEMPTS {
                return Fate::Failed(format!("the service {told}, {ATTEMPTS} times"));
            }
            let pause = after.unwrap_or_else(|| jittered(self.pause * (1 << (attempt - 1))));
            tokio::time::sleep(pause.min(PAUSE_MAX)).await;
            attempt += 1;
        }
    }

    /// One request; gives the status and how long the service asks to wait.
    async fn post(&self, id: &str, body: Bytes) -> Result<(StatusCode, Option<Duration>), String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("gesta/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secret.sign(id, timestamp, &body))
            .body(Full::new(body))
            .map_err(|_| "cannot be asked".to_owned())?;
        let answer = tokio::time::timeout(self.timeout, self.client.request(request)).await;
        let answer = answer.map_err(|_| "does not answer in time".to_owned())?;
        let answer =
            answer.map_err(|error| format!("cannot be reached ({})", visible(&chain(&error))))?;
        let after = answer.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
        Ok((answer.status(), after.map(Duration::from_secs)))
    }
}

impl Remote for Hook {
    fn send<'a>(
        &'a self,
        order: &'a Order,
        reporter: &'a dyn Reporter,
    ) -> BoxFuture<'a, Result<Sent, Fault>> {
        Box::pin(async move {
            let ask = |items: &'a [Item]| -> BoxFuture<'a, _> {
                Box::pin(async move { (items, self.ask(order, items).await) })
            };
            let asked: Vec<_> = order.items.chunks(self.batch).map(ask).collect();
            let mut answers = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
            while let Some((items, fate)) = answers.next().await {
                let fates = items.iter().map(|item| (item.place, fate.clone())).collect();
                match reporter.report(fates, Vec::new()).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    // It is asked for again, under the same id.
                    Err(fault) => {
                        tracing::warn!(run = %order.run, error = %chain(&fault), "a report was not stored");
                        break;
                    }
                }
            }
            Ok(Sent::Heard)
        })
    }
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("host", &self.url.host()).finish_non_exhaustive()
    }
}

fn client(
    reach: Reach,
) -> Result<Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>, HookError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HookError::Tls)?
        .with_root_certificates(Arc::clone(&ROOTS))
        .with_no_client_auth();
    let mut http = HttpConnector::new_with_resolver(Resolver { reach });
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(https))
}

/// The same for the same objects of a run.
fn message_id(order: &Order, items: &[Item]) -> String {
    if let [item] = items {
        return format!("run_{}_{}", order.run.simple(), item.place);
    }
    let mut digest = Sha256::new();
    for item in items {
        digest.update(item.place.to_be_bytes());
    }
    let digest: [u8; 32] = digest.finalize().into();
    let digest = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("run_{}_{digest:016x}", order.run.simple())
}

/// Whether an answer may be another one later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// Between half and all of a pause, so that many runs do not come back all at once.
fn jittered(pause: Duration) -> Duration {
    let mut random = [u8::MAX];
    // Without random bytes the whole pause is taken.
    let _ = getrandom::fill(&mut random);
    pause / 2 + pause * u32::from(random[0]) / 510
}
