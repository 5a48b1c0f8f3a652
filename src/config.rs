//! What the environment and the flags say, in one place: every key with its meaning, unit and default.
//!
//! This is the only reader of the environment. A flag wins over its variable, and an empty variable counts as none.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::local::{
    Broker, BrokerError, BrokerSearch, Env, Home, LocalError, Options, Search, Server,
};
use crate::relay::{self, NatsOptions, StreamSpec, Subjects};
use crate::store::{ConnectError, Endpoint};

/// A variable of the environment, for the help text and the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it says, with its unit.
    pub meaning: &'static str,
    /// What holds where it is not set.
    pub default: &'static str,
}

/// Every variable that Gesta reads.
pub const KEYS: [Key; 29] = [
    key(
        "GESTA_DATABASE_URL",
        "the database, postgresql://user:password@host:5432/name",
        "DATABASE_URL",
    ),
    key("DATABASE_URL", "the same, shared with the application", "a private PostgreSQL"),
    key(
        "GESTA_HOME",
        "folder of the private PostgreSQL",
        "/var/lib/gesta for root, else XDG_DATA_HOME/gesta",
    ),
    key("GESTA_TENANT", "the tenant, 1 to 63 bytes", "default"),
    key("GESTA_NATS_URL", "NATS, nats:// or tls://user:password@host:4222, commas between", "none"),
    key("GESTA_NATS_TOKEN", "token to log in to NATS by", "none"),
    key("GESTA_NATS_NKEY", "file of the nkey's seed to log in to NATS by", "none"),
    key("GESTA_NATS_CREDENTIALS", "credentials file to log in to NATS by", "none"),
    key("GESTA_NATS_CA", "PEM file of the authorities to trust for NATS", "the platform's"),
    key("GESTA_NATS_CERT", "PEM file of the certificate to show NATS", "none"),
    key("GESTA_NATS_KEY", "PEM file of that certificate's key", "none"),
    key("GESTA_NATS_PREFIX", "first tokens of all subjects, up to 64 bytes", "act"),
    key("GESTA_NATS_STREAM", "the stream of JetStream, up to 64 bytes", "GESTA"),
    key("GESTA_LISTEN", "where `gesta serve` listens, address:port", "127.0.0.1:8080"),
    key("GESTA_ORIGIN", "how clients call the server, such as https://audit.example.com", "none"),
    key("GESTA_BASE_PATH", "what all paths of the server begin with, such as /audit", "none"),
    key(
        "GESTA_RATE",
        "requests a minute of each credential without a number of its own",
        "no limit",
    ),
    key("GESTA_ACTIONS", "file of what can be run, TOML", "none"),
    key(
        "GESTA_PROXIES",
        "networks of proxies whose X-Forwarded-For is believed, commas between",
        "none",
    ),
    key("NATS_BIN", "folder of nats-server", "PATH, the usual places"),
    key("PG_BIN", "folder of PostgreSQL's programs", "PATH, pg_config, the usual places"),
    key("PATH", "where PostgreSQL's programs and git are looked for", "the system's"),
    key("XDG_DATA_HOME", "folder of the user's data", "HOME/.local/share"),
    key("HOME", "the user's folder", "none"),
    key("COLUMNS", "width of tables, in characters", "the terminal's width, else 80"),
    key("NO_COLOR", "any text: no colours", "colours on a terminal"),
    key("CLICOLOR_FORCE", "1: colours everywhere", "colours on a terminal"),
    key("TERM", "dumb: no colours", "the terminal's"),
    key("PSQL", "the psql to run", "that of the server, else PATH"),
];

const fn key(name: &'static str, meaning: &'static str, default: &'static str) -> Key {
    Key { name, meaning, default }
}

/// The variables as a list for `--help`.
#[must_use]
pub fn help() -> String {
    let mut text = String::from("Environment:\n");
    for Key { name, meaning, default } in KEYS {
        let _ = writeln!(text, "  {name:<22} {meaning}; default: {default}");
    }
    text
}

