//! Each way to write a row, and exactly the actions that it leaves.

use bytes::Bytes;
use futures_util::SinkExt;
use gesta::{ActionId, Reader, Tenant};
use std::pin::pin;

use super::{ARTICLE, Desk, article, tracking};
use crate::support::check_log;

#[tokio::test]
async fn insert_update_and_delete_leave_one_action_each() {
    let desk = Desk::article().await;
    desk.run("INSERT INTO article VALUES (1, 'One')").await;
    desk.run("UPDATE article SET title = NULL, views = 7 WHERE id = 1").await;
    desk.run("DELETE FROM article").await;
    assert_eq!(
        desk.recorded().await,
        [
            r#"create article:1 {"id": [null, 1], "title": [null, "One"], "views": [null, 0]}"#,
            r#"update article:1 {"title": ["One", null], "views": [0, 7]}"#,
            r#"delete article:1 {"id": [1, null], "views": [7, null]}"#,
        ]
    );
    let runs = "SELECT coalesce(run_id::text, 'none') FROM gesta.action WHERE source = 'trigger'";
    assert_eq!(desk.texts(runs).await, ["none"; 3], "a single row is no batch");
    check_log(&desk.db).await;
}

#[tokio::test]
async fn rows_of_one_statement_share_run_and_time_and_stand_in_their_order() {
    let desk = Desk::article().await;
    desk.run("INSERT INTO article SELECT n, 'no ' || n FROM generate_series(1, 2000) AS n").await;
    desk.run("UPDATE article SET views = id % 2").await;
    let sql = "SELECT id, occurred_at, run_id FROM gesta.action
               WHERE verb = 'create' ORDER BY object_id::integer";
    let rows = desk.admin.query(sql, &[]).await.expect("the rows");
    let ids: Vec<_> = rows
        .iter()
        .map(|row| ActionId::try_from(row.get::<_, uuid::Uuid>("id")).expect("a UUIDv7"))
        .collect();
    assert!(ids.len() == 2000 && ids.is_sorted(), "ids rise in the order of the rows");
    let time: chrono::DateTime<chrono::Utc> = rows[0].get("occurred_at");
    let run: Option<uuid::Uuid> = rows[0].get("run_id");
    assert!(run.is_some());
    for (id, row) in ids.iter().zip(&rows) {
        assert_eq!((id.time(), row.get("occurred_at"), row.get("run_id")), (time, time, run));
    }
    let sql = "SELECT count(*) || ' ' || count(DISTINCT run_id) FROM gesta.action
               WHERE verb = 'update' AND changes = '{\"views\": [0, 1]}'";
    assert_eq!(desk.text(sql).await, "1000 1", "unchanged rows leave nothing");
    check_log(&desk.db).await;
}

#[tokio::test]
async fn id_of_any_moment_is_the_library_s() {
    let desk = Desk::article().await;
    let sql = "SELECT m.moment, (s.id_prefix || to_hex(s.id_base + m.n))::uuid AS id
               FROM (SELECT n, timestamptz '1970-01-01 00:00:00Z' + n * interval '1 microsecond'
                         + n * n * interval '331 seconds' AS moment FROM generate_series(0, 5000) AS n) AS m
               CROSS JOIN LATERAL gesta.stamp(m.moment, false) AS s";
    for row in desk.admin.query(sql, &[]).await.expect("ids") {
        let moment = row.get::<_, chrono::DateTime<chrono::Utc>>("moment");
        let id = ActionId::try_from(row.get::<_, uuid::Uuid>("id")).expect("a UUIDv7");
        assert_eq!(id.time(), moment);
        assert_eq!(id.uuid().as_u64_pair().0, ActionId::floor(moment).uuid().as_u64_pair().0);
        assert_eq!(id.uuid().get_variant(), uuid::Variant::RFC4122);
    }
}

