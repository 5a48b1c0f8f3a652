//! Everything dies, again and again: relays, the broker, PostgreSQL. Afterwards the stream is the log.
//!
//! Eight writers commit, roll back, and hold transactions of random length open, each on rows that it locks, some without
//! waiting for the disk. Three relays run as processes. `TEST_CHAOS_SECONDS` makes it longer, `TEST_CHAOS_SEED` another run;
//! the seed decides which faults come in which order, not how the processes interleave.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::{StreamExt, future::join_all};
use gesta::relay::{Incoming, Relay};
use gesta::store::{Endpoint, PoolOptions};
use gesta::{Action, ActionId, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::rig::{check, did, start};
use crate::support::{OwnCluster, OwnNats, TestNats, copy_folder};

const WRITERS: u64 = 8;
const RELAYS: usize = 3;
const OBJECTS: u64 = 40;

/// `SplitMix64`: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let given = std::env::var_os(name).and_then(|text| text.into_string().ok());
    given.map_or(default, |text| text.parse().expect("a number"))
}

/// What happened, for the last line.
#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    rollbacks: AtomicU64,
    errors: AtomicU64,
}

/// One writer's transactions, until it is told to end.
async fn write(store: Store, seed: u64, counts: Arc<Counts>, end: Arc<AtomicBool>) {
    let mut random = Random(seed);
    while !end.load(Ordering::Relaxed) {
        match transact(&store, &mut random).await {
            Some(true) => &counts.commits,
            Some(false) => &counts.rollbacks,
            None => {
                tokio::time::sleep(Duration::from_millis(30)).await;
                &counts.errors
            }
        }
        .fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether it committed; nothing where the server was away.
async fn transact(store: &Store, random: &mut Random) -> Option<bool> {
    let mut client = store.client().await.ok()?;
    let tx = client.transaction().await.ok()?;
    if random.below(4) == 0 {
        tx.batch_execute("SET LOCAL synchronous_commit TO off").await.ok()?;
    }
    // In rising order, so that nobody waits in a circle.
    let mut objects: Vec<_> = (0..=random.below(3)).map(|_| random.below(OBJECTS)).collect();
    objects.sort_unstable();
    for object in objects {
        let sql = "UPDATE thing SET n = n + 1 WHERE id = $1 RETURNING n";
        let id = i64::try_from(object).expect("small");
        let n: i64 = tx.query_one(sql, &[&id]).await.ok()?.get(0);
        let _ = store.append(&tx, did(object).data(json!({ "n": n }))).await.ok()?;
    }
    let pause = match random.below(100) {
        0 => 1_500,
        1..=9 => random.below(200),
        _ => random.below(10),
    };
    tokio::time::sleep(Duration::from_millis(pause)).await;
    if random.below(5) == 0 {
        tx.rollback().await.ok()?;
        return Some(false);
    }
    tx.commit().await.ok().map(|()| true)
}

/// A relay as a process.
struct Process {
    child: Child,
    /// When one that is stopped goes on.
    paused_until: Option<Instant>,
}

struct Scene {
    cluster: Option<OwnCluster>,
    nats: OwnNats,
    relays: Vec<Process>,
    /// A copy of the broker's store.
    kept: PathBuf,
    logs: tempfile::TempDir,
}

impl Scene {
    fn spawn(&self) -> Process {
        let cluster = self.cluster.as_ref().expect("it runs");
        let log = self.logs.path().join("relays");
        let log = File::options().create(true).append(true).open(log).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gesta"));
        command.env_clear().args(["--database-url", &cluster.url("gesta_relay", "chaos")]);
        command.args(["relay", "run", "--stream", "chaos", "--prefix", "chaos"]);
        command.args(["--nats-url", &self.nats.url("")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process { child: command.spawn().expect("the program starts"), paused_until: None }
    }

    /// Starts what has ended, lets go on what was paused for long enough.
    fn tend(&mut self) {
        for n in 0..self.relays.len() {
            let relay = &mut self.relays[n];
            if relay.paused_until.is_some_and(|until| until <= Instant::now()) {
                relay.paused_until = None;
                signal(&relay.child, Signal::SIGCONT);
            }
            if let Some(status) = relay.child.try_wait().expect("a child") {
                // Killed, or it found no server when it started.
                let is_fine = status.signal().is_some() || matches!(status.code(), Some(1 | 7));
                assert!(is_fine, "a relay ended with {status}: {}", self.log());
                self.relays[n] = self.spawn();
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.logs.path().join("relays")).unwrap_or_default()
    }

    async fn break_something(&mut self, random: &mut Random) -> &'static str {
        let relay = usize::try_from(random.below(RELAYS as u64)).expect("small");
        match random.below(12) {
            0..=3 => {
                signal(&self.relays[relay].child, Signal::SIGKILL);
                "relay killed"
            }
            4..=7 => {
                let pause = Duration::from_millis(200 + random.below(6_000));
                signal(&self.relays[relay].child, Signal::SIGSTOP);
                self.relays[relay].paused_until = Some(Instant::now() + pause);
                "relay paused"
            }
            8 | 9 => {
                self.nats.kill();
                tokio::time::sleep(Duration::from_millis(random.below(400))).await;
                self.nats.restart();
                "broker killed"
            }
            10 => self.set_back(),
            _ => {
                self.cluster.as_mut().expect("it runs").crash().await;
                "PostgreSQL crashed"
            }
        }
    }

    /// Keeps a copy of the broker's store, and puts it back the next time.
    fn set_back(&mut self) -> &'static str {
        let store = self.nats.path("store");
        self.nats.kill();
        let done = if self.kept.exists() {
            fs::remove_dir_all(&store).expect("gone");
            fs::rename(&self.kept, &store).expect("put back");
            "broker's store set back"
        } else {
            copy_folder(&store, &self.kept);
            "broker's store copied"
        };
        self.nats.restart();
        done
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    // It may have ended by itself.
    let _ = kill(pid, signal);
}

async fn prepare(cluster: &OwnCluster) {
    cluster.run(&["CREATE DATABASE chaos"]).await;
    let mut admin = cluster.admin("chaos").await;
    gesta::store::migrate(&mut admin).await.expect("migrated");
    let things = format!(
        "CREATE TABLE thing (id bigint PRIMARY KEY, n bigint NOT NULL);
         INSERT INTO thing SELECT g, 0 FROM generate_series(0, {OBJECTS} - 1) AS g;
         GRANT SELECT, UPDATE ON thing TO gesta_app"
    );
    admin.batch_execute(&things).await.expect("things");
}

async fn store(cluster: &OwnCluster, role: &str) -> Store {
    let endpoint = Endpoint::from(cluster.config(role, "chaos"));
    Store::new(endpoint.pool(&PoolOptions::default().size(12)).await.expect("a pool"))
}

/// All that the stream has.
async fn stream(nats: &TestNats) -> Vec<Action> {
    let stream = nats.jet_stream.get_stream("chaos").await.expect("the stream");
    let count = usize::try_from(stream.cached_info().state.messages).expect("few");
    let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages").take(count);
    let mut all = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message.expect("a message");
        let read = Incoming::read(message.headers.as_ref(), &message.payload);
        all.push(read.expect("a relay's").action);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_committed_action_is_in_the_stream_exactly_once_whatever_dies() {
    let length = Duration::from_secs(setting("TEST_CHAOS_SECONDS", 20));
    let seed = setting("TEST_CHAOS_SEED", 4711);
    println!("{} s of chaos, seed {seed}", length.as_secs());
    let (cluster, nats) = (OwnCluster::start().await, OwnNats::start("").await);
    prepare(&cluster).await;
    let (counts, end) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
    let store_of_writers = store(&cluster, "gesta_app").await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            write(store_of_writers.clone(), seed ^ (n + 1), Arc::clone(&counts), Arc::clone(&end))
        })
        .map(tokio::spawn)
        .collect();
    let kept = nats.path("kept");
    let logs = tempfile::tempdir().expect("a folder");
    let mut scene = Scene { cluster: Some(cluster), nats, relays: Vec::new(), kept, logs };
    scene.relays = (0..RELAYS).map(|_| scene.spawn()).collect();

    let (mut random, mut faults) = (Random(seed), std::collections::BTreeMap::new());
    let until = Instant::now() + length;
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(150 + random.below(700))).await;
        *faults.entry(scene.break_something(&mut random).await).or_insert(0) += 1;
        scene.tend();
    }
    end.store(true, Ordering::Relaxed);
    join_all(writers).await;
    for relay in &mut scene.relays {
        signal(&relay.child, Signal::SIGKILL);
        relay.child.wait().expect("it ends");
    }
    finish(&mut scene, &counts, &faults, seed).await;
    scene.cluster.take().expect("it runs").stop().await;
}

/// One more relay publishes what is left; then all is compared.
async fn finish(
    scene: &mut Scene,
    counts: &Counts,
    faults: &std::collections::BTreeMap<&str, u32>,
    seed: u64,
) {
    let cluster = scene.cluster.as_ref().expect("it runs");
    let nats = TestNats::on(&scene.nats.url(""), "chaos").await;
    let pool = store(cluster, "gesta_relay").await;
    let relay =
        Relay::new(pool.pool(), nats.client.clone(), nats.spec.clone(), nats.encoder.clone());
    let running = start(relay);
    running.until_caught_up().await;
    running.stop().await;

    let admin = cluster.admin("chaos").await;
    let rows = admin.query("SELECT id FROM gesta.action ORDER BY seq", &[]).await.expect("actions");
    let ids = rows.iter().map(|row| ActionId::try_from(row.get::<_, uuid::Uuid>(0)));
    let committed: Vec<_> = ids.map(|id| id.expect("an id")).collect();
    let published = stream(&nats).await;
    check(&committed, &published);
    check_numbers(&published);
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "seed {seed}: {} commits, {} rollbacks, {} errors of writers; {faults:?}; {} actions are in the stream once each, in \
         order",
        count(&counts.commits),
        count(&counts.rollbacks),
        count(&counts.errors),
        published.len()
    );
    assert!(published.len() > 200, "too little happened");
    let told = scene.log();
    assert!(told.contains("publishing after message"), "{told}");
}

/// Each object's numbers, which its writers counted under its lock, rise by one: commit order.
fn check_numbers(published: &[Action]) {
    let mut last = std::collections::BTreeMap::new();
    for action in published {
        let object = action.object.as_ref().expect("an object").resource.to_string();
        let data = action.data.as_ref().expect("data").get();
        let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
        let n = data["n"].as_i64().expect("a number");
        let before = last.insert(object.clone(), n).unwrap_or(0);
        assert_eq!(n, before + 1, "{object}");
    }
}
