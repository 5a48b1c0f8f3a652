//! The log is read by its two indexes, however much there is, whoever asks, and whatever the planner believes.

use std::time::Duration;

use gesta::log::Chunk;
use gesta::{Log, Position, Tenant};
use tokio::time::sleep;
use tokio_postgres::Client;

use super::watch::{Plan, Watched, watched, watched_alone};

const SEQ: &str = "seq_idx";
const XID: &str = "xid_seq_idx";
/// A row's own page and its place in the index, now and then a page of either.
const BUFFERS_A_ROW: u64 = 3;
/// The way down both indexes of every partition.
const BUFFERS_AT_LEAST: u64 = 150;

async fn read(db: &Watched, log: &Log, after: &Position) -> (Chunk, Plan) {
    let (chunk, mut plans) = db.plans(log.read(after, 1_000)).await;
    (chunk.expect("a chunk"), plans.pop().expect("a plan"))
}

fn log(db: &Watched) -> Log {
    Log::of(db.store()).tenant(Tenant::default())
}

/// All was stored by one transaction, 100,000 rows: one tick, of which each chunk reads its own rows.
#[tokio::test]
async fn chunk_of_a_long_tick_costs_its_rows_wherever_it_is() {
    let db = watched().await;
    let log = log(&db);
    let mut position = Position::start();
    for n in 0..20 {
        let (chunk, plan) = read(&db, &log, &position).await;
        assert_eq!(chunk.entries.len(), 1_000, "{n}");
        assert_eq!(plan.scanned(), Vec::<String>::new(), "{n}: {plan}");
        assert!(plan.indexes().contains(&SEQ), "{n}: {plan}");
        // Small as they are already in order where it has to sort at all.
        assert!(plan.sorted_rows() <= 2_100.0, "{n}: {plan}");
        plan.assert_buffers("a chunk", 1_100 * BUFFERS_A_ROW + BUFFERS_AT_LEAST);
        position = chunk.end;
    }
}

/// A few rows after many, some of them of a transaction that was open: as cheap as if there were no others.
#[tokio::test]
async fn what_is_new_is_found_without_what_is_old() {
    let db = watched_alone().await;
    let log = log(&db);
    let admin = db.admin().await;
    let insert = "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, occurred_at, source)
        SELECT 'default', overlay(gesta.id_floor('2040-01-01')::text placing lpad(to_hex((random() * 1e12)::bigint), 12, '0') from 25)::uuid,
            'user', 'x', 'did', '2040-01-01', 'emit' FROM generate_series(1, 10)";
    admin.batch_execute(&format!("BEGIN; {insert}")).await.expect("inserted");
    db.admin().await.batch_execute(insert).await.expect("inserted");
    let head = head_with_nothing_after(&db, &log).await;
    db.admin().await.batch_execute(insert).await.expect("inserted");
    admin.batch_execute("ROLLBACK").await.expect("ended");
    let (chunk, plan) = read(&db, &log, &head).await;
    assert_eq!(chunk.entries.len(), 10);
    assert_eq!(plan.scanned(), Vec::<String>::new(), "{plan}");
    assert!([SEQ, XID].iter().all(|index| plan.indexes().contains(index)), "{plan}");
    plan.assert_buffers("a tick", 20 * BUFFERS_A_ROW + BUFFERS_AT_LEAST);
    what_was_open_a_moment_ago_is_found_by_seq(&db, &log, chunk.end, insert).await;
}

/// One tick after the other: what is open began after the tick before, so its rows lie close to what is new.
async fn what_was_open_a_moment_ago_is_found_by_seq(
    db: &Watched,
    log: &Log,
    position: Position,
    insert: &str,
) {
    let (open, other) = (db.admin().await, db.admin().await);
    // Of other tests as well: they are on the same server, whose transactions have one order.
    all_that_is_in_progress_ends(&other).await;
    open.batch_execute(&format!("BEGIN; {insert}")).await.expect("inserted");
    other.batch_execute(insert).await.expect("inserted");
    let (early, _) = read(db, log, &position).await;
    open.batch_execute("COMMIT").await.expect("committed");
    let (late, plan) = read(db, log, &early.end).await;
    assert_eq!((early.entries.len(), late.entries.len()), (10, 10), "{plan}");
    assert!(early.entries[0].seq > late.entries[9].seq, "{plan}");
    assert_eq!(plan.indexes(), [SEQ], "{plan}");
    plan.assert_buffers("a short tick", 30 * BUFFERS_A_ROW + BUFFERS_AT_LEAST);
}

async fn all_that_is_in_progress_ends(client: &Client) {
    let now = client.query_one("SELECT pg_current_xact_id()::text", &[]).await.expect("an id");
    let ended = "SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::text::xid8";
    let has_ended = async || {
        let row = client.query_one(ended, &[&now.get::<_, &str>(0)]).await;
        row.expect("an answer").get::<_, bool>(0)
    };
    while !has_ended().await {
        sleep(Duration::from_millis(5)).await;
    }
}

/// How often another test's transaction, which is in progress at the head, may end before the next look.
const TRIES: usize = 1_000;

/// A look that finds nothing asks for no rows at all.
async fn head_with_nothing_after(db: &Watched, log: &Log) -> Position {
    for _ in 0..TRIES {
        let head = log.head().await.expect("the head");
        let (chunk, plans) = db.plans(log.read(&head, 1_000)).await;
        assert!(chunk.expect("a chunk").entries.is_empty());
        if plans.is_empty() {
            return head;
        }
    }
    panic!("rows were asked for, {TRIES} times");
}
