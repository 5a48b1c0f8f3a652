//! The command `gesta relay`: as a process that is paused, stopped and asked, and through a crash of PostgreSQL.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use gesta::relay::Relay;
use gesta::store::{Endpoint, PoolOptions};
use gesta::{ActionId, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::rig::{PATIENCE, all, append, check, check_stream, did, published, start};
use crate::support::{self, OwnCluster, OwnNats, TestDb, TestNats, database, nats};

/// `gesta relay …` on a test's database and stream.
fn command(db: &TestDb, nats: &TestNats, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gesta"));
    command.env_clear().args(["--database-url", &db.url("gesta_relay"), "relay"]).args(args);
    command.args(["--stream", nats.spec.name(), "--prefix", nats.subjects().prefix().as_str()]);
    // It may hold a password, so it is not an argument.
    command.env("GESTA_NATS_URL", nats.url()).env("COLUMNS", "200");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A relay as a process, whose lines are read.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(db: &TestDb, nats: &TestNats) -> Self {
        let mut child = command(db, nats, &["run"]).spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Reads up to the first line with this.
    fn until(&self, what: &str) {
        let mut told = String::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if line.contains(what) {
                return;
            }
            told = format!("{told}\n{line}");
        }
        panic!("it has not said `{what}`:{told}");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("it runs");
    }

    /// Asks it to end, and gives the exit code.
    fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.until("stopped");
        self.child.wait().expect("it ends").code()
    }
}

/// A test that fails leaves no process behind.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn relay_that_was_paused_finds_itself_overtaken_and_waits() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    let first = Process::start(&db, &nats);
    first.until("caught up");
    append(&store, 0..10).await;
    published(&nats, 10).await;
    first.signal(Signal::SIGSTOP);
    append(&store, 10..20).await;
    // Its claim runs out.
    let second = Process::start(&db, &nats);
    second.until("publishing after message 10");
    published(&nats, 20).await;
    first.signal(Signal::SIGCONT);
    append(&store, 20..30).await;
    first.until("waiting: relay");
    assert_eq!(check_stream(&db, &nats).await, 30);
    assert_eq!(second.end(Signal::SIGTERM), Some(0));
    append(&store, 30..40).await;
    first.until("publishing after message 30");
    assert_eq!(check_stream(&db, &nats).await, 40);
    assert_eq!(first.end(Signal::SIGINT), Some(0));
}

