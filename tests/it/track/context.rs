//! Who did it: the transaction's context, or the role that logged in.

use super::{Desk, fails};
use crate::support::check_log;

/// Who, in which run, and why.
const WHO: &str = "
SELECT concat_ws(' | ', tenant, actor_type || ':' || actor_id, names::text, run_id::text, context::text)
FROM gesta.action WHERE source = 'trigger' ORDER BY seq";

/// A table that a role without any right on the log may write.
async fn desk() -> Desk {
    let desk = Desk::article().await;
    desk.run("GRANT ALL ON article TO gesta_auditor, gesta_app").await;
    desk
}

#[tokio::test]
async fn role_without_context_and_without_a_right_on_the_log_is_recorded_as_itself() {
    let desk = desk().await;
    let role = desk.db.connect("gesta_auditor").await;
    role.batch_execute("INSERT INTO article VALUES (1); TRUNCATE article").await.expect("written");
    let who = r#"default | system:gesta_auditor | {"actor": "gesta_auditor"} | {"database_role": "gesta_auditor"}"#;
    assert_eq!(desk.texts(WHO).await, [who, who]);
    // What it may do by SET ROLE is still done by who logged in.
    desk.run("SET ROLE gesta_app; INSERT INTO article VALUES (2); RESET ROLE").await;
    let last = desk.texts(WHO).await.pop().expect("an action");
    assert!(last.contains(&format!("system:{}", desk.db.superuser())), "{last}");
    check_log(&desk.db).await;
}

#[tokio::test]
async fn context_of_the_transaction_is_recorded_and_ends_with_it() {
    let desk = desk().await;
    let app = desk.db.connect("gesta_app").await;
    let context = r#"{"actor": {"type": "user", "id": "42", "name": "Alice"}, "run_id": "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f",
        "context": {"request_id": "7f3a", "database_role": "somebody else"}}"#;
    let sql = format!(
        "BEGIN; SET LOCAL gesta.tenant = 'acme'; SET LOCAL gesta.context = '{context}'; INSERT INTO article VALUES (1); COMMIT"
    );
    app.batch_execute(&sql).await.expect("written");
    app.batch_execute("INSERT INTO article VALUES (2)").await.expect("written");
    assert_eq!(
        desk.texts(WHO).await,
        [
            r#"acme | user:42 | {"actor": "Alice"} | 0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f | {"request_id": "7f3a", "database_role": "gesta_app"}"#,
            r#"default | system:gesta_app | {"actor": "gesta_app"} | {"database_role": "gesta_app"}"#,
        ]
    );
    check_log(&desk.db).await;
}

#[tokio::test]
async fn operator_says_who_and_why_with_act_as() {
    let desk = desk().await;
    let app = desk.db.connect("gesta_app").await;
    let sql = "BEGIN; SELECT gesta.act_as('user', '7', 'Bob', 'ticket OPS-1'); INSERT INTO article VALUES (1); COMMIT;
               BEGIN; SELECT gesta.act_as('user', '8'); INSERT INTO article VALUES (2); COMMIT";
    app.batch_execute(sql).await.expect("written");
    assert_eq!(
        desk.texts(WHO).await,
        [
            r#"default | user:7 | {"actor": "Bob"} | {"reason": "ticket OPS-1", "database_role": "gesta_app"}"#,
            r#"default | user:8 | {"database_role": "gesta_app"}"#,
        ]
    );
    let error = fails(&app, "BEGIN; SELECT gesta.act_as('us er', '7')").await;
    assert!(error.contains("`actor.type` is not 1 to 63 letters"), "{error}");
}

#[tokio::test]
async fn context_that_is_not_understood_refuses_the_change() {
    let desk = desk().await;
    for (context, problem) in [
        ("hush", "it is no JSON object"),
        ("[]", "it is no JSON object"),
        ("\"\\u0000\"", "it is no JSON object"),
        ("{}", "`actor` is missing"),
        (r#"{"actor": "user:1"}"#, "`actor` is missing"),
        (r#"{"actor": {"id": "1"}}"#, "`actor.type`"),
        (r#"{"actor": {"type": "a:b", "id": "1"}}"#, "`actor.type`"),
        (r#"{"actor": {"type": "user", "id": ""}}"#, "`actor.id`"),
        (r#"{"actor": {"type": "user", "id": 7}}"#, "`actor.id`"),
        (r#"{"actor": {"type": "user", "id": "1", "name": 7}}"#, "`actor.name`"),
        (r#"{"actor": {"type": "user", "id": "1"}, "run_id": "7"}"#, "`run_id`"),
        (r#"{"actor": {"type": "user", "id": "1"}, "context": "hush"}"#, "`context` is no"),
    ] {
        let sql =
            format!("BEGIN; SET LOCAL gesta.context = '{context}'; INSERT INTO article VALUES (1)");
        let error = desk.fails(&sql).await;
        let told = error.contains("gesta.context is not understood") && error.contains(problem);
        assert!(told && !error.contains("hush"), "{context}: {error}");
    }
    assert_eq!(desk.recorded().await, [""; 0]);
}

/// It would stand in the log for ever, where no reader understands it.
#[tokio::test]
async fn setting_that_is_no_tenant_refuses_the_change() {
    let desk = desk().await;
    let app = desk.db.connect("gesta_app").await;
    let long = format!("'{}'", "x".repeat(64));
    for (tenant, problem) in [
        (r"E'a\tb\n'", "`a?b?` has a control character"),
        (r"E'a\u0085'", "`a?` has a control character"),
        (long.as_str(), "` has 64 bytes"),
    ] {
        let sql =
            format!("BEGIN; SET LOCAL gesta.tenant = {tenant}; INSERT INTO article VALUES (1)");
        let error = fails(&app, &sql).await;
        let told =
            error.contains("the setting gesta.tenant is no tenant") && error.contains(problem);
        assert!(told, "{tenant}: {error}");
    }
    assert_eq!(desk.recorded().await, [""; 0]);
    app.batch_execute("SET gesta.tenant = 'Ünïcode, 63 bytes'; INSERT INTO article VALUES (1)")
        .await
        .expect("written");
    check_log(&desk.db).await;
}

#[tokio::test]
async fn names_are_kept_and_cut_between_characters() {
    let desk = Desk::new(super::ARTICLE).await;
    desk.track(&super::article().name("title")).await;
    desk.run("INSERT INTO article VALUES (1, repeat('é', 600)), (2, NULL)").await;
    desk.run("UPDATE article SET title = 'now' WHERE id = 1; DELETE FROM article WHERE id = 1")
        .await;
    let sql = "SELECT coalesce(CASE WHEN names->>'object' = repeat('é', 512) THEN 'cut' ELSE names->>'object' END, 'none')
               FROM gesta.action WHERE source = 'trigger' ORDER BY seq";
    assert_eq!(desk.texts(sql).await, ["cut", "none", "now", "now"]);
    check_log(&desk.db).await;
}
