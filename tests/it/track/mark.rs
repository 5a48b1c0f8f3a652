//! The session's own statements: recorded by the session, not twice; and nobody hides behind its mark.

use deadpool_postgres::Transaction;
use gesta::action::Source;
use gesta::{Context, NewAction, Store};
use tokio_postgres::error::SqlState;

use super::{Desk, tracking, whole};
use crate::support::{check_log, resource};

/// Runs a statement as the session does: under the mark of a table.
async fn marked(tx: &Transaction<'_>, table: &str, sql: &str) {
    mark(tx, table).await;
    tx.execute(sql, &[]).await.expect(sql);
    tx.execute("SELECT set_config('gesta.recorded', '', true)", &[]).await.expect("unmarked");
}

async fn mark(tx: &Transaction<'_>, table: &str) {
    let sql = format!("SELECT set_config('gesta.recorded', '{table}'::regclass::oid::text, true)");
    tx.execute(&sql, &[]).await.expect("marked");
}

/// Records as the session does.
async fn record(store: &Store, tx: &Transaction<'_>, objects: &[&str]) {
    let ctx = Context::new(&resource("user:1"));
    let action = |object: &&str| {
        NewAction::new("update", &ctx).object(&resource(object)).source(Source::Bulk)
    };
    store.append_all(tx, objects.iter().map(action).collect()).await.expect("recorded");
}

async fn filled() -> Desk {
    let desk = Desk::article().await;
    desk.run("INSERT INTO article VALUES (1), (2), (3)").await;
    desk.recorded().await;
    desk
}

async fn assert_refused(desk: &Desk, error: tokio_postgres::Error, rows: &str) {
    assert_eq!(error.code(), Some(&SqlState::INTEGRITY_CONSTRAINT_VIOLATION), "{error:?}");
    assert!(whole(&error).contains(rows), "{error:?}");
    let sum = desk.text("SELECT sum(views)::text FROM article").await;
    assert_eq!(sum, "0", "nothing of it is committed");
}

