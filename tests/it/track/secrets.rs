//! Masked, hashed and excluded fields: no byte of them in the log, nor in an error.

use gesta::track::State;
use sha2::{Digest, Sha256};

use super::{Desk, article};
use crate::support::check_log;

const TABLE: &str = "CREATE TABLE article (id integer PRIMARY KEY, title text, iban text, pin integer, note text, doc json)";

async fn desk() -> Desk {
    let desk = Desk::new(TABLE).await;
    desk.track(&article().mask(["iban", "doc"]).hash(["pin"]).exclude(["note"])).await;
    desk
}

/// Rows of the log that hold a text anywhere.
async fn found(desk: &Desk, secret: &str) -> String {
    desk.text(&format!(
        "SELECT count(*)::text FROM gesta.action AS a WHERE strpos(a::text, '{secret}') > 0"
    ))
    .await
}

fn hashed(json: &str) -> String {
    let digest = Sha256::digest(json.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn secrets_are_nowhere_in_the_log() {
    let desk = desk().await;
    desk.run("INSERT INTO article VALUES (1, 'a', 'S3CRET', 471147, 'S3CRET', '\"S3CRET\"'), (2, 'b', NULL, NULL, NULL, 'null')").await;
    desk.run("UPDATE article SET iban = 'S3CRET2', pin = 5, note = 'S3CRET3' WHERE id = 1").await;
    desk.run("UPDATE article SET iban = NULL, doc = NULL WHERE id = 1").await;
    desk.run("UPDATE article SET note = 'S3CRET4'").await;
    desk.run("UPDATE article SET id = 3 WHERE id = 1; TRUNCATE article").await;
    let (first, second) = (hashed("471147"), hashed("5"));
    let recorded = desk.recorded().await;
    assert_eq!(
        recorded[..4],
        [
            format!(
                r#"create article:1 {{"id": [null, 1], "doc": [null, "***"], "pin": [null, "{first}"], "iban": [null, "***"], "title": [null, "a"]}}"#
            ),
            r#"create article:2 {"id": [null, 2], "title": [null, "b"]}"#.to_owned(),
            format!(
                r#"update article:1 {{"pin": ["{first}", "{second}"], "iban": ["***", "***"]}}"#
            ),
            r#"update article:1 {"doc": ["***", null], "iban": ["***", null]}"#.to_owned(),
        ]
    );
    assert_eq!(recorded.len(), 8, "a change of what is left out is none: {recorded:?}");
    for secret in ["S3CRET", "471147"] {
        assert_eq!(found(&desk, secret).await, "0");
    }
    check_log(&desk.db).await;
}

#[tokio::test]
async fn secrets_stay_secret_when_columns_are_renamed_or_the_shape_changes() {
    let desk = desk().await;
    desk.run("ALTER TABLE article ADD more text; INSERT INTO article VALUES (1, 'a', 'S3CRET', 471147, 'S3CRET', NULL, 'seen')").await;
    assert!(desk.recorded().await[0].contains(r#""more": [null, "seen"]"#));
    desk.run("ALTER TABLE article RENAME iban TO account; UPDATE article SET account = 'S3CRET5', title = 'b'").await;
    assert_eq!(
        desk.recorded().await,
        [r#"update article:1 {"title": ["a", "b"], "account": ["***", "***"]}"#]
    );
    desk.run("ALTER TABLE article RENAME note TO remark; ALTER TABLE article RENAME pin TO code")
        .await;
    desk.run("UPDATE article SET remark = 'S3CRET6', code = 471148; DELETE FROM article").await;
    for secret in ["S3CRET", "47114", "seen\""] {
        let expected = if secret.starts_with("seen") { "1" } else { "0" };
        assert_eq!(found(&desk, secret).await, expected, "{secret}");
    }
}

/// A column is known by its number as well: its name may be that of another one now.
#[tokio::test]
async fn secret_whose_name_another_column_has_stays_secret() {
    for (alter, update) in [
        ("RENAME iban TO account; ALTER TABLE article ADD iban text", "account = 'S3CRET1'"),
        ("RENAME iban TO account; ALTER TABLE article ADD iban text", "iban = 'S3CRET1'"),
        (
            "RENAME title TO x; ALTER TABLE article RENAME iban TO title; ALTER TABLE article RENAME x TO iban",
            "title = 'S3CRET1'",
        ),
        (
            "DROP title; ALTER TABLE article RENAME iban TO title; ALTER TABLE article ADD iban text",
            "title = 'S3CRET1'",
        ),
        ("RENAME note TO remark; ALTER TABLE article ADD note text", "remark = 'S3CRET1'"),
        ("RENAME pin TO code; ALTER TABLE article ADD pin integer", "code = 471148"),
    ] {
        let desk = Desk::new(TABLE).await;
        let options = article().mask(["iban", "doc"]).hash(["pin"]).exclude(["note"]);
        desk.track(&options.name("title")).await;
        desk.run("INSERT INTO article VALUES (1, 'a', 'S3CRET', 471147, 'S3CRET')").await;
        desk.run(&format!("ALTER TABLE article {alter}; UPDATE article SET {update}")).await;
        for secret in ["S3CRET", "47114"] {
            assert_eq!(found(&desk, secret).await, "0", "{alter}: {update}");
        }
        assert_eq!(desk.recorded().await.len(), 2, "{alter}: {update}");
        assert_eq!(desk.tracked().await.remove(0).states, [State::ShapeChanged], "{alter}");
        check_log(&desk.db).await;
    }
}

/// The restored dump of a table that had lost a column has other numbers.
#[tokio::test]
async fn columns_of_other_numbers_are_the_same_by_their_order() {
    let desk = Desk::new(TABLE).await;
    desk.run("ALTER TABLE article DROP title, ADD late text").await;
    desk.track(&article().mask(["iban", "doc"]).hash(["pin"]).exclude(["note"])).await;
    desk.run(
        "CREATE TABLE copy (id integer PRIMARY KEY, iban text, pin integer, note text, doc json, late text);
         ALTER TABLE article RENAME TO old; ALTER TABLE copy RENAME TO article;
         DO $$
         BEGIN
             EXECUTE (SELECT string_agg(replace(pg_get_triggerdef(t.oid), ' ON public.old ', ' ON public.article '), ';')
                      FROM pg_trigger AS t WHERE t.tgrelid = 'old'::regclass AND t.tgname LIKE 'gesta%');
         END $$;
         INSERT INTO article VALUES (1, 'S3CRET', 471147, 'S3CRET', NULL, 'seen')",
    )
    .await;
    let pin = hashed("471147");
    assert_eq!(
        desk.recorded().await,
        [format!(
            r#"create article:1 {{"id": [null, 1], "pin": [null, "{pin}"], "iban": [null, "***"], "late": [null, "seen"]}}"#
        )]
    );
}

#[tokio::test]
async fn errors_of_ours_do_not_hold_secrets() {
    let desk = desk().await;
    desk.run("INSERT INTO article VALUES (1, 'a', 'S3CRET', 471147, 'S3CRET', '{\"S3CRET\": \"\\u0000\"}')").await;
    desk.run(
        "ALTER TABLE gesta.action ADD CONSTRAINT action_no_update CHECK (verb <> 'update') NOT VALID;
         ALTER TABLE gesta.action ADD CONSTRAINT action_no_delete CHECK (verb <> 'delete') NOT VALID",
    )
    .await;
    for sql in [
        "UPDATE article SET iban = 'x', pin = 1, doc = '{}'",
        "DELETE FROM article",
        "TRUNCATE article",
    ] {
        let error = desk.fails(sql).await;
        assert!(
            error.contains("action_no_") && !error.contains("S3CRET") && !error.contains("471147"),
            "{error}"
        );
    }
    // The settle error names counts only.
    let error = desk
        .fails("BEGIN; SELECT set_config('gesta.recorded', 'article'::regclass::oid::text, true); UPDATE article SET iban = 'x'; COMMIT")
        .await;
    assert!(error.contains("recorded 0") && !error.contains("S3CRET"), "{error}");
}
