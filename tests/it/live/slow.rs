//! Slow listeners, and those whom nobody asks: the ring is bounded, and costs the same however many there are.

use super::{action, distinct, listen, live, objects, position, take};
use crate::log::action as did;
use crate::support::{append_all, check_log, database};

/// More than a ring holds.
const MANY: usize = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listener_that_falls_out_of_the_ring_catches_up_and_the_others_notice_nothing() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let mut slow = Vec::new();
    for _ in 0..30 {
        let mut listener = listen(&live, &store, None);
        let _ = position(&mut listener).await;
        slow.push(listener);
    }
    let mut quick = listen(&live, &store, None);
    let _ = position(&mut quick).await;
    assert_eq!(live.status().tenants[0].listeners, 31);

    let mut heard = Vec::new();
    for hundred in 0..MANY / 100 {
        let batch = (0..100).map(|n| did(&(hundred * 100 + n).to_string())).collect();
        append_all(&store, batch).await;
        heard.extend(take(&mut quick, 100).await);
        if hundred == 3 {
            // These are in the middle of the ring when it moves on.
            for listener in &mut slow[..10] {
                let _ = action(listener).await;
            }
        }
        let [tenant] = &live.status().tenants[..] else { panic!("one tenant") };
        assert!(tenant.held <= 2_048 && tenant.held_bytes <= 8 << 20, "{tenant:?}");
    }
    let expected: Vec<_> = (0..MANY).map(|n| n.to_string()).collect();
    assert_eq!(objects(&heard), expected);
    // All came from memory, and nothing was read for those who did not ask.
    assert_eq!(live.status().catch_ups, 0);

    for (n, listener) in slow[5..15].iter_mut().enumerate() {
        let first = usize::from(n < 5);
        let heard = take(listener, MANY - first).await;
        assert_eq!(objects(&heard), expected[first..]);
    }
    assert!(live.status().catch_ups > 0);
    // Transactions of other databases cut ticks too: whoever stands between two of the ring's has to read once more.
    let mut caught_up = 0;
    for name in ["last", "very last"] {
        caught_up = live.status().catch_ups;
        append_all(&store, vec![did(name)]).await;
        for listener in &mut slow[5..15] {
            assert_eq!(objects(&take(listener, 1).await), [name]);
        }
    }
    assert_eq!(live.status().catch_ups, caught_up, "they are back at the ring");
    check_log(&db).await;
}

/// Payloads of 60 KiB: neither the ring nor a listener holds many of them.
#[tokio::test]
async fn large_actions_are_held_by_bytes() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let mut late = listen(&live, &store, None);
    let began = position(&mut late).await;
    let payload = serde_json::json!({ "text": "x".repeat(60_000) });
    let large = |n: usize| did(&n.to_string()).data(payload.clone());
    append_all(&store, (0..250).map(large).collect()).await;
    let mut other = listen(&live, &store, None);
    let _ = position(&mut other).await;
    let [tenant] = &live.status().tenants[..] else { panic!("one tenant") };
    assert!(tenant.held < 250 && tenant.held_bytes <= 8 << 20, "{tenant:?}");
    let mut early = listen(&live, &store, Some(&began));
    let expected: Vec<_> = (0..250).map(|n| n.to_string()).collect();
    for listener in [&mut late, &mut early] {
        let heard = take(listener, 250).await;
        assert_eq!(objects(&heard), expected);
        assert_eq!(distinct(&heard).len(), 250);
    }
    check_log(&db).await;
}

#[tokio::test]
async fn reader_ends_with_its_last_listener_and_begins_with_the_next() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let mut at = None;
    for n in 0..5 {
        let mut listener = listen(&live, &store, at.as_ref());
        let again = listen(&live, &store, None);
        at = Some(position(&mut listener).await);
        assert_eq!(live.status().tenants[0].listeners, 2);
        drop((listener, again));
        if n % 2 == 0 {
            while !live.status().tenants.is_empty() {
                tokio::task::yield_now().await;
            }
        }
        append_all(&store, vec![did(&n.to_string())]).await;
        let mut listener = listen(&live, &store, at.as_ref());
        let (action, position) = action(&mut listener).await;
        assert_eq!(objects(&[action]), [n.to_string()]);
        at = Some(position);
    }
    check_log(&db).await;
}
