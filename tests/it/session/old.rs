//! What a bulk update says of the rows as they were: the statement tells only a part of them.

use gesta::session::Selection;
use gesta::{Change, Emitter, Hook, Model, Resource, ResourceRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::newsroom::{done, log, newsroom};
use crate::support::{check_log, resource};

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

/// What the log says of the only update: the diff, and the row as the hook was told that it had been.
async fn told(table: &str, patch: &Value) -> (Value, Value) {
    let (db, store) = newsroom().await;
    let grant = "GRANT ALL ON newsroom.sheet TO gesta_app";
    db.admin().await.batch_execute(&format!("{table}; {grant}")).await.expect("a table");
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
