//! Names that nobody should give, and somebody will.

use super::{Desk, tracking};
use crate::support::check_log;

const HOSTILE: [&str; 13] = [
    "we\"ird; DROP",
    "it's",
    "a b",
    "%s %1$s %",
    "ünïcode 日本",
    "$capture$",
    "{insert}",
    "$1",
    "select",
    "--",
    "/*",
    "back\\slash\n",
    "place",
];

fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[tokio::test]
async fn tables_and_columns_of_any_name_are_recorded() {
    let desk = Desk::new("CREATE SCHEMA \"odd \"\"schema\"").await;
    for (n, table) in HOSTILE.iter().enumerate() {
        let columns: Vec<_> = HOSTILE.iter().map(|name| format!("{} text", ident(name))).collect();
        let relation = format!("\"odd \"\"schema\".{}", ident(table));
        desk.run(&format!(
            "CREATE TABLE {relation} ({}, PRIMARY KEY ({}))",
            columns.join(", "),
            ident(HOSTILE[n])
        ))
        .await;
        let options = tracking(&relation, "odd", &[HOSTILE[n]]);
        let masked = HOSTILE[(n + 1) % HOSTILE.len()];
        desk.track(&options.mask([masked]).name(HOSTILE[(n + 2) % HOSTILE.len()])).await;
        let values = vec!["'x'"; HOSTILE.len()].join(", ");
        let last = ident(HOSTILE[(n + 3) % HOSTILE.len()]);
        desk.run(&format!(
            "INSERT INTO {relation} VALUES ({values}); UPDATE {relation} SET {last} = 'y';
             ALTER TABLE {relation} ADD \"one \"\"more\" text; UPDATE {relation} SET {last} = 'z'; TRUNCATE {relation}"
        ))
        .await;
        assert_eq!(desk.recorded().await.len(), 4, "{table}");
        let sql = "SELECT changes::text FROM gesta.action WHERE verb = 'create' ORDER BY seq DESC LIMIT 1";
        let changes: serde_json::Value = serde_json::from_str(&desk.text(sql).await).expect("JSON");
        for name in HOSTILE {
            let new = if name == masked { "***" } else { "x" };
            assert_eq!(changes[name], serde_json::json!([null, new]), "{table}: {name}");
        }
    }
    let tracked = desk.tracked().await;
    assert_eq!(tracked.len(), HOSTILE.len());
    desk.untrack(&format!("\"odd \"\"schema\".{}", ident(HOSTILE[0]))).await;
    assert_eq!(desk.tracked().await.len(), HOSTILE.len() - 1);
    check_log(&desk.db).await;
}

#[tokio::test]
async fn keys_of_several_columns_are_json_arrays_and_cannot_be_confused() {
    let desk = Desk::new("CREATE TABLE stock (shop text, n integer, PRIMARY KEY (shop, n))").await;
    desk.track(&tracking("stock", "stock", &["shop", "n"])).await;
    desk.run(r#"INSERT INTO stock VALUES ('a', 1), ('a", 1, "', 1)"#).await;
    let sql = "SELECT object_id FROM gesta.action WHERE verb = 'create' ORDER BY seq";
    assert_eq!(desk.texts(sql).await, [r#"["a", 1]"#, r#"["a\", 1, \"", 1]"#]);
}

/// The id of a row is the same whoever looks at it.
#[tokio::test]
async fn settings_of_the_writer_do_not_change_what_is_recorded() {
    let desk = Desk::new(
        "CREATE TABLE t (at timestamptz PRIMARY KEY, i interval, b bytea, f float8, r daterange)",
    )
    .await;
    desk.track(&tracking("t", "t", &["at"])).await;
    let row =
        "'2026-01-01 12:00Z', '1 mon 1 day', '\\x00', 0.1::float8 * 3, '[2026-01-02,2026-03-04)'";
    let insert = format!("INSERT INTO t VALUES ({row}); DELETE FROM t");
    desk.run(&insert).await;
    desk.run(
        "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601';
              SET bytea_output = 'escape'; SET extra_float_digits = -5",
    )
    .await;
    desk.run(&insert).await;
    let recorded = desk.recorded().await;
    assert!(recorded[0].starts_with("create t:2026-01-01T12:00:00+00:00 {"), "{recorded:?}");
    assert_eq!(recorded[..2], recorded[2..]);
}

#[tokio::test]
async fn keys_that_are_no_ids_are_refused() {
    let desk = Desk::new("CREATE TABLE doc (path text PRIMARY KEY)").await;
    desk.track(&tracking("doc", "doc", &["path"])).await;
    // Random, or the index compresses it and takes less.
    for (path, bytes) in [("''", 0), ("repeat('x', 2049)", 2049)] {
        let error = desk.fails(&format!("INSERT INTO doc VALUES ({path})")).await;
        let told =
            format!("a row of public.doc cannot be recorded: its key makes an id of {bytes} bytes");
        assert!(error.contains(&told) && error.contains("1 to 2048 bytes"), "{error}");
    }
    desk.run("INSERT INTO doc VALUES (repeat('x', 2048))").await;
    assert_eq!(desk.recorded().await.len(), 1);
}

#[tokio::test]
async fn two_tables_of_the_same_name_have_functions_of_their_own() {
    let desk = Desk::new("CREATE SCHEMA a CREATE TABLE t (id integer PRIMARY KEY); CREATE SCHEMA b CREATE TABLE t (id integer PRIMARY KEY)").await;
    desk.track(&tracking("a.t", "one", &["id"])).await;
    desk.track(&tracking("b.t", "two", &["id"])).await;
    desk.run("INSERT INTO a.t VALUES (1); INSERT INTO b.t VALUES (1)").await;
    let objects = [r#"create one:1 {"id": [null, 1]}"#, r#"create two:1 {"id": [null, 1]}"#];
    assert_eq!(desk.recorded().await, objects);
    desk.untrack("a.t").await;
    desk.run("INSERT INTO a.t VALUES (2); INSERT INTO b.t VALUES (2)").await;
    assert_eq!(desk.recorded().await, [r#"create two:2 {"id": [null, 2]}"#]);
}
