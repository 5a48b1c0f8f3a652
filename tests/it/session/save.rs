//! Saving: new rows, changed rows, rows that are the same.

use gesta::session::{SAVE_LEN_MAX, SaveOutcome, Selection, Written};
use gesta::{Audience, Context, Json, NewAction, Outcome, Resource, StreamQuery};
use serde_json::{Value, json};
use uuid::Uuid;

use super::newsroom::{Article, Person};
use super::newsroom::{alice, article, done, in_session, line, log, newsroom, person, value};
use crate::support::{check_log, page, public, resource};

#[tokio::test]
async fn saved_model_is_a_row_and_one_action_each_time_it_changes() {
    let (db, store) = newsroom().await;
    let mut storm = article(7, "Storm");
    let saved = done(&store, async |session| session.save(&storm).await).await;
    assert_eq!((saved.outcome, saved.actions, &saved.row), (SaveOutcome::Created, 1, &storm));
    storm.words = Some(300);
    let saved = done(&store, async |session| session.save(&storm).await).await;
    assert_eq!((saved.outcome, saved.actions, &saved.row), (SaveOutcome::Updated, 1, &storm));
    let saved = done(&store, async |session| session.save(&storm).await).await;
    assert_eq!((saved.outcome, saved.actions, saved.row), (SaveOutcome::Unchanged, 0, storm));
    let created = json!({
        "id": [null, 7], "title": [null, "Storm"], "state": [null, "draft"], "language": [null, "en"],
        "edits": [null, 0], "slug": [null, "storm"],
    });
    let updated = json!({ "words": [null, 300], "edits": [0, 1] });
    let wanted = [
        line("save", "create", "article:7", &created),
        line("save", "update", "article:7", &updated),
    ];
    assert_eq!(log(&db).await, wanted, "also what defaults, triggers and the database computed");
    check_log(&db).await;
}

#[tokio::test]
async fn action_tells_who_when_and_what_it_was_called() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save(&article(7, "Storm")).await).await;
    let actions = page(&public(&store), StreamQuery::object(&article(7, "").resource())).await;
    let [created] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(store.registry().sentence(created), "Alice create Storm");
    assert_eq!(
        created.context.as_ref().map(gesta::Json::value),
        Some(json!({ "request_id": "r-1" }))
    );
    assert_eq!(created.run, None, "a single save is no run");
    assert!(
        created.occurred_at <= created.recorded_at,
        "by the clock of the database, before it was stored"
    );
    check_log(&db).await;
}

#[tokio::test]
async fn key_of_the_database_comes_back_with_the_row() {
    let (db, store) = newsroom().await;
    let (first, second) = done(&store, async |session| {
        Ok((session.save(&person("Ann")).await?.row, session.save(&person("Bob")).await?.row))
    })
    .await;
    assert_eq!((first.id, first.version, second.id), (Some(1), Some(1), Some(2)));
    let renamed = Person { name: "Anna".to_owned(), ..first };
    let saved = done(&store, async |session| session.save(&renamed).await).await;
    assert_eq!(
        (saved.outcome, saved.row.id, saved.row.version),
        (SaveOutcome::Updated, Some(1), Some(2))
    );
    let changes = json!({ "name": ["Ann", "Anna"], "version": [1, 2] });
    assert_eq!(log(&db).await[2], line("save", "update", "person:1", &changes));
    check_log(&db).await;
}

#[tokio::test]
async fn many_are_saved_as_one_run() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save_all(&[article(1, "One"), article(2, "Two")]).await)
        .await;
    let mut two = article(2, "Two");
    two.state = "published".to_owned();
    let mixed = [article(1, "One"), two, article(3, "Three")];
    let written = done(&store, async |session| session.save_all(&mixed).await).await;
    let counts = Written { created: 1, updated: 1, unchanged: 1, actions: 2, ..written };
    assert_eq!(written, counts);
    let actions = page(&public(&store), StreamQuery::run(written.run.expect("a run"))).await;
    let told: Vec<_> = actions.iter().map(|action| (action.verb.as_str(), action.source)).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told.contains(&("update", gesta::Source::Bulk))
            && told.contains(&("create", gesta::Source::Bulk))
    );
    let published = json!({ "state": ["draft", "published"], "edits": [0, 1] });
    assert!(log(&db).await.contains(&line("bulk", "update", "article:2", &published)));
    let nothing = done(&store, async |session| session.save_all::<Article>(&[]).await).await;
    assert_eq!(nothing, Written::default());
    let again = done(&store, async |session| session.save_all(&mixed).await).await;
    assert_eq!(again, Written { unchanged: 3, ..Written::default() }, "nothing recorded, no run");
    check_log(&db).await;
}

