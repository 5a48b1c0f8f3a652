//! Masked, hashed and excluded fields: no byte of them in the log, nor in an error.

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
