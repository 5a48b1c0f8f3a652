//! The caller's own SQL in a session, and the settings that go with it.

use gesta::{Context, Session, Tenant};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::newsroom::{alice, article, count, log, newsroom};
use crate::support::{check_log, resource};

const SETTINGS: &str =
    "SELECT current_setting('gesta.tenant', true), current_setting('gesta.context', true),
    current_setting('gesta.recorded', true)";

async fn settings(client: &Client) -> [Option<String>; 3] {
    let row = client.query_one(SETTINGS, &[]).await.expect("the settings");
    [row.get(0), row.get(1), row.get(2)]
}

#[tokio::test]
async fn own_statements_are_part_of_the_session() {
    let (db, store) = newsroom().await;
    for commits in [true, false] {
        let mut client = store.client().await.expect("a connection");
        let mut session = Session::begin(&store, &mut client, &alice()).await.expect("begun");
        session.save(&article(1, "One")).await.expect("saved");
        let own = "INSERT INTO newsroom.tag VALUES ($1)";
        session.transaction().execute(own, &[&commits.to_string()]).await.expect("inserted");
        if commits {
            session.commit().await.expect("committed");
        } else {
            session.rollback().await.expect("rolled back");
        }
    }
    assert_eq!(count(&db.admin().await, "newsroom.tag").await, 1);
    assert_eq!(log(&db).await.len(), 1);
    check_log(&db).await;
}

#[tokio::test]
async fn session_whose_own_statement_failed_cannot_be_committed() {
    let (db, store) = newsroom().await;
    let mut client = store.client().await.expect("a connection");
    let mut session = Session::begin(&store, &mut client, &alice()).await.expect("begun");
    session.save(&article(1, "One")).await.expect("saved");
    session.transaction().batch_execute("SELECT 1 / 0").await.expect_err("it fails");
    let error = gesta::error::chain(&session.commit().await.expect_err("nothing to commit"));
    assert!(
        error.starts_with("failed to commit the session: current transaction is aborted"),
        "{error}"
    );
    drop(client);
    assert_eq!(count(&db.admin().await, "newsroom.article").await, 0);
    assert_eq!(log(&db).await.len(), 0);
}

