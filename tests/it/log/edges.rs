//! Who may read what, positions of elsewhere, times, waiting, and who holds a transaction open.

use std::time::Duration;

use gesta::log::{LogError, Writing};
use gesta::{Context, Log, NewAction, Position, Session, Tenant};

use super::{action, drain, objects, read};
use crate::support::{append, check_log, database, resource};

fn of_tenant(tenant: &str, object: &str) -> NewAction {
    let ctx = Context::new(&resource("user:1")).tenant(Tenant::new(tenant).expect("a tenant"));
    NewAction::new("did", &ctx).object(&resource(&format!("thing:{object}")))
}

#[tokio::test]
async fn application_reads_its_tenant_and_an_auditor_all() {
    let db = database().await;
    let store = db.store().await;
    for (tenant, object) in [("a", "1"), ("b", "2"), ("a", "3")] {
        append(&store, of_tenant(tenant, object)).await;
    }
    let (all, bound, start) = (db.log().await, Log::of(&store), Position::start());
    let tenant = |log: &Log, name: &str| log.clone().tenant(Tenant::new(name).expect("a tenant"));
    for (log, expected) in [
        (&all, &["1", "2", "3"][..]),
        (&tenant(&all, "a"), &["1", "3"]),
        (&tenant(&bound, "a"), &["1", "3"]),
        (&tenant(&bound, "b"), &["2"]),
        (&tenant(&bound, "c"), &[]),
    ] {
        for limit in [1, 10] {
            assert_eq!(objects(&drain(log, &start, limit).await.0), expected);
        }
    }
    let (read, next) = (bound.read(&start, 1).await.err(), bound.next(&start, 1).await.err());
    for refused in [bound.head().await.err(), read, next] {
        assert!(matches!(refused, Some(LogError::TenantMissing)), "{refused:?}");
    }
    // Row security binds also who names another tenant only in the filter.
    let unset = db.connect("gesta_app").await;
    let rows = unset.query("SELECT FROM gesta.action WHERE seq > 0", &[]).await.expect("rows");
    assert!(rows.is_empty());
    check_log(&db).await;
}

#[tokio::test]
async fn limit_out_of_range_is_refused() {
    let db = database().await;
    let log = db.log().await;
    for limit in [0, 1_001] {
        let start = Position::start();
        for refused in [log.read(&start, limit).await, log.next(&start, limit).await] {
            let error = refused.expect_err("refused").to_string();
            assert_eq!(error, format!("a chunk of {limit} is refused; give 1 to 1000"));
        }
    }
}

/// A copy of a database has the same rows, and from then on other ones.
#[tokio::test]
async fn position_of_another_database_is_refused() {
    let (db, other) = (database().await, database().await);
    for db in [&db, &other] {
        append(&db.store().await, action("1")).await;
    }
    let position = read(&db.log().await, &Position::start(), 10).await.end;
    let log = other.log().await;
    for refused in [log.read(&position, 10).await, log.next(&position, 10).await] {
        let error = refused.expect_err("refused");
        assert!(matches!(error, LogError::OtherOrigin { .. }), "{error}");
        assert!(error.to_string().starts_with("the position is of cluster "), "{error}");
    }
}

/// As after a file system was rolled back: nothing else tells.
#[tokio::test]
async fn position_that_knows_more_than_the_database_is_refused() {
    let db = database().await;
    for n in 0..3 {
        append(&db.store().await, action(&n.to_string())).await;
    }
    let position = read(&db.log().await, &Position::start(), 10).await.end;
    db.admin().await.batch_execute("SELECT setval('gesta.action_seq', 2)").await.expect("set back");
    let log = db.log().await;
    for refused in [log.read(&position, 10).await, log.next(&position, 10).await] {
        let error = refused.expect_err("refused");
        assert!(matches!(error, LogError::SetBack { position: 3, database: 2 }), "{error}");
    }
}

/// While `nextval` writes the WAL for the next values, the row of the sequence says 32 more than has been given out. That moment
/// cannot be held; but the function that waits for its end waits for whoever alters the sequence, too, and a reader of the row
/// waits for nobody.
#[tokio::test]
async fn sequence_is_not_read_while_it_is_changed() {
    let db = database().await;
    let (log, admin) = (db.log().await, db.admin().await);
    admin.batch_execute("BEGIN; ALTER SEQUENCE gesta.action_seq CACHE 1").await.expect("altered");
    let look = tokio::time::timeout(Duration::from_millis(300), log.head()).await;
    assert!(look.is_err(), "{look:?}");
    admin.batch_execute("ROLLBACK").await.expect("rolled back");
    log.head().await.expect("the head");
}

/// What a look keeps in the session is gone then.
#[tokio::test]
async fn session_may_be_reset_between_two_looks() {
    let db = database().await;
    let store = db.store().await;
    let log = Log::of(&store).tenant(Tenant::new("a").expect("a tenant"));
    log.head().await.expect("the head");
    let client = store.pool().get().await.expect("the connection of the look");
    let kept = async || {
        let row = client.query_one("SELECT current_setting('gesta.origin')", &[]).await;
        row.expect("it is known").get::<_, String>(0)
    };
    assert_ne!(kept().await, "");
    client.batch_execute("RESET ALL").await.expect("reset");
    assert_eq!(kept().await, "");
    drop(client);
    log.head().await.expect("the head");
}