#[tokio::test]
async fn on_conflict_and_merge_are_recorded_as_what_they_did() {
    let desk = Desk::article().await;
    desk.run("INSERT INTO article VALUES (1, 'One'), (2, 'Two')").await;
    desk.recorded().await;
    desk.run(
        "INSERT INTO article VALUES (1, 'Uno'), (3, 'Tre'), (2, 'Two')
         ON CONFLICT (id) DO UPDATE SET title = excluded.title",
    )
    .await;
    let mut found = desk.recorded().await;
    found.sort();
    assert_eq!(
        found,
        [
            r#"create article:3 {"id": [null, 3], "title": [null, "Tre"], "views": [null, 0]}"#,
            r#"update article:1 {"title": ["One", "Uno"]}"#,
        ]
    );
    desk.run("INSERT INTO article VALUES (1, 'Eins') ON CONFLICT DO NOTHING").await;
    assert_eq!(desk.recorded().await, [""; 0]);
    desk.run(
        "MERGE INTO article AS a USING (VALUES (1), (2), (4)) AS v (id) ON a.id = v.id
         WHEN MATCHED AND a.id = 1 THEN DELETE
         WHEN MATCHED THEN UPDATE SET views = 9
         WHEN NOT MATCHED THEN INSERT VALUES (v.id, NULL, 4)",
    )
    .await;
    let mut found = desk.recorded().await;
    found.sort();
    assert_eq!(
        found,
        [
            r#"create article:4 {"id": [null, 4], "views": [null, 4]}"#,
            r#"delete article:1 {"id": [1, null], "title": ["Uno", null], "views": [0, null]}"#,
            r#"update article:2 {"views": [0, 9]}"#,
        ]
    );
    check_log(&desk.db).await;
}

#[tokio::test]
async fn copy_and_truncate_leave_an_action_a_row() {
    let desk = Desk::article().await;
    let sink = desk.admin.copy_in("COPY article (id, title) FROM STDIN").await.expect("COPY");
    let mut sink = pin!(sink);
    sink.send(Bytes::from_static(b"1\tOne\n2\t\\N\n")).await.expect("sent");
    assert_eq!(sink.finish().await.expect("copied"), 2);
    let created = [
        r#"create article:1 {"id": [null, 1], "title": [null, "One"], "views": [null, 0]}"#,
        r#"create article:2 {"id": [null, 2], "views": [null, 0]}"#,
    ];
    assert_eq!(desk.recorded().await, created);
    desk.run("TRUNCATE article").await;
    assert_eq!(
        desk.recorded().await,
        [
            r#"delete article:1 {"id": [1, null], "title": ["One", null], "views": [0, null]}"#,
            r#"delete article:2 {"id": [2, null], "views": [0, null]}"#,
        ]
    );
    let sql = "SELECT count(*) || ' ' || count(DISTINCT run_id) FROM gesta.action
               WHERE data = '{\"statement\": \"TRUNCATE\"}'";
    assert_eq!(desk.text(sql).await, "2 1");
    desk.run("TRUNCATE article").await;
    assert_eq!(desk.recorded().await, [""; 0], "there was nothing");
    check_log(&desk.db).await;
}

#[tokio::test]
async fn cascades_are_recorded_in_the_other_table_and_in_the_same() {
    let desk = Desk::new(
        "CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE leaf (id integer PRIMARY KEY, node integer REFERENCES node ON DELETE SET NULL)",
    )
    .await;
    desk.track(&tracking("node", "node", &["id"])).await;
    desk.track(&tracking("leaf", "leaf", &["id"])).await;
    desk.run("INSERT INTO node VALUES (1, NULL), (2, 1), (3, 2); INSERT INTO leaf VALUES (1, 3)")
        .await;
    desk.recorded().await;
    desk.run("UPDATE node SET id = 20 WHERE id = 2").await;
    let mut found = desk.recorded().await;
    found.sort();
    assert_eq!(
        found,
        [
            r#"create node:20 {"id": [null, 20], "parent": [null, 1]}"#,
            r#"delete node:2 {"id": [2, null], "parent": [1, null]}"#,
            r#"update node:3 {"parent": [2, 20]}"#,
        ]
    );
    desk.run("DELETE FROM node WHERE id = 1").await;
    let mut found = desk.recorded().await;
    found.sort();
    assert_eq!(
        found,
        [
            r#"delete node:1 {"id": [1, null]}"#,
            r#"delete node:20 {"id": [20, null], "parent": [1, null]}"#,
            r#"delete node:3 {"id": [3, null], "parent": [20, null]}"#,
            r#"update leaf:1 {"node": [3, null]}"#,
        ]
    );
    check_log(&desk.db).await;
}

