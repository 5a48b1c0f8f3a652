//! How fast is the relay? Catching up stands beside raw windowed publishing of the same bytes to the same broker; then the way
//! from a commit to a consumer, and what the writers pay for it. The relay is `gesta relay run`, a process of its own; the
//! consumer has a thread of its own. All share the cores with PostgreSQL and the broker, which run in any case.
//!
//! `cargo bench --bench relay [-- PART…]`, where a part is `catch-up`, `latency` or `writers`. The servers are private and
//! durable, unless `GESTA_BENCH_URL` names a PostgreSQL as a superuser.
#![expect(clippy::expect_used, reason = "a bench ends at the first failure")]

mod support;

#[path = "relay/process.rs"]
mod process;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use gesta::local::{Broker, BrokerSearch, Home};
use gesta::relay::bell::ring_for;
use gesta::relay::{NatsOptions, StreamSpec, Subjects};
use gesta::{ActionId, Context, NewAction, ResourceRef, Store};
use process::{Relaying, Spent};
use support::{Bench, median, wanted};
use tokio::sync::oneshot;

/// How often each figure is taken; the two sides take turns.
const ROUNDS: usize = 3;
/// How long commits are made where the two sides take turns.
const TURN: Duration = Duration::from_secs(2);
/// Pairs of times without and with a relay.
const PAIRS: usize = 20;
/// Actions that are caught up with.
const BACKLOG: usize = 50_000;
/// How long commits are made for a figure.
const WINDOW: Duration = Duration::from_secs(4);
/// Connections that commit.
const WRITERS: u32 = 16;
/// Acknowledgements under way, as the relay has them.
const IN_FLIGHT: usize = 1_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let place = Place::start().await;
        if wanted("catch-up") {
            catch_up(&place).await;
        }
        if wanted("latency") {
            latency(&place).await;
        }
        if wanted("writers") {
            writers(&place).await;
        }
        let Place { bench, broker, .. } = place;
        bench.end().await;
        broker.stop().await.expect("stopped");
    });
}

/// A database, a broker and a relay between them.
struct Place {
    bench: Bench,
    broker: Broker,
    _dir: tempfile::TempDir,
    client: async_nats::Client,
    store: Store,
    spec: StreamSpec,
}

impl Place {
    async fn start() -> Self {
        let bench = Bench::start().await;
        let dir = tempfile::tempdir().expect("a folder");
        let search = BrokerSearch::new(
            std::env::var_os("NATS_BIN").map(Into::into),
            std::env::var_os("PATH").unwrap_or_default(),
        );
        let home = Home::at(dir.path().join("home"));
        let broker = Broker::start(&home, &search).await.expect("a private nats-server");
        let options = NatsOptions::parse(broker.url()).expect("a URL");
        let client = options.connect().await.expect("connected");
        let spec = StreamSpec::new("BENCH", &Subjects::default()).expect("a name");
        let store = bench.store("gesta_app", WRITERS as usize);
        Self { bench, broker, _dir: dir, client, store, spec }
    }

    fn relaying(&self) -> Relaying {
        Relaying::start(&self.bench.url("gesta_relay"), self.broker.url(), self.spec.name())
    }
}

/// An action with the shape of the git histories.
fn action(n: u64) -> NewAction {
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let actor = ResourceRef::new("user", format!("{:016x}", spread % 1000)).expect("valid");
    let object = format!("rails/rails:activesupport/test/cases/part_{}/test_{spread}.rb", n % 97);
    NewAction::new("updated", &Context::new(&actor.named(format!("Somebody {}", spread % 1000))))
        .object(&ResourceRef::new("file", object).expect("valid"))
        .target(
            &ResourceRef::new("repository", format!("rails/rails_{}", spread % 5)).expect("valid"),
        )
        .data(serde_json::json!({
            "subject": format!("Merge pull request #{n} from somebody/some_branch"),
            "recorded_at": "2017-02-20T20:07:35Z"
        }))
}

#[expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

async fn catch_up(place: &Place) {
    for first in (0..BACKLOG as u64).step_by(1_000) {
        let mut client = place.store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("begun");
        let actions = (first..first + 1_000).map(action).collect();
        let _ = place.store.append_all(&tx, actions).await.expect("appended");
        tx.commit().await.expect("committed");
    }
    let admin = place.bench.admin().await;
    admin.batch_execute("VACUUM (ANALYZE) gesta.action").await.expect("analysed");
    let (mut ours, mut raw, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        empty(place).await;
        let began = Instant::now();
        let mut relaying = place.relaying();
        relaying.until_caught_up();
        ours.push(per_second(BACKLOG, began.elapsed()));
        relaying.stop();
        if messages.is_empty() {
            messages = stored(place).await;
        }
        empty(place).await;
        let given = messages.clone();
        let began = Instant::now();
        publish(place, given).await;
        raw.push(per_second(BACKLOG, began.elapsed()));
    }
    empty(place).await;
    let (ours, raw) = (median(ours), median(raw));
    println!("{:<44} {:>12} {:>12} {:>8}", "messages a second", "relay", "raw publish", "ratio");
    println!("{:<44} {ours:>12.0} {raw:>12.0} {:>8.2}\n", "catching up with 50,000", ours / raw);
}

