//! Partitioned tables: through the table, on a partition, between partitions.

use gesta::track::State;

use super::{Desk, tracking};
use crate::support::check_log;

const EVENT: &str = "
CREATE TABLE event (year integer, id integer, note text, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 (note text, gone integer, id integer NOT NULL, year integer NOT NULL);
ALTER TABLE event_2 DROP gone;
ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES IN (2)";

#[tokio::test]
async fn statements_on_the_table_and_on_partitions_are_recorded_once() {
    let desk = Desk::new(EVENT).await;
    desk.track(&tracking("event", "event", &["year", "id"])).await;
    desk.run("INSERT INTO event VALUES (1, 1, 'a'), (2, 2, 'b')").await;
    desk.run("INSERT INTO event_2 (year, id, note) VALUES (2, 3, 'c')").await;
    desk.run(
        "UPDATE event SET note = 'x' WHERE id < 3; UPDATE event_2 SET note = 'y' WHERE id = 3",
    )
    .await;
    desk.run("DELETE FROM event WHERE id = 1; DELETE FROM event_2 WHERE id = 3").await;
    let verbs: Vec<_> = desk
        .recorded()
        .await
        .iter()
        .map(|a| a.split(" {").next().expect("a verb").to_owned())
        .collect();
    assert_eq!(
        verbs,
        [
            "create event:[1, 1]",
            "create event:[2, 2]",
            "create event:[2, 3]",
            "update event:[1, 1]",
            "update event:[2, 2]",
            "update event:[2, 3]",
            "delete event:[1, 1]",
            "delete event:[2, 3]",
        ]
    );
    desk.run("UPDATE event SET year = 1 WHERE id = 2").await;
    assert_eq!(
        desk.recorded().await,
        [
            r#"delete event:[2, 2] {"id": [2, null], "note": ["x", null], "year": [2, null]}"#,
            r#"create event:[1, 2] {"id": [null, 2], "note": [null, "x"], "year": [null, 1]}"#,
        ],
        "the row has moved"
    );
    desk.run("INSERT INTO event VALUES (2, 9, NULL)").await;
    desk.recorded().await;
    desk.run("TRUNCATE event_1").await;
    assert_eq!(desk.recorded().await.len(), 1);
    desk.run("TRUNCATE event").await;
    assert_eq!(
        desk.recorded().await,
        [r#"delete event:[2, 9] {"id": [9, null], "year": [2, null]}"#]
    );
    check_log(&desk.db).await;
}

#[tokio::test]
async fn key_must_be_unique_in_all_partitions() {
    let desk = Desk::new(EVENT).await;
    let error = desk.try_track(&tracking("event", "event", &["id"])).await.expect_err("not unique");
    assert!(
        error.to_string().contains("id cannot be the key of public.event: it is not unique"),
        "{error}"
    );
}

#[tokio::test]
async fn partition_that_was_made_since_is_told() {
    let desk = Desk::new(EVENT).await;
    let options = tracking("event", "event", &["id", "year"]);
    assert_eq!(desk.track(&options).await.states, []);
    desk.run("CREATE TABLE event_3 PARTITION OF event FOR VALUES IN (3)").await;
    // Through the table it is recorded all the same.
    desk.run("INSERT INTO event VALUES (3, 1)").await;
    assert_eq!(desk.recorded().await.len(), 1);
    let error = desk.fails("TRUNCATE event").await;
    assert!(error.contains("a partition has no trigger"), "{error}");
    let states = desk.tracked().await.remove(0).states;
    assert_eq!(states, [State::MissingOn(vec!["public.event_3".to_owned()])]);
    assert_eq!(desk.track(&options).await.states, []);
    desk.run("INSERT INTO event_3 VALUES (3, 2)").await;
    assert_eq!(desk.recorded().await.len(), 1);
}

#[tokio::test]
async fn marked_statement_of_the_table_is_silent_and_held_to_it() {
    let desk = Desk::new(EVENT).await;
    desk.track(&tracking("event", "event", &["id", "year"])).await;
    for table in ["event", "event_1"] {
        let error = desk
            .fails(&format!(
                "BEGIN; SELECT set_config('gesta.recorded', 'event'::regclass::oid::text, true);
                 INSERT INTO {table} VALUES (1, 1); COMMIT"
            ))
            .await;
        assert!(
            error.contains("changed 1 rows of public.event") && error.contains("recorded 0"),
            "{error}"
        );
    }
    assert_eq!(desk.recorded().await, [""; 0]);
}

#[tokio::test]
async fn row_that_gets_lost_between_partitions_refuses_the_update() {
    let desk = Desk::new(EVENT).await;
    desk.track(&tracking("event", "event", &["id", "year"])).await;
    desk.run(
        "INSERT INTO event VALUES (1, 1, 'a'), (1, 2, 'b');
         CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER swallow BEFORE INSERT ON event_2 FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION swallow()",
    )
    .await;
    let error = desk.fails("UPDATE event SET year = 2").await;
    assert!(error.contains("swallowed a row that moved there"), "{error}");
    assert_eq!(desk.text("SELECT count(*)::text FROM event").await, "2");
}

/// Its triggers of statements do not see such rows; those of an UPDATE do.
#[tokio::test]
async fn merge_that_moves_rows_to_another_partition_is_refused() {
    let desk = Desk::new(EVENT).await;
    desk.track(&tracking("event", "event", &["year", "id"])).await;
    desk.run("INSERT INTO event VALUES (1, 1, 'a'), (1, 2, 'b'), (1, 3, 'c')").await;
    desk.recorded().await;
    let merge = "MERGE INTO event AS e USING (VALUES (1), (2), (3), (4)) AS v (id) ON e.id = v.id";
    for actions in [
        "WHEN MATCHED THEN UPDATE SET year = 2",
        "WHEN MATCHED AND e.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET year = 2",
        "WHEN MATCHED THEN UPDATE SET year = 2 WHEN NOT MATCHED THEN INSERT VALUES (1, v.id)",
        "WHEN MATCHED AND e.id > 1 THEN UPDATE SET note = 'x'
         WHEN MATCHED THEN UPDATE SET year = 2",
    ] {
        let error = desk.fails(&format!("{merge} {actions}")).await;
        assert!(error.contains("a MERGE moves rows to another partition"), "{actions}: {error}");
    }
    assert_eq!(desk.recorded().await, [""; 0]);
    let sql = "SELECT concat_ws(' ', year, id, note) FROM event ORDER BY id";
    assert_eq!(desk.texts(sql).await, ["1 1 a", "1 2 b", "1 3 c"]);
    desk.run(&format!(
        "{merge} WHEN MATCHED AND e.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET note = 'x'
         WHEN NOT MATCHED THEN INSERT VALUES (2, v.id, 'd')"
    ))
    .await;
    assert_eq!(desk.recorded().await.len(), 4, "where nothing moves, all is recorded");
    desk.run("UPDATE event SET year = 3 - year").await;
    assert_eq!(desk.recorded().await.len(), 6, "as is what an UPDATE moves");
    assert_eq!(desk.text("SELECT count(*)::text FROM gesta.note").await, "0");
    check_log(&desk.db).await;
}

/// A key that changes inside of its partition moves nothing; partitions of partitions have keys of their own.
#[tokio::test]
async fn merge_on_partitions_of_partitions_is_recorded_or_refused() {
    let desk = Desk::new(
        "CREATE TABLE event (year integer, id integer, note text, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
         CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1) PARTITION BY RANGE (id);
         CREATE TABLE event_1_low PARTITION OF event_1 FOR VALUES FROM (0) TO (10);
         CREATE TABLE event_1_high PARTITION OF event_1 FOR VALUES FROM (10) TO (20);
         INSERT INTO event VALUES (1, 1)",
    )
    .await;
    desk.track(&tracking("event", "event", &["year", "id"])).await;
    for table in ["event", "event_1"] {
        let merge = format!(
            "MERGE INTO {table} AS e USING (VALUES (1)) AS v (n) ON e.year = v.n WHEN MATCHED THEN"
        );
        desk.run(&format!("{merge} UPDATE SET id = e.id + 1")).await;
        assert_eq!(desk.recorded().await.len(), 2, "{table}");
        let error = desk.fails(&format!("{merge} UPDATE SET id = e.id + 10")).await;
        assert!(error.contains("a MERGE moves rows to another partition"), "{table}: {error}");
    }
    check_log(&desk.db).await;
}
