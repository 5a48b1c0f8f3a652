//! Writers whose transactions overlap at random, and readers who stop and go on anywhere: each reader sees every committed
//! action exactly once, and per object in the order of the commits.
//!
//! `GESTA_CHAOS_SECONDS` makes it longer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gesta::log::Entry;
use gesta::{Action, ActionId, Log, Position, Receipt, Store};
use tokio::task::JoinSet;

use super::{action, distinct, drain, read};
use crate::support::{TestDb, check_log_but_xids, database};

pub(crate) const WRITERS: u64 = 8;
const READERS: u64 = 3;
const OBJECTS: u64 = 4;
/// Actions of each writer.
const COMMITTED_MIN: usize = 40;

/// A small generator (`SplitMix64`), so that a seed says all.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

pub(crate) fn duration() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a knob of this test alone")]
    let seconds = std::env::var("GESTA_CHAOS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// Counters that writers lock and count up, as an application does with the rows that its actions are about.
pub(crate) async fn make_counters(db: &TestDb) {
    let sql =
        "CREATE SCHEMA app; CREATE TABLE app.thing (id bigint PRIMARY KEY, n bigint NOT NULL);
        INSERT INTO app.thing SELECT n, 0 FROM generate_series(0, 3) AS n;
        GRANT USAGE ON SCHEMA app TO gesta_app; GRANT SELECT, UPDATE ON app.thing TO gesta_app";
    db.admin().await.batch_execute(sql).await.expect("the counters");
}

/// A transaction of a random number of steps, some of them in savepoints, of which some are rolled back. Gives the ids that
/// were committed.
async fn transaction(store: &Store, dice: &mut Dice) -> Vec<ActionId> {
    let mut client = store.client().await.expect("a connection");
    let mut tx = client.transaction().await.expect("a transaction");
    if dice.one_in(3) {
        // An id long before the first row.
        tx.execute("SELECT pg_current_xact_id()", &[]).await.expect("an id");
    }
    let mut ids = Vec::new();
    // Locked in one order, or they would wait for each other.
    let first = dice.below(OBJECTS);
    for object in first..OBJECTS.min(first + 1 + dice.below(2)) {
        for _ in 0..=dice.below(3) {
            let savepoint = tx.savepoint("s").await.expect("a savepoint");
            let id = step(store, &savepoint, object).await;
            if dice.one_in(4) {
                savepoint.rollback().await.expect("rolled back");
            } else {
                savepoint.commit().await.expect("released");
                ids.push(id);
            }
        }
        if dice.one_in(3) {
            tokio::time::sleep(Duration::from_millis(dice.below(30))).await;
        }
    }
    if dice.one_in(4) {
        tx.rollback().await.expect("rolled back");
        return Vec::new();
    }
    if dice.one_in(3) {
        tx.batch_execute("SET LOCAL synchronous_commit = off").await.expect("set");
    }
    tx.commit().await.expect("committed");
    store.bell().ring();
    ids
}

/// Counts an object up and says so: the number is the order of the commits, as the row stays locked until then.
async fn step(store: &Store, tx: &deadpool_postgres::Transaction<'_>, object: u64) -> ActionId {
    let sql = "UPDATE app.thing SET n = n + 1 WHERE id = $1 RETURNING n";
    let object_id = i64::try_from(object).expect("small");
    let n: i64 = tx.query_one(sql, &[&object_id]).await.expect("counted").get(0);
    let action = action(&object.to_string()).description(n.to_string());
    match store.append(tx, action).await.expect("appended") {
        Receipt::Appended(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Goes on for the time that is asked for, and on a busy machine until it has committed something worth the name.
pub(crate) async fn write(store: Store, mut dice: Dice, until: Instant) -> Vec<ActionId> {
    let mut all = Vec::new();
    while Instant::now() < until || all.len() < COMMITTED_MIN {
        all.extend(transaction(&store, &mut dice).await);
    }
    all
}

/// Reads chunks of random lengths, and forgets all that it did after a random entry: it is killed, and comes back with the
/// position that it printed.
async fn follow(log: Log, mut dice: Dice, ended: Arc<AtomicBool>) -> Vec<Entry> {
    let (mut seen, mut at): (Vec<Entry>, String) = (Vec::new(), Position::start().to_string());
    while !ended.load(Ordering::Relaxed) {
        let after = at.parse().expect("a position");
        let limit = usize::try_from(1 + dice.below(20)).expect("small");
        let mut chunk = read(&log, &after, limit).await;
        at = chunk.end.to_string();
        if dice.one_in(3) && !chunk.entries.is_empty() {
            chunk.entries.truncate(1 + usize::try_from(dice.below(5)).expect("small"));
            at = chunk.entries.last().expect("not empty").position.to_string();
        }
        seen.extend(chunk.entries);
        tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
    }
    let (rest, _) = drain(&log, &at.parse().expect("a position"), 7).await;
    seen.extend(rest);
    seen
}

/// Per object the numbers only rise: the order of the commits.
pub(crate) fn assert_commit_order<'a>(actions: impl IntoIterator<Item = &'a Action>, seed: u64) {
    let mut last = BTreeMap::new();
    for action in actions {
        let object = &action.object.as_ref().expect("an object").resource.id;
        let n: i64 = action.description.as_deref().expect("a number").parse().expect("n");
        let before = last.insert(object.to_string(), n);
        assert!(before.is_none_or(|before| before < n), "seed {seed}: {object}: {before:?}, {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_sees_every_committed_action_once_and_in_commit_order() {
    let db = database().await;
    make_counters(&db).await;
    let seed = u64::from(getrandom::u32().expect("random"));
    let (store, log) = (db.store().await, db.log().await);
    let (until, reading) = (Instant::now() + duration(), Arc::new(AtomicBool::new(false)));
    let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
    for n in 0..WRITERS {
        writers.spawn(write(store.clone(), Dice::new(seed + n), until));
    }
    for n in 0..READERS {
        let dice = Dice::new(seed + 1_000 + n);
        readers.spawn(follow(log.clone(), dice, Arc::clone(&reading)));
    }
    let naive = tokio::spawn(follow_greatest_seq(db.unbound_store().await, Arc::clone(&reading)));

    let mut committed: Vec<_> = writers.join_all().await.concat();
    committed.sort();
    reading.store(true, Ordering::Relaxed);

    for seen in readers.join_all().await {
        let seen_ids = distinct(&seen);
        let missing: Vec<_> = committed.iter().filter(|id| !seen_ids.contains(id)).collect();
        assert_eq!(missing, [] as [&ActionId; 0], "seed {seed}: committed and not seen");
        assert_eq!(seen_ids.len(), committed.len(), "seed {seed}: seen and not committed");
        assert_commit_order(seen.iter().map(|entry| &entry.action), seed);
    }
    // What the ticks are for: one who remembers the greatest `seq` misses what commits late.
    let naive = naive.await.expect("it ends");
    assert!(naive < committed.len(), "seed {seed}: the transactions did not overlap");
    check_log_but_xids(&db).await;
}

/// How many actions somebody sees who asks for those after the greatest `seq` that it has seen.
async fn follow_greatest_seq(store: Store, ended: Arc<AtomicBool>) -> usize {
    let sql = "SELECT seq FROM gesta.action WHERE seq > $1 ORDER BY seq";
    let client = store.client().await.expect("a connection");
    let (mut greatest, mut count) = (0i64, 0);
    loop {
        let last_round = ended.load(Ordering::Relaxed);
        let rows = client.query(sql, &[&greatest]).await.expect("rows");
        count += rows.len();
        greatest = rows.last().map_or(greatest, |row| row.get(0));
        if last_round {
            return count;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
