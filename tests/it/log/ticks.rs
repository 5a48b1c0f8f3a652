//! Ticks that are longer than a chunk, made of odd transactions, or hard to come by.

use gesta::Position;
use tokio_postgres::Client;

use super::{action, distinct, drain, objects, read};
use crate::support::{append, append_all, check_log, check_log_but_xids, database, day};

async fn run(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}

/// The ones that were open have the lowest `seq` of the next tick, in between those of others that stay open.
#[tokio::test]
async fn long_transaction_delays_its_own_rows_only() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(store.client().await.expect("a connection"));
    }
    let mut open = Vec::new();
    for client in &mut clients {
        open.push(client.transaction().await.expect("a transaction"));
    }
    for (name, tx) in ["a", "b", "c"].iter().zip(&open).cycle().take(30) {
        let _ = store.append(tx, action(name)).await.expect("appended");
    }
    append_all(&store, (0..10).map(|n| action(&n.to_string())).collect()).await;
    let (first, position) = drain(&log, &Position::start(), 3).await;
    assert_eq!(objects(&first).len(), 10, "what was committed is there at once");

    let [a, b, c] = <[_; 3]>::try_from(open).unwrap_or_else(|_| panic!("three"));
    b.commit().await.expect("committed");
    append(&store, action("between")).await;
    let chunk = read(&log, &position, 4).await;
    assert_eq!(objects(&chunk.entries), ["b"; 4]);
    // In the middle of b's tick a commits; it is not of this tick.
    a.commit().await.expect("committed");
    let (rest, position) = drain(&log, &chunk.end, 4).await;
    let expected = [&["b"; 6][..], &["between"], &["a"; 10]].concat();
    assert_eq!(objects(&rest), expected);
    c.rollback().await.expect("rolled back");
    assert!(drain(&log, &position, 4).await.0.is_empty());
    check_log(&db).await;
}

#[tokio::test]
async fn rolled_back_savepoint_is_in_no_tick_and_a_released_one_in_that_of_its_transaction() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let mut client = store.client().await.expect("a connection");
    let mut tx = client.transaction().await.expect("a transaction");
    for (name, kept) in [("a", true), ("b", false), ("c", true)] {
        let savepoint = tx.savepoint("s").await.expect("a savepoint");
        let _ = store.append(&savepoint, action(name)).await.expect("appended");
        let ended = if kept { savepoint.commit().await } else { savepoint.rollback().await };
        ended.expect("ended");
        append(&store, action("other")).await;
    }
    let (first, position) = drain(&log, &Position::start(), 10).await;
    assert_eq!(objects(&first), ["other"; 3]);
    tx.commit().await.expect("committed");
    let (second, _) = drain(&log, &position, 10).await;
    assert_eq!(objects(&second), ["a", "c"]);
    assert_eq!(second[0].xid, second[1].xid);
    check_log_but_xids(&db).await;
}

/// A transaction that takes its id early and writes late: by id it would come first, by commit it comes second.
#[tokio::test]
async fn order_of_an_object_is_that_of_its_lock_and_not_of_transaction_ids() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let mut client = store.client().await.expect("a connection");
    let early = client.transaction().await.expect("a transaction");
    early.execute("SELECT pg_current_xact_id()", &[]).await.expect("an id");
    append(&store, action("7").description("first")).await;
    let _ = store.append(&early, action("7").description("second")).await.expect("appended");
    early.commit().await.expect("committed");
    let (all, _) = drain(&log, &Position::start(), 1).await;
    let told: Vec<_> = all.iter().filter_map(|e| e.action.description.as_deref()).collect();
    assert_eq!(told, ["first", "second"]);
    assert!(all[0].xid > all[1].xid);
    check_log(&db).await;
}

/// Snapshots tell nothing of transactions that began after the last one that has ended.
#[tokio::test]
async fn transaction_beyond_xmax_is_not_forgotten() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let _ = store.append(&tx, action("a")).await.expect("appended");
    // Nothing has been committed since it began, unless by neighbours of this test.
    let (first, position) = drain(&log, &Position::start(), 10).await;
    let head = log.head().await.expect("the head");
    assert!(first.is_empty());
    tx.commit().await.expect("committed");
    for after in [position, head] {
        assert_eq!(objects(&drain(&log, &after, 10).await.0), ["a"]);
    }
    check_log(&db).await;
}