#[tokio::test]
async fn more_than_a_statement_takes_are_saved_all_the_same() {
    let (db, store) = newsroom().await;
    let len = SAVE_LEN_MAX * 2 + 1;
    let articles: Vec<_> =
        (0..len).map(|n| article(i64::try_from(n).expect("few"), "One of many")).collect();
    let written = done(&store, async |session| session.save_all(&articles).await).await;
    assert_eq!((written.created, written.actions), (len as u64, len as u64));
    let runs: Vec<i64> = value(
        &db,
        "SELECT array_agg(n) FROM (SELECT count(*) AS n FROM gesta.action GROUP BY run_id) AS r",
    )
    .await;
    assert_eq!(runs, [i64::try_from(len).expect("few")], "one run");
    let people: Vec<_> = (0..len).map(|n| person(&format!("Person {n}"))).collect();
    let written = done(&store, async |session| session.save_all(&people).await).await;
    assert_eq!(written.created, len as u64);
    let names: Vec<String> =
        value(&db, "SELECT array_agg(name ORDER BY id) FROM newsroom.person").await;
    assert!(
        names.iter().enumerate().all(|(n, name)| *name == format!("Person {n}")),
        "in the order given"
    );
    check_log(&db).await;
}

#[tokio::test]
async fn model_that_stands_twice_is_saved_one_after_the_other() {
    let (db, store) = newsroom().await;
    let twice =
        [article(1, "First"), article(2, "Other"), article(1, "Second"), article(1, "Third")];
    let written = done(&store, async |session| session.save_all(&twice).await).await;
    assert_eq!((written.created, written.updated), (2, 2));
    let told: Vec<_> = log(&db).await.into_iter().filter(|line| line[3] == "article:1").collect();
    let titles: Vec<_> = told.iter().map(|line| line[4]["title"].clone()).collect();
    let wanted = [json!([null, "First"]), json!(["First", "Second"]), json!(["Second", "Third"])];
    assert_eq!(titles, wanted);
    check_log(&db).await;
}

/// Fields that are left out keep what the row has, in a new row the default.
#[derive(serde::Serialize, serde::Deserialize)]
struct Sparse {
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Exact, to the last digit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<gesta::Json>,
}

impl Resource for Sparse {
    fn resource(&self) -> gesta::ResourceRef {
        article(self.id, "").resource()
    }
}
impl gesta::Model for Sparse {
    const TABLE: &'static str = "newsroom.article";
    const KEY: &'static str = "id";
}
impl gesta::Hook for Sparse {}

#[tokio::test]
async fn fields_that_are_left_out_are_left_alone_and_numbers_are_exact() {
    let (db, store) = newsroom().await;
    let price = "12345678901234567890.123456789012345678900";
    let sparse = |id, title: Option<&str>, state: Option<&str>| Sparse {
        id,
        title: title.map(str::to_owned),
        state: state.map(str::to_owned),
        price: None,
    };
    let mut first = sparse(1, Some("One"), None);
    first.price = Some(gesta::Json::parse(price).expect("a number"));
    let models = [first, sparse(2, Some("Two"), Some("open")), sparse(3, Some("Three"), None)];
    let written = done(&store, async |session| session.save_all(&models).await).await;
    assert_eq!(written.created, 3);
    let updates = [sparse(1, None, Some("open")), sparse(2, Some("TWO"), None)];
    done(&store, async |session| session.save_all(&updates).await).await;
    let rows: Vec<Vec<String>> = value(
        &db,
        "SELECT json_agg(json_build_array(title, state, coalesce(price::text, ''), slug) ORDER BY id) FROM newsroom.article",
    )
    .await;
    let wanted = [
        ["One", "open", price, "one"],
        ["TWO", "open", "", "two"],
        ["Three", "draft", "", "three"],
    ];
    assert_eq!(rows, wanted);
    let told: String = value(&db, "SELECT changes -> 'price' ->> 1 FROM gesta.action WHERE object_id = '1' AND verb = 'create'").await;
    assert_eq!(told, price);
    let found =
        done(&store, async |session| session.find::<Sparse>(1).await).await.expect("it is there");
    assert_eq!(found.price.expect("a price").get(), price);
    check_log(&db).await;
}

#[tokio::test]
async fn null_removes_a_value_and_is_told() {
    let (db, store) = newsroom().await;
    let mut storm = article(7, "Storm");
    storm.words = Some(300);
    done(&store, async |session| session.save(&storm).await).await;
    storm.words = None;
    done(&store, async |session| session.save(&storm).await).await;
    assert_eq!(log(&db).await[1][4]["words"], json!([300, null]));
    check_log(&db).await;
}

#[tokio::test]
async fn found_row_is_the_model_and_a_missing_one_is_none() {
    let (_db, store) = newsroom().await;
    done(&store, async |session| session.save(&article(7, "Storm")).await).await;
    let (found, missing) = done(&store, async |session| {
        Ok((session.find::<Article>(7).await?, session.find::<Article>(8).await?))
    })
    .await;
    assert_eq!((found, missing), (Some(article(7, "Storm")), None));
    let error = in_session(&store, async |session| session.find::<Article>("seven").await).await;
    let error = gesta::error::chain(&error.expect_err("no number"));
    assert_eq!(
        error,
        "failed to read the row: a value cannot be read as its type (SQLSTATE 22P02); the value is not shown"
    );
}

