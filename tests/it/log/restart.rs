//! Crashes, restarts and promotions, each on a server of the test's own.

use gesta::log::LogError;
use gesta::store::{Endpoint, PoolOptions};
use gesta::{Log, Position, Store};
use tokio_postgres::Config;

use super::{action, distinct, drain, objects, read};
use crate::support::{OwnCluster, append};

/// A migrated database on a server whose WAL reaches the disk only when somebody asks for it.
async fn lazy_cluster() -> OwnCluster {
    let own = OwnCluster::start().await;
    own.run(&[
        "ALTER SYSTEM SET wal_writer_delay = '10s'",
        "ALTER SYSTEM SET checkpoint_timeout = '1h'",
        "ALTER SYSTEM SET bgwriter_lru_maxpages = 0",
        "ALTER SYSTEM SET autovacuum = off",
        "ALTER SYSTEM SET max_prepared_transactions = 10",
    ])
    .await;
    let own = own.restart().await;
    gesta::store::migrate(&mut own.admin("postgres").await).await.expect("migrated");
    own
}

async fn store(config: &Config) -> Store {
    let pool = Endpoint::from(config.clone()).pool(&PoolOptions::default()).await;
    Store::new(pool.expect("a pool"))
}

async fn app(own: &OwnCluster) -> Store {
    store(&own.config("gesta_app", "postgres")).await
}

async fn log(own: &OwnCluster) -> Log {
    Log::new(store(&own.config("gesta_auditor", "postgres")).await.pool())
}

/// Commits without waiting for the disk.
async fn append_lazily(store: &Store, object: &str) {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    tx.batch_execute("SET LOCAL synchronous_commit = off").await.expect("set");
    let _ = store.append(&tx, action(object)).await.expect("appended");
    tx.commit().await.expect("committed");
}

async fn count(own: &OwnCluster) -> i64 {
    let sql = "SELECT count(*) FROM gesta.action";
    own.admin("postgres").await.query_one(sql, &[]).await.expect("counted").get(0)
}

/// What nobody has read is lost with such a commit; what was read is not, and neither is what stands before it.
#[tokio::test]
async fn nothing_that_was_handed_out_vanishes_in_a_crash() {
    let mut own = lazy_cluster().await;
    let position = {
        let (app, log) = (app(&own).await, log(&own).await);
        append_lazily(&app, "read").await;
        let chunk = read(&log, &Position::start(), 10).await;
        assert_eq!(objects(&chunk.entries), ["read"]);
        append_lazily(&app, "unread").await;
        assert_eq!(count(&own).await, 2);
        chunk.end
    };
    own.crash().await;
    assert_eq!(count(&own).await, 1, "the server has flushed by itself: the test shows nothing");
    let (app, log) = (app(&own).await, log(&own).await);
    assert_eq!(objects(&drain(&log, &Position::start(), 10).await.0), ["read"]);
    append(&app, action("after")).await;
    assert_eq!(objects(&drain(&log, &position, 10).await.0), ["after"]);
    own.stop().await;
}

/// Who waits for what comes next reads at once, and what it is given is on disk all the same: with and without a look before.
#[tokio::test]
async fn nothing_that_was_waited_for_vanishes_in_a_crash() {
    let mut own = lazy_cluster().await;
    let (app, log) = (app(&own).await, log(&own).await);
    let head = log.head().await.expect("the head");
    append_lazily(&app, "there").await;
    let there = log.next(&head, 10).await.expect("a chunk");
    let (waited, ()) = tokio::join!(log.next(&there.end, 10), append_lazily(&app, "waited for"));
    let waited = waited.expect("a chunk");
    append_lazily(&app, "unread").await;
    assert_eq!(objects(&[there.entries, waited.entries].concat()), ["there", "waited for"]);
    assert_eq!(count(&own).await, 3);
    own.crash().await;
    assert_eq!(count(&own).await, 2, "flushed by itself, or handed out before it was on disk");
    own.stop().await;
}

/// After a crash PostgreSQL may give out ids again that no WAL tells of. The position knows such an id as one that has ended.
#[tokio::test]
async fn transaction_id_that_is_given_out_again_hides_nothing() {
    let own = lazy_cluster().await;
    let log = log(&own).await;
    let (store, start) = (app(&own).await, Position::start());
    for name in ["first", "second"] {
        append(&store, action(name)).await;
    }
    let (seen, position) = drain(&log, &start, 10).await;
    let inside = read(&log, &start, 1).await.end;
    let again = seen[0].xid;
    own.run(&[&format!(
        "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, occurred_at, source, xid)
         VALUES ('default', gesta.id_floor('2026-01-01'), 'user', '1', 'did', 'thing', 'again', '2026-01-01', 'emit',
             '{again}')"
    )])
    .await;
    assert_eq!(objects(&drain(&log, &position, 10).await.0), ["again"]);
    assert_eq!(objects(&drain(&log, &inside, 10).await.0), ["second", "again"]);
    own.stop().await;
}

