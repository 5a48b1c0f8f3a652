//! Writers whose transactions overlap at random, and listeners who come, go away and come back anywhere.
//!
//! `GESTA_CHAOS_SECONDS` makes it longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gesta::live::Event;
use gesta::{Action, Live, Log, Position, Reader, Tenant};
use tokio::task::JoinSet;

use super::{distinct, next};
use crate::log::chaos::{Dice, WRITERS, assert_commit_order, duration, make_counters, write};
use crate::support::{check_log_but_xids, database};

const LISTENERS: u64 = 20;
const SEED: u64 = 20_261_120;

/// Comes with the position that it last wrote down, takes some events, and forgets all that it took after a random one.
/// Goes on until it has heard of as many actions as were committed.
async fn follow(
    lives: [Live; 2],
    reader: Reader,
    log: Log,
    mut dice: Dice,
    committed: Arc<AtomicUsize>,
) -> Vec<Arc<Action>> {
    let (mut seen, mut at) = (Vec::new(), Position::start().to_string());
    while seen.len() < committed.load(Ordering::Relaxed) {
        let from: Position = at.parse().expect("a position");
        if dice.one_in(8) {
            // Ticks of its own, as another program has them.
            let chunk = log.read(&from, 1 + usize::try_from(dice.below(9)).expect("small")).await;
            let chunk = chunk.expect("a chunk");
            at = chunk.end.to_string();
            seen.extend(chunk.entries.into_iter().map(|entry| Arc::new(entry.action)));
            continue;
        }
        let live = &lives[usize::try_from(dice.below(2)).expect("small")];
        let mut listener = live.listen(&reader, Some(from), |_| true);
        let mut told = Vec::new();
        for _ in 0..=dice.below(60) {
            match next(&mut listener).await {
                Event::Action { position, action } => told.push((position, action)),
                // There may be nothing more, ever.
                Event::Position(_) if committed.load(Ordering::Relaxed) < usize::MAX => break,
                Event::Position(position) => at = position.to_string(),
                reset @ Event::Reset { .. } => panic!("{reset:?}"),
            }
            if dice.one_in(20) {
                tokio::time::sleep(Duration::from_millis(dice.below(40))).await;
            }
        }
        if dice.one_in(3) && !told.is_empty() {
            told.truncate(1 + usize::try_from(dice.below(5)).expect("small"));
        }
        if let Some((position, _)) = told.last() {
            at = position.to_string();
        }
        seen.extend(told.into_iter().map(|(_, action)| action));
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_listener_hears_every_committed_action_once_and_in_commit_order() {
    let db = database().await;
    make_counters(&db).await;
    let (store, reads, others) = (db.store().await, db.store().await, db.store().await);
    let lives = [Live::new(&reads), Live::new(&others)]
        .map(|live| live.heartbeat(Duration::from_millis(100)));
    let reader = Reader::new(&reads, Tenant::default()).auditor();
    let log = Log::of(&reads).tenant(Tenant::default());
    let (until, committed) = (Instant::now() + duration(), Arc::new(AtomicUsize::new(usize::MAX)));
    let (mut writers, mut listeners) = (JoinSet::new(), JoinSet::new());
    for n in 0..WRITERS {
        writers.spawn(write(store.clone(), Dice::new(SEED + n), until));
    }
    for n in 0..LISTENERS {
        let dice = Dice::new(SEED + 1_000 + n);
        let (lives, reader, log) = (lives.clone(), reader.clone(), log.clone());
        listeners.spawn(follow(lives, reader, log, dice, Arc::clone(&committed)));
    }
    let mut written: Vec<_> = writers.join_all().await.concat();
    written.sort();
    committed.store(written.len(), Ordering::Relaxed);
    for seen in listeners.join_all().await {
        let ids = distinct(&seen);
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), written);
        assert_commit_order(seen.iter().map(|action| &**action), SEED);
    }
    check_log_but_xids(&db).await;
}
