//! Plans: done for real, rolled back, and confirmed as they were seen.

use gesta::definition::{Definition, Fate, Level, Rights};
use gesta::run::{RunError, Start, Which};
use serde_json::json;
use uuid::Uuid;

use super::press::{
    Press, Publish, article, asker, counts, definitions, editor, ids, press, press_with,
};
use crate::support::resource;

async fn planned(press: &Press, selection: Uuid) -> gesta::run::Plan {
    let plan =
        press.runs.plan(&editor(), &article(), "publish_with_care", selection, json!({})).await;
    plan.expect("a plan")
}

fn order(selection: Uuid) -> Start {
    Start::new(article(), "publish_with_care", selection)
}

#[tokio::test]
async fn plan_shows_what_would_be_done_and_does_nothing() {
    let press = press(5).await;
    press.sql("UPDATE press.article SET title = 'bad 2' WHERE id = 2; UPDATE press.article SET title = 'secret' WHERE id = 3").await;
    let selection = press.selected(1..=5).await;
    let plan = planned(&press, selection).await;
    assert_eq!((plan.selection.total, plan.label.as_str()), (5, "Publish selected articles"));
    assert!(plan.needs_confirmation && plan.changed.is_empty());
    let tried = [plan.tried.total, plan.tried.done, plan.tried.denied, plan.tried.failed];
    assert_eq!(tried, [5, 3, 1, 1]);
    let first = &plan.sample[0];
    assert_eq!(
        (first.object.resource.to_string().as_str(), &first.fate),
        ("article:1", &Fate::Done)
    );
    assert_eq!(first.object.name.as_deref(), Some("article 1"));
    let changes = first.actions[0].changes.as_ref().expect("changes").value();
    assert_eq!(
        (first.actions[0].verb.as_str(), &changes["state"]),
        ("update", &json!(["draft", "public"]))
    );
    assert!(
        matches!(&plan.sample[1].fate, Fate::Failed(why) if why.contains("article_bad_is_no_public"))
    );
    assert_eq!(plan.messages[0].level, Level::Warning);
    assert_eq!(press.number("SELECT count(*) FROM gesta.action").await, 0);
    assert_eq!(press.number("SELECT count(*) FROM gesta.run").await, 0);
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 0);
}

#[tokio::test]
async fn what_needs_a_confirmation_runs_only_with_the_token_of_its_plan() {
    let press = press(5).await;
    let selection = press.selected(1..=2).await;
    let error = press.start(order(selection)).await.expect_err("unconfirmed");
    assert!(matches!(error, RunError::ConfirmationNeeded { .. }), "{error}");
    let token = planned(&press, selection).await.token;
    let other = press.selected(3..=4).await;
    for wrong in [
        order(other).token(&token),
        Start { name: "publish".to_owned(), ..order(selection).token(&token) },
        order(selection).token("AAAA"),
        order(selection).token(format!("{token}A")),
    ] {
        let error = press.start(wrong).await.expect_err("not what was confirmed");
        assert!(matches!(error, RunError::TokenInvalid), "{error}");
    }
    let thief = asker("user:2", Rights::all());
    let error =
        press.runs.start(&thief, order(selection).token(&token)).await.expect_err("a thief");
    assert!(matches!(error, RunError::TokenInvalid), "{error}");
    assert_eq!(press.number("SELECT count(*) FROM gesta.run").await, 0);
    let run = press.start(order(selection).token(&token)).await.expect("confirmed").run;
    assert_eq!(counts(&run), [2, 2, 0, 0, 0]);
}

/// Two tabs, a double click and a replay: the token starts one run.
#[tokio::test]
async fn token_starts_one_run_however_often_it_is_sent() {
    let press = press(5).await;
    let selection = press.selected(1..=5).await;
    let token = planned(&press, selection).await.token;
    let send = || press.start(order(selection).token(&token));
    let (first, second, third) = tokio::join!(send(), send(), send());
    let started: Vec<_> =
        [first, second, third].into_iter().map(|it| it.expect("started")).collect();
    assert_eq!(started.iter().filter(|it| it.is_new).count(), 1);
    assert!(started.iter().all(|it| it.run.id == started[0].run.id));
    let again = send().await.expect("found");
    assert!(!again.is_new);
    assert_eq!(again.run.counts.done, 5);
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 5);
}

