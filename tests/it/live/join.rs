//! From the log into the ring: transactions that overlap, positions of other readers, and where one begins.

use gesta::live::Event;
use gesta::{Log, Position};

use super::{action, listen, live, next, objects, position, take, take_all};
use crate::log::action as did;
use crate::support::{append, check_log, check_log_but_xids, database};

#[tokio::test]
async fn listener_without_a_position_hears_what_comes_after_its_first_event() {
    let db = database().await;
    let store = db.store().await;
    append(&store, did("before")).await;
    let live = live(&store);
    let mut listener = listen(&live, &store, None);
    let began = position(&mut listener).await;
    assert_eq!(listener.position(), Some(&began));
    append(&store, did("1")).await;
    append(&store, did("2")).await;
    let (first, after) = action(&mut listener).await;
    assert_eq!(objects(&[first]), ["1"]);
    assert!(after.is_at_or_after(&began) && !began.is_at_or_after(&after));
    assert_eq!(objects(&take(&mut listener, 1).await), ["2"]);
    check_log(&db).await;
}

#[tokio::test]
async fn listener_goes_on_after_its_position_from_the_ring_or_from_the_log() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    append(&store, did("0")).await;
    let mut first = listen(&live, &store, Some(&Position::start()));
    let mut positions = vec![Position::start()];
    positions.push(action(&mut first).await.1);
    positions.push(position(&mut first).await);
    for n in 1..5 {
        append(&store, did(&n.to_string())).await;
        positions.push(action(&mut first).await.1);
    }
    let read = live.status().catch_ups;
    for (n, at) in positions.iter().enumerate() {
        let rest: Vec<_> =
            (n.saturating_sub(usize::from(n > 1))..5).map(|n| n.to_string()).collect();
        assert_eq!(objects(&take_all(&mut listen(&live, &store, Some(at))).await.0), rest, "{n}");
    }
    // The first two were never in the ring. Transactions of other databases cut its ticks anew, so others may have to be read.
    let read = live.status().catch_ups - read;
    assert!(read < positions.len() as u64, "{read} of {}", positions.len());
    // Another process has nothing in memory.
    let other = super::live(&store);
    for (n, at) in positions.iter().enumerate().skip(2) {
        let rest: Vec<_> = (n - 1..5).map(|n| n.to_string()).collect();
        let mut listener = listen(&other, &store, Some(at));
        assert_eq!(objects(&take_all(&mut listener).await.0), rest, "{n}");
    }
    check_log(&db).await;
}

/// The timeline of the module's documentation.
#[tokio::test]
async fn overlapping_transactions_that_two_readers_see_in_different_order_come_once_each() {
    let db = database().await;
    let store = db.store().await;
    // Its pauses are the default, but nobody may look while both are open: so it begins after them.
    let log = Log::new(db.store_as("gesta_auditor").await.pool());
    let r0 = log.head().await.expect("the head");
    let mut client = store.client().await.expect("a connection");
    let a = client.transaction().await.expect("a transaction");
    let _ = store.append(&a, did("a")).await.expect("appended");
    append(&store, did("b")).await;
    let p = log.read(&r0, 10).await.expect("a chunk");
    assert_eq!(p.entries.len(), 1);
    let live = live(&store);
    // One that has heard B from the ring, whose next tick is A.
    let mut early = listen(&live, &store, Some(&r0));
    let (told, _) = take_all(&mut early).await;
    assert_eq!(objects(&told), ["b"]);
    a.commit().await.expect("committed");

    // Both in one tick, A first.
    let both = log.read(&r0, 10).await.expect("a chunk");
    let names = |entries: &[gesta::log::Entry]| {
        let ids = entries.iter().filter_map(|entry| entry.action.object.clone());
        ids.map(|object| object.resource.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&p.entries), names(&both.entries)),
        (vec!["b".into()], vec!["a".into(), "b".into()])
    );
    assert_eq!(objects(&take(&mut early, 1).await), ["a"]);

    // With the ring of before, and with one that begins here.
    let anew = super::live(&store);
    for live in [&live, &anew] {
        append(&store, did("c")).await;
        take(&mut early, 1).await;
        for (after, expected) in [
            (&r0, &["a", "b"][..]),
            (&p.end, &["a"]),
            (&both.entries[0].position, &["b"]),
            (&both.end, &[]),
        ] {
            let mut listener = listen(live, &store, Some(after));
            let (told, _) = take_all(&mut listener).await;
            let mut told = objects(&told);
            told.retain(|name| *name != "c");
            told.sort_unstable();
            assert_eq!(told, expected);
        }
    }
    check_log_but_xids(&db).await;
}

/// The ring's reader has come to R, and A is open there; the client has A and what came before it.
#[tokio::test]
async fn position_that_the_ring_has_not_come_to_waits_for_it() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let mut shared = listen(&live, &store, None);
    let _ = position(&mut shared).await;
    let log = Log::of(&store).tenant(gesta::Tenant::default());
    for n in 0..20 {
        // Transactions of others make snapshots that the ring's reader has no reason to take.
        db.admin().await.batch_execute("SELECT pg_current_xact_id()").await.expect("an id");
        let ahead = log.head().await.expect("the head");
        let mut listener = listen(&live, &store, Some(&ahead));
        assert!(position(&mut listener).await.is_at_or_after(&ahead));
        append(&store, did(&n.to_string())).await;
        for listener in [&mut listener, &mut shared] {
            assert_eq!(objects(&take(listener, 1).await), [n.to_string()]);
        }
        // Both are at places of the ring now.
        append(&store, did("next")).await;
        let read = live.status().catch_ups;
        for listener in [&mut listener, &mut shared] {
            assert_eq!(objects(&take(listener, 1).await), ["next"]);
        }
        assert_eq!(live.status().catch_ups, read);
    }
    check_log(&db).await;
}

/// Pauses of the reader are 50 ms at most; with a bell it need not wait that long, which no test can see. Without one it
/// hears others' commits.
#[tokio::test]
async fn commit_of_another_store_is_heard() {
    let db = database().await;
    let (store, other) = (db.store().await, db.store().await);
    let live = live(&store);
    let mut listener = listen(&live, &store, None);
    let _ = position(&mut listener).await;
    append(&other, did("1")).await;
    assert_eq!(objects(&take(&mut listener, 1).await), ["1"]);
    check_log(&db).await;
}

/// The heartbeat is as short as it can be, so each wait ends with a position.
#[tokio::test]
async fn filter_that_admits_nothing_is_told_how_far_it_has_come() {
    let db = database().await;
    let store = db.store().await;
    let live = gesta::Live::new(&store).heartbeat(std::time::Duration::from_millis(1));
    let mut deaf = live.listen(&super::auditor(&store), None, |_| false);
    let began = position(&mut deaf).await;
    for n in 0..300 {
        append(&store, did(&n.to_string())).await;
    }
    let head = super::live(&store);
    let mut all = listen(&head, &store, Some(&began));
    let (told, _) = take_all(&mut all).await;
    assert_eq!(told.len(), 300);
    let mut rest = 300;
    while rest > 0 {
        let at = match next(&mut deaf).await {
            Event::Position(at) => at,
            other => panic!("{other:?}"),
        };
        let now = take_all(&mut listen(&head, &store, Some(&at))).await.0.len();
        assert!(now <= rest);
        rest = now;
    }
    check_log(&db).await;
}
