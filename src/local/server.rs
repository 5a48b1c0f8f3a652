//! Starting, joining and leaving the server.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Config, NoTls};

use super::account::Account;
use super::home::POLL;
use super::postmaster::{Phase, Postmaster, clear_stale, end_stragglers};
use super::watch::{self, Hold, Watched};
use super::{Binaries, Home, LocalError, Search, initdb, socket};

/// The database role that owns everything, and that grants and row security do not bind.
pub const SUPERUSER: &str = "postgres";

/// How long a start may take: recovery after a crash replays at most a few minutes of writing.
const START_WAIT_MAX: Duration = Duration::from_mins(1);

/// How long a server may take to answer one question before it is asked again.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long the backends of a killed server may take to notice. Those that wait notice at once.
const STRAGGLER_GRACE: Duration = Duration::from_secs(2);

/// What every server runs with. A later setting of the caller overrides an earlier one of ours.
const SETTINGS: [(&str, &str); 6] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("cluster_name", "gesta"),
    // Our own log file takes what the server writes to its standard error.
    ("logging_collector", "off"),
    // Compiling costs more than our short queries do.
    ("jit", "off"),
    ("shared_buffers", "128MB"),
];

/// How to run the server, when it has to be started.
#[derive(Clone, Debug)]
pub struct Options {
    search: Search,
    settings: Vec<(String, String)>,
    durability: Durability,
    wait_max: Duration,
}

/// What survives a power failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Everything that was committed.
    #[default]
    Full,
    /// Nothing is certain, not even that the server starts again. For tests: it is faster, and
    /// commits still survive a killed server.
    None,
}

impl Options {
    /// PostgreSQL's own defaults, with the programs that `search` finds.
    #[must_use]
    pub fn new(search: Search) -> Self {
        let (settings, durability) = (Vec::new(), Durability::Full);
        Self { search, settings, durability, wait_max: START_WAIT_MAX }
    }

    /// Sets a parameter of the server, as in `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many connections the server takes; PostgreSQL's default is 100.
    #[must_use]
    pub fn max_connections(self, connections: u16) -> Self {
        self.setting("max_connections", &connections.to_string())
    }

    /// What survives a power failure.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long the server may take to start or to stop; 60 s by default.
    #[must_use]
    pub fn wait_max(mut self, wait_max: Duration) -> Self {
        self.wait_max = wait_max;
        self
    }

    fn arguments(&self) -> Vec<String> {
        let unsafe_ones: &[_] = match self.durability {
            Durability::Full => &[],
            Durability::None => &[("fsync", "off"), ("full_page_writes", "off")],
        };
        let ours =
            SETTINGS.iter().chain(unsafe_ones).map(|(name, value)| format!("{name}={value}"));
        let theirs = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        ours.chain(theirs).flat_map(|setting| ["-c".to_owned(), setting]).collect()
    }
}

/// A running local server, which stays up at least as long as this value lives.
///
/// Dropping it, and any end of the process, even a kill, leaves the server; when the last user has
/// left, it stops by itself within moments, in good order.
#[derive(Debug)]
pub struct Server {
    home: Home,
    socket_dir: PathBuf,
    port: u16,
    binaries: Binaries,
    entry: Entry,
    wait_max: Duration,
    hold: Hold,
}

/// How this process came to use the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Started,
    Joined,
}

/// What became of the server when this process left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// This was the last user: the server has stopped, and all is on disk.
    Stopped,
    /// Others still use the server, and it goes on.
    StillUsed,
}

impl Server {
    /// Starts the server of `home`, or joins it when it runs already; the options are those of
    /// whoever starts it.
    ///
    /// The first start makes the data folder, and may have to download PostgreSQL.
    ///
    /// # Errors
    ///
    /// Any [`LocalError`].
    ///
    /// # Cancel safety
    ///
    /// A start that is dropped half-way leaves nothing that a later one does not clear up; a server
    /// that it has started stops by itself.
    pub async fn start(home: &Home, options: &Options) -> Result<Self, LocalError> {
        let home = home.made()?;
        let account = Account::choose(&home.data())?;
        home.check_reachable(&account)?;
        let lock = home.lock().await?;
        let starter = Starter { home, account, options, lock };
        let began = Instant::now();
        loop {
            if let Some(running) = starter.home.lock_running()? {
                return starter.start(running).await;
            }
            if let Some(server) = starter.join(began + options.wait_max).await? {
                return Ok(server);
            }
            if began.elapsed() > options.wait_max {
                return Err(starter.too_slow("start or join"));
            }
            if began.elapsed() > STRAGGLER_GRACE && !starter.has_postmaster()? {
                end_stragglers(&starter.home);
            }
            sleep(POLL).await;
        }
    }

