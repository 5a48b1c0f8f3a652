//! Pages while others append: what was there at the start appears exactly once, what comes meanwhile at most once.

use std::collections::BTreeSet;
use std::sync::Arc;

use gesta::{ActionId, Context, FeedQuery, Follow, NewAction, Store, StreamQuery};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::support::{append_all, check_log, database, day, ids, public, resource, walk};

/// Those who append at the same time.
const WRITERS: u64 = 3;
const PRESENT: i64 = 60;

/// At days that differ, so that what is appended lands before, between and after what is there.
fn close(at: i64) -> NewAction {
    let moment = day(0) + chrono::TimeDelta::minutes(at);
    NewAction::new("close", &Context::new(&resource("user:1")))
        .object(&resource("issue:70"))
        .at(moment)
}

/// Appends a little for each permit, and tells when it has: as fast as it can it would append more than is read, and the
/// end would never come. Every other batch is left open while the next one commits,
/// so that ids become visible in another order than they were made in.
async fn keep_appending(
    store: Store,
    seed: u64,
    pages: Arc<Semaphore>,
    rounds: watch::Sender<u64>,
) {
    let mut state = seed;
    let mut moment = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((state >> 33) % 70).expect("small") - 5
    };
    while let Ok(page) = pages.acquire().await {
        page.forget();
        let mut slow = store.client().await.expect("a connection");
        let slow = slow.transaction().await.expect("a transaction");
        let _ = store
            .append_all(&slow, vec![close(moment()), close(moment())])
            .await
            .expect("appended");
        let _ = append_all(&store, vec![close(moment())]).await;
        slow.commit().await.expect("committed");
        rounds.send_modify(|count| *count += 1);
    }
}

/// Reads pages until the end, one while the others append; says which ids came, in their order.
macro_rules! read_while_others_append {
    ($query:expr, $reader:expr, $others:expr, $ids:expr) => {{
        let (mut read, mut cursor) = (Vec::new(), None);
        loop {
            let (pages, rounds) = &mut $others;
            pages.add_permits(1);
            let page = $query.from(cursor).page($reader).await.expect("a page");
            rounds.changed().await.expect("the others go on");
            read.extend($ids(&page.items));
            cursor = page.older;
            if cursor.is_none() {
                break read;
            }
        }
    }};
}

fn check_read(read: &[ActionId], present: &BTreeSet<ActionId>) {
    assert!(read.is_sorted_by(|newer, older| newer > older), "in order, and nothing twice");
    let read: BTreeSet<_> = read.iter().copied().collect();
    assert!(present.is_subset(&read), "everything that was there");
    assert!(read.len() > present.len(), "and some of what came meanwhile, or nobody has appended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_appears_exactly_once_while_others_append() {
    let db = database().await;
    let store = db.store().await;
    let (reader, follower) = (public(&store), resource("user:0"));
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let follow = Follow::new(&follower, &resource("user:1")).silent();
    store.follow(&tx, &Context::new(&follower), &follow).await.expect("followed");
    tx.commit().await.expect("committed");
    drop(client);
    let present = append_all(&store, (0..PRESENT).map(close).collect()).await;
    let present: BTreeSet<_> = present.iter().map(|receipt| receipt.id()).collect();

    let (pages, (told, rounds)) = (Arc::new(Semaphore::new(0)), watch::channel(0));
    let mut writers = JoinSet::new();
    for seed in 0..WRITERS {
        let store = db.store().await;
        writers.spawn(keep_appending(store, seed, Arc::clone(&pages), told.clone()));
    }
    drop(told);
    let mut others = (Arc::clone(&pages), rounds);
    for limit in [5, 13] {
        let stream = || StreamQuery::actor(&resource("user:1")).limit(limit);
        check_read(&read_while_others_append!(stream(), &reader, others, ids), &present);
        let any = || StreamQuery::any(&resource("issue:70")).limit(limit);
        check_read(&read_while_others_append!(any(), &reader, others, ids), &present);
        let feed = || FeedQuery::new(&follower).limit(limit);
        let of_items =
            |items: &[gesta::stream::FeedItem]| ids(items.iter().map(|item| &item.action));
        check_read(&read_while_others_append!(feed(), &reader, others, of_items), &present);
    }
    pages.close();
    while let Some(writer) = writers.join_next().await {
        writer.expect("a writer ends well");
    }
    let (all, _) = walk(&reader, &StreamQuery::actor(&resource("user:1")).limit(50)).await;
    assert!(all.len() > present.len());
    check_log(&db).await;
}
