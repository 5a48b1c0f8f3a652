//! The examples for Python and Node against the real server: started before and after 10,000 commits, and killed in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use gesta::Store;
use tokio::task::JoinSet;

use super::{action, action_of};
use crate::support::tools::{example, folder, given, install, is_there};
use crate::support::{TestDb, TestNats, append, check_log, database, day, nats, relay};

/// Commits, one action each, by this many writers.
const COMMITS: u32 = 10_000;
const WRITERS: u32 = 8;
/// Objects that they are about.
const OBJECTS: u32 = 100;
/// How often a consumer is killed meanwhile.
const KILLS: u32 = 4;
/// How long a consumer may take.
const WAIT_MAX: Duration = Duration::from_mins(5);

/// How an example is run, and what it has counted.
struct Example {
    program: PathBuf,
    script: PathBuf,
    /// Prints the counters as a JSON object from the file that the example keeps.
    counters: fn(&Path) -> Option<BTreeMap<String, u64>>,
    environment: Vec<(&'static str, PathBuf)>,
}

fn python() -> Option<Example> {
    let there = is_there("python3", &["-m", "pip", "--version"]);
    if !given("Python with pip", there) {
        return None;
    }
    let (packages, list) = (folder("python"), example("python/requirements.txt"));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--upgrade", "--target"]);
    install(&packages, &list, pip.arg(&packages).arg("--requirement").arg(&list));
    Some(Example {
        program: "python3".into(),
        script: example("python/consumer.py"),
        counters: |file| {
            const DUMP: &str = "import json, sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
                                print(json.dumps(dict(db.execute('SELECT object, n FROM counter'))))";
            let output = Command::new("python3").args(["-c", DUMP]).arg(file).output();
            serde_json::from_slice(&output.expect("Python runs").stdout).ok()
        },
        environment: vec![("PYTHONPATH", packages)],
    })
}

fn node() -> Option<Example> {
    let there = is_there("node", &["--version"]) && is_there("npm", &["--version"]);
    if !given("Node with npm", there) {
        return None;
    }
    // Node looks for packages beside the script.
    let folder = folder("node");
    for file in ["package.json", "package-lock.json", ".npmrc", "consumer.mjs"] {
        fs::copy(example("node").join(file), folder.join(file)).expect("a copy");
    }
    let list = example("node/package-lock.json");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
    install(&folder, &list, &mut npm);
    Some(Example {
        program: "node".into(),
        script: folder.join("consumer.mjs"),
        counters: |file| {
            let state: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
            serde_json::from_value(state.get("counters")?.clone()).ok()
        },
        environment: Vec::new(),
    })
}

/// A running consumer, killed at the end of the test.
struct Consumer<'a> {
    example: &'a Example,
    nats: &'a TestNats,
    file: PathBuf,
    child: Child,
}

impl<'a> Consumer<'a> {
    fn start(example: &'a Example, nats: &'a TestNats, file: PathBuf) -> Self {
        let child = spawn(example, nats, &file);
        Self { example, nats, file, child }
    }

    /// Ends it as a crash would, and starts it again.
    fn restart(&mut self) {
        assert!(self.child.try_wait().expect("its state").is_none(), "it has ended by itself");
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.child = spawn(self.example, self.nats, &self.file);
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        (self.example.counters)(&self.file).unwrap_or_default()
    }

    /// Waits until it has counted so many.
    async fn wait(&mut self, enough: u64) {
        let began = Instant::now();
        while self.counters().values().sum::<u64>() < enough {
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "the consumer has ended: {ended:?}");
            assert!(began.elapsed() < WAIT_MAX, "only {:?} of {enough}", self.counters());
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

impl Drop for Consumer<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(example: &Example, nats: &TestNats, file: &Path) -> Child {
    let mut command = Command::new(&example.program);
    command.arg(&example.script).args([nats.url(), nats.spec.name()]);
    command.arg(format!("{}.v1.>", nats.subjects().prefix().as_str())).arg(file);
    command.envs(example.environment.iter().map(|(name, value)| (name, value)));
    command.spawn().expect("the example runs")
}

async fn commit(store: Store, writer: u32) {
    for n in (writer..COMMITS).step_by(WRITERS as usize) {
        append(&store, action(&(n % OBJECTS).to_string())).await;
    }
}

async fn committed(db: &TestDb) -> u64 {
    let sql = "SELECT count(*) FROM gesta.action";
    let count: i64 = db.admin().await.query_one(sql, &[]).await.expect("counted").get(0);
    count.unsigned_abs()
}

/// Two consumers: one from the beginning, killed now and then; one that comes when all has been committed.
async fn play(example: &Example) {
    let (db, nats) = (database().await, nats().await);
    let relay = relay(&db, &nats).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut early = Consumer::start(example, &nats, dir.path().join("early"));
    let store = db.store().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(commit(store.clone(), writer));
    }
    for kill in 1..=KILLS {
        early.wait(u64::from(COMMITS * kill / (KILLS + 1))).await;
        early.restart();
    }
    while let Some(written) = writers.join_next().await {
        written.expect("written");
    }
    assert_eq!(committed(&db).await, u64::from(COMMITS));
    let mut late = Consumer::start(example, &nats, dir.path().join("late"));
    let each = u64::from(COMMITS / OBJECTS);
    let wanted: BTreeMap<_, _> = (0..OBJECTS).map(|n| (format!("thing:{n}"), each)).collect();
    for consumer in [&mut early, &mut late] {
        consumer.wait(u64::from(COMMITS)).await;
        assert_eq!(consumer.counters(), wanted);
        // What comes twice would come after the restart.
        consumer.restart();
    }
    // In two tenants, under one id.
    let last = append(&store, action_of("default", "did", "thing:last").at(day(1))).await;
    append(&store, action_of("other", "did", "thing:last").at(day(1)).id(last)).await;
    for consumer in [&mut early, &mut late] {
        consumer.wait(u64::from(COMMITS) + 2).await;
        let mut counters = consumer.counters();
        assert_eq!(counters.remove("thing:last"), Some(2));
        assert_eq!(counters, wanted);
    }
    relay.abort();
    check_log(&db).await;
}

#[tokio::test]
async fn python_example_has_the_effect_of_each_action_once_although_it_is_killed() {
    if let Some(example) = python() {
        play(&example).await;
    }
}

#[tokio::test]
async fn node_example_has_the_effect_of_each_action_once_although_it_is_killed() {
    if let Some(example) = node() {
        play(&example).await;
    }
}