#[tokio::test]
async fn what_another_table_s_trigger_writes_is_recorded() {
    let desk = Desk::article().await;
    desk.run(
        "CREATE TABLE visit (article integer);
         CREATE FUNCTION count_visit() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN UPDATE article SET views = views + 1 WHERE id = NEW.article; RETURN NULL; END';
         CREATE TRIGGER count_visit AFTER INSERT ON visit FOR EACH ROW EXECUTE FUNCTION count_visit();
         INSERT INTO article VALUES (1)",
    )
    .await;
    desk.recorded().await;
    desk.run("INSERT INTO visit VALUES (1), (1)").await;
    let once = |old, new| format!(r#"update article:1 {{"views": [{old}, {new}]}}"#);
    assert_eq!(desk.recorded().await, [once(0, 1), once(1, 2)]);
    check_log(&desk.db).await;
}

#[tokio::test]
async fn changed_key_ends_one_object_and_begins_another() {
    let desk = Desk::article().await;
    desk.run("INSERT INTO article VALUES (1, 'One')").await;
    desk.recorded().await;
    desk.run("UPDATE article SET id = 2").await;
    assert_eq!(
        desk.recorded().await,
        [
            r#"delete article:1 {"id": [1, null], "title": ["One", null], "views": [0, null]}"#,
            r#"create article:2 {"id": [null, 2], "title": [null, "One"], "views": [null, 0]}"#,
        ]
    );
    let sql = r#"SELECT count(*) || ' ' || count(DISTINCT run_id) FROM gesta.action WHERE data = '{"key": ["1", "2"]}'"#;
    assert_eq!(desk.text(sql).await, "2 1");
    check_log(&desk.db).await;
}

#[tokio::test]
async fn keys_that_change_places_are_told_apart() {
    let desk = Desk::new(
        "CREATE TABLE article (id integer PRIMARY KEY DEFERRABLE, title text);
         INSERT INTO article VALUES (1, 'One'), (2, 'Two')",
    )
    .await;
    desk.track(&article()).await;
    desk.run("UPDATE article SET id = 3 - id").await;
    assert_eq!(
        desk.recorded().await,
        [
            r#"delete article:1 {"id": [1, null], "title": ["One", null]}"#,
            r#"delete article:2 {"id": [2, null], "title": ["Two", null]}"#,
            r#"create article:2 {"id": [null, 2], "title": [null, "One"]}"#,
            r#"create article:1 {"id": [null, 1], "title": [null, "Two"]}"#,
        ]
    );
}

/// It removes rows that an older snapshot does not show, and would be told of some that are gone.
#[tokio::test]
async fn truncate_by_an_older_snapshot_is_refused() {
    let desk = Desk::article().await;
    desk.run("INSERT INTO article VALUES (1)").await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let error =
            desk.fails(&format!("BEGIN ISOLATION LEVEL {level}; TRUNCATE article; COMMIT")).await;
        let told = format!("cannot be recorded in a transaction of isolation level {level}");
        assert!(error.contains(&told), "{error}");
    }
    desk.recorded().await;
    desk.run("BEGIN ISOLATION LEVEL READ UNCOMMITTED; TRUNCATE article; COMMIT").await;
    assert_eq!(desk.recorded().await.len(), 1);
}

