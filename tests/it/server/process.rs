//! The command `gesta serve`: what it prints and logs, and what is there after it was ended or killed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request};
use gesta::ActionId;
use http_body_util::Full;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::rig::{Api, WRITER, make_keys};
use crate::support::{OwnHome, TestDb, database};

/// Longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// Clients that send at the same time.
const WRITERS: usize = 128;

/// A server as a process, whose lines are read.
pub(super) struct Process {
    child: Child,
    lines: Receiver<String>,
    told: Vec<String>,
}

impl Process {
    pub(super) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gesta"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, told: Vec::new() }
    }

    /// On a test's database, on any port, with more arguments.
    pub(super) fn on(db: &TestDb, more: &[&str]) -> Self {
        let url = db.url("gesta_app");
        let args = ["--database-url", &url, "serve", "--listen", "127.0.0.1:0"];
        Self::start(&[&args[..], more].concat())
    }

    /// Reads up to the first line with this.
    pub(super) fn until(&mut self, what: &str) -> String {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.told.push(line.clone());
            if line.contains(what) {
                return line;
            }
        }
        panic!("it has not said `{what}`: {:#?}", self.told);
    }

    /// A client with keys, when it listens.
    pub(super) fn api(&mut self, keys: &HashMap<&'static str, String>) -> Api {
        let line = self.until("listening on http://");
        let address = line.split("http://").nth(1).expect("an URL").split('/').next();
        let address: SocketAddr = address.expect("an address").parse().expect("an address");
        Api::new(address, keys.clone())
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("it runs");
    }

    pub(super) fn wait(&mut self) -> Option<i32> {
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

fn id(n: usize) -> String {
    ActionId::new("2026-11-20T12:00:00Z".parse().expect("a time"), n as u64).to_string()
}

/// The request that appends one action, which is the same each time.
fn request(api: &Api, n: usize) -> Request<Full<Bytes>> {
    let body = json!({
        "id": id(n), "actor": { "type": "user", "id": "bob" }, "verb": "count",
        "object": { "type": "number", "id": n.to_string() },
    });
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{}/api/v1/events", api.address));
    let request = request
        .header("authorization", api.bearer(WRITER))
        .header("content-type", "application/json");
    request.body(Full::new(body.to_string().into())).expect("a request")
}

/// Many clients that append until the server is gone; which numbers were sent, and which were acknowledged.
async fn write_until_gone(api: &Api, enough: usize, end: impl FnOnce()) -> (usize, Vec<usize>) {
    let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gone = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (api, next, acknowledged, gone) =
                (api.clone(), next.clone(), acknowledged.clone(), gone.clone());
            tokio::spawn(async move {
                let mut own = Vec::new();
                while !gone.load(Ordering::SeqCst) {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    match api.ask(request(&api, n)).await {
                        Some(answer) => {
                            assert_eq!(answer.code(), 201, "{answer:?}");
                            acknowledged.fetch_add(1, Ordering::SeqCst);
                            own.push(n);
                        }
                        None => gone.store(true, Ordering::SeqCst),
                    }
                }
                own
            })
        })
        .collect();
    while acknowledged.load(Ordering::SeqCst) < enough {
        tokio::task::yield_now().await;
    }
    end();
    let mut all = Vec::new();
    for writer in writers {
        all.extend(writer.await.expect("only answers and silence"));
    }
    (next.load(Ordering::SeqCst), all)
}

