//! Who may do what: the writers of a tracked table have no right on the log, and cannot escape it.

use gesta::track::State;

use super::{ARTICLE, Desk, article, fails};
use crate::support::check_log;

#[tokio::test]
async fn application_can_neither_disable_nor_replace_the_triggers() {
    let desk = Desk::article().await;
    desk.run("GRANT ALL ON article TO gesta_app, gesta_user; GRANT CREATE ON SCHEMA public TO gesta_user").await;
    for role in ["gesta_app", "gesta_user", "gesta_import", "gesta_auditor"] {
        let client = desk.db.connect(role).await;
        for sql in [
            "ALTER TABLE article DISABLE TRIGGER gesta_capture_update",
            "ALTER TABLE article DISABLE TRIGGER ALL",
            "DROP TRIGGER gesta_capture_update ON article",
            "DROP FUNCTION gesta.capture_article() CASCADE",
            "ALTER FUNCTION gesta.capture_article() SET search_path = public",
            "CREATE OR REPLACE FUNCTION gesta.capture_article() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "CREATE OR REPLACE FUNCTION gesta.stamp(moment timestamptz, is_batch boolean) RETURNS gesta.stamp LANGUAGE sql AS 'SELECT NULL'",
            "SET session_replication_role = replica",
            "SELECT count(*) FROM gesta.claim",
            "DELETE FROM gesta.claim",
            "ALTER TABLE gesta.claim DISABLE TRIGGER ALL",
            "DELETE FROM gesta.note",
            "SELECT gesta.take_notes('article'::regclass, 'UPDATE')",
            "SELECT gesta.claim('article'::regclass, 'article', -100)",
            "INSERT INTO gesta.claim VALUES ('1', 1, 'article', -100, 0)",
            "SET ROLE gesta_capture",
            "CREATE TABLE own (id integer); CREATE TRIGGER mine AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION gesta.capture_article()",
        ] {
            let error = fails(&client, sql).await;
            assert!(error.contains("42501") || error.contains("42P01"), "{role}: {sql}: {error}");
        }
    }
    desk.run("SET session_replication_role = replica; INSERT INTO article VALUES (1); RESET session_replication_role").await;
    assert_eq!(desk.recorded().await.len(), 1, "also where the triggers of replicas are off");
}

#[tokio::test]
async fn functions_run_as_a_role_that_can_only_append() {
    let desk = Desk::article().await;
    let owner = "SELECT proowner::regrole::text || ' ' || prosecdef || ' ' || array_to_string(proconfig, ';') FROM pg_proc WHERE proname = 'capture_article'";
    let owner = desk.text(owner).await;
    assert!(
        owner.starts_with("gesta_capture true search_path=pg_catalog, pg_temp;row_security=off"),
        "{owner}"
    );
    assert!(owner.to_lowercase().contains("lc_monetary=c"), "{owner}");
    let rights = "
        SELECT concat_ws(' ', privilege_type, table_name) FROM information_schema.table_privileges
        WHERE grantee = 'gesta_capture' AND table_schema = 'gesta'
        UNION
        SELECT concat_ws(' ', privilege_type, table_name) FROM information_schema.column_privileges
        WHERE grantee = 'gesta_capture' AND table_schema = 'gesta' ORDER BY 1";
    assert_eq!(desk.texts(rights).await, ["INSERT action", "INSERT claim", "INSERT note"]);
}

/// Casts and operators of the table's owner do not run with the right to append.
#[tokio::test]
async fn code_of_the_table_s_owner_does_not_run_in_capture() {
    let desk = Desk::new("GRANT CREATE ON SCHEMA public TO gesta_auditor").await;
    let owner = desk.db.connect("gesta_auditor").await;
    owner
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('glad', 'sad');
             CREATE FUNCTION evil(mood) RETURNS json LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''as %'', current_user; END';
             CREATE CAST (mood AS json) WITH FUNCTION evil(mood);
             CREATE FUNCTION evil_text(mood) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''as %'', current_user; END';
             CREATE CAST (mood AS text) WITH FUNCTION evil_text(mood);
             CREATE TYPE pair AS (a integer, m mood);
             CREATE DOMAIN moods AS mood[];
             CREATE TABLE article (id integer PRIMARY KEY, m mood, ms mood[], p pair, d moods)",
        )
        .await
        .expect("made");
    desk.track(&article()).await;
    desk.run("INSERT INTO article VALUES (1, 'glad', '{glad,sad,NULL}', '(1,sad)', '{sad}')").await;
    desk.run("UPDATE article SET m = 'sad'").await;
    owner
        .batch_execute("ALTER TABLE article ADD q mood; UPDATE article SET q = 'glad'")
        .await
        .expect("updated");
    assert_eq!(
        desk.recorded().await,
        [
            r#"create article:1 {"d": [null, ["sad"]], "m": [null, "glad"], "p": [null, "(1,sad)"], "id": [null, 1], "ms": [null, ["glad", "sad", null]]}"#,
            r#"update article:1 {"m": ["glad", "sad"]}"#,
            r#"update article:1 {"q": [null, "glad"]}"#,
        ]
    );
}