#[tokio::test]
async fn what_changed_between_plan_and_confirmation_is_named() {
    let press = press(30).await;
    let selection = press.selected(1..=30).await;
    let token = planned(&press, selection).await.token;
    press.sql("UPDATE press.article SET title = 'other' WHERE id = 2; DELETE FROM press.article WHERE id = 5").await;
    let error = press.start(order(selection).token(&token)).await.expect_err("changed");
    let text = error.to_string();
    let RunError::Changed { objects, are_more } = error else { panic!("{text}") };
    assert_eq!((objects, are_more), (vec![resource("article:2"), resource("article:5")], false));
    assert!(text.contains("`article:2`, `article:5` changed since the plan was made"), "{text}");
    assert_eq!(press.number("SELECT count(*) FROM press.article WHERE state = 'public'").await, 0);
    // The next plan tells it too, and takes it over.
    let plan = planned(&press, selection).await;
    assert_eq!(plan.changed, [resource("article:2"), resource("article:5")]);
    let error = press.start(order(selection).token(&token)).await.expect_err("the older plan");
    assert!(matches!(error, RunError::Changed { .. }), "{error}");
    let run = press.start(order(selection).token(&plan.token)).await.expect("confirmed").run;
    assert_eq!(counts(&run), [30, 29, 0, 0, 1]);
}

#[tokio::test]
async fn more_changes_than_anybody_reads_are_cut() {
    let press = press(30).await;
    let selection = press.selected(1..=30).await;
    let token = planned(&press, selection).await.token;
    press.sql("UPDATE press.article SET words = 1").await;
    let error = press.start(order(selection).token(&token)).await.expect_err("changed");
    assert!(matches!(&error, RunError::Changed { objects, are_more: true } if objects.len() == 20));
    assert!(error.to_string().contains("`article:20`, others changed"), "{error}");
}

/// A version does not depend on how a connection prints times.
#[tokio::test]
async fn time_zone_of_a_connection_changes_no_version() {
    let press = press(2).await;
    press.sql("UPDATE press.article SET seen_at = now()").await;
    let selection = press.selected(1..=2).await;
    let token = planned(&press, selection).await.token;
    press.sql(&format!("ALTER DATABASE {} SET TimeZone = 'Asia/Tokyo'", press.db.name())).await;
    let store = press.db.store().await;
    let runs = gesta::run::Runs::new(&store, press.runs.catalog().clone());
    let run =
        runs.start(&editor(), order(selection).token(&token)).await.expect("the same rows").run;
    assert_eq!(run.counts.done, 2);
}

/// A clock that the test has set a while ahead stands before the server's own.
#[tokio::test]
async fn confirmation_expires_with_its_time() {
    let press = press(2).await;
    let selection = press.selected(1..=2).await;
    let plan = planned(&press, selection).await;
    press
        .sql(&format!(
            "CREATE SCHEMA ahead;
            GRANT USAGE ON SCHEMA ahead TO PUBLIC;
            CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
                $$ SELECT '{}'::timestamptz + interval '1 second' $$;
            ALTER DATABASE {} SET search_path = ahead, pg_catalog",
            plan.expires_at.to_rfc3339(),
            press.db.name(),
        ))
        .await;
    let store = press.db.store().await;
    let runs = gesta::run::Runs::new(&store, press.runs.catalog().clone());
    let late = runs.start(&editor(), order(selection).token(&plan.token)).await;
    assert!(matches!(late, Err(RunError::TokenExpired)), "{late:?}");
    let in_time = press.start(order(selection).token(&plan.token)).await.expect("still good here");
    assert_eq!(in_time.run.counts.done, 2);
}

#[tokio::test]
async fn what_cannot_be_planned_is_refused() {
    let definitions =
        definitions().on("server", Definition::new("publish", "Publish {name}", Publish));
    let press = press_with(2, definitions).await;
    let selection = press.selected(1..=2).await;
    let (article, server) = (article(), gesta::ResourceType::new("server").expect("a type"));
    let plan = async |kind, name, selection, input| {
        press.runs.plan(&editor(), kind, name, selection, input).await
    };
    let other = plan(&server, "publish", selection, json!({})).await;
    assert!(matches!(other, Err(RunError::SelectionGone(_))), "of articles: {other:?}");
    let absent = plan(&server, "mail", selection, json!({})).await;
    assert!(matches!(absent, Err(RunError::UnknownAction { .. })), "{absent:?}");
    let unknown = plan(&article, "publish", Uuid::nil(), json!({})).await;
    assert!(matches!(unknown, Err(RunError::SelectionGone(_))), "{unknown:?}");
    let wrong = plan(&article, "publish", selection, json!({"x": 1})).await;
    assert!(matches!(wrong, Err(RunError::Input(_))), "{wrong:?}");
    let empty = press.select(Which::Ids(ids([]))).await;
    assert!(matches!(empty, Err(RunError::EmptySelection { .. })));
}
