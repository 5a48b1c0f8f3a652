//! From a database URL to connections: one of its own, or a pool of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Metrics, Pool, PoolError, QueueMode, RecyclingMethod,
    Runtime, TimeoutType,
};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage, Socket};
use tracing::debug;

#[cfg(feature = "tls")]
use super::connect_error::worth_a_plain_try;
use super::connect_error::{ConnectError, Plain, Reason};
use super::dsn::{self, TlsSettings};
use super::path;

/// The oldest PostgreSQL that the schema is written for.
const SERVER_VERSION_MIN: u32 = 15;

/// How long a connection may take to answer the cheapest question before it counts as dead.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How the connections of a pool are made, for the caller of [`Endpoint::pool`].
#[derive(Debug, Clone)]
pub struct PoolOptions {
    size: usize,
    role: Option<String>,
    application_name: String,
    connect_timeout: Duration,
    wait_timeout: Duration,
    verified_for: Duration,
    statement_timeout: Option<Duration>,
    is_guarded: bool,
}

impl Default for PoolOptions {
    /// Ten connections named `gesta`, ten seconds for each wait, no role, no limit on statements.
    fn default() -> Self {
        let patience = Duration::from_secs(10);
        Self {
            size: 10,
            role: None,
            application_name: "gesta".to_owned(),
            connect_timeout: patience,
            wait_timeout: patience,
            verified_for: Duration::ZERO,
            statement_timeout: None,
            is_guarded: false,
        }
    }
}

impl PoolOptions {
    /// At most this many connections.
    #[must_use]
    pub fn size(self, size: usize) -> Self {
        Self { size, ..self }
    }

    /// Each connection acts as this role, which the user of the URL must be a member of.
    #[must_use]
    pub fn role(self, role: impl Into<String>) -> Self {
        Self { role: Some(role.into()), ..self }
    }

    /// The name in `pg_stat_activity`, unless the URL gives one.
    #[must_use]
    pub fn application_name(self, name: impl Into<String>) -> Self {
        Self { application_name: name.into(), ..self }
    }

