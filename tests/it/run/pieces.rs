//! What becomes of objects: done, skipped, denied, failed; and what is recorded of that.

use std::sync::atomic::{AtomicU32, Ordering};

use gesta::definition::{Definition, Fate, Fault, Item, Level, Operation, Piece};
use gesta::run::ItemOutcome::{Denied, Done, Failed, Skipped};
use gesta::run::{RunState, Start};
use gesta::session::Selection;
use gesta::{NewAction, Outcome};
use serde_json::json;

use super::press::{Article, article, counts, definitions, press, press_with};
use crate::support::{check_log_but_xids, resource};

/// Cases 20, 22 and 32: a run is always recorded, what it does to a piece is one transaction, and each object has its
/// fate.
#[tokio::test]
async fn run_does_it_to_each_object_and_tells_what_became_of_it() {
    let press = press(6).await;
    press.sql("UPDATE press.article SET title = 'bad 2' WHERE id = 2; UPDATE press.article SET title = 'secret' WHERE id = 3;
        UPDATE press.article SET state = 'public' WHERE id = 4").await;
    let selection = press.selected(1..=6).await;
    press.sql("DELETE FROM press.article WHERE id = 5").await;
    let run = press.start(Start::new(article(), "publish", selection)).await.expect("started").run;
    assert_eq!(run.state, RunState::Partial);
    assert_eq!(counts(&run), [6, 2, 1, 1, 2]);
    let items = press.items(run.id).await;
    let outcomes: Vec<_> = items.iter().map(|item| item.outcome).collect();
    assert_eq!(outcomes, [Done, Failed, Denied, Skipped, Failed, Done]);
    let notes: Vec<_> = items.iter().map(|item| item.note.as_deref()).collect();
    let failed = notes[1].expect("why");
    assert!(failed.contains("violates check constraint \"article_bad_is_no_public\""), "{failed}");
    assert!(!failed.contains("Failing row"), "no value of a row: {failed}");
    assert_eq!(
        notes[2..5],
        [Some("it is secret"), Some("it is public already"), Some("it is gone")]
    );
    assert_eq!(items[5].name.as_deref(), Some("article 6"));
    assert!(items.iter().all(|item| item.settled_at.is_some()));
    check_log_but_xids(&press.db).await;
}

/// Cases 60 and 62 to 66: what happened stands in the streams, of the objects and of the run, with old and new values and
/// as sentences; what happens later changes none of it.
#[tokio::test]
async fn streams_show_what_was_done_and_what_was_not() {
    let press = press(3).await;
    press.sql("UPDATE press.article SET title = 'bad 2' WHERE id = 2; UPDATE press.article SET title = 'secret' WHERE id = 3").await;
    let run = press.publish(1..=3).await;
    assert_eq!(press.verbs("article:1").await, ["update"]);
    assert_eq!(press.verbs("article:2").await, ["publish"]);
    assert_eq!(press.verbs("article:3").await, ["publish"]);
    let done = &press.stream("article:1").await[0];
    assert_eq!(done.run, Some(run.id));
    let changes = done.changes.as_ref().expect("changes").value();
    assert_eq!(changes["state"], json!(["draft", "public"]));
    assert_eq!(press.store.registry().sentence(done), "Alice update article 1");
    press.sql("UPDATE press.article SET title = 'better' WHERE id = 1").await;
    assert_eq!(&press.stream("article:1").await[0], done);
    let (failed, denied) =
        (&press.stream("article:2").await[0], &press.stream("article:3").await[0]);
    assert_eq!((failed.outcome, denied.outcome), (Outcome::Failed, Outcome::Denied));
    assert_eq!(denied.description.as_deref(), Some("it is secret"));
    assert_eq!(denied.actor.name.as_deref(), Some("Alice"));
    let about = press.stream(&format!("run:{}", run.id)).await;
    let verbs: Vec<_> = about.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["run.start", "run.end"]);
    for action in &about {
        assert_eq!(action.run, Some(run.id));
        assert_eq!(action.actor.resource, resource("user:1"));
        let target = action.target.as_ref().expect("a target").resource.to_string();
        assert_eq!(target, "action:article.publish");
        assert!(!action.audience.is_public());
        assert!(action.context.as_ref().expect("a context").get().contains("ticket 7"));
    }
    let end = about[1].data.as_ref().expect("data").value();
    let wanted = json!({"state": "partial", "total": 3, "done": 1, "skipped": 0, "denied": 1, "failed": 1, "pending": 0});
    assert_eq!(end, wanted);
    assert_eq!(about[1].outcome, Outcome::Failed);
}