/// Makes the stream anew, of which no relay remembers anything.
async fn empty(place: &Place) {
    let jet_stream = async_nats::jetstream::new(place.client.clone());
    // The first time there is none.
    let _ = jet_stream.delete_stream(place.spec.name()).await;
    let admin = place.bench.admin().await;
    admin.batch_execute("DELETE FROM gesta.relay").await.expect("forgotten");
    place.spec.open(&jet_stream).await.expect("an empty stream");
}

type Message = (String, HeaderMap, Bytes);

/// The relay's messages, to be published again byte by byte.
async fn stored(place: &Place) -> Vec<Message> {
    let jet_stream = async_nats::jetstream::new(place.client.clone());
    let stream = jet_stream.get_stream(place.spec.name()).await.expect("the stream");
    let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a consumer");
    let messages = consumer.messages().await.expect("messages").take(BACKLOG);
    messages
        .map(|message| {
            let message = message.expect("a message").message;
            let headers = message.headers.unwrap_or_default();
            (message.subject.to_string(), headers, message.payload)
        })
        .collect()
        .await
}

/// What a program does that only publishes: a window of acknowledgements, no fence.
async fn publish(place: &Place, messages: Vec<Message>) {
    let jet_stream = ContextBuilder::new().build(place.client.clone());
    let mut under_way = VecDeque::new();
    for (subject, headers, payload) in messages {
        let message = PublishMessage::build().headers(headers).payload(payload);
        under_way.push_back(jet_stream.send_publish(subject, message).await.expect("sent"));
        if under_way.len() >= IN_FLIGHT {
            under_way.pop_front().expect("one").await.expect("stored");
        }
    }
    for ack in under_way {
        ack.await.expect("stored");
    }
}

/// When each action was committed, and how long its transaction and the commit of it took.
#[derive(Default)]
struct Commits {
    at: HashMap<ActionId, Instant>,
    took: [Vec<Duration>; 2],
}

/// Commits for a while, so many a second, or as many as go.
async fn commit(place: &Place, rate: Option<u32>, window: Duration) -> Commits {
    let all = Arc::new(Mutex::new(Commits::default()));
    let until = Instant::now() + window;
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| {
            let (store, all) = (place.store.clone(), Arc::clone(&all));
            tokio::spawn(async move { write(&store, n, rate, until, &all).await })
        })
        .collect();
    for writer in writers {
        writer.await.expect("it ends");
    }
    std::mem::take(&mut *all.lock().expect("no panic"))
}

async fn write(store: &Store, n: u32, rate: Option<u32>, until: Instant, all: &Mutex<Commits>) {
    let period = rate.map(|rate| Duration::from_secs(1) * WRITERS / rate);
    let mut client = store.client().await.expect("a connection");
    // They do not all commit at the same moment.
    let mut next = Instant::now() + period.unwrap_or_default() * n / WRITERS;
    let mut own = Commits::default();
    let mut number = u64::from(n) << 32;
    while Instant::now() < until {
        if let Some(period) = period {
            tokio::time::sleep_until(next.into()).await;
            next += period;
        }
        number += 1;
        let began = Instant::now();
        let tx = client.transaction().await.expect("begun");
        let receipt = store.append(&tx, action(number)).await.expect("appended");
        let committing = Instant::now();
        tx.commit().await.expect("committed");
        own.took[0].push(began.elapsed());
        own.took[1].push(committing.elapsed());
        own.at.insert(receipt.id(), Instant::now());
        store.bell().ring();
    }
    let mut all = all.lock().expect("no panic");
    all.at.extend(own.at);
    for (all, own) in all.took.iter_mut().zip(&mut own.took) {
        all.append(own);
    }
}

/// When each message came.
type Seen = Arc<Mutex<HashMap<ActionId, Instant>>>;

/// A consumer on a thread of its own.
struct Consumer {
    seen: Seen,
    _stop: oneshot::Sender<()>,
}

