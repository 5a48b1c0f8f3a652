//! Partitions: a row stands in its year's, wherever that is made from, and none is lost or changed on the way.

use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use futures_util::future::join_all;
use gesta::{ActionId, Context, NewAction, ResourceRef, Store};
use tokio::sync::Barrier;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::support::{TestDb, append, append_all, check_log, database, problems, resource};

fn action(time: DateTime<Utc>) -> NewAction {
    NewAction::new("close", &Context::new(&resource("user:1")))
        .object(&resource("issue:7"))
        .at(time)
}

/// The first moment of a year.
fn new_year(year: i32) -> DateTime<Utc> {
    format!("{year:04}-01-01T00:00:00Z").parse().expect("a year")
}

async fn number(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.expect(query).get(0)
}

/// The year by the database's clock.
async fn this_year(client: &Client) -> i32 {
    let row = client.query_one("SELECT now()", &[]).await.expect("the time");
    row.get::<_, DateTime<Utc>>(0).year()
}

async fn make_partitions(client: &Client, last_year: i32) -> i32 {
    let row = client.query_one("SELECT gesta.make_partitions($1)", &[&last_year]).await;
    row.expect("partitions").get(0)
}

/// Where each action is, in the order of their ids.
async fn places(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT tableoid::regclass::text FROM gesta.action ORDER BY id", &[]);
    rows.await.expect("places").iter().map(|row| row.get(0)).collect()
}

/// All rows with all their columns.
async fn rows(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT a::text FROM gesta.action AS a ORDER BY id", &[]);
    rows.await.expect("rows").iter().map(|row| row.get(0)).collect()
}