/// A transaction in progress without any connection, also after a restart.
#[tokio::test]
async fn prepared_transaction_comes_when_it_is_committed() {
    let mut own = lazy_cluster().await;
    let (first, position) = {
        let (app, log) = (app(&own).await, log(&own).await);
        prepare(&app, "kept").await;
        prepare(&app, "dropped").await;
        append(&app, action("other")).await;
        let (first, position) = drain(&log, &Position::start(), 10).await;
        assert_eq!(objects(&first), ["other"]);
        (first, position)
    };
    own.crash().await;
    let (app, log) = (app(&own).await, log(&own).await);
    append(&app, action("later")).await;
    let (second, position) = drain(&log, &position, 10).await;
    assert_eq!(objects(&second), ["later"]);
    let client = app.client().await.expect("a connection");
    client.batch_execute("ROLLBACK PREPARED 'dropped'").await.expect("rolled back");
    client.batch_execute("COMMIT PREPARED 'kept'").await.expect("committed");
    let (third, _) = drain(&log, &position, 10).await;
    assert_eq!(objects(&third), ["kept"]);
    assert_eq!(distinct(&[first, second, third].concat()).len(), 3);
    own.stop().await;
}

async fn prepare(store: &Store, name: &str) {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let _ = store.append(&tx, action(name)).await.expect("appended");
    tx.batch_execute(&format!("PREPARE TRANSACTION '{name}'")).await.expect("prepared");
    // What is left has no transaction to roll back.
    std::mem::forget(tx);
}

/// A promoted replica may lack what its primary had, and give out the same ids for other things.
#[tokio::test]
async fn standby_is_refused_and_after_its_promotion_so_is_the_position() {
    let own = lazy_cluster().await;
    append(&app(&own).await, action("before")).await;
    let (_, position) = drain(&log(&own).await, &Position::start(), 10).await;
    let after = position.clone();
    let own = own
        .restart_promoted(async move |config| {
            let mut config = config.clone();
            let log = Log::new(store(config.user("gesta_auditor")).await.pool());
            let (read, next) = (log.read(&after, 10).await.err(), log.next(&after, 10).await.err());
            for error in [log.head().await.err(), read, next] {
                assert!(matches!(error, Some(LogError::Standby)), "{error:?}");
            }
        })
        .await;
    let log = log(&own).await;
    let Err(LogError::OtherOrigin { position: theirs, database }) = log.read(&position, 10).await
    else {
        panic!("the position of timeline 1 is accepted");
    };
    assert_eq!((theirs.timeline, database.timeline), (1, 2));
    assert_eq!(theirs.system, database.system);
    assert_eq!(objects(&drain(&log, &Position::start(), 10).await.0), ["before"]);
    own.stop().await;
}

/// In a restored database rows have transaction ids of another cluster, which are given out here once more.
#[tokio::test]
async fn restored_rows_come_once_though_their_transaction_ids_come_again() {
    let own = lazy_cluster().await;
    let (store, log) = (app(&own).await, log(&own).await);
    let restored = 2_000;
    own.run(&[&restore(restored)]).await;
    let first = read(&log, &Position::start(), 1_000).await;
    let (rest, mut position) = drain(&log, &first.end, 1_000).await;
    assert_eq!(distinct(&[first.entries, rest].concat()).len(), restored);
    for n in 0..100 {
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        let _ = store.append(&tx, action(&n.to_string())).await.expect("appended");
        append(&store, action("other")).await;
        let (before, open) = drain(&log, &position, 10).await;
        tx.commit().await.expect("committed");
        let (after, next) = drain(&log, &open, 10).await;
        assert_eq!(objects(&before), ["other"]);
        assert_eq!(objects(&after), [n.to_string()]);
        position = next;
    }
    own.stop().await;
}

/// Rows of the transaction ids that come next.
fn restore(count: usize) -> String {
    format!(
        "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, occurred_at, source, xid)
         SELECT 'restored', overlay(gesta.id_floor('2026-01-01')::text placing lpad(to_hex(n), 12, '0') from 25)::uuid,
             'user', '1', 'did', '2026-01-01', 'import',
             (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + n)::text::xid8
         FROM generate_series(1, {count}) AS n"
    )
}
