//! What the tests share: a home of their own, a process that can be killed, what the system says.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use gesta::local::{Durability, Fetch, Home, Left, Options, Places, Search, Server};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// How long to wait for what happens within milliseconds on an idle machine.
const WAIT_MAX: Duration = Duration::from_mins(1);

const HOME: &str = "GESTA_TEST_CHILD_HOME";
const PG_BIN: &str = "GESTA_TEST_CHILD_PG_BIN";

/// A folder that the user who runs the server can reach, and a home in it.
pub(crate) struct Room {
    dir: TempDir,
    pub(crate) home: Home,
}

impl Room {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        open_to_all(dir.path());
        let home = Home::at(dir.path().canonicalize().expect("a path").join("home"));
        Self { dir, home }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn start(&self) -> Server {
        Server::start(&self.home, &options()).await.expect("the server starts or is joined")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.log()).expect("the server's log")
    }

    /// Waits until no process of the server is left, and says whether it went in good order.
    pub(crate) fn wait_until_stopped(&self) {
        let running = File::open(self.home.path().join("running")).expect("the lock");
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || {
            running.lock().expect("the lock");
            done.send(()).ok();
        });
        ended.recv_timeout(WAIT_MAX).expect("the server stops when nobody uses it");
    }

    pub(crate) fn postmaster(&self) -> Pid {
        let path = self.home.data().join("postmaster.pid");
        let text = fs::read_to_string(path).expect("a running server");
        pid_of(text.lines().next().expect("a line"))
    }

    /// The shell that reads the FIFO.
    pub(crate) fn watchers(&self) -> Vec<Pid> {
        let alive = fs::metadata(self.home.path().join("alive")).expect("the FIFO");
        let reads = |pid: &Pid| {
            let input = fs::metadata(format!("/proc/{pid}/fd/0"));
            input.is_ok_and(|input| (input.dev(), input.ino()) == (alive.dev(), alive.ino()))
        };
        processes().filter(reads).collect()
    }

    /// Asserts that the last server stopped in good order, by what the next one finds.
    pub(crate) async fn assert_clean(&self) {
        let server = self.start().await;
        assert!(!server.joined(), "there was still a server:\n{}", self.log());
        let log = self.log();
        assert!(log.contains("database system was shut down at"), "it had to recover:\n{log}");
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The folder can be removed when the last server has gone.
        if self.home.path().join("running").exists() && !std::thread::panicking() {
            self.wait_until_stopped();
        }
    }
}

pub(crate) fn search() -> Search {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Search::new(std::env::var_os("TEST_PG_BIN").map(PathBuf::from), path)
}

/// A search that finds nothing but what `path` holds.
pub(crate) fn search_in(path: &Path) -> Search {
    let places = Places::Only(Vec::new());
    Search { pg_bin: None, path: path.into(), places, fetch: Fetch::Never }
}

pub(crate) fn options() -> Options {
    Options::new(search()).durability(Durability::None)
}

/// Connects, as the superuser, to the database `postgres`.
pub(crate) async fn connect(server: &Server) -> Client {
    let config = server.config(server.superuser(), "postgres");
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

pub(crate) async fn show(client: &Client, name: &str) -> String {
    let row = client.query_one("SELECT current_setting($1)", &[&name]).await;
    row.expect("a setting").get(0)
}

pub(crate) async fn one(client: &Client) -> i32 {
    client.query_one("SELECT 1", &[]).await.expect("an answer").get(0)
}

/// Another process that uses the server of a home until it is told to go, or is killed.
pub(crate) struct Process {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Process {
    /// Begins, and does not wait until the server is ready.
    pub(crate) fn begin(home: &Home) -> Self {
        Self::begin_with(home, |_| {})
    }

    pub(crate) fn begin_with(home: &Home, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "room::another_process", "--ignored", "--nocapture"]);
        command.env(HOME, home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().expect("another process");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(word) = line.strip_prefix("said ") {
                    say.send(word.to_owned()).ok();
                }
            }
        });
        Self { child, said }
    }

    /// Begins, and waits until it has the server.
    pub(crate) fn start(home: &Home) -> Self {
        let process = Self::begin(home);
        process.hear();
        process
    }

    pub(crate) fn with_programs(home: &Home, pg_bin: &Path) -> Self {
        Self::begin_with(home, |command| {
            command.env(PG_BIN, pg_bin);
        })
    }

    /// Waits for the next word that it says.
    pub(crate) fn hear(&self) -> String {
        self.said.recv_timeout(WAIT_MAX).expect("a word from the other process")
    }

    pub(crate) fn tell(&mut self, word: &str) {
        let input = self.child.stdin.as_mut().expect("its input");
        writeln!(input, "{word}").expect("it listens");
    }

    pub(crate) fn signal(mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it lives");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn signal_group(mut self, signal: Signal) {
        killpg(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it lives");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The other process. Its words: `started`, `joined` or `failed …`, then an answer to each command.
#[tokio::test]
#[ignore = "run by the tests as a process of its own"]
async fn another_process() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let options = match std::env::var_os(PG_BIN) {
        Some(dir) => Options::new(Search::new(Some(dir.into()), "".into())),
        None => options(),
    };
    let mut server = match Server::start(&Home::at(home), &options).await {
        Ok(server) => Some(server),
        Err(error) => return println!("said failed {}", error.to_string().replace('\n', " ")),
    };
    let joined = server.as_ref().is_some_and(Server::joined);
    println!("\nsaid {}", if joined { "joined" } else { "started" });
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match (line.as_str(), server.take()) {
            ("stop", Some(server)) => match server.stop().await.expect("it can leave") {
                Left::Stopped => println!("said stopped"),
                Left::StillUsed => println!("said still used"),
            },
            ("ask", Some(using)) => {
                println!("said {}", one(&connect(&using).await).await);
                server = Some(using);
            }
            _ => return,
        }
    }
}

pub(crate) fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)))
}

pub(crate) fn pid_of(text: &str) -> Pid {
    Pid::from_raw(text.trim().parse().expect("a process id"))
}

pub(crate) fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("permissions");
}

/// Writes a program for the shell.
pub(crate) fn write_program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("a file");
    open_to_all(path);
}