    /// How long each host may take to answer, unless the URL says so by `connect_timeout`.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: limit, ..self }
    }

    /// How long to wait for a connection while all are in use.
    #[must_use]
    pub fn wait_timeout(self, limit: Duration) -> Self {
        Self { wait_timeout: limit, ..self }
    }

    /// How long after it was handed out a connection is handed out again unless it is known to be closed, without the empty
    /// query by which it shows that it still answers. For a loop that comes back every few milliseconds and goes on after an
    /// error; others would get the connection whose server has just died under the one before.
    #[must_use]
    pub fn verified_for(self, time: Duration) -> Self {
        Self { verified_for: time, ..self }
    }

    /// How long a statement may run, unless the `options` of the URL say so; whole milliseconds.
    #[must_use]
    pub fn statement_timeout(self, limit: Duration) -> Self {
        Self { statement_timeout: Some(limit), ..self }
    }

    /// Only statements of this library run there, with the rights of an operator perhaps: see [`path`].
    #[cfg(feature = "local")]
    pub(crate) fn guarded(self) -> Self {
        Self { is_guarded: true, ..self }
    }

    /// The `options` of a connection. PostgreSQL lets the last of a name win: the role and a guarded path are ours to
    /// say, as rights hang on them, the rest is for `given`, which comes from the URL.
    fn merged(&self, given: Option<&str>) -> String {
        let limit =
            self.statement_timeout.map(|t| format!("-c statement_timeout={}", t.as_millis()));
        let role = self.role.as_deref().map(|role| format!("-c role={}", escaped(role)));
        let path = self.is_guarded.then_some(path::OPTION);
        let parts = [limit.as_deref(), given, role.as_deref(), path];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// A value for `options`, where blanks separate and `\` takes the next sign as it is.
fn escaped(value: &str) -> String {
    let escape = |sign: char| (sign == '\\' || sign.is_whitespace()).then_some('\\');
    value.chars().flat_map(|sign| escape(sign).into_iter().chain([sign])).collect()
}

/// Whether a connection still answers, where that is not known from just before: behind a network that has gone away
/// none is closed.
async fn verify(client: &Client, metrics: &Metrics, known_for: Duration) -> Result<(), HookError> {
    if metrics.last_used() < known_for {
        return Ok(());
    }
    match tokio::time::timeout(ANSWER_TIMEOUT, client.simple_query("")).await {
        Ok(answer) => answer.map(|_| ()).map_err(HookError::Backend),
        Err(_) => Err(HookError::message("no answer")),
    }
}

/// How to reach a database, for those who hold a URL and want connections.
///
/// Read from a URL or from `keyword=value` pairs, as libpq takes them, with these differences:
/// a host must be given; `~/.postgresql`, `.pgpass` and service files are not read; `allow` means
/// `prefer`; `verify-full` without `sslrootcert` trusts the certificate store of the platform.
/// From a [`Config`], for a server managed by this program, it never uses TLS.
///
/// It prints as database, host, port and user, also by `{:?}`; never with the password.
#[derive(Clone)]
pub struct Endpoint {
    config: Config,
    tls: TlsSettings,
}

impl FromStr for Endpoint {
    type Err = ConnectError;

    fn from_str(text: &str) -> Result<Self, ConnectError> {
        Self::parse(text)
    }
}

impl From<Config> for Endpoint {
    fn from(mut config: Config) -> Self {
        config.ssl_mode(SslMode::Disable);
        Self { config, tls: TlsSettings::NONE }
    }
}

impl Endpoint {
    /// Reads a database URL, without touching a file or the network.
    ///
    /// # Errors
    /// Text that cannot be read, unknown parameters and values that cannot be, each named.
    pub fn parse(text: &str) -> Result<Self, ConnectError> {
        let (config, tls) = dsn::parse(text)?;
        Ok(Self { config, tls })
    }

    /// Makes a pool, and its first connection, so that a wrong URL or server is noticed here.
    ///
    /// Broken connections are found before they are handed out (by an empty query, but see
    /// [`PoolOptions::verified_for`]) and made anew: a pool survives a restart of the server. Of those at rest the one
    /// last used is handed out first, which the server has warm. What the session was set to is not reset;
    /// use `SET LOCAL`. Statements are parsed once a connection by `prepare_cached`. Certificate
    /// files are read here, once. Errors of `Pool::get` are for [`Endpoint::explain`].
    ///
    /// # Errors
    /// No connection, for each [`Reason`]; a server older than PostgreSQL 15; useless certificate files.
    pub async fn pool(&self, options: &PoolOptions) -> Result<Pool, ConnectError> {
        let config = self.config_for(options);
        let limit = time_limit(&config);
        let (recycling_method, verified_for) = (RecyclingMethod::Fast, options.verified_for);
        let manager =
            Manager::from_connect(config, self.connector()?, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(options.size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.wait_timeout))
            .create_timeout(Some(limit))
            .queue_mode(QueueMode::Lifo)
            .post_recycle(Hook::async_fn(move |client, metrics| {
                Box::pin(verify(client, metrics, verified_for))
            }))
            .build()
            .map_err(|_| ConnectError::Closed { target: self.to_string() })?;
        let client = pool.get().await.map_err(|error| self.explain(error))?;
        self.check_version(&client).await?;
        drop(client);
        Ok(pool)
    }

    /// Makes one connection outside of any pool, as for migrations; it ends when the client is dropped.
    ///
    /// # Errors
    /// As [`Endpoint::pool`].
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        self.connect_by(&PoolOptions::default()).await
    }

    /// The same for statements of ours with the rights of an operator.
    #[cfg(feature = "local")]
    pub(crate) async fn connect_guarded(&self) -> Result<Client, ConnectError> {
        self.connect_by(&PoolOptions::default().guarded()).await
    }

    async fn connect_by(&self, options: &PoolOptions) -> Result<Client, ConnectError> {
        let config = self.config_for(options);
        let connector = self.connector()?;
        let client = tokio::time::timeout(time_limit(&config), connector.open(&config));
        let (client, _) = client
            .await
            .map_err(|_| ConnectError::Timeout { target: self.to_string() })?
            .map_err(|error| self.failed(error))?;
        self.check_version(&client).await?;
        Ok(client)
    }

    /// Says what an error of `Pool::get` means, for a pool made by this endpoint.
    #[must_use]
    pub fn explain(&self, error: PoolError) -> ConnectError {
        let target = self.to_string();
        match error {
            PoolError::Backend(error) => self.failed(error),
            PoolError::Timeout(TimeoutType::Wait) => ConnectError::Exhausted { target },
            PoolError::Timeout(_) => ConnectError::Timeout { target },
            // The other two cannot be: there is a runtime, and no hook.
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                ConnectError::Closed { target }
            }
        }
    }

    fn failed(&self, source: Error) -> ConnectError {
        let remote = self.config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
        let plain = match self.config.get_ssl_mode() {
            SslMode::Disable if remote => Plain::Yes,
            SslMode::Prefer if cfg!(not(feature = "tls")) => Plain::Yes,
            _ => Plain::No,
        };
        ConnectError::Failed {
            target: self.to_string(),
            reason: Reason::of(&source, plain),
            source,
        }
    }

    fn config_for(&self, options: &PoolOptions) -> Config {
        let mut config = self.config.clone();
        if config.get_application_name().is_none() {
            config.application_name(&options.application_name);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.connect_timeout);
        }
        let merged = options.merged(config.get_options());
        if !merged.is_empty() {
            config.options(merged);
        }
        config
    }

    #[cfg(feature = "tls")]
    fn connector(&self) -> Result<Connector, ConnectError> {
        match self.config.get_ssl_mode() {
            SslMode::Disable => Ok(Connector::Plain),
            _ => super::tls::connector(&self.tls).map(Connector::Tls),
        }
    }

    #[cfg(not(feature = "tls"))]
    fn connector(&self) -> Result<Connector, ConnectError> {
        match self.config.get_ssl_mode() {
            SslMode::Disable | SslMode::Prefer => Ok(Connector::Plain),
            _ => Err(ConnectError::TlsNotBuilt { sslmode: self.tls.sslmode }),
        }
    }

    async fn check_version(&self, client: &Client) -> Result<(), ConnectError> {
        const SHOW_VERSION: &str = "-- store::check_version\nSHOW server_version_num";
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.simple_query(SHOW_VERSION))
            .await
            .map_err(|_| ConnectError::Timeout { target: self.to_string() })?
            .map_err(|error| self.failed(error))?;
        let number = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse::<u32>().ok(),
            _ => None,
        });
        let number = number.unwrap_or_default();
        if number / 10_000 >= SERVER_VERSION_MIN {
            return Ok(());
        }
        let found = format!("{}.{}", number / 10_000, number % 10_000);
        Err(ConnectError::ServerTooOld {
            target: self.to_string(),
            found,
            needed: SERVER_VERSION_MIN,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user().unwrap_or("the user of this process");
        match self.config.get_dbname() {
            Some(dbname) => write!(f, "database `{dbname}` at ")?,
            None => write!(f, "the database of the user's name at ")?,
        }
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            f.write_str(if at > 0 { " or " } else { "" })?;
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]:{port}")?,
                Host::Tcp(name) => write!(f, "{name}:{port}")?,
                Host::Unix(directory) => write!(f, "{}/.s.PGSQL.{port}", directory.display())?,
            }
        }
        write!(f, " as `{user}`")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self}, sslmode={})", self.tls.sslmode)
    }
}

