//! The writer: shared commits, each caller's own answer, and what becomes of both when connections break.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use deadpool_postgres::{Manager, Pool};
use futures_util::future::join_all;
use gesta::store::WriteError;
use gesta::{ActionId, Context, NewAction, Receipt, ResourceRef, Store, Tenant, Writer};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::support::proxy::{Cut, Proxy};
use crate::support::{TestDb, database};

fn store(config: Config, connections: usize) -> Store {
    let manager = Manager::new(config, NoTls);
    Store::new(Pool::builder(manager).max_size(connections).build().expect("a pool"))
}

fn app(db: &TestDb) -> Store {
    store(db.config("gesta_app"), 4)
}

fn context() -> Context {
    Context::new(&ResourceRef::new("user", "1").expect("valid"))
}

fn action(n: usize) -> NewAction {
    let object = ResourceRef::new("issue", n.to_string()).expect("valid");
    NewAction::new("close", &context()).object(&object)
}

fn id(n: u64) -> ActionId {
    ActionId::new("2026-11-20T12:00:00Z".parse().expect("a time"), n)
}

async fn count(db: &Client, what: &str) -> i64 {
    db.query_one(&format!("SELECT {what} FROM gesta.action"), &[]).await.expect("counted").get(0)
}

type Append<'a> = Pin<Box<dyn Future<Output = Result<Receipt, WriteError>> + 'a>>;

