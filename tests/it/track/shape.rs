//! A tracked table that changes: recorded all the same, and told.

use gesta::track::State;
use std::process::Command;

use super::{ARTICLE, Desk, article, tracking};
use crate::support::{bare_database, check_log};

#[tokio::test]
async fn changed_columns_are_recorded_and_told_until_it_is_tracked_again() {
    for (alter, update, changes) in [
        ("ADD more text DEFAULT 'x'", "more = 'y'", r#"{"more": ["x", "y"]}"#),
        ("DROP title", "views = 1", r#"{"views": [0, 1]}"#),
        ("RENAME title TO headline", "headline = 'y'", r#"{"headline": ["One", "y"]}"#),
        ("ALTER views TYPE text", "views = 'y'", r#"{"views": ["0", "y"]}"#),
        (
            "ALTER title TYPE jsonb USING to_jsonb(title)",
            "title = '[]'",
            r#"{"title": ["One", []]}"#,
        ),
    ] {
        let desk = Desk::article().await;
        desk.run("INSERT INTO article VALUES (1, 'One'), (2, 'One'); UPDATE article SET views = 0")
            .await;
        desk.recorded().await;
        for tracked_again in ["", "again"] {
            if tracked_again.is_empty() {
                desk.run(&format!("ALTER TABLE article {alter}")).await;
                assert_eq!(desk.tracked().await.remove(0).states, [State::ShapeChanged], "{alter}");
            } else {
                assert_eq!(desk.track(&article()).await.states, [], "{alter}");
            }
            desk.run(&format!("BEGIN; UPDATE article SET {update} WHERE id = 1")).await;
            assert_eq!(
                desk.recorded().await,
                [format!("update article:1 {changes}")],
                "{alter} {tracked_again}"
            );
            desk.run("DELETE FROM article WHERE id = 1; TRUNCATE article; INSERT INTO article (id) VALUES (3)").await;
            let verbs: Vec<_> = desk.recorded().await.iter().map(|a| a[..16].to_owned()).collect();
            assert_eq!(
                verbs,
                ["delete article:1", "delete article:2", "create article:3"],
                "{alter}"
            );
            desk.run("ROLLBACK").await;
            desk.run(&format!("SET test.seen = '{}'", desk.texts(super::RECORDED).await.len()))
                .await;
        }
        check_log(&desk.db).await;
    }
}

#[tokio::test]
async fn table_that_is_renamed_or_moved_is_the_same() {
    let desk = Desk::article().await;
    desk.run("CREATE SCHEMA shop; ALTER TABLE article RENAME TO piece; ALTER TABLE piece SET SCHEMA shop").await;
    desk.run("INSERT INTO shop.piece VALUES (1)").await;
    assert_eq!(desk.recorded().await.len(), 1);
    // It is read at TRUNCATE, which takes a right on its new schema.
    let tracked = desk.tracked().await.remove(0);
    assert_eq!((tracked.table.as_str(), tracked.states), ("shop.piece", vec![State::Unreadable]));
    let error = desk.fails("TRUNCATE shop.piece").await;
    assert!(error.contains("gesta_capture may not read it"), "{error}");
    assert_eq!(desk.track(&tracking("shop.piece", "article", &["id"])).await.states, []);
    desk.run("TRUNCATE shop.piece").await;
    assert_eq!(desk.recorded().await.len(), 1);
    // Another table may have the old name, and be tracked.
    desk.run(ARTICLE).await;
    desk.track(&article()).await;
    desk.run("INSERT INTO article VALUES (1); INSERT INTO shop.piece VALUES (2)").await;
    assert_eq!(desk.recorded().await.len(), 2);
}

#[tokio::test]
async fn primary_key_of_another_name_is_the_key_still_and_a_lost_key_refuses() {
    let desk = Desk::article().await;
    desk.run("ALTER TABLE article RENAME id TO number; INSERT INTO article VALUES (1)").await;
    assert_eq!(
        desk.recorded().await,
        [r#"create article:1 {"views": [null, 0], "number": [null, 1]}"#]
    );
    desk.run("ALTER TABLE article DROP number").await;
    for sql in [
        "INSERT INTO article VALUES ('x')",
        "UPDATE article SET views = 1",
        "DELETE FROM article",
        "TRUNCATE article",
    ] {
        let error = desk.fails(sql).await;
        let told = "a change of public.article cannot be recorded: it has lost its key (id), by which it is tracked";
        assert!(error.contains(told) && error.contains("`gesta track` again"), "{sql}: {error}");
    }
    desk.untrack("article").await;
    desk.run("DELETE FROM article").await;
}

#[tokio::test]
async fn key_that_is_not_the_primary_one_is_not_guessed() {
    let desk =
        Desk::new("CREATE TABLE article (id integer PRIMARY KEY, slug text NOT NULL UNIQUE)").await;
    desk.track(&tracking("article", "article", &["slug"])).await;
    desk.run("ALTER TABLE article RENAME slug TO path").await;
    let error = desk.fails("INSERT INTO article VALUES (1, 'a')").await;
    assert!(error.contains("it has lost its key (slug)"), "{error}");
}

#[tokio::test]
async fn foreign_key_to_itself_that_was_made_since_is_told() {
    let desk = Desk::article().await;
    desk.run("ALTER TABLE article ADD FOREIGN KEY (views) REFERENCES article ON DELETE CASCADE")
        .await;
    assert_eq!(desk.tracked().await.remove(0).states, [State::CascadeMissing]);
    assert_eq!(desk.track(&article()).await.states, []);
}

#[tokio::test]
async fn child_that_was_made_since_is_told() {
    let desk = Desk::article().await;
    desk.run("CREATE TABLE child () INHERITS (article)").await;
    assert_eq!(desk.tracked().await.remove(0).states, [State::HasChildren]);
    let error = desk.try_track(&article()).await.expect_err("a parent");
    assert!(error.to_string().contains("it is a parent of other tables"), "{error}");
    desk.untrack("article").await;
    assert!(desk.tracked().await.is_empty(), "it can be ended all the same");
}

/// What its triggers name of the table does not fit any more, so they do it as the functions are now.
#[tokio::test]
async fn table_of_an_earlier_version_is_recorded_and_told() {
    let table = "CREATE TABLE article (id integer PRIMARY KEY, title text, iban text)";
    let desk = Desk::new(table).await;
    let options = article().mask(["iban"]);
    desk.track(&options).await;
    desk.run(
        r#"DO $$
           DECLARE
               numbers CONSTANT text := '"numbers":[1,2,3],';
               written CONSTANT text := pg_get_functiondef('gesta.capture_article'::regproc);
           BEGIN
               EXECUTE replace(replace(written, numbers, ''), '2:1 id', 'id');
               EXECUTE format('COMMENT ON FUNCTION gesta.capture_article() IS %L',
                              replace(obj_description('gesta.capture_article'::regproc, 'pg_proc'), numbers, ''));
           END $$"#,
    )
    .await;
    assert_eq!(desk.tracked().await.remove(0).states, [State::Outdated]);
    desk.run("INSERT INTO article VALUES (1, 'One', 'S3CRET')").await;
    desk.run("ALTER TABLE article RENAME iban TO account; ALTER TABLE article ADD iban text; UPDATE article SET account = 'S3CRET2', title = 'Two'").await;
    assert_eq!(
        desk.recorded().await,
        [
            r#"create article:1 {"id": [null, 1], "iban": [null, "***"], "title": [null, "One"]}"#,
            r#"update article:1 {"title": ["One", "Two"], "account": ["***", "***"]}"#,
        ]
    );
    assert_eq!(desk.track(&options.mask(["iban", "account"])).await.states, []);
}

/// Logical replication fires triggers of rows only.
#[tokio::test]
async fn table_that_a_subscription_writes_to_is_told() {
    let desk = Desk::article().await;
    desk.run(
        "SET allow_system_table_mods = on;
         INSERT INTO pg_subscription_rel VALUES (1, 'article'::regclass, 'r', NULL)",
    )
    .await;
    assert_eq!(desk.tracked().await.remove(0).states, [State::Subscribed]);
    assert_eq!(desk.track(&article()).await.states, [State::Subscribed]);
}

/// OIDs are others in the copy.
#[tokio::test]
async fn tracking_survives_dump_and_restore() {
    let desk = Desk::new("CREATE TABLE before (id integer)").await;
    desk.run(ARTICLE).await;
    desk.track(&article().mask(["title"])).await;
    let mut dump = Command::new(desk.db.program("pg_dump"));
    let dump = dump.arg("--inserts").arg("--dbname").arg(desk.db.url(desk.db.superuser()));
    let output = dump.output().expect("pg_dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('\\')).collect();
    let db = bare_database().await;
    let admin = db.admin().await;
    admin.batch_execute(&lines.join("\n")).await.expect("restored");
    let copy = Desk { admin: db.admin().await, db };
    copy.run("INSERT INTO article VALUES (1, 'S3CRET')").await;
    assert_eq!(
        copy.recorded().await,
        [r#"create article:1 {"id": [null, 1], "title": [null, "***"], "views": [null, 0]}"#]
    );
    assert_eq!(copy.tracked().await, desk.tracked().await);
}