/// What the environment says, as far as flags do not say it already.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `GESTA_DATABASE_URL`.
    pub own_url: Option<Secret>,
    /// `GESTA_HOME`.
    pub home: Option<PathBuf>,
    /// `DATABASE_URL`.
    pub shared_url: Option<Secret>,
    /// `GESTA_TENANT`.
    pub tenant: Option<String>,
    /// `PG_BIN`.
    pub pg_bin: Option<PathBuf>,
    /// `PATH`.
    pub path: OsString,
    /// `HOME` and `XDG_DATA_HOME`.
    pub folders: Env,
    /// `COLUMNS`.
    pub columns: Option<u16>,
    /// `PSQL`.
    pub psql: Option<PathBuf>,
    /// `NATS_BIN`.
    pub nats_bin: Option<PathBuf>,
    /// `GESTA_NATS_…`.
    pub nats: NatsKeys,
    /// `GESTA_ACTIONS`.
    pub actions: Option<PathBuf>,
    /// What `gesta serve` is told.
    pub serve: ServeKeys,
}

/// A variable that a file of actions names, for its secret; nothing where it is not set, or is no text.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// What the environment says about the server, as it was given.
#[derive(Clone, Debug, Default)]
pub struct ServeKeys {
    /// `GESTA_LISTEN`.
    pub listen: Option<String>,
    /// `GESTA_ORIGIN`.
    pub origin: Option<String>,
    /// `GESTA_BASE_PATH`.
    pub base_path: Option<String>,
    /// `GESTA_RATE`.
    pub rate: Option<String>,
    /// `GESTA_PROXIES`.
    pub proxies: Option<String>,
}

/// What the environment says about NATS.
#[derive(Clone, Debug, Default)]
pub struct NatsKeys {
    /// `GESTA_NATS_URL`.
    pub url: Option<Secret>,
    /// `GESTA_NATS_TOKEN`.
    pub token: Option<Secret>,
    /// `GESTA_NATS_NKEY`.
    pub nkey: Option<PathBuf>,
    /// `GESTA_NATS_CREDENTIALS`.
    pub credentials: Option<PathBuf>,
    /// `GESTA_NATS_CA`.
    pub ca: Option<PathBuf>,
    /// `GESTA_NATS_CERT`.
    pub certificate: Option<PathBuf>,
    /// `GESTA_NATS_KEY`.
    pub key: Option<PathBuf>,
    /// `GESTA_NATS_PREFIX`.
    pub prefix: Option<String>,
    /// `GESTA_NATS_STREAM`.
    pub stream: Option<String>,
}

/// The stream where the environment names none.
const STREAM: &str = "GESTA";

