//! Appending in the caller's transaction: all or nothing, once, in order, and exactly what was given.

mod hostile;
mod overlap;

use chrono::{TimeDelta, Utc};
use gesta::store::{AppendError, BATCH_LEN_MAX};
use gesta::{
    ActionId, Audience, Context, NewAction, Outcome, Reader, Receipt, Source, Store, StreamQuery,
    Tenant,
};
use serde_json::json;
use tokio_postgres::error::SqlState;

use crate::support::{
    TestDb, append, append_all, check_log, database, day, ids, page, problems, public, resource,
};

fn alice() -> Context {
    Context::new(&resource("user:1"))
}

fn close() -> NewAction {
    NewAction::new("close", &alice()).object(&resource("issue:70"))
}

/// An id of its own for each number, all of one moment.
fn id(number: u64) -> ActionId {
    ActionId::new(day(0), number)
}

async fn count(db: &TestDb) -> i64 {
    let counted = db.admin().await.query_one("SELECT count(*) FROM gesta.action", &[]).await;
    counted.expect("counted").get(0)
}

#[tokio::test]
async fn action_exists_if_and_only_if_its_transaction_commits() {
    let db = database().await;
    let store = db.store().await;
    let mut client = store.client().await.expect("a connection");

    let tx = client.transaction().await.expect("a transaction");
    let receipt = store.append(&tx, close()).await.expect("appended");
    assert!(matches!(receipt, Receipt::Appended(_)));
    assert_eq!(count(&db).await, 0, "nobody else sees it before the commit");
    tx.rollback().await.expect("rolled back");
    assert_eq!(count(&db).await, 0);

    let tx = client.transaction().await.expect("a transaction");
    let _ = store.append(&tx, close()).await.expect("appended");
    drop(tx);
    drop(client);
    let mut client = store.client().await.expect("a connection");
    assert_eq!(count(&db).await, 0, "a transaction that is dropped is rolled back");

    let tx = client.transaction().await.expect("a transaction");
    let id = store.append(&tx, close()).await.expect("appended").id();
    tx.commit().await.expect("committed");
    assert_eq!(ids(&page(&public(&store), StreamQuery::tenant()).await), [id]);
    check_log(&db).await;
}

#[tokio::test]
async fn action_shares_the_fate_of_the_change_that_it_tells_of() {
    let db = database().await;
    let admin = db.admin().await;
    let table = "CREATE TABLE issue (id int PRIMARY KEY); GRANT ALL ON issue TO gesta_app";
    admin.batch_execute(table).await.expect("a table");
    let store = db.store().await;
    let mut client = store.client().await.expect("a connection");
    for _ in 0..2 {
        let tx = client.transaction().await.expect("a transaction");
        let _ = store.append(&tx, close()).await.expect("appended");
        // The second time the key is taken: the change fails, and its action with it.
        let changed = tx.execute("INSERT INTO issue VALUES (70)", &[]).await;
        let ended = if changed.is_ok() { tx.commit().await } else { tx.rollback().await };
        ended.expect("ended");
    }
    assert_eq!(count(&db).await, 1);
    check_log(&db).await;
}

#[tokio::test]
async fn refused_action_leaves_the_transaction_usable() {
    let db = database().await;
    let store = db.store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let _ = store.append(&tx, close().id(id(1))).await.expect("appended");
    let invalid = store.append(&tx, NewAction::new("", &alice())).await;
    assert!(matches!(invalid, Err(AppendError::Invalid { index: 0, of: 1, .. })));
    let conflict = store.append(&tx, close().id(id(1)).description("other")).await;
    assert!(matches!(conflict, Err(AppendError::Conflict(taken)) if taken == id(1)));
    let batch = vec![close(), NewAction::new("", &alice()), close()];
    let invalid = store.append_all(&tx, batch).await.expect_err("an empty verb");
    assert!(invalid.to_string().starts_with("action 2 of 3 is refused: `verb`"), "{invalid}");
    let _ = store.append(&tx, close().id(id(2))).await.expect("appended");
    tx.commit().await.expect("committed");
    assert_eq!(count(&db).await, 2, "nothing of the refused batch was sent");
    check_log(&db).await;
}

#[tokio::test]
async fn repeated_id_is_duplicate_or_conflict_row_by_row() {
    let db = database().await;
    let store = db.store().await;
    append(&store, close().id(id(1))).await;
    append(&store, close().id(id(2))).await;
    let batch = vec![
        close().id(id(3)),
        close().id(id(1)),
        close().id(id(2)).description("other"),
        close().id(id(3)),
        close().id(id(3)).description("other"),
        close().id(id(4)),
        close().id(id(1)).outcome(Outcome::Failed),
        close().id(id(1)),
    ];
    let receipts = append_all(&store, batch).await;
    let expected = [
        Receipt::Appended(id(3)),
        Receipt::Duplicate(id(1)),
        Receipt::Conflict(id(2)),
        Receipt::Duplicate(id(3)),
        Receipt::Conflict(id(3)),
        Receipt::Appended(id(4)),
        Receipt::Conflict(id(1)),
        Receipt::Duplicate(id(1)),
    ];
    assert_eq!(receipts, expected);
    let stored = page(&public(&store), StreamQuery::tenant()).await;
    assert_eq!(ids(&stored), [id(4), id(3), id(2), id(1)]);
    assert!(stored.iter().all(|action| action.description.is_none()), "nothing was overwritten");
    check_log(&db).await;
}

