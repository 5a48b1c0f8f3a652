//! What a bulk update says of the rows as they were: the statement tells only a part of them.

use gesta::session::Selection;
use gesta::{Change, Emitter, Hook, Model, Resource, ResourceRef, Session, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_postgres::IsolationLevel;

use super::newsroom::{alice, done, log, newsroom};
use crate::support::{TestDb, check_log, resource, until_waiting};

/// A row as it comes; what it was is told in the data of its action.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sheet {
    id: i64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Resource for Sheet {
    fn resource(&self) -> ResourceRef {
        resource(&format!("sheet:{}", self.id))
    }
}

impl Model for Sheet {
    const TABLE: &'static str = "newsroom.sheet";
    const KEY: &'static str = "id";
}

impl Hook for Sheet {
    fn on_save(change: Change<'_, Self>, emit: &mut Emitter<'_>) {
        let Change::Updated { before, after } = change else { return emit.record(change) };
        let action = emit.draft("edit", after).data(json!({ "before": before }));
        emit.add(action);
    }
}

/// A database with a table of sheets.
async fn sheets(table: &str) -> (TestDb, Store) {
    let (db, store) = newsroom().await;
    let grant = "GRANT ALL ON newsroom.sheet TO gesta_app";
    db.admin().await.batch_execute(&format!("{table}; {grant}")).await.expect("a table");
    (db, store)
}

/// What the log says of the only update: the diff, and the row as the hook was told that it had been.
async fn told(table: &str, patch: &Value) -> (Value, Value) {
    let (db, store) = sheets(table).await;
    done(&store, async |session| session.update::<Sheet>(Selection::all(), patch).await).await;
    let changes = log(&db).await[0][4].clone();
    let data = "SELECT data -> 'before' FROM gesta.action";
    let before = db.admin().await.query_one(data, &[]).await.expect("one action").get(0);
    check_log(&db).await;
    (changes, before)
}

#[tokio::test]
async fn computed_columns_and_odd_names_are_told_with_the_columns_that_are_set() {
    let table = r#"CREATE TABLE newsroom.sheet (id bigint PRIMARY KEY, "it's ""a"" \ name" text, same numeric,
                   twice bigint GENERATED ALWAYS AS (id * 2) STORED, len int GENERATED ALWAYS AS (length(same::text)) STORED);
                   INSERT INTO newsroom.sheet VALUES (1, 'old', 1.50)"#;
    let odd = r#"it's "a" \ name"#;
    let (changes, before) = told(table, &json!({ odd: "new", "same": 22.125 })).await;
    assert_eq!(changes, json!({ odd: ["old", "new"], "same": [1.50, 22.125], "len": [4, 6] }));
    assert_eq!(before, json!({ "id": 1, odd: "old", "same": 1.50, "twice": 2, "len": 4 }));
}

#[tokio::test]
async fn columns_that_a_trigger_changes_as_well_are_told() {
    let table = "CREATE TABLE newsroom.sheet (id bigint PRIMARY KEY, state text, note text, edits int);
                 INSERT INTO newsroom.sheet VALUES (1, 'draft', NULL, 7);
                 CREATE TRIGGER count BEFORE UPDATE ON newsroom.sheet FOR EACH ROW EXECUTE FUNCTION newsroom.count_edits()";
    let (changes, before) = told(table, &json!({ "state": "open" })).await;
    assert_eq!(changes, json!({ "state": ["draft", "open"], "edits": [7, 8] }));
    assert_eq!(before, json!({ "id": 1, "state": "draft", "note": null, "edits": 7 }));
}

/// The second one has not seen what the first one committed when its statement begins.
#[tokio::test]
async fn old_values_are_those_that_the_update_has_waited_for() {
    let table = "CREATE TABLE newsroom.sheet (id bigint PRIMARY KEY, state text, note text);
                 INSERT INTO newsroom.sheet SELECT n, 'draft', 'kept' FROM generate_series(1, 3) AS n";
    let (db, store) = sheets(table).await;
    let mut one = store.client().await.expect("a connection");
    let mut other = store.client().await.expect("a connection");
    let mut first = Session::begin(&store, &mut one, &alice()).await.expect("begun");
    let mut second = Session::begin(&store, &mut other, &alice()).await.expect("begun");
    let row = second.transaction().query_one("SELECT pg_backend_pid()", &[]).await;
    let (admin, waiter) = (db.admin().await, row.expect("a backend").get(0));
    let two = Selection::matching("id = 2", &[]);
    first.update::<Sheet>(two, &json!({ "state": "open" })).await.expect("updated");
    let patch = json!({ "state": "closed" });
    let update = second.update::<Sheet>(Selection::all(), &patch);
    let commit = async {
        until_waiting(&admin, waiter).await;
        first.commit().await
    };
    let (updated, committed) = tokio::join!(update, commit);
    committed.expect("committed");
    assert_eq!(updated.expect("updated").updated, 3);
    second.commit().await.expect("committed");
    let mut told: Vec<_> =
        log(&db).await.into_iter().map(|line| line[4]["state"].clone()).collect();
    told[1..].sort_by_key(Value::to_string);
    let wanted = [["draft", "open"], ["draft", "closed"], ["draft", "closed"], ["open", "closed"]];
    assert_eq!(Value::from(told), json!(wanted));
    check_log(&db).await;
}