#[tokio::test]
async fn head_has_everything_before_it_and_nothing_that_comes() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    append(&store, action("before")).await;
    let head = log.head().await.expect("the head");
    assert!(read(&log, &head, 10).await.entries.is_empty());
    append(&store, action("after")).await;
    assert_eq!(objects(&drain(&log, &head, 10).await.0), ["after"]);
    assert!(head.is_at_or_after(&Position::start()) && !Position::start().is_at_or_after(&head));
}

/// Statements that began before a time end after it, and transactions that were open then come later.
#[tokio::test]
async fn from_a_time_on_nothing_that_was_recorded_is_missing() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let mut client = store.client().await.expect("a connection");
    append(&store, action("old")).await;
    let open = client.transaction().await.expect("a transaction");
    let _ = store.append(&open, action("open")).await.expect("appended");
    append(&store, action("new")).await;
    append(&store, action("newer")).await;

    let (all, _) = drain(&log, &Position::start(), 10).await;
    assert_eq!(objects(&all), ["old", "new", "newer"]);
    let at = async |time| log.at(time).await.expect("a position");
    let new = at(all[1].action.recorded_at).await;
    let (newer, last) = (all[2].action.recorded_at, chrono::TimeDelta::microseconds(1));
    let (newer, never) = (at(newer).await, at(newer + last).await);
    let first = at(all[0].action.recorded_at).await;
    for (after, expected) in [
        (&new, &["new", "newer"][..]),
        (&newer, &["newer"]),
        (&never, &[]),
        (&first, &["old", "new", "newer"]),
    ] {
        assert_eq!(objects(&drain(&log, after, 1).await.0), expected);
    }
    open.commit().await.expect("committed");
    append(&store, action("newest")).await;
    for (after, expected) in [
        (&new, &["open", "new", "newer", "newest"][..]),
        (&never, &["open", "newest"]),
        (&first, &["old", "open", "new", "newer", "newest"]),
    ] {
        for limit in [1, 10] {
            assert_eq!(objects(&drain(&log, after, limit).await.0), expected);
        }
    }
    check_log(&db).await;
}

/// Pauses of an hour: only the bell can wake it.
#[tokio::test]
async fn commit_of_a_writer_or_a_session_in_the_same_process_wakes_who_waits() {
    let db = database().await;
    let store = db.store().await;
    let hour = Duration::from_hours(1);
    let log = Log::of(&store).tenant(Tenant::default()).pauses(hour, hour);
    let head = log.head().await.expect("the head");
    let writer = store.writer();
    // Polled first, it listens before the writer rings.
    let (chunk, written) = tokio::join!(biased; log.next(&head, 10), writer.append(action("1")));
    let _ = written.expect("appended");
    let chunk = chunk.expect("a chunk");
    assert_eq!(objects(&chunk.entries), ["1"]);
    let mut client = store.client().await.expect("a connection");
    let ctx = Context::system("test").expect("a context");
    let mut session = Session::begin(&store, &mut client, &ctx).await.expect("begun");
    session.emit(action("2")).await.expect("emitted");
    let (chunk, committed) = tokio::join!(biased; log.next(&chunk.end, 10), session.commit());
    committed.expect("committed");
    let chunk = chunk.expect("a chunk");
    assert_eq!(objects(&chunk.entries), ["2"]);
    append(&store, action("3")).await;
    let ring = async { log.ring() };
    let (chunk, ()) = tokio::join!(log.next(&chunk.end, 10), ring);
    assert_eq!(objects(&chunk.expect("a chunk").entries), ["3"]);
}

#[tokio::test]
async fn commit_of_somebody_else_is_noticed_without_a_bell() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    let head = log.head().await.expect("the head");
    let (chunk, _) = tokio::join!(log.next(&head, 10), append(&store, action("1")));
    assert_eq!(objects(&chunk.expect("a chunk").entries), ["1"]);
}

#[tokio::test]
async fn holder_of_a_transaction_is_named_and_a_reader_is_none() {
    let db = database().await;
    let (store, log) = (db.store().await, db.log().await);
    assert_eq!(log.holders().await.expect("holders"), []);
    let reading = db.connect("gesta_auditor").await;
    reading.batch_execute("BEGIN; SELECT FROM gesta.action").await.expect("a transaction");
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let _ = store.append(&tx, action("1")).await.expect("appended");
    let pid: i32 = tx.query_one("SELECT pg_backend_pid()", &[]).await.expect("a row").get(0);

    let holders = log.holders().await.expect("holders");
    let [holder] = &holders[..] else { panic!("{holders:?}") };
    assert_eq!(holder.writing, Writing::Session { pid });
    assert_eq!((holder.user.as_str(), holder.application.as_str()), ("gesta_app", "gesta"));
    // The auditor may not know more of another role; the role itself does.
    assert_eq!((holder.since, &holder.state), (None, &None));
    let own = Log::of(&store).holders().await.expect("holders");
    let [own] = &own[..] else { panic!("{own:?}") };
    assert!(own.since.is_some() && own.query_started >= own.since && own.age.is_some());
    assert_eq!(own.state.as_deref(), Some("idle in transaction"));
    tx.commit().await.expect("committed");
    let entry = read(&log, &Position::start(), 10).await.entries.remove(0);
    assert_eq!(u64::from(holder.xid), entry.xid % (1 << 32));
    assert_eq!(log.holders().await.expect("holders"), []);
}
