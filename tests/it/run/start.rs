//! Starting: recorded first, and once.

use gesta::definition::{Definition, Fault, Mode, Operation, Piece, Places};
use gesta::run::{RunError, RunState, Start};
use serde_json::json;

use super::press::{Publish, article, counts, definitions, editor, press, press_with};
use crate::support::resource;

/// Case 50: of what is offered at a single object, any other selection is refused, and nothing is run.
#[tokio::test]
async fn what_is_for_single_objects_is_run_on_one() {
    let single = Definition::new("reread", "Read {name} again", Publish).offered(Places::Object);
    let press = press_with(3, definitions().on("article", single)).await;
    let two = press.selected(1..=2).await;
    let refused = press.start(Start::new(article(), "reread", two)).await;
    assert!(matches!(refused, Err(RunError::NotSingle { given: 2, .. })), "{refused:?}");
    let planned = press.runs.plan(&editor(), &article(), "reread", two, json!({})).await;
    assert!(matches!(planned, Err(RunError::NotSingle { given: 2, .. })), "{planned:?}");
    let one = press.selected([3]).await;
    let run = press.start(Start::new(article(), "reread", one)).await.expect("started").run;
    assert_eq!(counts(&run), [1, 1, 0, 0, 0]);
}

#[tokio::test]
async fn run_tells_who_what_why_and_with_which_input() {
    let press = press(3).await;
    let selection = press.selected([1, 3]).await;
    let input = json!({"to": "desk@example.org", "password": "s3cret"});
    let order = Start::new(article(), "mail", selection).input(input);
    let started = press.start(order).await.expect("started");
    assert!(started.is_new);
    let run = started.run;
    assert_eq!((run.state, counts(&run)), (RunState::Succeeded, [2, 2, 0, 0, 0]));
    assert_eq!(
        (run.kind, run.name.as_str(), run.label.as_str()),
        (article(), "mail", "Mail article")
    );
    assert_eq!(
        (run.actor.resource, run.actor.name.as_deref()),
        (resource("user:1"), Some("Alice"))
    );
    assert_eq!(run.reason.as_deref(), Some("ticket 7"));
    assert_eq!(run.permission.as_deref(), Some("article.view"));
    assert_eq!(run.selection, Some(selection));
    assert_eq!(run.input, json!({"to": "desk@example.org", "password": "***"}));
    assert!(run.created_at <= run.started_at.expect("started") && run.started_at <= run.ended_at);
    assert!(!run.is_background && !run.is_atomic && run.error.is_none() && run.retry_of.is_none());
    // The secret is nowhere any more, and was never in the log.
    let left = "SELECT count(*) FROM gesta.run WHERE secret_input IS NOT NULL OR run::text LIKE '%s3cret%'";
    assert_eq!(press.number(left).await, 0);
    assert_eq!(
        press.number("SELECT count(*) FROM gesta.action AS a WHERE a::text LIKE '%s3cret%'").await,
        0
    );
}

#[tokio::test]
async fn secrets_are_kept_only_until_the_run_has_ended_and_no_auditor_reads_them() {
    let press = press(2).await;
    let selection = press.selected([1]).await;
    let input = json!({"to": "desk@example.org", "password": "s3cret"});
    let order = Start::new(article(), "mail", selection).input(input).mode(Mode::Background);
    let run = press.start(order).await.expect("queued").run;
    assert_eq!(run.state, RunState::Queued);
    let kept = "SELECT count(*) FROM gesta.run WHERE secret_input ->> 'password' = 's3cret'";
    assert_eq!(press.number(kept).await, 1);
    let auditor = press.db.connect("gesta_auditor").await;
    let error = auditor.query("SELECT secret_input FROM gesta.run", &[]).await.expect_err("denied");
    assert_eq!(error.code().expect("a code").code(), "42501");
    let seen =
        auditor.query("SELECT input ->> 'password' FROM gesta.run", &[]).await.expect("seen");
    assert_eq!(seen[0].get::<_, &str>(0), "***");
    press.runs.cancel(&editor(), run.id).await.expect("cancelled");
    assert_eq!(press.number("SELECT count(secret_input) FROM gesta.run").await, 0);
}