/// Asserts that there are as many guards, constraints and indexes on each partition as on the table, all of them valid, and
/// that each partition begins where the one before it ends.
async fn assert_well_made(client: &Client) {
    let unlike = "
        SELECT count(*) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'gesta.action'::regclass AND (
            c.relowner <> 'gesta_owner'::regrole OR c.relacl IS NOT NULL
            OR (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND tgenabled = 'A') <> 2
            OR (SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indisvalid)
                <> (SELECT count(*) FROM pg_index WHERE indrelid = i.inhparent)
            OR (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n')
                <> (SELECT count(*) FROM pg_constraint WHERE conrelid = i.inhparent AND contype <> 'n'))";
    assert_eq!(number(client, unlike).await, 0);
    let bounds = "
        SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'gesta.action'::regclass ORDER BY (c.relname = 'action_past') DESC, c.relname LIKE 'action_y%' DESC, c.relname";
    let bounds = client.query(bounds, &[]).await.expect("bounds");
    let mut reached = None;
    for bound in bounds {
        let bound: String = bound.get(0);
        let (from, to) = bound.split_once(" TO ").expect("a range");
        let from = from.trim_start_matches("FOR VALUES FROM ").to_owned();
        assert_eq!(reached.get_or_insert(from.clone()), &from, "a gap or an overlap");
        reached = Some(to.to_owned());
    }
    assert_eq!(reached.as_deref(), Some("(MAXVALUE)"));
}

/// Moved rows were stored by another transaction than the one in `xid`, which is right: nothing else may be wrong.
async fn check_moved_log(db: &TestDb) {
    let mut problems = problems(db).await;
    problems.retain(|problem| !problem.contains("xid of another transaction"));
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test]
async fn row_stands_in_the_partition_of_its_year() {
    let db = database().await;
    let (store, client) = (db.store().await, db.admin().await);
    let year = this_year(&client).await;
    let years = [1970, 2004, year - 1, year, year + 1, year + 2, year + 3, year + 50, 9999];
    append_all(&store, years.map(|year| action(new_year(year))).to_vec()).await;
    let named = |year: i32| format!("gesta.action_y{year}");
    let (past, future) = ("gesta.action_past".to_owned(), "gesta.action_future".to_owned());
    let wanted = [
        past.clone(),
        past.clone(),
        past,
        named(year),
        named(year + 1),
        named(year + 2),
        future.clone(),
        future.clone(),
        future,
    ];
    assert_eq!(places(&client).await, wanted);
    assert_well_made(&client).await;
    check_log(&db).await;
}

#[tokio::test]
async fn last_microsecond_of_a_year_and_the_first_of_the_next_are_apart() {
    let db = database().await;
    let (store, client) = (db.store().await, db.admin().await);
    let year = this_year(&client).await;
    let mut wanted = Vec::new();
    for next in [year, year + 1, year + 2, year + 3] {
        // The greatest id before the turn of the year and the least one after it.
        let before = new_year(next) - TimeDelta::microseconds(1);
        for (time, random) in [(before, u64::MAX), (new_year(next), 0)] {
            append(&store, action(time).id(ActionId::new(time, random))).await;
        }
        let named = |year: i32| format!("gesta.action_y{year}");
        wanted.extend([named(next - 1), named(next)]);
    }
    wanted[0] = "gesta.action_past".to_owned();
    wanted[7] = "gesta.action_future".to_owned();
    assert_eq!(places(&client).await, wanted);
    make_partitions(&client, year + 3).await;
    wanted[7] = format!("gesta.action_y{}", year + 3);
    assert_eq!(places(&client).await, wanted);
    check_moved_log(&db).await;
}

#[tokio::test]
async fn rows_of_the_future_move_unchanged_and_stay_append_only() {
    let db = database().await;
    let (store, client) = (db.store().await, db.admin().await);
    let year = this_year(&client).await;
    for year in [year, year + 3, year + 4, year + 4, year + 5, year + 6, 9999] {
        append(&store, action(new_year(year)).data(serde_json::json!({ "year": year }))).await;
    }
    let before = rows(&client).await;
    // As the application itself does it.
    let app = db.connect("gesta_app").await;
    assert_eq!(make_partitions(&app, year + 5).await, 3);
    assert_eq!(rows(&client).await, before, "also xid, seq and recorded_at");
    let named = |ahead: i32| format!("gesta.action_y{}", year + ahead);
    let future = "gesta.action_future".to_owned();
    let wanted = [named(0), named(3), named(4), named(4), named(5), future.clone(), future];
    assert_eq!(places(&client).await, wanted);
    assert_eq!(make_partitions(&app, year + 5).await, 0);
    assert_well_made(&client).await;
    for table in wanted {
        for sql in [format!("DELETE FROM {table}"), format!("TRUNCATE {table}")] {
            let error = client.batch_execute(&sql).await.expect_err("refused");
            assert_eq!(error.code(), Some(&SqlState::INTEGRITY_CONSTRAINT_VIOLATION), "{sql}");
        }
    }
    check_moved_log(&db).await;
}

#[tokio::test]
async fn at_most_ten_years_ahead_are_made() {
    let db = database().await;
    let client = db.connect("gesta_app").await;
    assert_eq!(make_partitions(&client, 9999).await, 8);
    assert_eq!(make_partitions(&client, 9999).await, 0);
    assert_eq!(make_partitions(&client, 1970).await, 0);
    assert_well_made(&db.admin().await).await;
}

#[tokio::test]
async fn processes_that_make_partitions_at_once_make_each_once() {
    let db = database().await;
    let year = this_year(&db.admin().await).await;
    let barrier = Arc::new(Barrier::new(6));
    let making = (0..6).map(|n| {
        let (db, barrier) = (&db, &barrier);
        async move {
            let client = db.connect("gesta_app").await;
            barrier.wait().await;
            make_partitions(&client, year + 3 + n % 3).await
        }
    });
    assert_eq!(join_all(making).await.iter().sum::<i32>(), 3);
    assert_well_made(&db.admin().await).await;
}

/// Of the next test: who writes, how often the years change, and what each writes in between.
const WRITERS: u64 = 4;
const ROUNDS: i32 = 8;
const ROWS: u64 = 20;

/// Four writers, each row in a transaction of its own, while the years that they write into are made one by one.
#[tokio::test]
async fn writers_lose_nothing_while_partitions_are_made() {
    let db = database().await;
    let (store, client) = (db.store().await, db.connect("gesta_app").await);
    let year = this_year(&client).await;
    let barrier = Arc::new(Barrier::new(usize::try_from(WRITERS).expect("few") + 1));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            tokio::spawn(async move { write_rounds(&store, &barrier, writer, year).await })
        })
        .collect();
    for round in 0..ROUNDS {
        barrier.wait().await;
        while make_partitions(&client, year + 3 + round).await == 0 {}
    }
    for writer in writers {
        writer.await.expect("a writer");
    }
    let admin = db.admin().await;
    let wanted = i64::try_from(WRITERS * ROWS).expect("few") * i64::from(ROUNDS);
    assert_eq!(number(&admin, "SELECT count(*) FROM gesta.action").await, wanted);
    assert_well_made(&admin).await;
    check_moved_log(&db).await;
}

async fn write_rounds(store: &Store, barrier: &Barrier, writer: u64, year: i32) {
    for round in 0..ROUNDS {
        barrier.wait().await;
        for row in 0..ROWS {
            let time = new_year(year + 3 + (round + i32::from(row % 2 == 0)) % ROUNDS);
            let object =
                ResourceRef::new("issue", format!("{writer}-{round}-{row}")).expect("valid");
            append(store, action(time).object(&object)).await;
        }
    }
}