/// Polls each append once, so that all of them wait in the queue before the writer's task runs: these tests have one
/// thread, and nothing is awaited here.
async fn queued<'a>(
    writer: &'a Writer,
    actions: impl Iterator<Item = NewAction>,
) -> Vec<Append<'a>> {
    let mut appends: Vec<Append<'a>> =
        actions.map(|action| Box::pin(writer.append(action)) as Append<'a>).collect();
    poll_fn(|context| {
        for append in &mut appends {
            assert!(append.as_mut().poll(context).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    appends
}

#[tokio::test]
async fn appends_that_wait_together_share_a_commit() {
    let db = database().await;
    let writer = app(&db).writer();
    let appends = queued(&writer, (0..64).map(action)).await;
    for receipt in join_all(appends).await {
        assert!(matches!(receipt, Ok(Receipt::Appended(_))), "{receipt:?}");
    }
    let admin = db.admin().await;
    assert_eq!(count(&admin, "count(*)").await, 64);
    assert_eq!(count(&admin, "count(DISTINCT xid::text)").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_comes_after_the_commit() {
    let db = database().await;
    let writer = app(&db).writer();
    let callers: Vec<_> = (0..64)
        .map(|caller| {
            let (writer, config) = (writer.clone(), db.config("postgres"));
            tokio::spawn(async move {
                let reader = store(config, 1).client().await.expect("a connection");
                for n in 0..5 {
                    let receipt = writer.append(action(caller * 5 + n)).await.expect("appended");
                    let sql = "SELECT FROM gesta.action WHERE id = $1";
                    let rows = reader.query(sql, &[&receipt.id().uuid()]).await.expect("read");
                    assert_eq!(rows.len(), 1, "another connection sees it");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("all were seen");
    }
    assert_eq!(count(&db.admin().await, "count(*)").await, 320);
}

#[tokio::test]
async fn row_that_the_database_refuses_does_not_fail_its_neighbours() {
    let db = database().await;
    let admin = db.admin().await;
    let rule = "ALTER TABLE gesta.action ADD CONSTRAINT no_closing_of_41 CHECK (object_id <> '41')";
    admin.batch_execute(rule).await.expect("an operator's own rule");
    let writer = app(&db).writer();
    let results = join_all(queued(&writer, (0..64).map(action)).await).await;
    for (n, result) in results.into_iter().enumerate() {
        match result {
            Ok(Receipt::Appended(_)) => assert_ne!(n, 41),
            Err(WriteError::Database { source, .. }) => {
                assert_eq!((n, source.code().map(SqlState::code)), (41, Some("23514")));
            }
            other => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(count(&admin, "count(*)").await, 63);
}

#[tokio::test]
async fn action_that_cannot_be_stored_is_refused_before_it_is_queued() {
    let db = database().await;
    let writer = app(&db).writer();
    let bad = writer.append(NewAction::new("close\n", &context()));
    let error = bad.await.expect_err("a control character").to_string();
    assert!(error.starts_with("the action is refused: `verb`: `close\\n`"), "{error}");
}

#[tokio::test]
async fn repeated_ids_are_told_apart_row_by_row_inside_one_batch() {
    let db = database().await;
    let writer = app(&db).writer();
    let first = writer.append(action(1).id(id(1))).await;
    assert!(matches!(first, Ok(Receipt::Appended(_))), "{first:?}");
    let actions = [(2, 3), (2, 3), (2, 4), (1, 1), (1, 9)].map(|(n, what)| action(what).id(id(n)));
    let results = join_all(queued(&writer, actions.into_iter()).await).await;
    let words: Vec<_> = results
        .iter()
        .map(|result| match result {
            Ok(Receipt::Appended(_)) => "appended",
            Ok(Receipt::Duplicate(_)) => "duplicate",
            Err(WriteError::Conflict(_)) => "conflict",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(words, ["appended", "duplicate", "conflict", "duplicate", "conflict"]);
    assert_eq!(count(&db.admin().await, "count(*)").await, 2);
}

#[tokio::test]
async fn tenants_of_one_batch_stay_apart() {
    let db = database().await;
    let writer = app(&db).writer();
    let actions = (0..10).map(|n| {
        let tenant = Tenant::new(format!("tenant-{}", n % 3)).expect("valid");
        NewAction::new("close", &context().tenant(tenant)).id(id(n))
    });
    for (n, result) in join_all(queued(&writer, actions).await).await.into_iter().enumerate() {
        assert_eq!(result.expect("appended"), Receipt::Appended(id(n as u64)), "each its own");
    }
    let admin = db.admin().await;
    let sql = "SELECT count(*) FILTER (WHERE tenant = 'tenant-0') FROM gesta.action";
    assert_eq!(admin.query_one(sql, &[]).await.expect("read").get::<_, i64>(0), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_meet_the_same_ids_neither_deadlock_nor_double() {
    let db = database().await;
    let admin = db.admin().await;
    let callers = (0..4).map(|writer| {
        let writer = (app(&db).writer(), writer);
        async move {
            let (writer, which) = writer;
            // Each writer goes through the same ids in its own direction.
            let ids: Vec<u64> =
                if which % 2 == 0 { (0..300).collect() } else { (0..300).rev().collect() };
            let appends = ids.into_iter().map(|n| writer.append(action(0).id(id(n))));
            let receipts = join_all(appends).await.into_iter().map(|r| r.expect("an answer"));
            receipts.filter(|receipt| matches!(receipt, Receipt::Appended(_))).count()
        }
    });
    let appended: Vec<usize> = join_all(callers.map(tokio::spawn).collect::<Vec<_>>())
        .await
        .into_iter()
        .map(|task| task.expect("no panic"))
        .collect();
    assert_eq!(appended.iter().sum::<usize>(), 300);
    assert_eq!(count(&admin, "count(*)").await, 300);
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(admin.query_one(sql, &[]).await.expect("read").get::<_, i64>(0), 0);
}

#[tokio::test]
async fn caller_that_gives_up_takes_nobody_with_it() {
    let db = database().await;
    let writer = app(&db).writer();
    let mut appends = queued(&writer, (0..64).map(action)).await;
    appends.truncate(32);
    for receipt in join_all(appends).await {
        assert!(matches!(receipt, Ok(Receipt::Appended(_))), "{receipt:?}");
    }
    assert_eq!(count(&db.admin().await, "count(*)").await, 32, "nobody waits for the others");
}

#[tokio::test]
async fn tasks_end_after_the_last_writer_has_gone() {
    let db = database().await;
    let store = app(&db);
    drop(store.client().await.expect("a connection that stays"));
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let writer = store.writer();
    let last = writer.clone();
    drop(writer);
    let _ = last.append(action(1)).await.expect("the clone goes on");
    assert_eq!(alive(), before + 1);
    drop(last);
    while alive() > before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_lose_and_double_nothing() {
    const ROWS: usize = 3_000;
    let db = database().await;
    let admin = db.admin().await;
    let writer = app(&db).writer();
    let callers: Vec<_> = (0..30)
        .map(|caller| {
            let writer = writer.clone();
            tokio::spawn(async move {
                for n in 0..ROWS / 30 {
                    let receipt = writer.append(action(caller * 1000 + n)).await;
                    assert!(matches!(receipt, Ok(Receipt::Appended(_))), "{receipt:?}");
                }
            })
        })
        .collect();
    // A kill whenever some more rows have been stored, until all are.
    let (mut killed, mut seen) = (0, 0);
    while callers.iter().any(|caller| !caller.is_finished()) {
        let stored = count(&admin, "count(*)").await;
        if stored >= seen + 150 {
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE datname = current_database() AND usename = 'gesta_app'";
            killed += admin.query_one(sql, &[]).await.expect("killed").get::<_, i64>(0);
            seen = stored;
        }
    }
    for caller in callers {
        caller.await.expect("each append was answered");
    }
    assert!(killed > 0);
    let rows = i64::try_from(ROWS).expect("small");
    assert_eq!(count(&admin, "count(*)").await, rows);
    assert_eq!(count(&admin, "count(DISTINCT object_id)").await, rows);
}

#[tokio::test]
async fn commit_whose_answer_is_lost_counts_as_appended_and_is_stored_once() {
    let db = database().await;
    let proxy = Proxy::start(&db.config("gesta_app"), Cut::After(b"COMMIT\0"));
    let writer = store(proxy.config(), 2).writer();
    let receipt = writer.append(action(1).id(id(1))).await;
    assert!(matches!(receipt, Ok(Receipt::Appended(_))), "{receipt:?}");
    assert_eq!(proxy.cuts(), 1, "the answer to the first commit was lost");
    assert_eq!(count(&db.admin().await, "count(*)").await, 1);
}
