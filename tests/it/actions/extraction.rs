//! The sample's extraction from end to end: rows are selected, "Run now", a worker in Python takes them over NATS, is killed,
//! and another one goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gesta::definition::file::{Nats, Outside, read};
use gesta::run::{
    Filter, ItemOutcome, ItemQuery, RunState, Runs, Start, Which, Worker, WorkerOptions,
};
use gesta::{ResourceType, Tenant};
use serde_json::json;

use super::rig::{Desk, asker};
use crate::support::tools::{example, folder, given, install, is_there};
use crate::support::{TestNats, check_log, nats};

/// Sources that can be read, besides one that cannot.
const SOURCES: usize = 60;
/// How long anything here may take.
const WAIT_MAX: Duration = Duration::from_secs(90);

/// The packages of the worker, installed.
fn packages() -> Option<PathBuf> {
    if !given("Python with pip", is_there("python3", &["-m", "pip", "--version"])) {
        return None;
    }
    let (packages, list) = (folder("python-worker"), example("python/requirements.txt"));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--upgrade", "--target"]);
    install(&packages, &list, pip.arg(&packages).arg("--requirement").arg(&list));
    Some(packages)
}

/// A running worker, killed at the end of the test.
struct Python {
    child: Child,
    lines: Receiver<String>,
}

impl Python {
    fn start(packages: &Path, nats: &TestNats, subject: &str) -> Self {
        let mut command = Command::new("python3");
        command.arg(example("actions/worker.py")).args([nats.url(), subject]);
        let child = command.env("PYTHONPATH", packages).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the worker runs");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = channel();
        let forward = move |output: BufReader<ChildStdout>| {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        };
        std::thread::spawn(move || forward(output));
        Self { child, lines }
    }

    /// What it prints next.
    fn line(&self) -> String {
        self.lines.recv_timeout(WAIT_MAX).expect("a line of the worker")
    }

    /// SIGKILL; gives what it had printed.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
        self.lines.iter().collect()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Source and key of a line `extracted SOURCE since DAY, KEY`.
fn extracted(line: &str) -> (String, String) {
    let (source, rest) = line.strip_prefix("extracted ").expect(line).split_once(' ').expect(line);
    assert!(rest.starts_with("since 2026-01-31, "), "{line}");
    (source.to_owned(), rest.rsplit(' ').next().expect(line).to_owned())
}

/// What a run waits for, as soon as it does.
async fn waiting(runs: &Runs, run: uuid::Uuid) -> String {
    let waiting = async {
        loop {
            let run = runs.run(&Tenant::default(), run).await.expect("the run");
            if let Some(what) = run.waiting {
                break what;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT_MAX, waiting).await.expect("it waits")
}

#[tokio::test(flavor = "multi_thread")]
async fn run_now_is_completed_although_its_worker_is_killed() {
    let Some(packages) = packages() else { return };
    let nats = nats().await;
    let subject = format!("{}.extraction", nats.subjects().prefix().as_str());
    let text = std::fs::read_to_string(example("actions/actions.toml")).expect("the sample");
    let text = text.replace("work.extraction", &subject).replace("silence_s = 5", "silence_s = 2");
    let outside = Outside { variable: &|_| None, nats: Nats::At(nats.client.clone()) };
    let desk = Desk::with(read("actions.toml", &text, &outside).expect("a catalog")).await;
    desk.sql("INSERT INTO extraction.source VALUES ('lake/broken', 'Lake', 's3://lake')").await;
    let runs = Runs::new(&desk.store, desk.catalog.clone());
    let worker = Worker::new(&runs, WorkerOptions::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = tokio::spawn(worker.run(async { drop(stopped.await) }));

    let (alice, kind) = (asker(&["source.run"]), ResourceType::new("source").expect("a type"));
    let selection = runs.select(&alice, &kind, Which::Rows(Filter::all()), None).await;
    let selection = selection.expect("selected").id;
    let order = Start::new(kind, "run_now", selection).input(json!({ "since": "2026-01-31" }));
    let run = runs.start(&alice, order).await.expect("started").run;
    assert!(run.is_background && !run.state.is_ended());
    let tenant = Tenant::default();
    assert_eq!(waiting(&runs, run.id).await, format!("no worker listens on {subject}"));

    let first = Python::start(&packages, &nats, &subject);
    assert_eq!(first.line(), "ready");
    let mut work: Vec<_> = (0..10).map(|_| extracted(&first.line())).collect();
    work.extend(first.kill().iter().map(|line| extracted(line)));
    let counts = runs.run(&tenant, run.id).await.expect("the run").counts;
    assert!(counts.settled() > 0 && counts.pending() > 0, "{counts:?}");

    let second = Python::start(&packages, &nats, &subject);
    let ended = async {
        loop {
            let run = runs.run(&tenant, run.id).await.expect("the run");
            if run.state.is_ended() {
                break run;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let ended = tokio::time::timeout(WAIT_MAX, ended).await.expect("it ends");
    work.extend(second.kill().iter().filter(|line| *line != "ready").map(|line| extracted(line)));
    stop.send(()).expect("the worker of the server");
    working.await.expect("it ends");

    assert_eq!(ended.state, RunState::Partial);
    assert_eq!(
        (ended.counts.done as usize, ended.counts.failed, ended.counts.total as usize),
        (SOURCES, 1, SOURCES + 1)
    );
    let items =
        runs.items(&tenant, run.id, ItemQuery { limit: Some(1_000), ..ItemQuery::default() }).await;
    let items = items.expect("the objects").items;
    let outcome = |id: &str| {
        let mut found = items.iter().filter(|item| item.object.id.as_str() == id);
        let item = found.next().expect(id);
        assert!(found.next().is_none(), "{id} stands twice");
        (item.outcome, item.note.clone())
    };
    for n in 1..=SOURCES {
        assert_eq!(outcome(&format!("s{n}")), (ItemOutcome::Done, None));
    }
    let broken = (ItemOutcome::Failed, Some("the source does not answer".to_owned()));
    assert_eq!(outcome("lake/broken"), broken);
    // What was done twice, because it was not reported, had the same key both times.
    let keys: BTreeMap<String, BTreeSet<String>> =
        work.into_iter().fold(BTreeMap::new(), |mut keys, (source, key)| {
            keys.entry(source).or_default().insert(key);
            keys
        });
    assert_eq!(keys.len(), SOURCES);
    assert!(keys.values().all(|keys| keys.len() == 1), "{keys:?}");
    let told = runs.messages(&tenant, run.id).await.expect("messages");
    let workers: BTreeSet<_> = told.iter().filter_map(|it| it.text.rsplit(' ').next()).collect();
    assert_eq!(workers.len(), 2, "{told:?}");
    check_log(&desk.db).await;
}