/// W inserts and stays open; P waits for W; W reads and inserts more, although P waits; W commits; P goes on.
#[tokio::test]
async fn open_transaction_goes_on_while_partitions_wait_for_it() {
    let db = database().await;
    let (store, admin) = (db.store().await, db.admin().await);
    let year = this_year(&admin).await;
    let mut writer = store.client().await.expect("a connection");
    let tx = writer.transaction().await.expect("a transaction");
    let _ = store.append(&tx, action(new_year(year + 3))).await.expect("appended");
    let maker = db.connect("gesta_app").await;
    let making = tokio::spawn(async move { make_partitions(&maker, year + 3).await });
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE relation = 'gesta.action'::regclass AND NOT granted";
    while number(&admin, waiting).await == 0 {}
    tx.query("SELECT FROM gesta.action", &[]).await.expect("read");
    let _ = store.append(&tx, action(new_year(year + 3))).await.expect("appended");
    let _ = store.append(&tx, action(new_year(year))).await.expect("appended");
    tx.commit().await.expect("committed");
    let made = making.await.expect("made");
    assert_eq!(made + make_partitions(&admin, year + 3).await, 1);
    let named = |year: i32| format!("gesta.action_y{year}");
    assert_eq!(places(&admin).await, [named(year), named(year + 3), named(year + 3)]);
    check_moved_log(&db).await;
}

#[tokio::test]
async fn detached_past_does_not_stop_new_years() {
    let db = database().await;
    let (store, client) = (db.store().await, db.admin().await);
    let year = this_year(&client).await;
    append_all(&store, vec![action(new_year(1999)), action(new_year(year))]).await;
    let detach = format!(
        "ALTER TABLE gesta.action DETACH PARTITION gesta.action_past;
         ALTER TABLE gesta.action DETACH PARTITION gesta.action_y{year}"
    );
    client.batch_execute(&detach).await.expect("detached");
    assert_eq!(make_partitions(&client, year + 3).await, 1);
    assert_well_made(&client).await;
    client
        .batch_execute(&format!("DROP TABLE gesta.action_y{year}, gesta.action_past"))
        .await
        .expect("dropped");
    assert_eq!(make_partitions(&client, year + 4).await, 1);
    assert_well_made(&client).await;
}

#[tokio::test]
async fn vacuum_of_the_past_holds_nobody_up() {
    let db = database().await;
    let mut vacuuming = db.admin().await;
    let year = this_year(&vacuuming).await;
    let tx = vacuuming.transaction().await.expect("a transaction");
    let lock = "LOCK TABLE gesta.action_past IN SHARE UPDATE EXCLUSIVE MODE";
    tx.batch_execute(lock).await.expect("the lock of a vacuum");
    assert_eq!(make_partitions(&db.connect("gesta_app").await, year + 3).await, 1);
    tx.rollback().await.expect("rolled back");
}

/// A backup reads all tables in one transaction, for hours.
#[tokio::test]
async fn backup_is_not_waited_for_so_that_writers_do_not_queue() {
    let db = database().await;
    let mut backup = db.admin().await;
    let year = this_year(&backup).await;
    let tx = backup.transaction().await.expect("a transaction");
    tx.batch_execute("LOCK TABLE gesta.action IN ACCESS SHARE MODE").await.expect("locked");
    let app = db.connect("gesta_app").await;
    assert_eq!(make_partitions(&app, year + 3).await, 0);
    append(&db.store().await, action(new_year(year + 3))).await;
    let mut operator = db.admin().await;
    assert!(gesta::store::migrate(&mut operator).await.expect("nothing to do").is_empty());
    tx.commit().await.expect("the backup ends");
    assert_eq!(make_partitions(&app, year + 3).await, 1);
    assert_eq!(places(&operator).await, [format!("gesta.action_y{}", year + 3)]);
}

#[tokio::test]
async fn stale_snapshots_are_refused() {
    let db = database().await;
    let client = db.connect("gesta_app").await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}")).await.expect("begun");
        let error = client.batch_execute("SELECT gesta.make_partitions(9999)").await;
        let error = error.expect_err("refused");
        let message = error.as_db_error().expect("by the database").message();
        assert!(message.ends_with("of isolation level READ COMMITTED only"), "{message}");
        client.batch_execute("ROLLBACK").await.expect("rolled back");
    }
}

/// It runs with the rights of the tables' owner, and anybody who appends may call it.
#[tokio::test]
async fn temporary_view_of_the_caller_is_not_read_where_partitions_are_made() {
    let db = database().await;
    let app = db.connect("gesta_app").await;
    let trap = "
        CREATE FUNCTION pg_temp.spring() RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''caught %'', current_user; END';
        CREATE TEMPORARY VIEW pg_class AS
            SELECT c.oid, c.relname FROM pg_catalog.pg_class AS c WHERE pg_temp.spring();
        GRANT SELECT ON pg_temp.pg_class TO PUBLIC";
    app.batch_execute(trap).await.expect("it may");
    let made = app.query_one("SELECT gesta.make_partitions()", &[]).await;
    assert_eq!(made.map_err(|error| gesta::error::chain(&error)).map(|row| row.get(0)), Ok(0));
}