/// Each of these differs from [`close`] in one column.
fn variations() -> Vec<NewAction> {
    let other = Context::new(&resource("user:2"));
    let named = Context::new(&resource("user:1").named("Alice"));
    let team = Context::new(&resource("team:1"));
    let run = alice().run(uuid::Uuid::from_u128(7));
    let of = |verb: &str, ctx: &Context| NewAction::new(verb, ctx).object(&resource("issue:70"));
    vec![
        of("close", &other),
        of("close", &team),
        of("close", &named),
        of("close", &run),
        of("close", &alice().reason("spam")),
        of("reopen", &alice()),
        close().object(&resource("issue:71")),
        close().object(&resource("page:70")),
        close().object(&resource("issue:70").named("Crash")),
        NewAction::new("close", &alice()),
        close().target(&resource("project:1")),
        close().source(Source::Api),
        close().outcome(Outcome::Denied),
        close().description(""),
        close().changes(json!({})),
        close().data(json!(null)),
        close().audience(Audience::auditors()),
        close().audience(Audience::labels(["public", "staff"])),
    ]
}

#[tokio::test]
async fn difference_in_any_column_is_a_conflict() {
    let db = database().await;
    let store = db.store().await;
    append(&store, close().id(id(1))).await;
    // A time that the id does not tell: foreign ids may know milliseconds only.
    let later = close().at(day(0) + TimeDelta::microseconds(1));
    for other in variations().into_iter().chain([later]) {
        let told = format!("{other:?}");
        assert_eq!(
            append_all(&store, vec![other.id(id(1))]).await,
            [Receipt::Conflict(id(1))],
            "{told}"
        );
    }
    for (n, other) in (2..).zip(variations()) {
        let told = format!("{other:?}");
        let (first, second) = (other.clone().id(id(n)), other.id(id(n)));
        assert_eq!(append_all(&store, vec![first]).await, [Receipt::Appended(id(n))], "{told}");
        assert_eq!(append_all(&store, vec![second]).await, [Receipt::Duplicate(id(n))], "{told}");
    }
    check_log(&db).await;
}