/// The numbers that are stored, in order, as often as they are.
async fn stored(db: &TestDb) -> Vec<usize> {
    let sql =
        "SELECT object_id FROM gesta.action WHERE object_type = 'number' ORDER BY object_id::int";
    let rows = db.admin().await.query(sql, &[]).await.expect("the numbers");
    rows.iter().map(|row| row.get::<_, &str>(0).parse().expect("a number")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_server_has_stored_all_that_it_acknowledged_and_nothing_twice() {
    let db = database().await;
    let keys = make_keys(&db).await;
    let mut first = Process::on(&db, &[]);
    let api = first.api(&keys);
    let (sent, acknowledged) =
        write_until_gone(&api, 1_000, || first.signal(Signal::SIGKILL)).await;
    assert_eq!(first.wait(), None, "it was killed");
    let mut second = Process::on(&db, &[]);
    let api = second.api(&keys);
    let there = stored(&db).await;
    assert!(there.is_sorted_by(|a, b| a < b), "none twice");
    for n in &acknowledged {
        assert!(there.binary_search(n).is_ok(), "{n} was acknowledged");
    }
    // Whoever was not answered sends again.
    for n in (0..sent).filter(|n| !acknowledged.contains(n)).chain([acknowledged[0]]) {
        let answer = api.ask(request(&api, n)).await.expect("an answer");
        let was_there = there.binary_search(&n).is_ok();
        assert_eq!(answer.code(), if was_there { 200 } else { 201 });
    }
    assert_eq!(stored(&db).await, (0..sent).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_is_asked_to_end_loses_nothing_acknowledged_and_ends_well() {
    let db = database().await;
    let keys = make_keys(&db).await;
    let mut process = Process::on(&db, &[]);
    let api = process.api(&keys);
    let (_, mut acknowledged) =
        write_until_gone(&api, 300, || process.signal(Signal::SIGTERM)).await;
    process.until("stopped");
    assert_eq!(process.wait(), Some(0));
    acknowledged.sort_unstable();
    let there = stored(&db).await;
    assert!(acknowledged.iter().all(|n| there.binary_search(n).is_ok()));
    let mut process = Process::on(&db, &[]);
    process.until("listening");
    process.signal(Signal::SIGINT);
    assert_eq!(process.wait(), Some(0));
}

#[tokio::test]
async fn log_has_one_line_a_request_without_anything_that_was_sent() {
    let db = database().await;
    let keys = make_keys(&db).await;
    let mut process = Process::on(&db, &["--base-path", "/audit"]);
    let api = process.api(&keys);
    let headers = [("authorization", keys[WRITER].as_str()), ("x-request-id", "r-7")];
    let bearer = format!("Bearer {}", headers[0].1);
    let headers =
        [("authorization", bearer.as_str()), headers[1], ("content-type", "application/json")];
    let body = r#"{"verb":"secret-verb","actor":{"type":"user","id":"secret-actor"}}"#;
    let answer = api.send(Method::POST, "/audit/api/v1/events", &headers, body).await;
    assert_eq!(answer.code(), 201);
    api.send(Method::GET, "/audit/docs/problems/secret-slug?secret=1", &headers[1..2], "").await;
    let line = process.until("gesta::access");
    let key = keys[WRITER].split('_').nth(1).expect("an id");
    for part in [
        "method=POST",
        r#"route="/audit/api/v1/events""#,
        "status=201",
        "duration_us=",
        key,
        r#"request_id="r-7""#,
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let line = process.until("gesta::access");
    assert!(line.contains(r#"route="/audit/docs/problems/{slug}""#), "{line}");
    process.signal(Signal::SIGTERM);
    process.until("stopped");
    let secret = keys[WRITER].split('_').nth(2).expect("a secret");
    for line in &process.told {
        assert!(!line.contains("secret-") && !line.contains(secret), "{line}");
    }
}

#[tokio::test]
async fn private_server_makes_a_first_key_and_says_how_to_use_it() {
    let home = OwnHome::new().await;
    let path = home.path().to_str().expect("a path").to_owned();
    let mut process = Process::start(&["--home", &path, "serve", "--listen", "127.0.0.1:0"]);
    let line = process.until("curl -H");
    let key = std::fs::read_to_string(home.path().join("first.key")).expect("the key");
    assert!(!line.contains(key.trim()), "the key itself is not printed");
    let api = process.api(&HashMap::from([("first", key.trim().to_owned())]));
    assert_eq!(api.get_as("first", "/api/v1/whoami").await.code(), 200);
    process.signal(Signal::SIGTERM);
    process.until("stopped");
    assert_eq!(process.wait(), Some(0));
    home.remove();
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_started() {
    for (args, wanted) in [
        (&["--listen", "nowhere"][..], "invalid socket address"),
        (&["--base-path", "audit"], "is no base path"),
        (&["--proxy", "10.0.0"], "is no address or network"),
        (&["--proxy-users", "user"], "needs `--proxy`"),
        (&["--proxy-scope", "events:read"], "--proxy-users"),
    ] {
        let home = ["--home", "/nowhere", "serve"];
        let output = Command::new(env!("CARGO_BIN_EXE_gesta")).args(home).args(args).output();
        let output = output.expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(wanted), "{text}");
    }
}
