//! Two transactions that append the same id at the same time.
//!
//! | first | second |
//! |---|---|
//! | begins, appends id 1 | |
//! | | begins, appends id 1: waits, because nobody knows yet whether the first one's exists |
//! | commits, or rolls back | |
//! | | is answered: duplicate or conflict, or appended |

use deadpool_postgres::Transaction;
use gesta::store::AppendError;
use gesta::{NewAction, Receipt, Store};
use tokio_postgres::IsolationLevel;
use tokio_postgres::error::SqlState;

use super::{close, count, id};
use crate::support::{TestDb, append, append_all, check_log, database, until_waiting};

/// How the first transaction ends.
#[derive(Clone, Copy)]
enum End {
    Commit,
    Rollback,
}

/// What a transaction's own backend is called.
async fn backend(tx: &Transaction<'_>) -> i32 {
    tx.query_one("SELECT pg_backend_pid()", &[]).await.expect("a backend").get(0)
}

/// Plays the timeline above, and says what the second one was answered.
async fn second_after(
    db: &TestDb,
    (level, end): (IsolationLevel, End),
    (first, second): (NewAction, NewAction),
) -> Result<Receipt, AppendError> {
    let (store, admin) = (db.store().await, db.admin().await);
    let mut one = store.client().await.expect("a connection");
    let mut other = store.client().await.expect("a connection");
    let one = one.build_transaction().isolation_level(level).start().await.expect("begun");
    let other = other.build_transaction().isolation_level(level).start().await.expect("begun");
    let waiter = backend(&other).await;
    let appended = store.append(&one, first).await.expect("appended");
    assert!(matches!(appended, Receipt::Appended(_)));
    let end = async {
        until_waiting(&admin, waiter).await;
        match end {
            End::Commit => one.commit().await,
            End::Rollback => one.rollback().await,
        }
    };
    let (answer, ended) = tokio::join!(store.append(&other, second), end);
    ended.expect("ended");
    match answer {
        Ok(_) => other.commit().await.expect("committed"),
        Err(_) => other.rollback().await.expect("rolled back"),
    }
    answer
}

#[tokio::test]
async fn second_waits_and_is_told_what_the_first_committed() {
    let db = database().await;
    let how = (IsolationLevel::ReadCommitted, End::Commit);
    let same = second_after(&db, how, (close().id(id(1)), close().id(id(1)))).await;
    assert_eq!(same.expect("answered"), Receipt::Duplicate(id(1)));
    let pair = (close().id(id(2)), close().id(id(2)).description("other"));
    let other = second_after(&db, how, pair).await;
    assert!(matches!(other, Err(AppendError::Conflict(taken)) if taken == id(2)));
    assert_eq!(count(&db).await, 2);
    check_log(&db).await;
}

#[tokio::test]
async fn second_is_stored_when_the_first_rolls_back() {
    let db = database().await;
    for (n, level) in [(1, IsolationLevel::ReadCommitted), (2, IsolationLevel::RepeatableRead)] {
        let pair = (close().id(id(n)), close().id(id(n)).description("other"));
        let answer = second_after(&db, (level, End::Rollback), pair).await;
        assert_eq!(answer.expect("answered"), Receipt::Appended(id(n)));
    }
    assert_eq!(count(&db).await, 2);
    check_log(&db).await;
}

/// In REPEATABLE READ the second one's snapshot is older than the first one's commit: it cannot be told what it must not
/// see, so the database refuses, and a new attempt is told.
#[tokio::test]
async fn second_in_repeatable_read_is_refused_and_told_when_it_tries_again() {
    let db = database().await;
    let how = (IsolationLevel::RepeatableRead, End::Commit);
    let refused = second_after(&db, how, (close().id(id(1)), close().id(id(1)))).await;
    let Err(AppendError::Database { source, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(source.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE));
    let store = db.store().await;
    assert_eq!(append_all(&store, vec![close().id(id(1))]).await, [Receipt::Duplicate(id(1))]);
    assert_eq!(count(&db).await, 1);
    check_log(&db).await;
}

#[tokio::test]
async fn repeated_id_is_told_apart_in_repeatable_read_as_well() {
    let db = database().await;
    let store: Store = db.store().await;
    append(&store, close().id(id(1))).await;
    let mut client = store.client().await.expect("a connection");
    let level = IsolationLevel::RepeatableRead;
    let tx = client.build_transaction().isolation_level(level).start().await.expect("begun");
    let batch = vec![
        close().id(id(1)),
        close().id(id(1)).description("other"),
        close().id(id(2)),
        close().id(id(2)),
    ];
    let receipts = store.append_all(&tx, batch).await.expect("answered");
    assert_eq!(
        receipts,
        [
            Receipt::Duplicate(id(1)),
            Receipt::Conflict(id(1)),
            Receipt::Appended(id(2)),
            Receipt::Duplicate(id(2)),
        ]
    );
    let again = store.append(&tx, close().id(id(2))).await.expect("answered");
    assert_eq!(again, Receipt::Duplicate(id(2)), "its own row of the statement before");
    tx.commit().await.expect("committed");
    check_log(&db).await;
}

/// Batches of both orders meet in the middle; whoever the database gives up is told so, and nothing is doubled.
#[tokio::test]
async fn batches_that_deadlock_double_nothing() {
    let db = database().await;
    let store = db.store().await;
    let forth: Vec<_> = (0..2000).map(|n| close().id(id(n))).collect();
    let back: Vec<_> = forth.iter().rev().cloned().collect();
    let attempt = async |batch: &Vec<NewAction>| {
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        match store.append_all(&tx, batch.clone()).await {
            Ok(_) => tx.commit().await.is_ok(),
            Err(AppendError::Database { source, .. }) => {
                assert_eq!(source.code(), Some(&SqlState::T_R_DEADLOCK_DETECTED));
                false
            }
            Err(error) => panic!("{error}"),
        }
    };
    let (one, other) = tokio::join!(attempt(&forth), attempt(&back));
    assert!(one || other, "one of them is let through");
    assert_eq!(count(&db).await, 2000);
    check_log(&db).await;
}