#[tokio::test]
async fn row_security_hides_nothing_from_capture() {
    let desk = Desk::article().await;
    desk.run(
        "INSERT INTO article VALUES (1, 'mine'), (2, 'theirs');
         ALTER TABLE article ENABLE ROW LEVEL SECURITY; ALTER TABLE article FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON article USING (title = 'mine'); GRANT ALL ON article TO gesta_auditor",
    )
    .await;
    desk.recorded().await;
    let role = desk.db.connect("gesta_auditor").await;
    role.batch_execute("UPDATE article SET views = 1; TRUNCATE article").await.expect("written");
    assert_eq!(
        desk.recorded().await,
        [
            r#"update article:1 {"views": [0, 1]}"#,
            r#"delete article:2 {"id": [2, null], "title": ["theirs", null], "views": [0, null]}"#,
            r#"delete article:1 {"id": [1, null], "title": ["mine", null], "views": [1, null]}"#,
        ]
    );
    check_log(&desk.db).await;
}

#[tokio::test]
async fn owner_that_is_an_application_is_told_and_so_is_a_disabled_trigger() {
    let desk = Desk::new(ARTICLE).await;
    assert_eq!(desk.track(&article()).await.states, []);
    desk.run("ALTER TABLE article OWNER TO gesta_user").await;
    let owner = State::OwnerCanDisable("gesta_user".to_owned());
    assert_eq!(desk.tracked().await.remove(0).states, std::slice::from_ref(&owner));
    for sql in [
        "ALTER TABLE article DISABLE TRIGGER gesta_capture_delete",
        "ALTER TABLE article ENABLE TRIGGER gesta_capture_delete",
        "DROP TRIGGER gesta_capture_truncate ON article",
    ] {
        desk.db.connect("gesta_user").await.batch_execute(sql).await.expect("its owner may");
        assert_eq!(
            desk.tracked().await.remove(0).states,
            [State::Disabled, owner.clone()],
            "{sql}"
        );
        assert_eq!(desk.track(&article()).await.states, std::slice::from_ref(&owner));
    }
}

#[tokio::test]
async fn owner_of_the_table_who_may_act_as_ours_tracks_without_being_a_superuser() {
    let desk = Desk::new("").await;
    let role = format!("operator_{}", desk.db.name());
    desk.run(&format!("CREATE ROLE {role} LOGIN IN ROLE gesta_owner, gesta_app")).await;
    desk.run(&format!("GRANT CREATE ON SCHEMA public TO {role}")).await;
    let owner = desk.db.connect(&role).await;
    owner.batch_execute(ARTICLE).await.expect("made");
    owner.batch_execute("ALTER TABLE article ENABLE ROW LEVEL SECURITY").await.expect("altered");
    {
        let store = desk.db.store_as(&role).await;
        let mut client = store.client().await.expect("a connection");
        let ctx = gesta::Context::system("operator").expect("a name");
        for _ in 0..2 {
            let tx = client.transaction().await.expect("a transaction");
            let tracked = store.track(&tx, &ctx, &article()).await.expect("tracked");
            assert_eq!(tracked.states, [State::OwnerCanDisable(role.clone())]);
            tx.commit().await.expect("committed");
        }
    }
    let written = owner.batch_execute("INSERT INTO article VALUES (1); TRUNCATE article").await;
    written.expect("written");
    assert_eq!(desk.recorded().await.len(), 2);
    drop(owner);
    check_log(&desk.db).await;
    desk.run(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await;
}
