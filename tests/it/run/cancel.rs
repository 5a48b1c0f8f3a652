//! Cancelling: at once, whoever is at work on it.

use std::sync::Arc;

use gesta::definition::{Definition, Fault, Operation, Piece};
use gesta::run::{ItemOutcome, RunError, RunState, Start};
use gesta::session::Selection;
use gesta::{Outcome, Tenant};
use serde_json::json;
use tokio::sync::Semaphore;

use super::press::{Article, article, counts, definitions, editor, press, press_with};
use crate::support::{check_log_but_xids, resource};

/// Publishes, and waits before the end of each piece until the test lets it go on.
struct Slow {
    reached: Arc<Semaphore>,
    go_on: Arc<Semaphore>,
}

impl Operation for Slow {
    type Input = ();
    async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
        let patch = json!({ "state": "public" });
        piece.session().update::<Article>(Selection::ids(ids), &patch).await?;
        self.reached.add_permits(1);
        self.go_on.acquire().await.expect("open").forget();
        Ok(())
    }
}

/// Done objects stay done, the piece under way is undone, the rest is pending.
#[tokio::test]
async fn cancelled_run_ends_at_once_and_what_is_under_way_is_undone() {
    let (reached, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let slow = Slow { reached: Arc::clone(&reached), go_on: Arc::clone(&go_on) };
    let definitions = definitions().on("article", Definition::new("slow", "Slow", slow));
    let press = press_with(1000, definitions).await;
    let selection = press.selected(1..=1000).await;
    let (runs, asker) = (press.runs.clone(), editor());
    let order = Start::new(article(), "slow", selection);
    let running = tokio::spawn(async move { runs.start(&asker, order).await });
    reached.acquire().await.expect("open").forget();
    go_on.add_permits(1);
    reached.acquire().await.expect("open").forget();
    // The first 100 are committed, the next ones under way.
    let wanted = gesta::run::RunQuery::default();
    let run =
        press.runs.list(&Tenant::default(), &wanted).await.expect("the runs").items[0].clone();
    assert_eq!((run.state, counts(&run)), (RunState::Running, [1000, 100, 0, 0, 0]));
    let cancelled = press.runs.cancel(&editor(), run.id).await.expect("cancelled");
    assert_eq!((cancelled.state, counts(&cancelled)), (RunState::Cancelled, [1000, 100, 0, 0, 0]));
    assert_eq!(cancelled.cancelled_by, Some(resource("user:1")));
    go_on.add_permits(1);
    let started = running.await.expect("no panic").expect("it has ended");
    assert_eq!(
        (started.run.state, counts(&started.run)),
        (RunState::Cancelled, [1000, 100, 0, 0, 0])
    );
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 100);
    let pending = gesta::run::ItemQuery {
        outcome: Some(ItemOutcome::Pending),
        after: None,
        limit: Some(1000),
    };
    let pending =
        press.runs.items(&Tenant::default(), run.id, pending).await.expect("the objects").items;
    assert_eq!((pending.len(), pending[0].object.to_string().as_str()), (900, "article:101"));
    let about = press.stream(&format!("run:{}", run.id)).await;
    let verbs: Vec<_> = about.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["run.start", "run.cancel"]);
    let told = about[1].data.as_ref().expect("data").value();
    assert_eq!(
        (about[1].outcome, &told["done"], &told["pending"]),
        (Outcome::Ok, &json!(100), &json!(900))
    );
    assert!(about[1].context.as_ref().expect("a context").get().contains("ticket 7"));
    let error = press.runs.cancel(&editor(), run.id).await.expect_err("it has ended");
    assert!(
        matches!(error, RunError::NotCancellable { state: RunState::Cancelled, .. }),
        "{error}"
    );
    // What is left can be retried.
    go_on.add_permits(100);
    let rest = press.runs.retry(&editor(), run.id).await.expect("retried").run;
    assert_eq!((rest.state, counts(&rest)), (RunState::Succeeded, [900, 900, 0, 0, 0]));
    assert_eq!(press.number("SELECT count(*) FROM press.article WHERE edits = 1").await, 1000);
    check_log_but_xids(&press.db).await;
}

#[tokio::test]
async fn run_of_another_tenant_cannot_be_cancelled() {
    let press = press(2).await;
    let selection = press.selected([1]).await;
    let order =
        Start::new(article(), "publish", selection).mode(gesta::definition::Mode::Background);
    let run = press.start(order).await.expect("queued").run;
    let mut stranger = editor();
    stranger.context = stranger.context.tenant(Tenant::new("other").expect("a tenant"));
    let error = press.runs.cancel(&stranger, run.id).await.expect_err("not theirs");
    assert!(matches!(error, RunError::NotFound(_)), "{error}");
    let done = press.publish([2]).await;
    let error = press.runs.cancel(&editor(), done.id).await.expect_err("it has ended");
    assert_eq!(error.to_string(), format!("the run {} is succeeded already", done.id));
}
