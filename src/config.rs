//! What the environment and the flags say, in one place: every key with its meaning, unit and default.
//!
//! This is the only reader of the environment. A flag wins over its variable, and an empty variable counts as none.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::local::{BrokerSearch, Env, Home, LocalError, Options, Search, Server};
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
pub const KEYS: [Key; 23] = [
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
    key(
        "GESTA_NATS_URL",
        "servers of NATS, nats://user:password@host:4222, with commas between",
        "NATS_URL",
    ),
    key("NATS_URL", "the same, shared with the application", "a private nats-server"),
    key("GESTA_NATS_CREDS", "file with the credentials of NATS's user", "none"),
    key("GESTA_NATS_NKEY", "file with the seed of an nkey", "none"),
    key("GESTA_NATS_CA", "file with the authorities of NATS's certificate (PEM)", "the platform's"),
    key("GESTA_NATS_CERT", "file with a certificate to show to NATS (PEM)", "none"),
    key("GESTA_NATS_KEY", "file with its key (PEM)", "none"),
    key("GESTA_STREAM", "the stream of JetStream, 1 to 64 bytes", "GESTA"),
    key("GESTA_SUBJECT_PREFIX", "first tokens of all subjects, 1 to 64 bytes", "act"),
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
        let _ = writeln!(text, "  {name:<20} {meaning}; default: {default}");
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
    /// Where NATS is, and how to get in.
    pub nats: Nats,
}

/// What the environment says about NATS.
#[derive(Clone, Debug, Default)]
pub struct Nats {
    /// `GESTA_NATS_URL`.
    pub own_url: Option<Secret>,
    /// `NATS_URL`.
    pub shared_url: Option<Secret>,
    /// `GESTA_NATS_CREDS`.
    pub creds: Option<PathBuf>,
    /// `GESTA_NATS_NKEY`.
    pub nkey: Option<PathBuf>,
    /// `GESTA_NATS_CA`.
    pub ca: Option<PathBuf>,
    /// `GESTA_NATS_CERT`.
    pub cert: Option<PathBuf>,
    /// `GESTA_NATS_KEY`.
    pub key: Option<PathBuf>,
    /// `GESTA_STREAM`.
    pub stream: Option<String>,
    /// `GESTA_SUBJECT_PREFIX`.
    pub prefix: Option<String>,
    /// `NATS_BIN`.
    pub bin: Option<PathBuf>,
}

impl Nats {
    /// The servers, where they are named: what is said to Gesta alone wins.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.own_url.as_ref().or(self.shared_url.as_ref()).map(Secret::reveal)
    }
}

impl Environment {
    /// Reads it.
    #[must_use]
    pub fn read() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name: &str| var(name).and_then(|value| value.into_string().ok());
        let path = |name: &str| var(name).map(PathBuf::from);
        let nats = Nats {
            own_url: text("GESTA_NATS_URL").map(Secret),
            shared_url: text("NATS_URL").map(Secret),
            creds: path("GESTA_NATS_CREDS"),
            nkey: path("GESTA_NATS_NKEY"),
            ca: path("GESTA_NATS_CA"),
            cert: path("GESTA_NATS_CERT"),
            key: path("GESTA_NATS_KEY"),
            stream: text("GESTA_STREAM"),
            prefix: text("GESTA_SUBJECT_PREFIX"),
            bin: path("NATS_BIN"),
        };
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
            psql: path("PSQL"),
            nats,
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

    /// Where to look for nats-server.
    #[must_use]
    pub fn broker_search(&self) -> BrokerSearch {
        BrokerSearch::new(self.nats.bin.clone(), self.path.clone())
    }

    /// Starts or joins the private server of a folder.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start(&self, home: &Home) -> Result<Server, LocalError> {
        Server::start(home, &Options::new(self.search())).await
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
    fn every_key_is_in_the_help() {
        assert!(KEYS.iter().all(|key| help().contains(key.name)));
    }
}