/// Whoever reads the log in its order, or the stream of an object in that of its ids, ends with what there is.
#[tokio::test]
async fn keys_that_change_places_are_deleted_before_they_are_created() {
    let desk = Desk::new("CREATE TABLE place (n integer PRIMARY KEY DEFERRABLE, who text)").await;
    desk.track(&tracking("place", "place", &["n"])).await;
    desk.run("INSERT INTO place VALUES (1, 'a'), (2, 'b'), (3, 'c')").await;
    desk.recorded().await;
    desk.run("UPDATE place SET n = 4 - n").await;
    assert_eq!(
        desk.recorded().await,
        [
            r#"delete place:1 {"n": [1, null], "who": ["a", null]}"#,
            r#"delete place:3 {"n": [3, null], "who": ["c", null]}"#,
            r#"create place:3 {"n": [null, 3], "who": [null, "a"]}"#,
            r#"create place:1 {"n": [null, 1], "who": [null, "c"]}"#,
        ]
    );
    desk.run("UPDATE place SET n = n + 1").await;
    for order in ["seq", "id"] {
        let last = format!(
            "SELECT DISTINCT ON (object_id) concat_ws(' ', object_id, verb) FROM gesta.action
             WHERE object_type = 'place' ORDER BY object_id, {order} DESC"
        );
        let found = desk.texts(&last).await;
        assert_eq!(found, ["1 delete", "2 create", "3 create", "4 create"], "{order}");
    }
    check_log(&desk.db).await;
}

