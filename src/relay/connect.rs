//! Connecting to NATS: servers, credentials, TLS, and whether the server is one that the relay can rely on.
//!
//! Nothing here ever shows a secret: URLs are taken apart at once and kept without user and password, and what cannot be
//! read is not quoted, since what looks like a host may be half of a password.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};

use super::subject::Prefix;
use super::tls;
use super::url::{self, Login};
use crate::error::visible;

/// The oldest server that knows what the relay and its consumers ask for. Older ones ignore it without a word.
pub const SERVER_MIN: (u32, u32) = (2, 10);
/// How long one server may take to answer.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long a request may take, and how long an acknowledgement is waited for.
const REQUEST_WAIT: Duration = Duration::from_secs(10);
/// The longest pause between two attempts to get back to a server.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Where the servers are, and how to get in.
#[derive(Clone)]
pub struct NatsOptions {
    servers: Vec<ServerAddr>,
    encryption: Encryption,
    login: Option<Login>,
    key: Option<KeyFile>,
    files: tls::Files,
    name: String,
    inbox: Option<Prefix>,
    connect_wait: Duration,
    request_wait: Duration,
}

/// Whether TLS is required whatever the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    AsServerAsks,
    Required,
}

/// A file with a key to log in by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyFile {
    Nkey(PathBuf),
    Credentials(PathBuf),
}

/// Why there is no connection to NATS, for whoever configured it. No text here, and nothing in the chain of sources, holds a
/// secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no list of URLs.
    #[error("cannot read the NATS URL: {0}")]
    Url(&'static str),
    /// More than one way to log in.
    #[error("{first} and {second} are both given to log in to NATS; leave one of them out")]
    Login {
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A file cannot be used.
    #[error("failed to use `{}` as {what} for NATS", path.display())]
    File {
        /// What it is for, and what it must hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// TLS cannot be set up at all.
    #[error("failed to set up TLS for NATS")]
    Tls(#[source] rustls::Error),
    /// No server took us.
    #[error("failed to connect to NATS at {servers}: {reason}")]
    Failed {
        /// The servers, without user and password.
        servers: String,
        /// What it means, and what to do.
        reason: Reason,
        /// What the server or the network said.
        #[source]
        source: async_nats::ConnectError,
    },
    /// The server would ignore what is asked of it.
    #[error("NATS at {servers} is version {found}, but Gesta needs {}.{} or later: upgrade the server", SERVER_MIN.0, SERVER_MIN.1)]
    TooOld {
        /// The servers.
        servers: String,
        /// What it says its version is.
        found: String,
    },
}

/// What a failed connection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Nobody answers there.
    Unreachable,
    /// The name has no address.
    UnknownHost,
    /// No answer in time.
    Timeout,
    /// The server does not let us in.
    Refused,
    /// The key cannot sign.
    BadKey,
    /// There is no encrypted connection.
    Tls,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "nothing answers as NATS does; check host and port, and whether the server runs",
            Self::UnknownHost => "the host has no address; check its name",
            Self::Timeout => "no answer in time; check host, port and firewalls",
            Self::Refused => "the server refuses the login; check user, password, token, nkey or credentials",
            Self::BadKey => "the key cannot be used to log in; check the nkey or credentials file",
            Self::Tls => {
                "TLS fails; check that the server has it, that its certificate names this host, and the file of \
                 authorities"
            }
        })
    }
}

impl Reason {
    fn of(error: &async_nats::ConnectError) -> Self {
        match error.kind() {
            ConnectErrorKind::Dns => Self::UnknownHost,
            ConnectErrorKind::TimedOut => Self::Timeout,
            ConnectErrorKind::AuthorizationViolation => Self::Refused,
            ConnectErrorKind::Authentication => Self::BadKey,
            ConnectErrorKind::Tls => Self::Tls,
            _ if is_of_tls(error) => Self::Tls,
            _ => Self::Unreachable,
        }
    }
}

/// Whether an error of the network is one of TLS, which rustls wraps.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>()?.get_ref())
        .any(<dyn Error + Send + Sync>::is::<rustls::Error>)
}