/// B36: messages are the run's, with their levels, in their order, for as long as the run is kept.
#[tokio::test]
async fn messages_are_kept_with_their_levels_up_to_a_thousand() {
    struct Chatty;
    impl Operation for Chatty {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            for item in 0..piece.items().len() {
                let level = if item == 0 { Level::Success } else { Level::Debug };
                piece
                    .tell(level, format!("{} \0 {}", piece.items()[item].object, "x".repeat(5000)));
            }
            Ok(())
        }
    }
    let chatty = Definition::new("chat", "Chat about {name}", Chatty);
    let press = press_with(1500, definitions().on("article", chatty)).await;
    let selection = press.selected(1..=1500).await;
    let run = press.start(Start::new(article(), "chat", selection)).await.expect("started").run;
    assert_eq!((run.state, run.messages), (RunState::Succeeded, 1500));
    let messages = press.runs.messages(&run.tenant, run.id).await.expect("the messages");
    assert_eq!(messages.len(), 1000);
    assert!(messages.iter().enumerate().all(|(n, message)| message.number as usize == n + 1));
    assert_eq!((messages[0].level, messages[1].level), (Level::Success, Level::Debug));
    assert!(
        messages[1].text.starts_with("article:2 \u{fffd} xxx") && messages[1].text.len() == 4096
    );
}

#[tokio::test]
async fn operation_that_goes_on_after_a_failed_statement_has_failed() {
    struct Careless;
    impl Operation for Careless {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            let sql = "INSERT INTO press.article (id, title) VALUES (1, 'again')";
            drop(piece.session().transaction().batch_execute(sql).await);
            Ok(())
        }
    }
    let careless = Definition::new("careless", "Careless", Careless);
    let press = press_with(3, definitions().on("article", careless)).await;
    let selection = press.selected(1..=3).await;
    let run = press.start(Start::new(article(), "careless", selection)).await.expect("started").run;
    assert_eq!((run.state, counts(&run)), (RunState::Failed, [3, 0, 0, 0, 3]));
}

/// At COMMIT nobody could tell whose it is.
#[tokio::test]
async fn deferred_constraint_fails_the_object_that_breaks_it() {
    struct Illustrate;
    impl Operation for Illustrate {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
            let sql = "INSERT INTO press.photo SELECT CASE WHEN n = 3 THEN 77 ELSE n END
                FROM unnest($1::text[]::bigint[]) AS n";
            let inserted = piece.session().transaction().execute(sql, &[&ids]).await;
            inserted.map(drop).map_err(|error| Fault::caused("failed to add the photos", error))
        }
    }
    let illustrate = Definition::new("illustrate", "Illustrate", Illustrate);
    let press = press_with(5, definitions().on("article", illustrate)).await;
    let selection = press.selected(1..=5).await;
    let run =
        press.start(Start::new(article(), "illustrate", selection)).await.expect("started").run;
    assert_eq!(counts(&run), [5, 4, 0, 0, 1]);
    let note = press.items(run.id).await[2].note.clone().expect("why");
    assert!(note.contains("photo_of_article"), "{note}");
    assert_eq!(press.number("SELECT count(*) FROM press.photo").await, 4);
}

/// Cases 44 and 61: what is recorded of a piece, is recorded in one statement for all of its objects.
#[tokio::test]
async fn actions_of_a_piece_are_one_insert() {
    let press = press(100).await;
    let run = press.publish(1..=100).await;
    assert_eq!(run.counts.done, 100);
    let sql = "SELECT count(DISTINCT recorded_at) FROM gesta.action WHERE verb = 'update'";
    assert_eq!(press.number(sql).await, 1);
    assert_eq!(press.number("SELECT count(*) FROM gesta.action WHERE verb = 'update'").await, 100);
}