#[tokio::test]
async fn rolled_back_statement_leaves_no_action() {
    let desk = Desk::article().await;
    desk.run("BEGIN; INSERT INTO article VALUES (1); ROLLBACK").await;
    desk.run("BEGIN; INSERT INTO article VALUES (2); SAVEPOINT s; INSERT INTO article VALUES (3); ROLLBACK TO s; COMMIT")
        .await;
    assert_eq!(
        desk.recorded().await,
        [r#"create article:2 {"id": [null, 2], "views": [null, 0]}"#]
    );
    check_log(&desk.db).await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let desk = Desk::article().await;
    desk.run(
        "INSERT INTO article VALUES (1, 'One');
         CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END';
         CREATE TRIGGER full_disk BEFORE INSERT ON gesta.action FOR EACH ROW EXECUTE FUNCTION full_disk()",
    )
    .await;
    for sql in [
        "INSERT INTO article VALUES (2)",
        "UPDATE article SET views = 1",
        "DELETE FROM article",
        "TRUNCATE article",
    ] {
        assert!(desk.fails(sql).await.contains("53100"), "{sql}");
    }
    assert_eq!(desk.texts("SELECT article::text FROM article").await, ["(1,One,0)"]);
    desk.run("DROP TRIGGER full_disk ON gesta.action").await;
    assert_eq!(desk.recorded().await.len(), 1);
    check_log(&desk.db).await;
}

#[tokio::test]
async fn values_are_recorded_as_json_prints_them() {
    let desk = Desk::new(
        "CREATE TYPE mood AS ENUM ('glad', 'it''s \"odd\"');
         CREATE TYPE pair AS (a integer, b text);
         CREATE DOMAIN code AS text;
         CREATE TABLE article (id integer PRIMARY KEY, n numeric, f float8, t timestamptz, d date, i interval, b bytea, j json,
             jb jsonb, u uuid, m mood, ms mood[], p point, c code, ns numeric[], r int4range, bits bit(3), o pair)",
    )
    .await;
    desk.track(&article()).await;
    let row = "1, 1.50, 'NaN', '2026-01-01T12:00:00.5+02', '2026-02-03', '1 mon', '\\xff', '{\"b\": 1, \"a\": null}', '[1.0]',
         '0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f', 'it''s \"odd\"', '{glad,NULL}', '(1,2)', 'x', '{1.0,2}', '[1,3)', '101', NULL";
    desk.run(&format!("SET TimeZone = 'UTC'; INSERT INTO article VALUES ({row})")).await;
    let sql = "SELECT coalesce(jsonb_agg(f.key)::text, 'none') FROM article AS whole CROSS JOIN LATERAL jsonb_each(to_jsonb(whole)) AS f
               WHERE f.value IS DISTINCT FROM coalesce((SELECT changes #> ARRAY[f.key, '1'] FROM gesta.action WHERE verb = 'create'), 'null')";
    assert_eq!(desk.text(sql).await, "none");
    // Equal is not the same, and a JSON null is printed as a null.
    desk.recorded().await;
    for (set, changes) in [
        ("n = 1.500", r#"{"n": [1.50, 1.500]}"#),
        ("i = '30 days'", r#"{"i": ["1 mon", "30 days"]}"#),
        ("p = '(1,3)'", r#"{"p": ["(1,2)", "(1,3)"]}"#),
        ("j = '{}'", r#"{"j": [{"a": null, "b": 1}, {}]}"#),
        ("jb = NULL", r#"{"jb": [[1.0], null]}"#),
        ("jb = 'null'", r#"{"jb": [null, null]}"#),
        ("jb = 'null'", ""),
        ("f = f, u = u, r = r, ms = ms", ""),
    ] {
        desk.run(&format!("UPDATE article SET {set}")).await;
        let found = desk.recorded().await;
        let wanted: Vec<_> = (!changes.is_empty())
            .then(|| format!("update article:1 {changes}"))
            .into_iter()
            .collect();
        assert_eq!(found, wanted, "{set}");
    }
    check_log(&desk.db).await;
}

#[tokio::test]
async fn table_of_more_columns_than_a_function_takes_arguments_is_recorded() {
    let columns: Vec<_> = (0..250).map(|n| format!("c{n} integer")).collect();
    let desk = Desk::new(&format!(
        "CREATE TABLE article (id integer PRIMARY KEY, {}); INSERT INTO article VALUES (1)",
        columns.join(", ")
    ))
    .await;
    desk.track(&article()).await;
    desk.run("UPDATE article SET c3 = 1, c120 = 2, c249 = 3").await;
    assert_eq!(
        desk.recorded().await,
        [r#"update article:1 {"c3": [null, 1], "c120": [null, 2], "c249": [null, 3]}"#]
    );
}

#[tokio::test]
async fn tracking_is_an_action_and_untracking_leaves_the_log() {
    let desk = Desk::new(ARTICLE).await;
    assert!(desk.tracked().await.is_empty());
    desk.track(&article().name("title")).await;
    desk.track(&article()).await;
    desk.run("INSERT INTO article VALUES (1)").await;
    desk.untrack("article").await;
    desk.run("INSERT INTO article VALUES (2)").await;
    assert_eq!(desk.recorded().await.len(), 1);
    assert!(desk.tracked().await.is_empty());
    let left = "SELECT tgname::text FROM pg_trigger WHERE tgname LIKE 'gesta%' UNION ALL
                SELECT proname FROM pg_proc WHERE proname LIKE 'capture\\_article%'";
    assert_eq!(desk.texts(left).await, [""; 0]);
    let store = desk.db.unbound_store().await;
    let reader = Reader::new(&store, Tenant::default());
    let table = crate::support::resource("table:public.article");
    let told = crate::support::page(&reader, gesta::StreamQuery::object(&table)).await;
    let told: Vec<_> =
        told.iter().map(|a| (a.verb.as_str(), a.actor.resource.to_string())).collect();
    let who = || "system:operator".to_owned();
    assert_eq!(told, [("untrack", who()), ("track", who()), ("track", who())]);
    check_log(&desk.db).await;
}
