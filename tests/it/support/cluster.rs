//! One private PostgreSQL for all tests of a run, whatever runs them.
//!
//! Under `cargo test` the tests of a program are threads of one process, under nextest every test is
//! a process of its own. What they have in common is their parent, the *runner*: the folder of the
//! cluster is named after it, the first process starts the server there, the others join it. Under
//! nextest there may be moments without any process, so a *sweeper*, a shell, keeps the server until
//! the runner has gone, and then removes the folder.
//!
//! `TEST_DATABASE_URL` names a server to use instead, with a superuser; `TEST_PG_BIN` the folder of
//! the programs to start, so that the tests can run with another version.

use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use gesta::local::{Durability, Hold, Home, Options, Search, Server};
use nix::unistd::Uid;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config, NoTls};

/// Room for a hundred databases of 8 MB that exist at the same time, and for WAL.
const SHM_FREE_MIN: u64 = 1 << 30;

/// Each test has a few connections, and a machine has many cores.
const MAX_CONNECTIONS: u16 = 300;

/// What the tests' databases are copies of; the rest of the name is the version of the program.
const TEMPLATE_PREFIX: &str = "gesta_template_";

/// Any number that nobody else on a given server is likely to use.
const TEMPLATE_LOCK: i64 = 0x6765_7374_6100;

/// How a new database gets its files.
#[derive(Clone, Copy)]
pub(super) enum Strategy {
    /// 25 ms where fsync is off and the disk is memory.
    FileCopy,
    /// Slower, but no checkpoint, which would be slower still on a disk.
    WalLog,
}

/// The server of this run.
pub(super) struct Cluster {
    superuser: Config,
    pub(super) template: String,
    pub(super) strategy: Strategy,
    /// Never dropped: it is used as long as the process lives.
    server: Option<Server>,
}

/// The server, started or joined by the first test of this process that asks.
pub(super) async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER.get_or_init(Cluster::start).await
}

impl Cluster {
    async fn start() -> Self {
        let template = template_name();
        let cluster = match std::env::var_os("TEST_DATABASE_URL") {
            Some(url) => Self::given(url.to_str().expect("an URL"), template),
            None => Self::private(template).await,
        };
        cluster.build_template().await;
        cluster
    }

    fn given(url: &str, template: String) -> Self {
        let superuser = url.parse().expect("TEST_DATABASE_URL is the URL of a PostgreSQL");
        Self { superuser, template, strategy: Strategy::WalLog, server: None }
    }

    async fn private(template: String) -> Self {
        let (dir, strategy) = place();
        let server = start(&Home::at(&dir)).await;
        if !server.joined() {
            let pid_file = server.home().data().join("postmaster.pid");
            sweep_after_run(&dir, &pid_file, server.hold().expect("a file descriptor"));
        }
        let superuser = server.config(server.superuser(), "postgres");
        Self { superuser, template, strategy, server: Some(server) }
    }

    /// How to connect as somebody to some database.
    pub(super) fn config(&self, user: &str, dbname: &str) -> Config {
        let mut config = self.superuser.clone();
        config.user(user).dbname(dbname);
        config
    }

    pub(super) fn superuser(&self) -> &str {
        self.superuser.get_user().expect("TEST_DATABASE_URL names a user")
    }

    /// Where a client program is.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.server.as_ref().map_or_else(|| name.into(), |server| server.binaries().program(name))
    }

    /// Connects as the superuser.
    pub(super) async fn admin(&self, dbname: &str) -> Client {
        connect(&self.config(self.superuser(), dbname)).await
    }

    /// Makes the template, once for each build of the tests.
    ///
    /// It gets its name when it is complete, and takes no connections afterwards: a database that
    /// somebody is connected to cannot be copied.
    async fn build_template(&self) {
        let client = self.admin("postgres").await;
        let locked = client.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).await;
        locked.expect("the lock of the template");
        let (name, raw) = (&self.template, format!("{}_raw", self.template));
        let made = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[name]).await;
        if made.expect("the databases").is_some() {
            return;
        }
        drop_old_templates(&client).await;
        run(&client, &format!("DROP DATABASE IF EXISTS {raw} WITH (FORCE)")).await;
        run(&client, &format!("CREATE DATABASE {raw}")).await;
        self.migrate(&raw).await;
        run(&client, &format!("ALTER DATABASE {raw} WITH ALLOW_CONNECTIONS false")).await;
        run(&client, &format!("ALTER DATABASE {raw} RENAME TO {name}")).await;
    }

    async fn migrate(&self, dbname: &str) {
        let connected = self.config(self.superuser(), dbname).connect(NoTls).await;
        let (mut client, connection) = connected.expect("a connection");
        let connection = tokio::spawn(connection);
        super::migrate_template(&mut client).await;
        drop(client);
        // The connection has been closed, so that the database can be renamed.
        connection.await.expect("the connection's task").expect("it ends well");
    }
}