#[tokio::test]
async fn emitted_actions_stand_beside_the_captured_ones() {
    let (db, store) = newsroom().await;
    let ids = done(&store, async |session| {
        session.save(&article(7, "Storm")).await?;
        let seen = NewAction::new("read", session.context()).object(&article(7, "Storm"));
        let id = session.emit(seen.clone()).await?;
        let more = session.emit_all(vec![seen.clone(), seen]).await?;
        Ok([vec![id], more].concat())
    })
    .await;
    assert!(ids.is_sorted_by(|a, b| a < b));
    let verbs: Vec<_> =
        log(&db).await.into_iter().map(|line| (line[0].clone(), line[2].clone())).collect();
    let wanted = [("save", "create"), ("emit", "read"), ("emit", "read"), ("emit", "read")];
    assert_eq!(verbs, wanted.map(|(a, b)| (Value::from(a), Value::from(b))));
    let stream = page(&public(&store), StreamQuery::object(&article(7, "").resource())).await;
    let verbs: Vec<_> = stream.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["read", "read", "read", "create"], "by one clock");
    check_log(&db).await;
}

/// What actions have in common is sent once: two that differ in one thing only are stored as they are.
#[tokio::test]
async fn actions_that_are_emitted_together_are_stored_as_each_of_them_is() {
    let (db, store) = newsroom().await;
    let other = Context::new(&resource("user:2").named("Alice")).request_id("r-1");
    let seen = |verb: &str, ctx: &Context| NewAction::new(verb, ctx).object(&article(7, "Storm"));
    let data = |text| seen("read", &alice()).data(Json::parse(text).expect("a number"));
    let pairs = Vec::from([
        [seen("read", &alice()), seen("write", &alice())],
        [seen("read", &alice()), seen("read", &other)],
        [seen("read", &alice()), seen("read", &alice().request_id("r-2"))],
        [seen("read", &alice()), seen("read", &alice().run(Uuid::from_u128(7)))],
        [seen("read", &alice()), seen("read", &alice()).target(&resource("room:1"))],
        [seen("read", &alice()), seen("read", &alice()).description("at night")],
        [seen("read", &alice()), seen("read", &alice()).outcome(Outcome::Denied)],
        [seen("read", &alice()), seen("read", &alice()).audience(Audience::auditors())],
        [seen("read", &alice()), seen("read", &alice()).object(&resource("user:7"))],
        [seen("read", &alice()), NewAction::new("read", &alice())],
        [data("9007199254740992"), data("9007199254740993")],
        [seen("read", &alice()), seen("read", &alice()).object(&article(8, "Calm"))],
    ]);
    done(&store, async |session| {
        for pair in pairs {
            session.emit_all(pair.to_vec()).await?;
            for action in pair {
                session.emit(action).await?;
            }
        }
        Ok(())
    })
    .await;
    let rows = "SELECT (to_jsonb(a) - '{id,occurred_at,recorded_at,seq}'::text[])::text FROM gesta.action AS a ORDER BY seq";
    let rows = db.admin().await.query(rows, &[]).await.expect("the log");
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows.len(), 48);
    for four in rows.chunks(4) {
        assert_eq!(four[..2], four[2..]);
        assert_ne!(four[0], four[1]);
    }
    check_log(&db).await;
}

/// A plan that was made for the empty table would read all of it for each model.
#[tokio::test]
async fn table_that_is_filled_is_not_read_over_and_over() {
    let (db, store) = newsroom().await;
    db.admin().await.batch_execute("VACUUM ANALYZE newsroom.article").await.expect("vacuumed");
    let articles: Vec<_> = (1..=3_000).map(|id| article(id, "Storm")).collect();
    let read: i64 = done(&store, async |session| {
        session.save_all(&articles).await?;
        let sql = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'article'";
        Ok(session.transaction().query_one(sql, &[]).await.expect("a count").get(0))
    })
    .await;
    assert!(read < 100_000, "{read} rows were read");
    check_log(&db).await;
}

/// Servers run their handlers on any thread.
#[tokio::test]
async fn session_can_be_used_in_a_task_of_its_own() {
    let (db, store) = newsroom().await;
    let task = tokio::spawn(async move {
        done(&store, async |session| {
            session.save(&article(1, "One")).await?;
            session.save_all(&[article(2, "Two")]).await?;
            session.update::<Article>(Selection::ids([1]), &json!({ "state": "open" })).await?;
            session.delete::<Article>(Selection::matching("id = $1", &[&2_i64])).await
        })
        .await
    });
    assert_eq!(task.await.expect("done").deleted, 1);
    check_log(&db).await;
}