/// Whoever changes a table by plain SQL, which nothing records, is in the object's stream all the same; and once.
#[tokio::test]
async fn run_tells_of_each_object_that_its_operation_says_nothing_of() {
    struct Half;
    impl Operation for Half {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            let even = |item: &&Item| item.place.is_multiple_of(2);
            let told: Vec<_> = piece.items().iter().filter(even).cloned().collect();
            let ctx = piece.session().context().clone();
            let tell = |item: Item| NewAction::new("mention", &ctx).object(&item.object);
            piece.session().emit_all(told.into_iter().map(tell).collect()).await?;
            piece.settle(2, Fate::Skipped("for the test".to_owned()));
            Ok(())
        }
    }
    let each = Definition::new("half", "Tell of half of {plural}", Half);
    let atomic = Definition::new("half_at_once", "Tell of half of {plural}", Half).atomic();
    let definitions = definitions().on("article", each).on("article", atomic);
    let press = press_with(4, definitions).await;
    for (name, runs) in [("half", 1), ("half_at_once", 2)] {
        let selection = press.selected(1..=4).await;
        let run = press.start(Start::new(article(), name, selection)).await.expect("started").run;
        assert_eq!(counts(&run), [4, 3, 1, 0, 0]);
        assert_eq!(press.verbs("article:1").await, vec!["mention"; runs]);
        assert_eq!(press.verbs("article:3").await, vec!["mention"; runs]);
        assert_eq!(press.verbs("article:4").await.last().expect("told"), name);
        let told = press.stream("article:2").await.pop().expect("told");
        assert_eq!((told.verb.as_str(), told.run), (name, Some(run.id)));
    }
    check_log_but_xids(&press.db).await;
}

/// Fails once as the world does, and then works.
struct Flaky {
    sql: &'static str,
    times: AtomicU32,
}

impl Operation for Flaky {
    type Input = ();
    async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
        let patch = json!({ "state": "public" });
        piece.session().update::<Article>(Selection::ids(ids), &patch).await?;
        if self.times.fetch_add(1, Ordering::Relaxed) == 1 {
            let ran = piece.session().transaction().batch_execute(self.sql).await;
            ran.map_err(|error| Fault::caused("the world got in the way", error))?;
        }
        Ok(())
    }
}

/// A lost connection, a deadlock, a full disk say nothing of the objects: the piece is done again, and once.
#[tokio::test]
async fn what_passes_fails_no_object() {
    for sql in [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$",
    ] {
        let flaky = Definition::new("flaky", "Flaky", Flaky { sql, times: AtomicU32::new(0) });
        let press = press_with(400, definitions().on("article", flaky)).await;
        let selection = press.selected(1..=400).await;
        let run = press.start(Start::new(article(), "flaky", selection)).await.expect(sql).run;
        assert_eq!((run.state, counts(&run)), (RunState::Succeeded, [400, 400, 0, 0, 0]), "{sql}");
        let once = "SELECT count(*) FROM press.article WHERE edits = 1";
        assert_eq!(press.number(once).await, 400);
        let told = "SELECT count(*) FROM gesta.action WHERE verb = 'update'";
        assert_eq!(press.number(told).await, 400);
    }
}

#[tokio::test]
async fn operation_that_panics_fails_the_object_that_makes_it_panic() {
    struct Fragile;
    impl Operation for Fragile {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
            let patch = json!({ "state": "public" });
            let which = Selection::ids(ids.iter());
            piece.session().update::<Article>(which, &patch).await?;
            assert!(!ids.iter().any(|id| id == "7"), "the test makes it panic");
            Ok(())
        }
    }
    let fragile = Definition::new("fragile", "Fragile", Fragile);
    let press = press_with(20, definitions().on("article", fragile)).await;
    let selection = press.selected(1..=20).await;
    let run = press.start(Start::new(article(), "fragile", selection)).await.expect("started").run;
    assert_eq!((run.state, counts(&run)), (RunState::Partial, [20, 19, 0, 0, 1]));
    assert_eq!(press.items(run.id).await[6].note.as_deref(), Some("the operation panicked"));
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 19);
}