#[tokio::test]
async fn what_a_trigger_of_a_partition_changes_is_told() {
    let table = "CREATE TABLE newsroom.sheet (id bigint PRIMARY KEY, state text, edits int) PARTITION BY RANGE (id);
                 CREATE TABLE newsroom.sheet_all PARTITION OF newsroom.sheet DEFAULT PARTITION BY RANGE (id);
                 CREATE TABLE newsroom.sheet_some PARTITION OF newsroom.sheet_all FOR VALUES FROM (0) TO (9);
                 INSERT INTO newsroom.sheet VALUES (1, 'draft', 7);
                 CREATE TRIGGER count BEFORE UPDATE ON newsroom.sheet_some
                     FOR EACH ROW EXECUTE FUNCTION newsroom.count_edits()";
    let (changes, before) = told(table, &json!({ "state": "open" })).await;
    assert_eq!(changes, json!({ "state": ["draft", "open"], "edits": [7, 8] }));
    assert_eq!(before, json!({ "id": 1, "state": "draft", "edits": 7 }));
}

#[tokio::test]
async fn what_the_partition_changes_that_a_row_moves_to_is_told() {
    let table = "CREATE TABLE newsroom.sheet (id bigint, state text, edits int) PARTITION BY LIST (state);
                 CREATE TABLE newsroom.sheet_draft PARTITION OF newsroom.sheet FOR VALUES IN ('draft');
                 CREATE TABLE newsroom.sheet_open PARTITION OF newsroom.sheet FOR VALUES IN ('open');
                 INSERT INTO newsroom.sheet VALUES (1, 'draft', 7);
                 CREATE FUNCTION newsroom.forget_edits() RETURNS trigger LANGUAGE plpgsql AS
                     'BEGIN NEW.edits := 0; RETURN NEW; END';
                 CREATE TRIGGER forget BEFORE INSERT ON newsroom.sheet_open
                     FOR EACH ROW EXECUTE FUNCTION newsroom.forget_edits()";
    let (changes, before) = told(table, &json!({ "state": "open" })).await;
    assert_eq!(changes, json!({ "state": ["draft", "open"], "edits": [7, 0] }));
    assert_eq!(before, json!({ "id": 1, "state": "draft", "edits": 7 }));
}

#[tokio::test]
async fn what_a_view_computes_is_told() {
    let table = "CREATE TABLE newsroom.page (id bigint PRIMARY KEY, state text);
                 INSERT INTO newsroom.page VALUES (1, 'draft');
                 CREATE VIEW newsroom.sheet AS SELECT id, state, upper(state) AS sign FROM newsroom.page";
    let (changes, before) = told(table, &json!({ "state": "open" })).await;
    assert_eq!(changes, json!({ "state": ["draft", "open"], "sign": ["DRAFT", "OPEN"] }));
    assert_eq!(before, json!({ "id": 1, "state": "draft", "sign": "DRAFT" }));
}

/// The store knows the table from the first update.
#[tokio::test]
async fn computed_columns_that_have_come_since_are_told() {
    let table = "CREATE TABLE newsroom.sheet (id bigint PRIMARY KEY, state text);
                 INSERT INTO newsroom.sheet VALUES (1, 'draft')";
    let (db, store) = sheets(table).await;
    let update = async |state| {
        let patch = json!({ "state": state });
        done(&store, async |session| session.update::<Sheet>(Selection::all(), &patch).await).await
    };
    update("open").await;
    let column =
        "ALTER TABLE newsroom.sheet ADD len int GENERATED ALWAYS AS (length(state)) STORED";
    db.admin().await.batch_execute(column).await.expect("a column");
    update("closed").await;
    let told = log(&db).await[1][4].clone();
    assert_eq!(told, json!({ "state": ["open", "closed"], "len": [4, 6] }));
}

/// A transaction that sees the catalog of its beginning runs triggers that have come since.
#[tokio::test]
async fn triggers_that_the_snapshot_does_not_show_are_reckoned_with() {
    let table = "CREATE TABLE newsroom.sheet (id bigint PRIMARY KEY, state text, edits int);
                 INSERT INTO newsroom.sheet VALUES (1, 'draft', 7)";
    let (db, store) = sheets(table).await;
    let mut client = store.client().await.expect("a connection");
    let level = IsolationLevel::RepeatableRead;
    let begun = client.build_transaction().isolation_level(level).start().await;
    let tx = begun.expect("a transaction");
    tx.query("SELECT", &[]).await.expect("a snapshot");
    let trigger = "CREATE TRIGGER count BEFORE UPDATE ON newsroom.sheet
                   FOR EACH ROW EXECUTE FUNCTION newsroom.count_edits()";
    db.admin().await.batch_execute(trigger).await.expect("a trigger");
    let mut session = Session::within(&store, tx, &alice()).expect("a session");
    let patch = json!({ "state": "open" });
    session.update::<Sheet>(Selection::all(), &patch).await.expect("updated");
    session.commit().await.expect("committed");
    let told = log(&db).await[0][4].clone();
    assert_eq!(told, json!({ "state": ["draft", "open"], "edits": [7, 8] }));
}

/// A function of PostgreSQL takes a hundred arguments.
#[tokio::test]
async fn as_many_columns_can_be_set_as_a_table_has() {
    let names: Vec<_> = (0..120).map(|n| format!("c{n}")).collect();
    let table = format!(
        "CREATE TABLE newsroom.sheet (id bigint PRIMARY KEY, {} int);
         INSERT INTO newsroom.sheet (id) VALUES (1)",
        names.join(" int, ")
    );
    let patch: Map<_, _> = names.iter().map(|name| (name.clone(), json!(1))).collect();
    let (changes, before) = told(&table, &Value::from(patch)).await;
    let wanted: Map<_, _> = names.iter().map(|name| (name.clone(), json!([null, 1]))).collect();
    assert_eq!(changes, Value::from(wanted));
    assert_eq!(before.as_object().map(Map::len), Some(121));
}