impl NatsOptions {
    /// Reads one URL or several with commas between: `nats://host:4222`, `tls://user:password@host`, `nats://token@host`.
    /// The scheme may be missing and is `nats` then, the port too and is 4222 then. One `tls` makes TLS required for all.
    ///
    /// # Errors
    /// [`ConnectError::Url`] says what is wrong and quotes nothing.
    pub fn parse(text: &str) -> Result<Self, ConnectError> {
        let url::Given { servers, login, tls } = url::parse(text)?;
        Ok(Self {
            servers,
            encryption: if tls { Encryption::Required } else { Encryption::AsServerAsks },
            login,
            key: None,
            files: tls::Files::default(),
            name: "gesta".to_owned(),
            inbox: None,
            connect_wait: CONNECT_WAIT,
            request_wait: REQUEST_WAIT,
        })
    }

    /// Logs in by a token.
    ///
    /// # Errors
    /// When the URL says already how to log in, as for all of these.
    pub fn token(mut self, token: impl Into<String>) -> Result<Self, ConnectError> {
        self.only_login("a token")?;
        self.login = Some(Login::Token(token.into()));
        Ok(self)
    }

    /// Logs in by the nkey whose seed (`SU…`) is in a file.
    ///
    /// # Errors
    /// When another way to log in is given.
    pub fn nkey_file(mut self, path: impl Into<PathBuf>) -> Result<Self, ConnectError> {
        self.only_login("an nkey file")?;
        self.key = Some(KeyFile::Nkey(path.into()));
        Ok(self)
    }

    /// Logs in by the JWT and seed of a credentials file, as `nsc` writes it.
    ///
    /// # Errors
    /// When another way to log in is given.
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Result<Self, ConnectError> {
        self.only_login("a credentials file")?;
        self.key = Some(KeyFile::Credentials(path.into()));
        Ok(self)
    }

    fn only_login(&self, second: &'static str) -> Result<(), ConnectError> {
        let first = match (&self.login, &self.key) {
            (None, None) => return Ok(()),
            (Some(Login::Password { .. }), _) => "user and password",
            (Some(Login::Token(_)), _) => "a token",
            (_, Some(KeyFile::Nkey(_))) => "an nkey file",
            (_, Some(KeyFile::Credentials(_))) => "a credentials file",
        };
        Err(ConnectError::Login { first, second })
    }

    /// Requires TLS by a certificate of these authorities (PEM), and no others.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.ca = Some(path.into());
        self.encryption = Encryption::Required;
        self
    }

    /// Requires TLS, and shows the server this certificate (PEM files of chain and key).
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.files.identity = Some((certificate.into(), key.into()));
        self.encryption = Encryption::Required;
        self
    }

    /// How the connection is called in the server's lists; `gesta` by default.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Below which subject answers come, `_INBOX` by default. Users of one account who must not read each other's messages
    /// need one each, since messages of a consumer arrive there.
    #[must_use]
    pub fn inbox(mut self, prefix: Prefix) -> Self {
        self.inbox = Some(prefix);
        self
    }

    /// How long each server may take to let us in; 5 s by default.
    #[must_use]
    pub fn connect_wait(mut self, wait: Duration) -> Self {
        self.connect_wait = wait;
        self
    }

    /// How long an answer or an acknowledgement may take; 10 s by default.
    #[must_use]
    pub fn request_wait(mut self, wait: Duration) -> Self {
        self.request_wait = wait;
        self
    }

    /// The servers, for people: without user and password.
    #[must_use]
    pub fn servers(&self) -> String {
        let servers: Vec<_> =
            self.servers.iter().map(|server| server.as_url_str().to_owned()).collect();
        servers.join(", ")
    }

    /// Connects, and checks the server's version. The first connection is tried once with each server; a connection that is
    /// lost later is restored for as long as it takes, with pauses of up to two seconds. While it is lost, publishes are
    /// buffered by the client and none is acknowledged.
    ///
    /// # Errors
    /// Says what failed and what to check.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        let client = self.options()?.connect(self.servers.clone()).await.map_err(|source| {
            let reason = Reason::of(&source);
            ConnectError::Failed { servers: self.servers(), reason, source }
        })?;
        let found = visible(&client.server_info().version).into_owned();
        if is_too_old(&found) {
            return Err(ConnectError::TooOld { servers: self.servers(), found });
        }
        Ok(client)
    }

    /// The same without waiting for a server: it is looked for in the background for as long as it takes, and its version is
    /// not checked. For what uses NATS only now and then.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub async fn connect_later(&self) -> Result<Client, ConnectError> {
        let options = self.options()?.retry_on_initial_connect();
        options.connect(self.servers.clone()).await.map_err(|source| {
            let reason = Reason::of(&source);
            ConnectError::Failed { servers: self.servers(), reason, source }
        })
    }

    fn options(&self) -> Result<ConnectOptions, ConnectError> {
        let options = ConnectOptions::new()
            .name(&self.name)
            .connection_timeout(self.connect_wait)
            .request_timeout(Some(self.request_wait))
            .require_tls(self.encryption == Encryption::Required)
            .tls_client_config(tls::config(&self.files)?)
            .max_reconnects(None)
            .reconnect_delay_callback(pause)
            .event_callback(tell);
        let options = match &self.inbox {
            Some(prefix) => options.custom_inbox_prefix(prefix),
            None => options,
        };
        let options = match &self.login {
            Some(Login::Password { user, password }) => {
                options.user_and_password(user.clone(), password.clone())
            }
            Some(Login::Token(token)) => options.token(token.clone()),
            None => options,
        };
        match &self.key {
            Some(KeyFile::Nkey(path)) => Ok(options.nkey(seed(path)?)),
            Some(KeyFile::Credentials(path)) => {
                const WHAT: &str = "credentials (JWT and seed, as nsc writes them)";
                let text = read(WHAT, path)?;
                options.credentials(&text).map_err(|source| file(WHAT, path, source))
            }
            None => Ok(options),
        }
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions").field("servers", &self.servers()).finish_non_exhaustive()
    }
}