    /// The folder of the socket, the only way to connect.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The port, which is part of the socket's name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The role that may do everything; applications connect as another one.
    #[must_use]
    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// How to connect. Only the server's own user and root get to the socket, so there is no
    /// password.
    #[must_use]
    pub fn config(&self, user: &str, dbname: &str) -> Config {
        config(&self.socket_dir, self.port, user, dbname)
    }

    /// The programs that the server was started with, for `pg_dump` and others of its version.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The folder that it lives in.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Whether another process had started it.
    #[must_use]
    pub fn joined(&self) -> bool {
        self.entry == Entry::Joined
    }

    /// A further handle that keeps the server running, for a child process.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptor left.
    pub fn hold(&self) -> io::Result<Hold> {
        self.hold.another()
    }

    /// Leaves the server and, if nobody else uses it, waits until it has stopped.
    ///
    /// Dropping is enough in general. This is for a process whose end takes the server's processes
    /// with it, as that of a container's first process does: without the wait they would be killed
    /// and the next start would have to recover.
    ///
    /// # Errors
    ///
    /// [`LocalError::TooSlow`] when the server does not stop; [`LocalError::Busy`], and what the
    /// file system refuses.
    pub async fn stop(self) -> Result<Left, LocalError> {
        let Self { home, hold, wait_max, .. } = self;
        let lock = home.lock().await?;
        drop(hold);
        if watch::is_used(&home)? {
            return Ok(Left::StillUsed);
        }
        // The watcher does the same about now, if nobody has killed it.
        if let Some(postmaster) = Postmaster::read(&home)? {
            postmaster.interrupt(&home);
        }
        let deadline = Instant::now() + wait_max;
        while home.lock_running()?.is_none() {
            if Instant::now() > deadline {
                return Err(too_slow(&home, "stop", wait_max));
            }
            sleep(POLL).await;
        }
        drop(lock);
        Ok(Left::Stopped)
    }
}

/// What a start or a join needs, the lock above all.
struct Starter<'a> {
    home: Home,
    account: Account,
    options: &'a Options,
    lock: File,
}