impl Consumer {
    /// Returns when it listens; it ends when it is dropped.
    async fn start(place: &Place) -> Self {
        let (url, stream) = (place.broker.url().to_owned(), place.spec.name().to_owned());
        let seen = Seen::default();
        let (stop, stopped) = oneshot::channel();
        let (ready, listens) = oneshot::channel();
        let note = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = consume(&url, &stream, &note, ready) => {}
                    _ = stopped => {}
                }
            });
        });
        listens.await.expect("it listens");
        Self { seen, _stop: stop }
    }

    async fn when(&self, id: ActionId) -> Instant {
        loop {
            let found = self.seen.lock().expect("no panic").get(&id).copied();
            match found {
                Some(seen) => return seen,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

async fn consume(url: &str, stream: &str, seen: &Seen, ready: oneshot::Sender<()>) {
    let client = NatsOptions::parse(url).expect("a URL").connect().await.expect("connected");
    let jet_stream = async_nats::jetstream::new(client);
    let stream = jet_stream.get_stream(stream).await.expect("the stream");
    let config = OrderedConfig {
        deliver_policy: async_nats::jetstream::consumer::DeliverPolicy::New,
        ..OrderedConfig::default()
    };
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    ready.send(()).expect("somebody waits");
    while let Some(message) = messages.next().await {
        let message = message.expect("a message");
        let now = Instant::now();
        let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id"));
        let id = id.and_then(|id| id.as_str().rsplit('/').next()?.parse().ok()).expect("an id");
        seen.lock().expect("no panic").insert(id, now);
    }
}

fn percentile(sorted: &[Duration], p: usize) -> Duration {
    sorted[(sorted.len() - 1) * p / 100]
}

async fn latency(place: &Place) {
    println!(
        "{:<44} {:>12} {:>12} {:>12}",
        "from the commit to a consumer", "commits/s", "p50", "p99"
    );
    for (rate, bell) in
        [(Some(200), false), (Some(1_000), false), (Some(1_000), true), (None, false)]
    {
        let mut relaying = place.relaying();
        relaying.until_caught_up();
        let consumer = Consumer::start(place).await;
        let (store, client) = (place.store.clone(), place.client.clone());
        let ringing = bell.then(|| {
            tokio::spawn(async move { ring_for(store.bell(), &client, &Subjects::default()).await })
        });
        let commits = commit(place, rate, WINDOW).await;
        let mut waits = Vec::new();
        for (id, at) in &commits.at {
            let seen = consumer.when(*id).await;
            waits.push(seen.saturating_duration_since(*at));
        }
        waits.sort();
        let name = match (rate, bell) {
            (Some(rate), false) => format!("{rate} commits a second"),
            (Some(rate), true) => format!("{rate} commits a second, with a bell"),
            (None, _) => "as many commits as go".to_owned(),
        };
        let (p50, p99) = (percentile(&waits, 50), percentile(&waits, 99));
        let rate = per_second(waits.len(), WINDOW);
        println!("{name:<44} {rate:>12.0} {:>12} {:>12}", ms(p50), ms(p99));
        if let Some(task) = ringing {
            task.abort();
        }
        relaying.stop();
    }
    println!();
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// The middle transaction of a writer at 1,000 commits a second, and the commit in it, without and with a relay, in turn. What
/// the machine does besides changes from one minute to the next, so each is compared with those right before and after.
async fn writers(place: &Place) {
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    for round in 0..PAIRS {
        for relays in if round % 2 == 0 { [false, true] } else { [true, false] } {
            let written = written(place, relays).await;
            if relays { &mut busy } else { &mut idle }.push(written);
        }
    }
    println!(
        "{:<44} {:>12} {:>12} {:>8}   half of {PAIRS} pairs between",
        "1000 commits a second, p50, milliseconds", "relay", "no relay", "ratio"
    );
    for (n, name) in ["a transaction: begin, append, commit", "its commit alone"].iter().enumerate()
    {
        let of = |all: &[Written]| all.iter().map(|it| it.took[n]).collect::<Vec<_>>();
        let pairs = of(&busy).into_iter().zip(of(&idle));
        let mut ratios: Vec<_> = pairs.map(|(with, without)| with / without).collect();
        ratios.sort_by(f64::total_cmp);
        let [low, ratio, high] = [PAIRS / 4, PAIRS / 2, PAIRS * 3 / 4].map(|at| ratios[at]);
        let (with, without) = (median(of(&busy)), median(of(&idle)));
        println!("{name:<44} {with:>12.2} {without:>12.2} {ratio:>8.2}   {low:.2} and {high:.2}");
    }
    println!(
        "\n{:<44} {:>12} {:>12}",
        "processor time, milliseconds a second", "relay", "no relay"
    );
    for (n, name) in Spent::NAMES.iter().enumerate() {
        let middle = |all: &[Written]| median(all.iter().map(|it| it.spent.0[n]).collect());
        println!("{name:<44} {:>12.0} {:>12.0}", middle(&busy), middle(&idle));
    }
}

/// The middle transaction and the middle commit, in milliseconds, and what was spent.
struct Written {
    took: [f64; 2],
    spent: Spent,
}

async fn written(place: &Place, relays: bool) -> Written {
    let mut relaying = relays.then(|| place.relaying());
    if let Some(relaying) = &mut relaying {
        relaying.until_caught_up();
    }
    let pid = relaying.as_ref().map(Relaying::pid);
    let before = Spent::now(place, pid).await;
    let took = commit(place, Some(1_000), TURN).await.took.map(middle);
    let spent = Spent::now(place, pid).await.since(&before, TURN);
    if let Some(relaying) = relaying {
        relaying.stop();
    }
    Written { took, spent }
}

fn middle(mut times: Vec<Duration>) -> f64 {
    times.sort();
    percentile(&times, 50).as_secs_f64() * 1_000.0
}