/// The seed of an nkey file, which may have comments and other keys around it.
fn seed(path: &Path) -> Result<String, ConnectError> {
    const WHAT: &str = "the seed of an nkey (a line SU…)";
    let text = read(WHAT, path)?;
    let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
    let missing = || file(WHAT, path, io::Error::other("there is no such line"));
    seed.map(str::to_owned).ok_or_else(missing)
}

fn read(what: &'static str, path: &Path) -> Result<String, ConnectError> {
    std::fs::read_to_string(path).map_err(|source| file(what, path, source))
}

pub(super) fn file(
    what: &'static str,
    path: &Path,
    source: impl Error + Send + Sync + 'static,
) -> ConnectError {
    ConnectError::File { what, path: path.to_owned(), source: Box::new(source) }
}

/// What is not a version is not too old: a server that was built from source may call itself anything.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < SERVER_MIN,
        _ => false,
    }
}

/// Nothing before the first attempt; then a random part of a time that doubles, so that the clients of a server that was
/// restarted do not come back all at once.
pub(super) fn pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt).unwrap_or(u32::MAX).saturating_sub(1).min(10);
    if doublings == 0 {
        return Duration::ZERO;
    }
    let longest = (Duration::from_millis(10) * (1 << doublings)).min(PAUSE_MAX);
    let mut random = [u8::MAX];
    // Without random bytes the longest pause is taken.
    let _ = getrandom::fill(&mut random);
    longest * (1 + u32::from(random[0])) / 256
}

async fn tell(event: Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => tracing::warn!("lost the connection to NATS"),
        event => tracing::debug!(%event, "NATS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_without_the_needed_features_are_too_old() {
        let old = ["2.9.10", "1.4.0", "2.9.25-beta"];
        assert!(old.into_iter().all(is_too_old));
        let new = ["2.10.0", "2.10.0-RC.1", "2.15.1", "3.0.0", "dev"];
        assert!(!new.into_iter().any(is_too_old));
    }

    #[test]
    fn pauses_grow_to_two_seconds_and_no_further() {
        assert_eq!((pause(0), pause(1)), (Duration::ZERO, Duration::ZERO));
        for attempt in 2..200 {
            let pause = pause(attempt);
            assert!(!pause.is_zero() && pause <= PAUSE_MAX, "{attempt}: {pause:?}");
        }
        assert!((0..100).any(|_| pause(usize::MAX) > PAUSE_MAX / 2));
    }

    #[test]
    fn second_way_to_log_in_is_refused() {
        let options = NatsOptions::parse("nats://ann:hush@h").expect("a URL");
        let error = options.nkey_file("k").expect_err("two ways").to_string();
        assert_eq!(
            error,
            "user and password and an nkey file are both given to log in to NATS; leave one of them out"
        );
    }
}