impl Starter<'_> {
    /// Starts the server, when none of its processes is left.
    async fn start(self, running: File) -> Result<Server, LocalError> {
        let Self { home, account, options, lock } = &self;
        let socket_dir = socket::make(home, account)?;
        clear_stale(home, &socket_dir, socket::PORT)?;
        let binaries = Binaries::find_locked(home, &options.search, account, lock).await?;
        if initdb::version(home)?.is_none() {
            initdb::create(home, &binaries, account, options.durability, lock).await?;
        }
        let program = binaries.program("postgres");
        let (data, socket, port) = (home.data(), quoted(&socket_dir), socket::PORT.to_string());
        let settings = options.arguments();
        let mut words = vec![program.as_os_str(), OsStr::new("-D"), data.as_os_str()];
        words.extend(["-p", &port, "-k", &socket].map(OsStr::new));
        words.extend(settings.iter().map(OsStr::new));
        let (child, hold) = watch::start(home, account, running, new_log(home)?, &words)?;
        self.ready(child).await?;
        Ok(self.server(socket_dir, socket::PORT, binaries, Entry::Started, hold))
    }

    async fn ready(&self, mut child: Child) -> Result<(), LocalError> {
        let deadline = Instant::now() + self.options.wait_max;
        loop {
            let ended = child.try_wait().map_err(LocalError::io("wait for", "postgres"))?;
            if let Some(status) = ended {
                let (log, tail) = (self.home.log(), initdb::log_tail(&self.home));
                return Err(LocalError::Ended { status: status.to_string(), log, tail });
            }
            if let Some(postmaster) = Postmaster::read(&self.home)?
                && self.answers(&postmaster).await?
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.too_slow("start"));
            }
            sleep(POLL).await;
        }
    }

    /// Joins a server that runs; `None` when it is not there to stay, or not any more.
    async fn join(&self, deadline: Instant) -> Result<Option<Server>, LocalError> {
        let mut hold = match watch::join(&self.home, deadline).await? {
            Watched::Joined(hold) => Some(hold),
            Watched::Nobody => None,
            Watched::Mute => return Ok(None),
        };
        while let Some(postmaster) = self.postmaster()? {
            if self.answers(&postmaster).await? {
                let adopt = || watch::adopt(&self.home, &self.account, postmaster.pid);
                let hold = hold.take().map_or_else(adopt, Ok)?;
                let (socket_dir, port) = (postmaster.socket_dir, postmaster.port);
                let binaries = self.running_binaries()?;
                return Ok(Some(self.server(socket_dir, port, binaries, Entry::Joined, hold)));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            sleep(POLL).await;
        }
        Ok(None)
    }

    fn postmaster(&self) -> Result<Option<Postmaster>, LocalError> {
        let postmaster = Postmaster::read(&self.home)?;
        Ok(postmaster.filter(|postmaster| postmaster.is_ours(&self.home)))
    }

    fn has_postmaster(&self) -> Result<bool, LocalError> {
        self.postmaster().map(|postmaster| postmaster.is_some())
    }

    /// Whether the server takes our connection and works on our data.
    async fn answers(&self, postmaster: &Postmaster) -> Result<bool, LocalError> {
        if postmaster.phase != Phase::Ready {
            return Ok(false);
        }
        let config = config(&postmaster.socket_dir, postmaster.port, SUPERUSER, "postgres");
        let Ok(Ok(found)) = timeout(ANSWER_WAIT_MAX, data_directory(&config)).await else {
            return Ok(false);
        };
        let (found, wanted) = (PathBuf::from(found), self.home.data());
        if found.canonicalize().is_ok_and(|found| found == wanted) {
            return Ok(true);
        }
        Err(LocalError::OtherServer { socket: postmaster.socket_dir.clone(), found, wanted })
    }

    /// The folder that `postmaster.opts` names: `/usr/lib/postgresql/15/bin/postgres "-D" …`.
    fn running_binaries(&self) -> Result<Binaries, LocalError> {
        let path = self.home.data().join("postmaster.opts");
        let options = fs::read_to_string(&path).map_err(LocalError::io("read", path))?;
        let program = Path::new(options.split(" \"").next().unwrap_or_default());
        let dir = program.parent().unwrap_or(program).to_owned();
        let data = self.home.data();
        let major = initdb::version(&self.home)?.ok_or(LocalError::NotData { data })?;
        Ok(Binaries::known(dir, major))
    }

    fn server(
        &self,
        socket_dir: PathBuf,
        port: u16,
        binaries: Binaries,
        entry: Entry,
        hold: Hold,
    ) -> Server {
        let (home, wait_max) = (self.home.clone(), self.options.wait_max);
        Server { home, socket_dir, port, binaries, entry, wait_max, hold }
    }

    fn too_slow(&self, doing: &'static str) -> LocalError {
        too_slow(&self.home, doing, self.options.wait_max)
    }
}

fn too_slow(home: &Home, doing: &'static str, wait_max: Duration) -> LocalError {
    let (log, tail) = (home.log(), initdb::log_tail(home));
    LocalError::TooSlow { doing, seconds: wait_max.as_secs(), log, tail }
}

fn config(socket_dir: &Path, port: u16, user: &str, dbname: &str) -> Config {
    let mut config = Config::new();
    config.host_path(socket_dir).port(port).user(user).dbname(dbname);
    config
}

const DATA_DIRECTORY: &str = "\
-- local::server
SELECT pg_catalog.current_setting('data_directory'::pg_catalog.text)";

async fn data_directory(config: &Config) -> Result<String, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    // Both run here, not in a task of their own, and both end here.
    let ask = async {
        let row = client.query_one(DATA_DIRECTORY, &[]).await;
        drop(client);
        row.map(|row| row.get(0))
    };
    let (answer, _) = tokio::join!(ask, connection);
    answer
}

/// A list of one folder, which may have a comma or a quote in its name.
fn quoted(dir: &Path) -> String {
    format!("\"{}\"", dir.to_string_lossy().replace('"', "\"\""))
}

/// Begins a new log and keeps the last one, so that both together stay small.
fn new_log(home: &Home) -> Result<File, LocalError> {
    let log = home.log();
    match fs::rename(&log, home.path().join("log.old")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(LocalError::io("rename", log)(error));
        }
        _ => {}
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&log);
    file.map_err(LocalError::io("create", log))
}