/// For all hosts together, and once more for login and second addresses of a host.
fn time_limit(config: &Config) -> Duration {
    let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1);
    let each = config.get_connect_timeout().copied().unwrap_or_default();
    each.saturating_mul(hosts.saturating_add(1))
}

/// Opens connections, with TLS or without.
#[derive(Clone)]
enum Connector {
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_postgres_rustls::MakeRustlsConnect),
}

impl Connector {
    async fn open(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        match self {
            Self::Plain => open(config, NoTls).await,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => match open(config, tls.clone()).await {
                // `prefer` promises nothing, so as in libpq a failed try with TLS is not the end.
                Err(error)
                    if config.get_ssl_mode() == SslMode::Prefer && worth_a_plain_try(&error) =>
                {
                    debug!(%error, "no connection with TLS, trying without");
                    open(config.clone().ssl_mode(SslMode::Disable), NoTls).await
                }
                result => result,
            },
        }
    }
}

impl deadpool_postgres::Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move { self.open(&config).await })
    }
}

/// The task ends with its client: dropping the client closes the connection.
async fn open<T>(config: &Config, tls: T) -> Result<(Client, JoinHandle<()>), Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    <T as MakeTlsConnect<Socket>>::TlsConnect: TlsConnect<Socket> + Send,
{
    let (client, connection) = config.connect(tls).await?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection to the database broke off");
        }
    });
    Ok((client, task))
}

#[cfg(test)]
mod tests;