#[tokio::test]
async fn session_s_statements_are_recorded_once() {
    let desk = filled().await;
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    // Only two rows change, and a third in the next statement.
    marked(&tx, "article", "UPDATE article SET views = id % 2").await;
    record(&store, &tx, &["article:1", "article:3"]).await;
    marked(
        &tx,
        "article",
        "INSERT INTO article VALUES (4) ON CONFLICT (id) DO UPDATE SET views = 7",
    )
    .await;
    record(&store, &tx, &["article:4"]).await;
    // Its own SQL is the trigger's to record.
    tx.execute("UPDATE article SET views = 9 WHERE id = 2", &[]).await.expect("updated");
    tx.commit().await.expect("committed");
    assert_eq!(desk.recorded().await, [r#"update article:2 {"views": [0, 9]}"#]);
    assert_eq!(desk.text("SELECT count(*)::text FROM gesta.claim").await, "0");
    check_log(&desk.db).await;
}

#[tokio::test]
async fn forged_mark_does_not_commit() {
    let desk = filled().await;
    desk.run("GRANT ALL ON article TO gesta_app").await;
    let store = desk.db.store().await;
    let mut client = store.client().await.expect("a connection");
    for preparation in ["SELECT 1", "SET CONSTRAINTS ALL IMMEDIATE"] {
        let tx = client.transaction().await.expect("a transaction");
        tx.batch_execute(preparation).await.expect(preparation);
        marked(&tx, "article", "UPDATE article SET views = 1").await;
        let error = tx.commit().await.expect_err("it does not commit");
        assert_refused(&desk, error, "changed 3 rows of public.article and recorded 0").await;
    }
    // Neither is it enough to record a part, nor something else.
    let tx = client.transaction().await.expect("a transaction");
    marked(&tx, "article", "UPDATE article SET views = 1").await;
    record(&store, &tx, &["article:1", "article:2", "issue:3"]).await;
    let error = tx.commit().await.expect_err("it does not commit");
    assert_refused(&desk, error, "changed 3 rows of public.article and recorded 2").await;
    assert_eq!(desk.recorded().await, [""; 0]);
    check_log(&desk.db).await;
}

#[tokio::test]
async fn actions_cannot_be_shown_twice() {
    let desk = filled().await;
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    marked(&tx, "article", "UPDATE article SET views = 1 WHERE id = 1").await;
    record(&store, &tx, &["article:1"]).await;
    // This settles what is claimed so far, and it is in order.
    tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.expect("settled");
    marked(&tx, "article", "UPDATE article SET views = 1 WHERE id = 2").await;
    let error = tx.commit().await.expect_err("it does not commit");
    assert_refused(&desk, error, "changed 1 rows of public.article and recorded 0").await;
    // What was recorded before the statement does not count either.
    let tx = client.transaction().await.expect("a transaction");
    record(&store, &tx, &["article:1"]).await;
    marked(&tx, "article", "UPDATE article SET views = 1 WHERE id = 2").await;
    let error = tx.commit().await.expect_err("it does not commit");
    assert_refused(&desk, error, "recorded 0").await;
    check_log(&desk.db).await;
}

#[tokio::test]
async fn claim_goes_with_its_savepoint() {
    let desk = filled().await;
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let mut tx = client.transaction().await.expect("a transaction");
    let part = tx.savepoint("part").await.expect("a savepoint");
    marked(&part, "article", "UPDATE article SET views = 1").await;
    record(&store, &part, &["article:1", "article:2", "article:3"]).await;
    part.rollback().await.expect("rolled back");
    tx.commit().await.expect("nothing is claimed");
    assert_eq!(desk.recorded().await, [""; 0]);
}

#[tokio::test]
async fn mark_of_another_table_silences_nothing() {
    let desk = filled().await;
    desk.run("CREATE TABLE other (id integer)").await;
    for mark in ["'other'::regclass::oid::text", "'x'", "'0'", "'article'"] {
        desk.run(&format!(
            "BEGIN; SELECT set_config('gesta.recorded', {mark}, true); UPDATE article SET views = views + 1 WHERE id = 1; COMMIT"
        ))
        .await;
        assert_eq!(desk.recorded().await.len(), 1, "{mark}");
    }
}

#[tokio::test]
async fn what_a_marked_statement_sets_off_is_recorded() {
    let desk = Desk::new(
        "CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node ON DELETE CASCADE, seen integer DEFAULT 0);
         CREATE TABLE leaf (id integer PRIMARY KEY, node integer REFERENCES node ON DELETE CASCADE);
         ALTER TABLE node ADD leaf integer REFERENCES leaf ON DELETE CASCADE;
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN UPDATE node SET seen = seen + 1 WHERE id = 100; RETURN NULL; END';
         CREATE TRIGGER look AFTER DELETE ON leaf FOR EACH STATEMENT EXECUTE FUNCTION look()",
    )
    .await;
    desk.track(&tracking("node", "node", &["id"])).await;
    desk.track(&tracking("leaf", "leaf", &["id"])).await;
    // 1 is the parent of 2 and 3; 1 has the leaf 11, and that has the node 4: a way round to the first table.
    desk.run(
        "INSERT INTO node (id, parent) VALUES (1, NULL), (2, 1), (3, 2), (100, NULL);
         INSERT INTO leaf VALUES (11, 1); INSERT INTO node (id, leaf) VALUES (4, 11)",
    )
    .await;
    desk.recorded().await;
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    marked(&tx, "node", "DELETE FROM node WHERE id = 1").await;
    record(&store, &tx, &["node:1"]).await;
    tx.commit().await.expect("committed");
    let mut found = desk.recorded().await;
    found.sort();
    assert_eq!(
        found,
        [
            r#"delete leaf:11 {"id": [11, null], "node": [1, null]}"#,
            r#"delete node:2 {"id": [2, null], "seen": [0, null], "parent": [1, null]}"#,
            r#"delete node:3 {"id": [3, null], "seen": [0, null], "parent": [2, null]}"#,
            r#"delete node:4 {"id": [4, null], "leaf": [11, null], "seen": [0, null]}"#,
            r#"update node:100 {"seen": [0, 1]}"#,
        ]
    );
    check_log(&desk.db).await;
}

/// The session records after its statement; a check in between would come too early.
#[tokio::test]
async fn session_is_not_disturbed_by_immediate_constraints() {
    let desk = filled().await;
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.expect("set");
    marked(&tx, "article", "UPDATE article SET views = 1").await;
    record(&store, &tx, &["article:1", "article:2", "article:3"]).await;
    tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.expect("all is recorded");
    tx.commit().await.expect("committed");
    assert_eq!(desk.recorded().await, [""; 0]);
    check_log(&desk.db).await;
}

/// Rows of a cascade that are recorded count for the statement that set it off, and for no later one.
#[tokio::test]
async fn cascade_of_one_statement_pays_for_no_other() {
    let desk = Desk::new(
        "CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node ON DELETE CASCADE, seen integer DEFAULT 0);
         CREATE TABLE mine (node integer REFERENCES node ON DELETE CASCADE);
         CREATE FUNCTION unmark() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN PERFORM set_config('gesta.recorded', '', true); RETURN OLD; END$$;
         CREATE TRIGGER unmark BEFORE DELETE ON mine FOR EACH ROW EXECUTE FUNCTION unmark();
         INSERT INTO node VALUES (1, NULL), (2, 1), (3, 1), (50, NULL); INSERT INTO mine VALUES (3)",
    )
    .await;
    desk.track(&tracking("node", "node", &["id"])).await;
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    marked(&tx, "node", "DELETE FROM node WHERE id = 1").await;
    marked(&tx, "node", "UPDATE node SET seen = 1 WHERE id = 50").await;
    let error = tx.commit().await.expect_err("it does not commit");
    assert!(whole(&error).contains("changed 1 rows of public.node and recorded 0"), "{error:?}");
    check_log(&desk.db).await;
}
