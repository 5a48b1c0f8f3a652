//! The examples for other languages against the real server, which is killed in between and started again on its port.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};

use gesta::{Context, NewAction};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::process::{PATIENCE, Process};
use super::rig::{WRITER, make_keys};
use crate::support::tools::{example, folder, given, install, is_there};
use crate::support::{OwnHome, TestDb, append, check_log, database, resource};

/// Actions that a client emits.
const ACTIONS: i64 = 1_000;

/// How a client is driven.
struct Client {
    program: &'static str,
    script: PathBuf,
    /// What the example itself shows.
    tour: PathBuf,
}

static PYTHON: LazyLock<Option<Client>> = LazyLock::new(|| {
    if !given("Python", is_there("python3", &["--version"])) {
        return None;
    }
    let folder = folder("http-python");
    for file in ["client.py", "tour.py"] {
        fs::copy(example("http").join(file), folder.join(file)).expect("a copy");
    }
    fs::write(folder.join("drive.py"), include_str!("clients/drive.py")).expect("a copy");
    let (script, tour) = (folder.join("drive.py"), folder.join("tour.py"));
    Some(Client { program: "python3", script, tour })
});

static NODE: LazyLock<Option<Client>> = LazyLock::new(|| {
    let there = is_there("node", &["--version"]) && is_there("npm", &["--version"]);
    if !given("Node with npm", there) {
        return None;
    }
    let folder = folder("http-node");
    for file in [
        "package.json",
        "package-lock.json",
        ".npmrc",
        "tsconfig.json",
        "client.ts",
        "server.ts",
        "tour.ts",
    ] {
        fs::copy(example("http").join(file), folder.join(file)).expect("a copy");
    }
    fs::write(folder.join("drive.ts"), include_str!("clients/drive.ts")).expect("a copy");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
    install(&folder, &example("http/package-lock.json"), &mut npm);
    let built = Command::new("npm").args(["run", "build"]).current_dir(&folder).output();
    let built = built.expect("npm runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stdout));
    let (script, tour) = (folder.join("build/drive.js"), folder.join("build/tour.js"));
    Some(Client { program: "node", script, tour })
});

/// A running program, killed at the end of the test.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(command: &mut Command, server: SocketAddr, key: &str) -> Self {
        command.env("GESTA_SERVER", format!("http://{server}")).env("GESTA_KEY", key);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    fn drive(client: &Client, what: &str, server: SocketAddr, key: &str) -> Self {
        Self::start(Command::new(client.program).arg(&client.script).arg(what), server, key)
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    /// Lets it go on.
    fn nudge(&mut self) {
        self.child.stdin.as_mut().expect("a pipe").write_all(b"on\n").expect("it reads");
    }

    /// Waits for a good end, and gives all lines up to there.
    fn end(mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            lines.push(line);
        }
        let status = self.child.try_wait().expect("its state");
        let status = status.unwrap_or_else(|| self.child.wait().expect("its state"));
        assert!(status.success(), "{status}: {lines:?}");
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server on a port that another one had.
fn again(db: &TestDb, address: SocketAddr) -> Process {
    let (url, address) = (db.url("gesta_app"), address.to_string());
    let mut process = Process::start(&["--database-url", &url, "serve", "--listen", &address]);
    process.until("listening on http://");
    process
}

/// The numbers that are stored, in order, as often as they are.
async fn stored(db: &TestDb) -> Vec<i64> {
    let sql = "SELECT (data ->> 'n')::bigint FROM gesta.action WHERE verb = 'count' ORDER BY 1";
    let rows = db.admin().await.query(sql, &[]).await.expect("the numbers");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn count(db: &TestDb, numbers: std::ops::Range<i64>) {
    let store = db.store().await;
    let ctx = Context::new(&resource("user:ann"));
    for n in numbers {
        append(&store, NewAction::new("count", &ctx).data(serde_json::json!({ "n": n }))).await;
    }
}

async fn emits_and_reads(client: &Client) {
    let db = database().await;
    let keys = make_keys(&db).await;
    let mut server = Process::on(&db, &[]);
    let address = server.api(&keys).address;
    let mut emitting = Running::drive(client, "emit", address, &keys[WRITER]);
    assert_eq!(emitting.line(), "half");
    server.signal(Signal::SIGKILL);
    server.wait();
    emitting.nudge();
    let _server = again(&db, address);
    emitting.end();
    assert_eq!(stored(&db).await, (0..ACTIONS).collect::<Vec<_>>());
    let lines = Running::drive(client, "read", address, &keys[WRITER]).end();
    for way in ["search ", "stream "] {
        let numbers = lines.iter().filter_map(|line| line.strip_prefix(way)?.parse().ok());
        let mut numbers: Vec<i64> = numbers.collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..ACTIONS).collect::<Vec<_>>(), "{way}");
    }
    let mut tour = Command::new(client.program);
    let shown = Running::start(tour.arg(&client.tour), address, &keys[WRITER]).end();
    assert_eq!((shown[0].as_str(), shown[shown.len() - 1].as_str()), ("stored", "first: close"));
    assert!(shown.iter().any(|line| line.contains("did you mean `actor`?")), "{shown:?}");
    check_log(&db).await;
}

/// Passes on what comes, but loses the first answer on every other connection.
async fn lossy(server: SocketAddr, lost: &'static AtomicUsize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut is_lossy = false;
        while let Ok((mut client, _)) = listener.accept().await {
            is_lossy = !is_lossy;
            let mut server = TcpStream::connect(server).await.expect("it listens");
            tokio::spawn(async move {
                if !is_lossy {
                    return tokio::io::copy_bidirectional(&mut client, &mut server).await.is_ok();
                }
                let (mut from, mut to) = server.split();
                let (mut asks, _answers) = client.split();
                let mut answer = [0];
                tokio::select! {
                    _ = tokio::io::copy(&mut asks, &mut to) => {}
                    _ = from.read_exact(&mut answer) => { lost.fetch_add(1, Ordering::SeqCst); }
                }
                to.shutdown().await.is_ok()
            });
        }
    });
    address
}