/// What triggers read: the contract of `gesta.context`.
#[tokio::test]
async fn settings_tell_the_context_and_end_with_the_transaction() {
    let (db, _) = newsroom().await;
    let store = db.store_at(crate::support::day(0), gesta::Registry::default()).await;
    let run = uuid::Uuid::from_u128(7);
    let ctx = Context::new(&resource("user:42").named("Alice"))
        .tenant(Tenant::new("shop").expect("a tenant"))
        .run(run)
        .reason("\"quoted\"");
    let mut client = store.client().await.expect("the only connection");
    let pid =
        client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a pid").get::<_, i32>(0);
    let session = Session::begin(&store, &mut client, &ctx).await.expect("begun");
    let [tenant, context, recorded] = settings(session.transaction().client()).await;
    assert_eq!((tenant.as_deref(), recorded.as_deref()), (Some("shop"), Some("")));
    let told: Value = serde_json::from_str(&context.expect("a context")).expect("JSON");
    let wanted = json!({
        "actor": { "type": "user", "id": "42", "name": "Alice" }, "run_id": run,
        "context": { "reason": "\"quoted\"" },
    });
    assert_eq!(told, wanted);
    session.commit().await.expect("committed");
    let blank = [Some(String::new()), Some(String::new()), Some(String::new())];
    assert_eq!(
        settings(&client).await,
        blank,
        "the next transaction of this connection sees nobody"
    );
    drop(client);
    let mut client = store.client().await.expect("the only connection");
    let other = Context::system("timer").expect("a name");
    let session = Session::begin(&store, &mut client, &other).await.expect("begun");
    let row = session.transaction().query_one("SELECT pg_backend_pid()", &[]).await.expect("a pid");
    assert_eq!(row.get::<_, i32>(0), pid, "the same connection");
    let [tenant, context, _] = settings(session.transaction().client()).await;
    assert_eq!(tenant.as_deref(), Some("default"));
    assert_eq!(context.as_deref(), Some(r#"{"actor":{"type":"system","id":"timer"}}"#));
    drop(session);
    assert_eq!(settings(&client).await, blank, "also after a rollback");
}

#[tokio::test]
async fn context_that_cannot_be_stored_is_refused_at_once() {
    let (_db, store) = newsroom().await;
    let mut client = store.client().await.expect("a connection");
    let ctx = alice().user_agent("a\0b");
    let error = Session::begin(&store, &mut client, &ctx).await.map(drop).expect_err("refused");
    let wanted = "the context contains the character \\u0000, which PostgreSQL cannot store";
    assert_eq!(error.to_string(), wanted);
}

/// A trigger of the table sees the mark only while the session's own statement runs.
#[tokio::test]
async fn mark_names_the_table_while_the_session_changes_it() {
    let (db, store) = newsroom().await;
    let watch = "CREATE TABLE newsroom.seen (n serial, what text, mark text);
        GRANT ALL ON newsroom.seen, newsroom.seen_n_seq TO gesta_app;
        CREATE FUNCTION newsroom.watch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO newsroom.seen (what, mark) VALUES (TG_TABLE_NAME || ' ' || TG_OP,
                nullif(current_setting('gesta.recorded', true), '')::oid::regclass::text);
            RETURN NULL;
        END $$;
        CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON newsroom.article
            FOR EACH ROW EXECUTE FUNCTION newsroom.watch();
        CREATE TRIGGER watch AFTER INSERT OR DELETE ON newsroom.article_tag
            FOR EACH ROW EXECUTE FUNCTION newsroom.watch();
        INSERT INTO newsroom.tag VALUES ('a')";
    db.admin().await.batch_execute(watch).await.expect("watched");
    super::newsroom::done(&store, async |session| {
        let one = article(1, "One");
        session.save(&one).await?;
        let tags =
            gesta::session::Relation::new("newsroom.article_tag", "article_id", "tag_id", "tags");
        session.add(&one, &tags, ["a"]).await?;
        let own = "UPDATE newsroom.article SET state = 'own'";
        session.transaction().batch_execute(own).await.expect("updated");
        let all = gesta::session::Selection::all;
        session.update::<super::newsroom::Article>(all(), &json!({ "state": "open" })).await?;
        session.delete::<super::newsroom::Article>(all()).await
    })
    .await;
    let sql = "SELECT jsonb_build_array(what, mark) FROM newsroom.seen ORDER BY n";
    let rows = db.admin().await.query(sql, &[]).await.expect("what was seen");
    let seen: Vec<Value> = rows.iter().map(|row| row.get(0)).collect();
    let mark = "newsroom.article";
    let wanted = [
        json!(["article INSERT", mark]),
        json!(["article_tag INSERT", null]),
        json!(["article UPDATE", null]),
        json!(["article UPDATE", mark]),
        json!(["article_tag DELETE", mark]),
        json!(["article DELETE", mark]),
    ];
    assert_eq!(seen.len(), wanted.len());
    for line in wanted {
        assert!(seen.contains(&line), "{line} in {seen:?}");
    }
    check_log(&db).await;
}

#[tokio::test]
async fn callers_transaction_and_its_savepoints_can_be_sessions() {
    let (db, store) = newsroom().await;
    let mut client = store.client().await.expect("a connection");
    let mut tx = client.transaction().await.expect("a transaction");
    for (id, commits) in [(1, true), (2, false)] {
        let savepoint = tx.transaction().await.expect("a savepoint");
        let mut session = Session::within(&store, savepoint, &alice()).expect("a session");
        session.save(&article(id, "One")).await.expect("saved");
        if commits {
            session.commit().await.expect("released");
        }
    }
    tx.commit().await.expect("committed");
    assert_eq!(log(&db).await.len(), 1);
    let ids: Vec<i64> =
        super::newsroom::value(&db, "SELECT array_agg(id) FROM newsroom.article").await;
    assert_eq!(ids, [1]);
    // No `check_log`: rows of a savepoint carry its own id in xmin, and the transaction's in xid, as the log wants it.
}

#[tokio::test]
async fn action_of_another_tenant_is_refused() {
    let (db, store) = newsroom().await;
    let other = alice().tenant(Tenant::new("shop").expect("a tenant"));
    let error = super::newsroom::in_session(&store, async |session| {
        session.emit(gesta::NewAction::new("read", &other)).await
    });
    assert_eq!(
        error.await.expect_err("refused").to_string(),
        "an action of tenant `shop` does not belong into a session of tenant `default`"
    );
    assert_eq!(log(&db).await.len(), 0);
}
