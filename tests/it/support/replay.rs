//! Whether the log tells a table: each object's actions, replayed, give exactly its row.

use std::collections::BTreeMap;

use gesta::stream::history::{Life, Value};
use gesta::stream::{History, Moment, State};
use gesta::{Reader, ResourceRef, Tenant};
use serde_json::Value as Json;

use super::{TestDb, resource};

/// Every object of a type that the log knows of or that has a row, with its row.
const OBJECTS: &str = "
SELECT coalesce(a.object_id, t.id::text), to_jsonb(t)
FROM (SELECT DISTINCT object_id FROM gesta.action WHERE object_type = $1) AS a
FULL JOIN {table} AS t ON t.id::text = a.object_id
ORDER BY 1";

/// Replays the actions of each object of a type, and compares what comes out with the rows of its table, whose key is `id`.
/// Nothing may be missing in between. Gives how many objects there are.
pub(crate) async fn check_replay(db: &TestDb, kind: &str, table: &str) -> usize {
    let store = db.store_as("gesta_auditor").await;
    let reader = Reader::new(&store, Tenant::default()).auditor();
    let sql = OBJECTS.replace("{table}", table);
    let objects = db.admin().await.query(&sql, &[&kind]).await.expect("the objects");
    for row in &objects {
        let object = resource(&format!("{kind}:{}", row.get::<_, &str>(0)));
        let state = match History::of(&object).state(Moment::Now, &reader).await {
            Ok(state) => state,
            Err(error) => panic!("{object}: {}", gesta::error::chain(&error)),
        };
        compare(&object, &state, row.get(1));
    }
    objects.len()
}

fn compare(object: &ResourceRef, state: &State, row: Option<Json>) {
    assert!(state.is_whole(), "{object}: {} gaps\n{state:#?}", state.gaps);
    assert_eq!(state.life == Life::Exists, row.is_some(), "{object}: {row:?}\n{state:#?}");
    let Some(row) = row else { return };
    let row: BTreeMap<String, Json> = serde_json::from_value(row).expect("a row");
    let told = |(name, field): (&String, &gesta::stream::history::Field)| match &field.value {
        Value::Plain(json) => Some((name.clone(), json.value())),
        Value::Members(_) => None,
        other => panic!("{object}: `{name}` is {other:?}"),
    };
    let is_there = |(_, value): &(String, Json)| !value.is_null();
    let told: BTreeMap<_, _> = state.fields.iter().filter_map(told).filter(is_there).collect();
    let row: BTreeMap<_, _> = row.into_iter().filter(is_there).collect();
    assert_eq!(told, row, "{object}\n{state:#?}");
}