async fn sends_again(client: &Client, lost: &'static AtomicUsize) {
    let db = database().await;
    let keys = make_keys(&db).await;
    let mut server = Process::on(&db, &[]);
    let between = lossy(server.api(&keys).address, lost).await;
    let mut emitting = Running::drive(client, "emit", between, &keys[WRITER]);
    emitting.nudge();
    tokio::task::spawn_blocking(|| emitting.end()).await.expect("a good end");
    assert!(lost.load(Ordering::SeqCst) > 0, "all was answered");
    assert_eq!(stored(&db).await, (0..ACTIONS).collect::<Vec<_>>());
    check_log(&db).await;
}

async fn listens(client: &Client) {
    let db = database().await;
    let keys = make_keys(&db).await;
    let mut server = Process::on(&db, &[]);
    let address = server.api(&keys).address;
    let live = Running::drive(client, "live", address, &keys[WRITER]);
    count(&db, 0..20).await;
    for n in 0..20 {
        assert_eq!(live.line(), n.to_string());
    }
    server.signal(Signal::SIGKILL);
    server.wait();
    count(&db, 20..30).await;
    let _server = again(&db, address);
    count(&db, 30..50).await;
    for n in 20..50 {
        assert_eq!(live.line(), n.to_string());
    }
}

#[tokio::test]
async fn python_client_emits_each_action_once_and_reads_all_pages() {
    if let Some(client) = &*PYTHON {
        emits_and_reads(client).await;
    }
}

#[tokio::test]
async fn node_client_emits_each_action_once_and_reads_all_pages() {
    if let Some(client) = &*NODE {
        emits_and_reads(client).await;
    }
}

#[tokio::test]
async fn python_client_that_is_not_answered_sends_the_same_again() {
    static LOST: AtomicUsize = AtomicUsize::new(0);
    if let Some(client) = &*PYTHON {
        sends_again(client, &LOST).await;
    }
}

#[tokio::test]
async fn node_client_that_is_not_answered_sends_the_same_again() {
    static LOST: AtomicUsize = AtomicUsize::new(0);
    if let Some(client) = &*NODE {
        sends_again(client, &LOST).await;
    }
}

#[tokio::test]
async fn python_client_listens_over_a_restart_without_gap_or_repetition() {
    if let Some(client) = &*PYTHON {
        listens(client).await;
    }
}

#[tokio::test]
async fn node_client_listens_over_a_restart_without_gap_or_repetition() {
    if let Some(client) = &*NODE {
        listens(client).await;
    }
}

#[tokio::test]
async fn first_minute_with_curl_is_as_it_is_written() {
    if !given("curl", is_there("curl", &["--version"])) {
        return;
    }
    let home = OwnHome::new().await;
    let path = home.path().to_str().expect("a path").to_owned();
    let mut server = Process::start(&["--home", &path, "serve", "--listen", "127.0.0.1:0"]);
    let address = server.api(&HashMap::new()).address;
    let key = fs::read_to_string(home.path().join("first.key")).expect("the key");
    let mut script = Command::new("sh");
    let script = Running::start(script.arg(example("http/first.sh")), address, key.trim());
    let mut all = String::new();
    while !all.contains("data: ") {
        all += &script.line();
    }
    let closes = |part: &str| part.contains(r#""verb":"close""#) && part.contains(r#""id":"ann""#);
    let (stored, rest) = all.split_once('}').expect("a receipt");
    assert!(stored.ends_with(r#""duplicate":false"#), "{all}");
    let (found, live) = rest.split_once("id: ").expect("a live event");
    assert!(closes(found) && closes(live), "{all}");
    drop(script);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    home.remove();
}
