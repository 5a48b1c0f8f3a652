//! Nothing skipped, nothing twice, and which comes first.

use gesta::Position;

use super::{action, distinct, drain, objects, read};
use crate::support::{TestDb, append, append_all, check_log, database};

/// The timeline of the module's documentation.
#[tokio::test]
async fn transaction_that_commits_late_comes_late_and_comes() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let mut client = store.client().await.expect("a connection");
    let a = client.transaction().await.expect("a transaction");
    let _ = store.append(&a, action("a")).await.expect("appended");
    append(&store, action("b")).await;

    let first = read(&log, &Position::start(), 10).await;
    assert_eq!(objects(&first.entries), ["b"]);
    // What a reader of "the greatest seq seen" would ask for does not hold A, now or ever.
    let seen = first.entries[0].seq;

    a.commit().await.expect("committed");
    append(&store, action("c")).await;
    let second = read(&log, &first.end, 10).await;
    assert_eq!(objects(&second.entries), ["a", "c"]);
    assert!(second.entries[0].seq < seen);
    assert!(first.end.waits_for().contains(&second.entries[0].xid));
    assert!(read(&log, &second.end, 10).await.entries.is_empty());
    check_log(&db).await;
}

/// Each limit cuts the ticks at other places; in between others commit.
#[tokio::test]
async fn reading_goes_on_exactly_where_it_stopped() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    append_all(&store, (0..25).map(|n| action(&n.to_string())).collect()).await;
    let start = Position::start();
    for limit in [1, 2, 7, 24, 25, 26] {
        let first = read(&log, &start, limit).await;
        append(&store, action("late")).await;
        let (rest, _) = drain(&log, &first.end, limit).await;
        let all = [first.entries, rest].concat();
        assert_eq!(distinct(&all).len(), count(&db).await);
        assert!(all.is_sorted_by_key(|entry| entry.seq), "no two transactions overlapped");
        // From each entry on, what follows is what follows.
        for (n, entry) in all.iter().enumerate().step_by(5) {
            let after = entry.position.to_string().parse().expect("a position");
            let (rest, _) = drain(&log, &after, 10).await;
            assert_eq!(objects(&rest), objects(&all[n + 1..]));
        }
    }
    check_log(&db).await;
}

async fn count(db: &TestDb) -> usize {
    let sql = "SELECT count(*) FROM gesta.action";
    let row = db.admin().await.query_one(sql, &[]).await.expect("counted");
    usize::try_from(row.get::<_, i64>(0)).expect("some")
}