pub(super) async fn start(home: &Home) -> Server {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let search = Search::new(std::env::var_os("TEST_PG_BIN").map(PathBuf::from), path);
    let options = Options::new(search).durability(Durability::None);
    match Server::start(home, &options.max_connections(MAX_CONNECTIONS)).await {
        Ok(server) => server,
        Err(error) => panic!("the tests need PostgreSQL: {error}\n{error:?}"),
    }
}

pub(super) async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

pub(super) async fn run(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}

/// Older builds leave theirs on a server that is given; a run takes less than a day.
async fn drop_old_templates(client: &Client) {
    const OLD: &str = "\
-- support::drop_old_templates
SELECT datname
FROM pg_database
WHERE starts_with(datname, $1)
  AND (pg_stat_file('base/' || oid || '/PG_VERSION')).modification < now() - interval '1 day'";
    for row in client.query(OLD, &[&TEMPLATE_PREFIX]).await.expect("the databases") {
        let name: String = row.get(0);
        run(client, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
}

/// A name that changes when the test program does, and with it perhaps the migrations.
fn template_name() -> String {
    let program = std::env::current_exe().expect("this program");
    let meta = fs::metadata(&program).expect("this program");
    let mut hasher = DefaultHasher::new();
    (program, meta.len(), meta.mtime(), meta.mtime_nsec()).hash(&mut hasher);
    format!("{TEMPLATE_PREFIX}{:016x}", hasher.finish())
}

/// The folder of this run: in memory if there is room, and where the first process has made it.
pub(super) fn place() -> (PathBuf, Strategy) {
    place_of("gesta-test")
}

/// The same for another server of this run.
pub(super) fn place_of(what: &str) -> (PathBuf, Strategy) {
    let name = format!("{what}-{}-{}", Uid::effective(), runner());
    let memory = Path::new("/dev/shm").join(&name);
    let disk = std::env::temp_dir().join(&name);
    let room = memory_free() >= SHM_FREE_MIN;
    let (dir, strategy) = if memory.exists() || (room && !disk.exists()) {
        (memory, Strategy::FileCopy)
    } else {
        (disk, Strategy::WalLog)
    };
    match DirBuilder::new().mode(0o755).create(&dir) {
        Ok(()) => {
            let readable = fs::set_permissions(&dir, Permissions::from_mode(0o755));
            readable.expect("permissions");
        }
        Err(error) => assert!(dir.exists(), "{}: {error}", dir.display()),
    }
    let meta = fs::symlink_metadata(&dir).expect("the folder");
    let ours = meta.is_dir() && meta.uid() == Uid::effective().as_raw();
    assert!(ours, "{} belongs to somebody else", dir.display());
    (dir, strategy)
}

#[cfg(target_os = "linux")]
fn memory_free() -> u64 {
    let room = nix::sys::statvfs::statvfs("/dev/shm");
    room.map_or(0, |fs| fs.blocks_available().saturating_mul(fs.fragment_size()))
}

#[cfg(not(target_os = "linux"))]
fn memory_free() -> u64 {
    0
}

/// The runner's process id and, since ids come again, when it started.
fn runner() -> String {
    let pid = parent_id();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The program's name is in brackets and may hold anything; the start is the 20th word after it.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let started = after_name.split_whitespace().nth(19).unwrap_or("0");
    format!("{pid}-{started}")
}

/// Keeps a server until the runner has gone, waits until it has taken away the file that it has while it runs, and then
/// removes the folder.
pub(super) fn sweep_after_run(dir: &Path, file_of_running: &Path, hold: Hold) {
    const SWEEP: &str = r#"
        while kill -0 "$1" 2>/dev/null; do sleep 0.2; done
        exec >/dev/null
        tries=0
        while [ -e "$3" ] && [ "$tries" -lt 600 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
        rm -rf "$2""#;
    let mut sweeper = Command::new("/bin/sh");
    sweeper.args(["-c", SWEEP, "gesta-test-sweeper", &parent_id().to_string()]);
    sweeper.args([dir, file_of_running]).current_dir("/").process_group(0);
    sweeper.stdin(Stdio::null()).stderr(Stdio::null()).stdout(hold);
    drop(sweeper.spawn().expect("the sweeper"));
}