#[tokio::test]
async fn status_and_rebuild_print_what_is_there_and_ask_before_they_delete() {
    let (db, nats) = (database().await, nats().await);
    let store = db.store().await;
    append(&store, 0..7).await;
    let run = |args: &[&str]| command(&db, &nats, args).output().expect("it ends");
    let status = || -> Value {
        let output = run(&["status", "--output", "jsonl"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    assert_eq!(run(&["status"]).status.code(), Some(3), "there is no stream");
    let before = status();
    assert_eq!((&before["tip"], &before["lag"]["actions"]), (&Value::Null, &7.into()));

    let relay = Process::start(&db, &nats);
    relay.until("caught up: the last action is message 7");
    let mut client = store.client().await.expect("a connection");
    let open = client.transaction().await.expect("a transaction");
    let _ = store.append(&open, did("open")).await.expect("appended");
    let pid: i32 = open.query_one("SELECT pg_backend_pid()", &[]).await.expect("a pid").get(0);
    let now = status();
    assert_eq!((&now["tip"]["sequence"], &now["lag"]["actions"]), (&7.into(), &0.into()));
    assert_eq!(
        (&now["writing"][0]["pid"], &now["writing"][0]["user"]),
        (&pid.into(), &"gesta_app".into())
    );
    assert!(now["publisher"].is_string() && now["parked"].as_array().is_some_and(Vec::is_empty));
    let table = String::from_utf8(run(&["status", "--output", "table"]).stdout).expect("UTF-8");
    assert!(table.contains(&format!("process {pid} of gesta_app")), "{table}");
    assert!(table.contains("its actions come when it commits"), "{table}");
    open.commit().await.expect("committed");
    published(&nats, 8).await;
    assert_eq!(relay.end(Signal::SIGTERM), Some(0));

    let refused = run(&["rebuild"]);
    let text = String::from_utf8(refused.stderr).expect("UTF-8");
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(
        text.contains("consumers are deleted with it") && text.contains("nothing was done"),
        "{text}"
    );
    assert_eq!(all(&nats).await.len(), 8);
    assert_eq!(run(&["rebuild", "--yes"]).status.code(), Some(0));
    assert_eq!(check_stream(&db, &nats).await, 8);
}

type Change<'a> = &'a dyn Fn(&mut Command) -> &mut Command;

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_with_its_code() {
    let (db, nats) = (database().await, nats().await);
    let code = |change: Change<'_>| {
        let mut command = command(&db, &nats, &["status"]);
        change(&mut command);
        let output = command.output().expect("it ends");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (none, text) = code(&|it| it.env_remove("GESTA_NATS_URL"));
    assert!(none == Some(2) && text.contains("give `--nats-url` or GESTA_NATS_URL"), "{text}");
    let (away, text) = code(&|it| it.args(["--nats-url", "nats://localhost:1"]));
    assert!(away == Some(7) && text.contains("nothing answers"), "{text}");
    let (file, text) = code(&|it| it.args(["--nats-ca", "/nowhere"]));
    assert!(file == Some(1) && text.contains("`/nowhere`"), "{text}");
    let (tenant, text) = code(&|it| it.args(["--tenant", "acme"]));
    assert!(tenant == Some(2) && text.contains("the actions of all tenants"), "{text}");
}

#[tokio::test]
async fn settings_that_the_broker_would_take_for_others_are_refused_before_anything_is_done() {
    let (db, nats) = (database().await, nats().await);
    for (args, told) in [
        (["rebuild", "--duplicate-window", "0s"], "it cannot do without a window"),
        (["rebuild", "--max-bytes", "0"], "0 is not in 1.."),
    ] {
        let output = command(&db, &nats, &args).output().expect("it ends");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.code() == Some(2) && text.contains(told), "{text}");
    }
    assert!(nats.jet_stream.get_stream(nats.spec.name()).await.is_err(), "nothing was made");
}

#[tokio::test]
async fn status_without_permission_for_the_stream_says_so() {
    let users =
        "authorization { users: [{ user: a, password: a, permissions: { publish: [\"x\"] } }] }";
    let own = OwnNats::start(users).await;
    let nats = TestNats::on(&own.url("a:a@"), "fenced").await;
    let output = command(&database().await, &nats, &["status"]).output().expect("it ends");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.code() == Some(7) && text.contains("or no permission"), "{text}");
}

/// Transactions that did not wait for the disk are undone by the crash: nothing of them may be in the stream.
#[tokio::test]
async fn crash_of_postgresql_loses_nothing_and_publishes_nothing_that_it_undoes() {
    let mut cluster = OwnCluster::start().await;
    cluster.run(&["CREATE DATABASE crashed"]).await;
    gesta::store::migrate(&mut cluster.admin("crashed").await).await.expect("migrated");
    let nats = nats().await;
    let pool = async |role: &str| {
        let endpoint = Endpoint::from(cluster.config(role, "crashed"));
        Store::new(endpoint.pool(&PoolOptions::default()).await.expect("a pool"))
    };
    let (store, relaying) = (pool("gesta_app").await, pool("gesta_relay").await);
    let relay =
        Relay::new(relaying.pool(), nats.client.clone(), nats.spec.clone(), nats.encoder.clone());
    let running = start(relay);
    running.until_caught_up().await;
    for round in 0..3 {
        append(&store, 0..50).await;
        for n in 0..200 {
            let mut client = store.client().await.expect("a connection");
            let tx = client.transaction().await.expect("a transaction");
            tx.batch_execute("SET LOCAL synchronous_commit TO off").await.expect("set");
            let _ = store.append(&tx, did(n)).await.expect("appended");
            tx.commit().await.expect("committed");
        }
        published(&nats, round * 50 + 50).await;
        cluster.crash().await;
    }
    support::append(&store, did("last")).await;
    let rows = cluster.admin("crashed").await;
    let rows = rows.query("SELECT id FROM gesta.action ORDER BY seq", &[]).await.expect("actions");
    let ids = rows.iter().map(|row| ActionId::try_from(row.get::<_, uuid::Uuid>(0)));
    let committed: Vec<_> = ids.map(|id| id.expect("an id")).collect();
    published(&nats, committed.len()).await;
    check(&committed, &all(&nats).await);
    running.stop().await;
    drop((store, relaying));
    cluster.stop().await;
}
