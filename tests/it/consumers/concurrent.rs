//! Joining at any point while others commit, publish and drop.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gesta::log::Entry;
use gesta::subscription::{Delivery, Subscription};
use gesta::{Log, NewAction, Position, Store};
use tokio::task::JoinSet;

use super::{Pump, action_of, auditor_log, distinct, next};
use crate::support::{TestDb, TestNats, append, append_all, check_log, database, nats};

/// Writers, transactions of each, and subscriptions.
const WRITERS: u32 = 4;
const TRANSACTIONS: u32 = 40;
const SUBSCRIPTIONS: u32 = 12;
/// Objects that are written to; each belongs to one writer, so each has an order.
const OBJECTS: u32 = 3;

/// Numbers without a pattern, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).expect("31 bits") % below
    }
}

/// Writes transactions of several actions, some of which are rolled back; they overlap those of the other writers.
async fn write(store: Store, writer: u32) {
    let mut dice = Dice(writer.into());
    for transaction in 0..TRANSACTIONS {
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        for n in 0..=dice.roll(5) {
            let object = format!("thing:{writer}.{}", dice.roll(OBJECTS));
            let verb = if dice.roll(3) == 0 { "wanted" } else { "other" };
            let action = action_of("default", verb, &object);
            let action = action.data(serde_json::json!({ "at": [transaction, n] }));
            let _ = store.append(&tx, action).await.expect("appended");
            tokio::task::yield_now().await;
        }
        if dice.roll(6) == 0 {
            tx.rollback().await.expect("rolled back");
        } else {
            tx.commit().await.expect("committed");
        }
    }
}

/// The last action, after which nothing comes.
fn last() -> NewAction {
    action_of("default", "wanted", "thing:last")
}

fn is_last(delivery: &Delivery) -> bool {
    super::object(&delivery.action) == Some("last")
}

/// All up to the last one; now and then the subscription is dropped, and another one goes on from its position.
async fn follow(new: impl Fn() -> Subscription, begin: Position, seed: u32) -> Vec<Delivery> {
    let mut dice = Dice(u64::from(seed) + 1000);
    let mut all: Vec<Delivery> = Vec::new();
    loop {
        let position = all.last().map_or(&begin, |delivery| &delivery.position);
        let position = position.to_string().parse().expect("a position");
        let batch = 1 + usize::try_from(dice.roll(9)).expect("some");
        let mut subscription = new().after(position).batch(batch);
        for _ in 0..=dice.roll(60) {
            let delivery = next(&mut subscription).await;
            let ended = is_last(&delivery);
            all.push(delivery);
            if ended {
                return all;
            }
        }
    }
}

/// What the log has after a position.
async fn after(log: &Log, position: &Position) -> Vec<Entry> {
    let (mut all, mut at) = (Vec::new(), position.clone());
    loop {
        let chunk = log.read(&at, 1000).await.expect("read");
        all.extend(chunk.entries);
        if !chunk.more {
            return all;
        }
        at = chunk.end;
    }
}

async fn publish(pump: Pump, ended: Arc<AtomicBool>) {
    let mut at = Position::start();
    loop {
        let done = ended.load(Ordering::Acquire);
        let (more, end) = pump.publish_chunk(&at).await;
        if done && !more {
            return;
        }
        at = end;
    }
}

/// Whatever was committed after a position comes, once, and each object's actions in their order.
async fn check(log: &Log, begin: &Position, verb: Option<&str>, got: &[Delivery]) {
    let mut wanted = after(log, begin).await;
    wanted.retain(|entry| verb.is_none_or(|verb| entry.action.verb == verb));
    let ids = distinct(got);
    let missing = wanted.iter().filter(|entry| !ids.contains(&entry.action.id)).count();
    assert_eq!((missing, ids.len()), (0, wanted.len()), "{verb:?} from {begin}");
    let seq: HashMap<_, _> = wanted.iter().map(|entry| (entry.action.id, entry.seq)).collect();
    let mut newest = HashMap::new();
    for delivery in got {
        let object = super::object(&delivery.action).expect("an object");
        let seq = seq[&delivery.action.id];
        assert!(newest.insert(object, seq) < Some(seq), "{object} is out of order");
    }
}

async fn play(db: &TestDb, nats: &TestNats, chunk_len: usize) {
    let (store, log) = (db.store().await, auditor_log(db).await);
    let pump = Pump::start(db, nats, chunk_len).await;
    let ended = Arc::new(AtomicBool::new(false));
    let pump = tokio::spawn(publish(pump, Arc::clone(&ended)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(store.clone(), writer));
    }
    let mut followers = JoinSet::new();
    for n in 0..SUBSCRIPTIONS {
        // Each begins somewhere else: before everything, at what is the end now, or a few actions behind.
        let begin = match n % 3 {
            0 => Position::start(),
            1 => log.head().await.expect("the head"),
            _ => log.read(&Position::start(), 5).await.expect("read").end,
        };
        let verb = (n % 2 == 0).then_some("wanted");
        let filter = verb.map(|verb| nats.public().verb(verb));
        let (jet_stream, name) = (nats.jet_stream.clone(), nats.spec.name().to_owned());
        let log = log.clone();
        let new = move || {
            let new = Subscription::new(&jet_stream, &name).log(log.clone());
            filter.iter().cloned().fold(new, Subscription::filter)
        };
        followers.spawn(async move {
            let got = follow(new, begin.clone(), n).await;
            (begin, verb, got)
        });
        // Some more commits before the next one begins.
        for _ in 0..3 {
            append(&store, action_of("default", "other", "thing:main")).await;
        }
    }
    while let Some(written) = writers.join_next().await {
        written.expect("written");
    }
    append_all(&store, vec![last()]).await;
    ended.store(true, Ordering::Release);
    while let Some(followed) = followers.join_next().await {
        let (begin, verb, got) = followed.expect("followed");
        check(&log, &begin, verb, &got).await;
    }
    pump.await.expect("published");
    check_log(db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_or_repeated_wherever_a_subscription_joins() {
    let (db, nats) = (database().await, nats().await);
    play(&db, &nats, 7).await;
}

/// The stream keeps a few messages only, so that subscriptions fall behind its beginning again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_or_repeated_while_the_stream_drops() {
    let (db, mut nats) = (database().await, nats().await);
    nats.spec = nats.spec.max_bytes(16 * 1024);
    play(&db, &nats, 50).await;
}