/// Why it is not clear how NATS is meant.
#[derive(Debug, thiserror::Error)]
pub enum NatsKeysError {
    /// The URL or the login.
    #[error("the NATS settings are refused")]
    Connect(#[source] relay::ConnectError),
    /// Half of a client's certificate.
    #[error("GESTA_NATS_CERT and GESTA_NATS_KEY belong together; give both, or none")]
    Half,
    /// The prefix.
    #[error("GESTA_NATS_PREFIX is refused")]
    Prefix(#[source] relay::SubjectError),
    /// The stream's name.
    #[error("GESTA_NATS_STREAM is refused")]
    Stream(#[source] relay::StreamError),
}

impl NatsKeys {
    /// How to connect; nothing where no URL is given.
    ///
    /// # Errors
    /// When the URL cannot be read, or there are two ways to log in.
    pub fn options(&self) -> Result<Option<NatsOptions>, NatsKeysError> {
        let Some(url) = &self.url else { return Ok(None) };
        self.options_at(url.reveal()).map_err(NatsKeysError::Connect).and_then(|options| {
            match (&self.certificate, &self.key) {
                (Some(certificate), Some(key)) => {
                    Ok(Some(options.client_certificate(certificate, key)))
                }
                (None, None) => Ok(Some(options)),
                _ => Err(NatsKeysError::Half),
            }
        })
    }

    fn options_at(&self, url: &str) -> Result<NatsOptions, relay::ConnectError> {
        let mut options = NatsOptions::parse(url)?;
        if let Some(token) = &self.token {
            options = options.token(token.reveal())?;
        }
        if let Some(path) = &self.nkey {
            options = options.nkey_file(path)?;
        }
        if let Some(path) = &self.credentials {
            options = options.credentials_file(path)?;
        }
        Ok(match &self.ca {
            Some(path) => options.ca_file(path),
            None => options,
        })
    }

    /// How messages are addressed.
    ///
    /// # Errors
    /// When the prefix cannot be one.
    pub fn subjects(&self) -> Result<Subjects, NatsKeysError> {
        let prefix = self.prefix.as_deref().map(str::parse).transpose();
        Ok(Subjects::new(prefix.map_err(NatsKeysError::Prefix)?.unwrap_or_default()))
    }

    /// The stream for them, as it is asked for by default.
    ///
    /// # Errors
    /// When the prefix or the name cannot be one.
    pub fn stream(&self) -> Result<StreamSpec, NatsKeysError> {
        let name = self.stream.as_deref().unwrap_or(STREAM);
        StreamSpec::new(name, &self.subjects()?).map_err(NatsKeysError::Stream)
    }
}

impl Environment {
    /// Reads it.
    #[must_use]
    pub fn read() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name: &str| var(name).and_then(|value| value.into_string().ok());
        Self {
            own_url: text("GESTA_DATABASE_URL").map(Secret),
            home: var("GESTA_HOME").map(PathBuf::from),
            shared_url: text("DATABASE_URL").map(Secret),
            tenant: text("GESTA_TENANT"),
            pg_bin: var("PG_BIN").map(PathBuf::from),
            path: var("PATH").unwrap_or_default(),
            folders: Env {
                home: var("HOME").map(PathBuf::from),
                xdg_data_home: var("XDG_DATA_HOME").map(PathBuf::from),
            },
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
            psql: var("PSQL").map(PathBuf::from),
            nats_bin: var("NATS_BIN").map(PathBuf::from),
            nats: NatsKeys {
                url: text("GESTA_NATS_URL").map(Secret),
                token: text("GESTA_NATS_TOKEN").map(Secret),
                nkey: var("GESTA_NATS_NKEY").map(PathBuf::from),
                credentials: var("GESTA_NATS_CREDENTIALS").map(PathBuf::from),
                ca: var("GESTA_NATS_CA").map(PathBuf::from),
                certificate: var("GESTA_NATS_CERT").map(PathBuf::from),
                key: var("GESTA_NATS_KEY").map(PathBuf::from),
                prefix: text("GESTA_NATS_PREFIX"),
                stream: text("GESTA_NATS_STREAM"),
            },
            actions: var("GESTA_ACTIONS").map(PathBuf::from),
            serve: ServeKeys {
                listen: text("GESTA_LISTEN"),
                origin: text("GESTA_ORIGIN"),
                base_path: text("GESTA_BASE_PATH"),
                rate: text("GESTA_RATE"),
                proxies: text("GESTA_PROXIES"),
            },
        }
    }
}

/// Which database a command works on.
#[derive(Clone, Debug)]
pub enum Place {
    /// The one of a URL.
    Url {
        /// How to reach it.
        endpoint: Box<Endpoint>,
        /// The text as it was given, which may hold a password: for `psql`, never for printing.
        text: Secret,
    },
    /// The private one in this folder.
    Home(Home),
}

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Secret {
    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Why it is not clear which database is meant.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The URL cannot be read.
    #[error("the database URL is refused")]
    Url(#[source] ConnectError),
    /// There is no folder for the private one.
    #[error("there is no place for a private database")]
    Home(#[source] LocalError),
}

impl Place {
    /// What the flags say, else `GESTA_DATABASE_URL`, `GESTA_HOME`, `DATABASE_URL`, else the default folder: what is
    /// said to Gesta alone wins over what other programs share.
    ///
    /// # Errors
    /// When the URL cannot be read, or there is no folder.
    pub fn choose(
        url: Option<&str>,
        home: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, PlaceError> {
        let Environment { home: own_home, folders, .. } = environment;
        let own_url = environment.own_url.as_ref().map(Secret::reveal);
        let shared_url = environment.shared_url.as_ref().map(Secret::reveal);
        match (url, home, own_url, own_home.as_deref(), shared_url) {
            (Some(url), ..) | (None, None, Some(url), ..) | (None, None, None, None, Some(url)) => {
                let endpoint = Box::new(Endpoint::parse(url).map_err(PlaceError::Url)?);
                Ok(Self::Url { endpoint, text: Secret(url.to_owned()) })
            }
            (None, Some(dir), ..) | (None, None, None, Some(dir), _) => {
                Ok(Self::Home(Home::at(dir)))
            }
            (None, None, None, None, None) => {
                Home::default_for_user(folders).map(Self::Home).map_err(PlaceError::Home)
            }
        }
    }
}

impl Environment {
    /// The first program of this name on the PATH.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path).map(|dir| dir.join(name)).find(|path| path.is_file())
    }

    /// Where to look for PostgreSQL's programs.
    #[must_use]
    pub fn search(&self) -> Search {
        Search::new(self.pg_bin.clone(), self.path.clone())
    }

    /// Starts or joins the private server of a folder.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start(&self, home: &Home) -> Result<Server, LocalError> {
        Server::start(home, &Options::new(self.search())).await
    }

    /// Starts or joins the private nats-server of a folder, for whoever names no NATS.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub async fn start_broker(&self, home: &Home) -> Result<Broker, BrokerError> {
        let search = BrokerSearch::new(self.nats_bin.clone(), self.path.clone());
        Broker::start(home, &search).await
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn environment() -> Environment {
        let folders = Env { home: Some("/home/ann".into()), xdg_data_home: None };
        Environment { folders, ..Environment::default() }
    }

    fn chosen(url: Option<&str>, home: Option<&str>, environment: &Environment) -> String {
        let place = Place::choose(url, home.map(Path::new), environment);
        match place.expect("there is a place") {
            Place::Url { endpoint, .. } => endpoint.to_string(),
            Place::Home(home) => home.path().display().to_string(),
        }
    }

    #[test]
    fn what_is_said_to_gesta_alone_wins_over_what_is_shared() {
        let url = |name: &str| Some(Secret(format!("postgresql://u@h/{name}")));
        let at = |name: &str| format!("database `{name}` at h:5432 as `u`");
        let mut env = environment();
        assert!(chosen(None, None, &env).ends_with("gesta"));
        env.shared_url = url("shared");
        assert_eq!(chosen(None, None, &env), at("shared"));
        env.home = Some("/env".into());
        assert_eq!(chosen(None, None, &env), "/env");
        env.own_url = url("own");
        assert_eq!(chosen(None, None, &env), at("own"));
        assert_eq!(chosen(None, Some("/flag"), &env), "/flag");
        assert_eq!(chosen(Some("postgresql://u@h/flag"), None, &env), at("flag"));
    }

    #[test]
    fn password_is_never_printed() {
        let url = "postgresql://ann:hush@h/a";
        let place = Place::choose(Some(url), None, &environment()).expect("a URL");
        assert!(!format!("{place:?}").contains("hush"), "{place:?}");
        let wrong = "postgresql://ann:hush@h/a?sslmod=x";
        let error = Place::choose(Some(wrong), None, &environment()).expect_err("a typo");
        assert!(!crate::error::chain(&error).contains("hush"), "{error}");
    }

    #[test]
    fn nats_is_read_and_what_does_not_fit_is_refused() {
        let url = || Some(Secret("nats://h".into()));
        let keys = NatsKeys { url: url(), prefix: Some("eu.act".into()), ..NatsKeys::default() };
        assert!(keys.options().is_ok_and(|options| options.is_some()));
        assert_eq!(keys.subjects().expect("a prefix").all(), ["eu.act.v1.>", "eu.act.v1p.>"]);
        assert_eq!(keys.stream().expect("a stream").name(), "GESTA");
        assert!(NatsKeys::default().options().is_ok_and(|options| options.is_none()));
        let with = |change: fn(&mut NatsKeys)| {
            let mut keys = NatsKeys { url: url(), ..NatsKeys::default() };
            change(&mut keys);
            let error = keys
                .options()
                .and(keys.stream().map(|_| None::<NatsOptions>))
                .expect_err("refused");
            crate::error::chain(&error)
        };
        let login = "the NATS settings are refused: a token and a credentials file are both given";
        for (change, wanted) in [
            (
                (|keys| {
                    keys.token = Some(Secret("hush".into()));
                    keys.credentials = Some("x".into());
                }) as fn(&mut NatsKeys),
                login,
            ),
            (
                |keys| keys.key = Some("x".into()),
                "GESTA_NATS_CERT and GESTA_NATS_KEY belong together",
            ),
            (
                |keys| keys.prefix = Some("a b".into()),
                "GESTA_NATS_PREFIX is refused: `a b` is no prefix",
            ),
            (
                |keys| keys.stream = Some("a.b".into()),
                "GESTA_NATS_STREAM is refused: `a.b` is no name",
            ),
            (
                |keys| keys.url = Some(Secret("ws://h".into())),
                "a scheme is neither nats:// nor tls://",
            ),
        ] {
            let text = with(change);
            assert!(text.contains(wanted) && !text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn every_key_is_in_the_help() {
        assert!(KEYS.iter().all(|key| help().contains(key.name)));
    }
}