/// A short way back they are found among those after the beginning of the tick before, a longer one by their transaction.
#[tokio::test]
async fn early_seq_that_is_committed_late_comes_however_far_back_it_is() {
    for between in [1, 198, 199, 200, 201, 450] {
        let db = database().await;
        let (store, log) = (db.store().await, db.log().await);
        append(&store, action("before")).await;
        let (_, before) = drain(&log, &Position::start(), 10).await;
        let (mut first, mut second) =
            (store.client().await.expect("one"), store.client().await.expect("one"));
        let late = first.transaction().await.expect("a transaction");
        let undone = second.transaction().await.expect("a transaction");
        let _ = store.append(&late, action("late")).await.expect("appended");
        let _ = store.append(&undone, action("undone")).await.expect("appended");
        append_all(&store, (0..between).map(|n| action(&n.to_string())).collect()).await;
        let (seen, at) = drain(&log, &before, 100).await;
        assert_eq!(seen.len(), between);
        late.commit().await.expect("committed");
        undone.rollback().await.expect("rolled back");
        append(&store, action("after")).await;
        for limit in [1, 10] {
            let (rest, _) = drain(&log, &at, limit).await;
            assert_eq!(objects(&rest), ["late", "after"], "{between} between, by {limit}");
        }
        check_log(&db).await;
    }
}

#[tokio::test]
async fn rows_come_from_every_partition_also_while_they_move() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let times = [-40_000, -400, 0, 400, 3_000, 4_000].map(|n| day(n).max(day(-20_000)));
    let actions = times.into_iter().cycle().take(60).enumerate();
    append_all(&store, actions.map(|(n, time)| action(&n.to_string()).at(time)).collect()).await;
    let first = read(&log, &Position::start(), 20).await;
    run(&db.admin().await, "SELECT gesta.make_partitions(extract(year FROM now())::integer + 10)")
        .await;
    let (rest, _) = drain(&log, &first.end, 20).await;
    let all = [first.entries, rest].concat();
    assert_eq!(objects(&all), (0..60).map(|n| n.to_string()).collect::<Vec<_>>());
    check_log_but_xids(&db).await;
}

/// Rolled-back rows, other tenants, and loads in progress leave gaps; each read passes over so many of them and no more.
#[tokio::test]
async fn gaps_are_passed_in_steps() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    append(&store, action("before")).await;
    run(&db.admin().await, "SELECT setval('gesta.action_seq', 1000000)").await;
    append(&store, action("after")).await;
    let mut chunks = vec![read(&log, &Position::start(), 10).await];
    while let Some(last) = chunks.last().filter(|chunk| chunk.more) {
        let next = read(&log, &last.end, 10).await;
        chunks.push(next);
    }
    assert!((10..30).contains(&chunks.len()), "{}", chunks.len());
    let all: Vec<_> = chunks.into_iter().flat_map(|chunk| chunk.entries).collect();
    assert_eq!(objects(&all), ["before", "after"]);
    check_log(&db).await;
}

/// Each takes a few characters of a position.
#[tokio::test]
async fn two_hundred_open_transactions_fit_into_a_position() {
    const OPEN: usize = 200;
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let mut clients = Vec::new();
    for n in 0..OPEN {
        let client = db.connect("gesta_app").await;
        run(&client, "BEGIN; SET LOCAL gesta.tenant = 'default'").await;
        run(&client, &insert(n)).await;
        clients.push(client);
    }
    append_all(&store, vec![action("first"), action("second")]).await;
    let inside = read(&log, &Position::start(), 1).await.end;
    let (_, position) = drain(&log, &inside, 1).await;
    assert!(position.waits_for().len() >= OPEN);
    assert!(position.to_string().len() < 1_000, "{}", position.to_string().len());
    append_all(&store, vec![action("third"), action("fourth")]).await;
    let inside = read(&log, &position, 1).await.end;
    assert!(inside.to_string().len() < 1_500, "{}", inside.to_string().len());
    for (n, client) in clients.iter().enumerate() {
        run(client, if n % 2 == 0 { "COMMIT" } else { "ROLLBACK" }).await;
    }
    let (rest, _) = drain(&log, &inside, 7).await;
    assert_eq!(distinct(&rest).len(), 1 + OPEN / 2);
    check_log(&db).await;
}

fn insert(n: usize) -> String {
    let id = gesta::ActionId::from_source(day(0), "test", &n.to_string());
    format!(
        "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, occurred_at, source)
         VALUES ('default', '{id}', 'user', '1', 'did', '{}', 'emit')",
        day(0).to_rfc3339()
    )
}