#[tokio::test]
async fn input_that_does_not_fit_is_refused_before_anything_is_recorded() {
    let press = press(2).await;
    let selection = press.selected([1]).await;
    for input in [json!({}), json!({"to": 7, "password": "s3cret"}), json!("s3cret")] {
        let order = Start::new(article(), "mail", selection).input(input);
        let error = press.start(order).await.expect_err("it does not fit");
        assert!(matches!(error, RunError::Input(_)), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert_eq!(press.number("SELECT count(*) FROM gesta.run").await, 0);
    assert_eq!(press.number("SELECT count(*) FROM gesta.action").await, 0);
}

/// A double click: both are sent before the first one is answered.
#[tokio::test]
async fn idempotency_key_starts_one_run() {
    let press = press(50).await;
    let selection = press.selected(1..=50).await;
    let send = || press.start(Start::new(article(), "publish", selection).idempotency_key("k1"));
    let (first, second, third) = tokio::join!(send(), send(), send());
    let started = [first, second, third].map(|it| it.expect("started"));
    assert_eq!(started.iter().filter(|it| it.is_new).count(), 1);
    assert!(started.iter().all(|it| it.run.id == started[0].run.id));
    // Also when the selection is gone meanwhile.
    press.sql("UPDATE gesta.selection SET expires_at = now()").await;
    let replayed = send().await.expect("found");
    assert!(!replayed.is_new && replayed.run.state == RunState::Succeeded);
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 50);
    assert_eq!(press.number("SELECT count(*) FROM gesta.run").await, 1);
    let about = press.verbs(&format!("run:{}", replayed.run.id)).await;
    assert_eq!(about, ["run.start", "run.end"]);
}

#[tokio::test]
async fn key_of_another_request_is_refused() {
    let press = press(5).await;
    let (first, second) = (press.selected([1]).await, press.selected([2]).await);
    let order = |selection| Start::new(article(), "publish", selection).idempotency_key("k1");
    press.start(order(first)).await.expect("started");
    let error = press.start(order(second)).await.expect_err("another request");
    assert!(matches!(&error, RunError::KeyReused(key) if key == "k1"), "{error}");
    // Somebody else's keys are their own.
    let mut bob = editor();
    bob.context = bob.context.acting(&resource("user:2"));
    let theirs = super::press::ids([3]);
    let theirs = press.runs.select(&bob, &article(), gesta::run::Which::Ids(theirs), None).await;
    let theirs = theirs.expect("selected").id;
    assert!(press.runs.start(&bob, order(theirs)).await.expect("started").is_new);
    for key in [String::new(), "k".repeat(256)] {
        let error = press.start(order(first).idempotency_key(key)).await.expect_err("no key");
        assert!(matches!(error, RunError::Key(_)), "{error}");
    }
}

/// Recorded first: what is started is in the log before any object is touched.
#[tokio::test]
async fn run_is_committed_before_its_first_object() {
    struct Look;
    impl Operation for Look {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            // Only what was committed before has another transaction than this one.
            let sql = "SELECT count(*) FROM gesta.action
                WHERE verb = 'run.start' AND xid <> pg_current_xact_id()";
            let rows = piece.session().transaction().query_one(sql, &[]).await;
            let row = rows.map_err(|error| Fault::caused("failed to look", error))?;
            if row.get::<_, i64>(0) == 1 { Ok(()) } else { Err(Fault::new("it is not recorded")) }
        }
    }
    let definitions =
        super::press::definitions().on("article", Definition::new("look", "Look", Look));
    let press = super::press::press_with(2, definitions).await;
    let selection = press.selected([1, 2]).await;
    let run = press.start(Start::new(article(), "look", selection)).await.expect("started").run;
    assert_eq!(counts(&run), [2, 2, 0, 0, 0]);
}
