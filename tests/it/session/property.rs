//! Whatever is saved, updated and deleted: the diffs of an object, one after the other, are its row.

use std::collections::BTreeMap;

use gesta::session::Selection;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use super::newsroom::{Article, alice, article, newsroom};
use crate::support::{TestDb, check_log, runtime};

#[derive(Clone, Debug)]
enum Step {
    Save(i64, String, Option<i32>),
    SaveAll(Vec<(i64, String)>),
    Update(Vec<i64>, String),
    Delete(Vec<i64>),
    /// What was done since the last end does not count.
    Rollback,
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..6_i64;
    let text = prop::sample::select(vec!["", "a", "ä\"\\", "\n\u{1}", "日本", "null"]);
    let text = text.prop_map(str::to_owned);
    prop_oneof![
        3 => (id.clone(), text.clone(), prop::option::of(0..3)).prop_map(|(id, text, n)| Step::Save(id, text, n)),
        2 => prop::collection::vec((id.clone(), text.clone()), 0..5).prop_map(Step::SaveAll),
        2 => (prop::collection::vec(id.clone(), 0..5), text).prop_map(|(ids, text)| Step::Update(ids, text)),
        1 => prop::collection::vec(id, 0..3).prop_map(Step::Delete),
        1 => Just(Step::Rollback),
        3 => Just(Step::Commit),
    ]
}

async fn play(store: &gesta::Store, steps: &[Step]) {
    for steps in steps.split_inclusive(|step| matches!(step, Step::Rollback | Step::Commit)) {
        let mut client = store.client().await.expect("a connection");
        let mut session = gesta::Session::begin(store, &mut client, &alice()).await.expect("begun");
        for step in steps {
            let done = match step {
                Step::Save(id, title, words) => {
                    session.save(&Article { words: *words, ..article(*id, title) }).await.map(drop)
                }
                Step::SaveAll(all) => {
                    let all: Vec<_> = all.iter().map(|(id, title)| article(*id, title)).collect();
                    session.save_all(&all).await.map(drop)
                }
                Step::Update(ids, state) => session
                    .update::<Article>(Selection::ids(ids), &json!({ "state": state }))
                    .await
                    .map(drop),
                Step::Delete(ids) => session.delete::<Article>(Selection::ids(ids)).await.map(drop),
                Step::Rollback | Step::Commit => Ok(()),
            };
            done.expect("done");
        }
        if !matches!(steps.last(), Some(Step::Rollback)) {
            session.commit().await.expect("committed");
        }
    }
}

/// The state of each object by its actions; each diff must begin where the one before it ended.
async fn replayed(db: &TestDb) -> BTreeMap<String, Map<String, Value>> {
    let sql = "SELECT object_id, verb, changes FROM gesta.action ORDER BY id";
    let mut objects: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for row in db.admin().await.query(sql, &[]).await.expect("the log") {
        let (id, verb): (String, String) = (row.get(0), row.get(1));
        let object = objects.entry(id.clone()).or_default();
        assert_eq!(object.is_empty(), verb == "create", "{verb} of {id}");
        let changes: Map<String, Value> = serde_json::from_value(row.get(2)).expect("a diff");
        assert!(!changes.is_empty(), "unchanged rows emit nothing");
        for (field, pair) in changes {
            let was = object.remove(&field).unwrap_or_default();
            assert_eq!(was, pair[0], "{field} of {id}");
            if !pair[1].is_null() {
                object.insert(field, pair[1].clone());
            }
        }
        assert_eq!(object.is_empty(), verb == "delete", "{verb} of {id}");
    }
    objects.retain(|_, object| !object.is_empty());
    objects
}

async fn rows(db: &TestDb) -> BTreeMap<String, Map<String, Value>> {
    let sql = "SELECT id::text, jsonb_strip_nulls(to_jsonb(a)) FROM newsroom.article AS a";
    let rows = db.admin().await.query(sql, &[]).await.expect("the rows");
    let object = |row: &tokio_postgres::Row| serde_json::from_value(row.get(1)).expect("an object");
    rows.iter().map(|row| (row.get(0), object(row))).collect()
}

#[test]
fn diffs_of_an_object_one_after_the_other_are_its_row() {
    let runtime = runtime();
    let config = Config { cases: 25, failure_persistence: None, ..Config::default() };
    let steps = prop::collection::vec(step(), 1..25);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let (db, store) = newsroom().await;
            play(&store, &steps).await;
            assert_eq!(replayed(&db).await, rows(&db).await);
            check_log(&db).await;
        });
        Ok(())
    });
    outcome.expect("the diffs are the rows");
}