#[tokio::test]
async fn same_payload_in_another_spelling_is_a_duplicate() {
    let db = database().await;
    let store = db.store().await;
    let data = |text: &str| close().id(id(1)).data(gesta::Json::parse(text).expect("JSON"));
    append(&store, data(r#"{"a": 12345678901234567890.5, "b": [1, 2]}"#)).await;
    let same = data(r#"{"b":[1,2],"a":12345678901234567890.5}"#);
    let close_by = data(r#"{"b":[1,2],"a":12345678901234567890.4}"#);
    let receipts = append_all(&store, vec![same, close_by]).await;
    assert_eq!(receipts, [Receipt::Duplicate(id(1)), Receipt::Conflict(id(1))]);
    check_log(&db).await;
}

#[tokio::test]
async fn ids_and_seqs_of_a_batch_rise_in_the_order_given() {
    let db = database().await;
    let store = db.store().await;
    let batch: Vec<_> = (0..3000).map(|n| close().description(n.to_string())).collect();
    let receipts = append_all(&store, batch).await;
    assert!(receipts.is_sorted_by(|a, b| a.id() < b.id()));
    // In an order that is neither that of ids nor its reverse.
    let shuffled = (0..3000_u64).map(|n| close().id(id(n * 1009 % 3001)).description("shuffled"));
    let receipts = append_all(&store, shuffled.collect()).await;
    let sql = "SELECT id FROM gesta.action WHERE description = 'shuffled' ORDER BY seq";
    let rows = db.admin().await.query(sql, &[]).await.expect("rows");
    let stored: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored, receipts.iter().map(|receipt| receipt.id().uuid()).collect::<Vec<_>>());
    check_log(&db).await;
}

#[tokio::test]
async fn batch_of_more_than_one_statement_is_one_transaction() {
    let db = database().await;
    let store = db.store().await;
    let of = BATCH_LEN_MAX + 500;
    let batch = |from: usize| -> Vec<_> {
        (from..from + of).map(|n| close().id(id(n as u64)).description(n.to_string())).collect()
    };
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    assert_eq!(store.append_all(&tx, batch(0)).await.expect("appended").len(), of);
    tx.rollback().await.expect("rolled back");
    assert_eq!(count(&db).await, 0);
    drop(client);
    let mut twice = batch(0);
    // The repetition stands in the second statement, its first in the first.
    twice.push(close().id(id(3)).description("3"));
    twice.push(close().id(id(4)).description("not 4"));
    let receipts = append_all(&store, twice).await;
    assert_eq!(receipts[of..], [Receipt::Duplicate(id(3)), Receipt::Conflict(id(4))]);
    assert!(receipts[..of].iter().all(|receipt| matches!(receipt, Receipt::Appended(_))));
    let half = append_all(&store, batch(of / 2)).await;
    let appended = half.iter().filter(|receipt| matches!(receipt, Receipt::Appended(_))).count();
    assert_eq!(appended, of / 2);
    check_log(&db).await;
}

#[tokio::test]
async fn batch_of_several_tenants_is_stored_in_each() {
    let db = database().await;
    let store = db.store().await;
    let tenant = |name: &str| Tenant::new(name).expect("a tenant");
    let of = |name: &str| {
        let ctx = alice().tenant(tenant(name));
        NewAction::new("close", &ctx).object(&resource("issue:70"))
    };
    let batch = vec![
        of("a").id(id(1)),
        of("b").id(id(1)),
        of("a").id(id(2)),
        of("a").id(id(1)),
        of("b").id(id(1)).description("other"),
        of("c"),
    ];
    let receipts = append_all(&store, batch).await;
    assert_eq!(
        receipts[..5],
        [
            Receipt::Appended(id(1)),
            Receipt::Appended(id(1)),
            Receipt::Appended(id(2)),
            Receipt::Duplicate(id(1)),
            Receipt::Conflict(id(1)),
        ]
    );
    for (name, stored) in [("a", 2), ("b", 1), ("c", 1)] {
        let reader = Reader::new(&store, tenant(name));
        assert_eq!(page(&reader, StreamQuery::tenant()).await.len(), stored);
    }
    check_log(&db).await;
}

#[tokio::test]
async fn empty_batch_is_no_statement() {
    let db = database().await;
    let store = db.store().await;
    assert!(append_all(&store, Vec::new()).await.is_empty());
}

#[tokio::test]
async fn times_between_microseconds_are_cut_alike_in_id_and_column() {
    let db = database().await;
    let store = db.store().await;
    // PostgreSQL counts from 2000: before it, rounding to zero would round up.
    for time in ["1999-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00.000000999Z"] {
        append(&store, close().at(time.parse().expect(time))).await;
    }
    let stored = page(&public(&store), StreamQuery::tenant()).await;
    let micros = |action: &gesta::Action| action.occurred_at.timestamp_subsec_nanos();
    assert_eq!(stored.iter().map(micros).collect::<Vec<_>>(), [0, 999_999_000]);
    check_log(&db).await;
}

#[tokio::test]
async fn what_the_database_gives_cannot_be_set() {
    let db = database().await;
    let app = db.connect("gesta_app").await;
    app.batch_execute("SET gesta.tenant = 'default'").await.expect("set");
    let row =
        "'default', '019b0000-0000-7000-8000-000000000001', 'user', '1', 'close', now(), 'emit'";
    for (column, value) in
        [("xid", "pg_current_xact_id()"), ("seq", "1"), ("recorded_at", "'2020-01-01'")]
    {
        let sql = format!(
            "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, occurred_at, source, {column})
             VALUES ({row}, {value})"
        );
        let error = app.execute(&sql, &[]).await.expect_err(column);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{column}: {error:?}");
    }
    let error = app.execute("SELECT setval('gesta.action_seq', 1)", &[]).await.expect_err("setval");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn recorded_at_is_the_databases_time_whatever_the_writer_says() {
    let db = database().await;
    let now = "SELECT clock_timestamp()";
    let before: chrono::DateTime<Utc> =
        db.admin().await.query_one(now, &[]).await.expect("now").get(0);
    let store = db.store().await;
    append(&store, close().at("1970-01-01T00:00:00Z".parse().expect("a time"))).await;
    append(&store, close().at("9999-12-31T23:59:59.999999Z".parse().expect("a time"))).await;
    let stored = page(&public(&store), StreamQuery::tenant()).await;
    assert!(stored.iter().all(|action| action.recorded_at >= before));
    check_log(&db).await;
}

/// The check that ends these tests is tested itself.
#[tokio::test]
async fn tampering_is_noticed() {
    let db = database().await;
    let store: Store = db.store().await;
    append_all(&store, (0..3).map(|n| close().id(id(n))).collect()).await;
    assert_eq!(problems(&db).await, [""; 0]);
    let admin = db.admin().await;
    let tamper = "ALTER TABLE gesta.action DISABLE TRIGGER action_append_only;
        UPDATE gesta.action SET occurred_at = occurred_at + interval '1 microsecond', seq = 1;
        ALTER TABLE gesta.action ENABLE ALWAYS TRIGGER action_append_only";
    admin.batch_execute(tamper).await.expect("tampered");
    let found = problems(&db).await.join("\n");
    for what in ["whose time is not occurred_at", "seqs that stand twice", "xid of another"] {
        assert!(found.contains(what), "{found}");
    }
}
