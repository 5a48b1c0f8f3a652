//! What all handlers share.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::{OnceCell, RwLock, watch};

use super::body::Room;
use super::metrics::Metrics;
use super::origin::Origin;
use super::read::Streams;
use super::seal::Seal;
use crate::access::{Keys, ProxyTrust, RateLimits, Recorder};
use crate::definition::Catalog;
use crate::error::quote;
use crate::live::Live;
use crate::role::Roles;
use crate::run::Runs;
use crate::store::{Failure, Store, Writer};

/// Characters of a base path: some folders, not a text.
const BASE_PATH_LEN_MAX: usize = 200;

/// The store, the writer, the keys, the metrics and the settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    writer: Writer,
    keys: Keys,
    roles: Roles,
    metrics: Metrics,
    recorder: Recorder,
    live: Live,
    streams: Streams,
    seal: OnceCell<Seal>,
    closing: watch::Sender<bool>,
    room: Room,
    limits: RateLimits,
    settings: Settings,
    runs: Runs,
    works: Arc<RwLock<()>>,
}

/// What an operator may set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where the API is, below the host.
    pub base_path: BasePath,
    /// How clients call the server; without it, as each request calls it.
    pub origin: Option<Origin>,
    /// Requests a minute of each credential that has no number of its own; without it they are not limited.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Networks of the operator's proxies, which vouch for the addresses of their clients in `X-Forwarded-For`.
    pub proxies: Vec<IpNet>,
    /// Proxies that say who asks; nobody by default.
    pub proxy_identity: Option<ProxyTrust>,
    /// What can be run on which objects; nothing by default. What runs in the background is left to whoever runs a
    /// [`Worker`](crate::run::Worker) of [`AppState::runs`] or of another program with the same catalog.
    pub catalog: Catalog,
}

impl AppState {
    /// The state of a server on a store.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(store: Store, keys: Keys, settings: Settings) -> Self {
        let metrics = Metrics::new();
        let batches = metrics.batches();
        let writer = store.writer_told(move |len| batches.observe(len));
        Self(Arc::new(Inner {
            recorder: Recorder::new(writer.clone()),
            live: Live::new(&store),
            streams: Streams::default(),
            seal: OnceCell::new(),
            closing: watch::Sender::new(false),
            limits: RateLimits::new(settings.requests_per_minute),
            room: Room::new(),
            runs: Runs::new(&store, settings.catalog.clone()),
            works: Arc::default(),
            roles: Roles::new(&store),
            store,
            writer,
            keys,
            metrics,
            settings,
        }))
    }

    /// The log.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The one writer of this process: what arrives together is committed together.
    #[must_use]
    pub fn writer(&self) -> &Writer {
        &self.0.writer
    }

    /// Who has which key.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Who may run what.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.0.roles
    }

    /// Records who read what, and who was refused.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// What can be run, and its runs.
    #[must_use]
    pub fn runs(&self) -> &Runs {
        &self.0.runs
    }

    /// Read while a run is worked on that a request has begun; written by whoever waits until none is.
    pub(super) fn works(&self) -> &Arc<RwLock<()>> {
        &self.0.works
    }

    /// The actions as they are committed, for all who listen.
    pub(super) fn live(&self) -> &Live {
        &self.0.live
    }

    /// How many live streams there are.
    pub(super) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// What signs cursors; it is read from the database once.
    pub(super) async fn seal(&self) -> Result<&Seal, Failure> {
        self.0.seal.get_or_try_init(|| Seal::of(&self.0.store)).await
    }

    /// Tells answers that have no end of their own to end.
    pub(super) fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Returns when the server is asked to end.
    pub(super) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut closing = self.0.closing.subscribe();
        async move {
            // Where there is no sender any more, there is no server either.
            let _ = closing.wait_for(|is_closing| *is_closing).await;
        }
    }

    /// How clients call the server, where an operator has said it.
    pub(super) fn origin(&self) -> Option<&Origin> {
        self.0.settings.origin.as_ref()
    }

    pub(super) fn limits(&self) -> &RateLimits {
        &self.0.limits
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn room(&self) -> &Room {
        &self.0.room
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Where the API is, below the host.
    #[must_use]
    pub fn base_path(&self) -> &BasePath {
        &self.0.settings.base_path
    }
}

/// A path that all others begin with, such as `/audit`; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(Box<str>);

/// A text that is no base path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given} is no base path; give one such as `/audit`: up to {BASE_PATH_LEN_MAX} letters, digits, `-`, `_`, `.` and `/`, \
     with `/` at its beginning and not at its end"
)]
pub struct BasePathError {
    given: String,
}

impl BasePath {
    /// The path, without `/` at its end; empty for none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BasePath {
    type Err = BasePathError;

    fn from_str(text: &str) -> Result<Self, BasePathError> {
        if matches!(text, "" | "/") {
            return Ok(Self::default());
        }
        let is_part = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let is_path = text.len() <= BASE_PATH_LEN_MAX
            && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part));
        if is_path { Ok(Self(text.into())) } else { Err(BasePathError { given: quote(text) }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_paths_are_plain() {
        for text in ["/audit", "/a/b-c/d_e.f"] {
            assert_eq!(text.parse::<BasePath>().expect(text).as_str(), text);
        }
        assert_eq!("/".parse(), Ok(BasePath::default()));
        for text in ["audit", "/audit/", "//a", "/a b", "/{x}", "/a/../b", "/%41", "/:a"] {
            assert!(text.parse::<BasePath>().is_err(), "{text}");
        }
    }
}
