//! What cannot be recorded is not done.

use gesta::session::{Selection, SessionError};
use gesta::{Context, Session};
use serde_json::json;

use super::newsroom::{Article, alice, article, count, done, in_session, log, newsroom, value};
use crate::support::{TestDb, check_log, resource};

/// Whatever a session tried, rows and log are what they were before it.
async fn assert_untouched(db: &TestDb) {
    let states: Vec<String> =
        value(db, "SELECT array_agg(DISTINCT state) FROM newsroom.article").await;
    assert_eq!(states, ["draft"]);
    let admin = db.admin().await;
    assert_eq!((count(&admin, "newsroom.article").await, log(db).await.len()), (2, 2));
    check_log(db).await;
}

/// Each way to write must fail, and change nothing.
async fn every_way_fails(db: &TestDb, store: &gesta::Store, wanted: &str) {
    let open = json!({ "state": "open" });
    let three = article(3, "Three");
    for way in ["save", "save_all", "update", "delete", "emit"] {
        let failed = in_session(store, async |session| match way {
            "save" => session.save(&three).await.map(drop),
            "save_all" => session.save_all(&[three.clone(), article(4, "Four")]).await.map(drop),
            "update" => session.update::<Article>(Selection::all(), &open).await.map(drop),
            "delete" => session.delete::<Article>(Selection::all()).await.map(drop),
            _ => session.emit(gesta::NewAction::new("read", &alice())).await.map(drop),
        });
        let error = gesta::error::chain(&failed.await.expect_err("it cannot be recorded"));
        assert!(error.contains(wanted), "{way}: {error}");
    }
    assert_untouched(db).await;
}

#[tokio::test]
async fn violated_constraint_of_the_log_leaves_the_rows_unchanged() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save_all(&[article(1, "One"), article(2, "Two")]).await)
        .await;
    let constraint =
        "ALTER TABLE gesta.action ADD CONSTRAINT nothing_more CHECK (seq <= 2) NOT VALID";
    db.admin().await.batch_execute(constraint).await.expect("a constraint");
    let wanted = "failed to record the actions: new row for relation \"action";
    every_way_fails(&db, &store, wanted).await;
}

#[tokio::test]
async fn full_disk_of_the_log_leaves_the_rows_unchanged() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save_all(&[article(1, "One"), article(2, "Two")]).await)
        .await;
    let full = "CREATE FUNCTION newsroom.full() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON gesta.action FOR EACH ROW EXECUTE FUNCTION newsroom.full()";
    db.admin().await.batch_execute(full).await.expect("a trigger");
    every_way_fails(&db, &store, "failed to record the actions: could not extend file").await;
}

/// The backend dies after the change and before its record: the trigger of the log's own table ends it.
#[tokio::test]
async fn backend_killed_between_change_and_record_leaves_the_rows_unchanged() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save_all(&[article(1, "One"), article(2, "Two")]).await)
        .await;
    let killer = "CREATE FUNCTION newsroom.killed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
        CREATE TRIGGER killed BEFORE INSERT ON gesta.action FOR EACH ROW EXECUTE FUNCTION newsroom.killed()";
    db.admin().await.batch_execute(killer).await.expect("a trigger");
    for way in ["save", "update"] {
        let failed = in_session(&store, async |session| match way {
            "save" => session.save(&article(3, "Three")).await.map(drop),
            _ => session
                .update::<Article>(Selection::all(), &json!({ "state": "open" }))
                .await
                .map(drop),
        });
        let error = gesta::error::chain(&failed.await.expect_err("killed"));
        assert!(error.starts_with("failed to record the actions: "), "{way}: {error}");
    }
    assert_untouched(&db).await;
}

#[tokio::test]
async fn dropped_session_is_rolled_back() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save_all(&[article(1, "One"), article(2, "Two")]).await)
        .await;
    let mut client = store.client().await.expect("a connection");
    let mut session = Session::begin(&store, &mut client, &alice()).await.expect("begun");
    session.save(&article(3, "Three")).await.expect("saved");
    session
        .update::<Article>(Selection::all(), &json!({ "state": "open" }))
        .await
        .expect("updated");
    drop(session);
    drop(client);
    assert_untouched(&db).await;
}

/// A future that is dropped may have done a part.
#[tokio::test]
async fn session_whose_method_was_dropped_goes_no_further() {
    let (db, store) = newsroom().await;
    let mut client = store.client().await.expect("a connection");
    let mut session = Session::begin(&store, &mut client, &alice()).await.expect("begun");
    {
        let one = article(1, "One");
        let save = std::pin::pin!(session.save(&one));
        let polled = futures_util::FutureExt::now_or_never(save);
        assert!(polled.is_none());
    }
    let error = session.save(&article(2, "Two")).await.expect_err("unusable");
    assert!(matches!(error, SessionError::Unusable));
    assert!(matches!(session.commit().await, Err(SessionError::Unusable)));
    drop(client);
    assert_eq!((count(&db.admin().await, "newsroom.article").await, log(&db).await.len()), (0, 0));
}

#[tokio::test]
async fn repeated_id_of_an_emitted_action_is_a_conflict() {
    let (db, store) = newsroom().await;
    let read = gesta::NewAction::new("read", &Context::new(&resource("user:1")));
    let id = done(&store, async |session| session.emit(read.clone()).await).await;
    let same = read.id(id);
    let error = in_session(&store, async |session| {
        session.emit(same.clone().description("something else")).await
    });
    let error = error.await.expect_err("a conflict");
    assert!(matches!(error, SessionError::Conflict(taken) if taken == id), "{error}");
    let again = done(&store, async |session| session.emit(same).await).await;
    assert_eq!((again, log(&db).await.len()), (id, 1), "the same is no conflict");
}

/// A trigger that swallows rows leaves nothing to record; that must not pass for a save.
#[tokio::test]
async fn row_that_a_trigger_swallows_is_not_saved() {
    let (db, store) = newsroom().await;
    let swallow = "CREATE FUNCTION newsroom.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER swallow BEFORE INSERT ON newsroom.article FOR EACH ROW EXECUTE FUNCTION newsroom.swallow();
        CREATE TRIGGER swallow BEFORE INSERT ON newsroom.person FOR EACH ROW EXECUTE FUNCTION newsroom.swallow()";
    db.admin().await.batch_execute(swallow).await.expect("triggers");
    let keyed =
        in_session(&store, async |session| session.save(&article(1, "One")).await.map(drop));
    let unkeyed = in_session(&store, async |session| {
        session.save(&super::newsroom::person("Ann")).await.map(drop)
    });
    for failed in [keyed.await, unkeyed.await] {
        let error = failed.expect_err("swallowed").to_string();
        assert!(error.starts_with("1 rows of `newsroom."), "{error}");
        assert!(error.ends_with("or a trigger of the table swallows them"), "{error}");
    }
    assert_eq!(log(&db).await.len(), 0);
}
