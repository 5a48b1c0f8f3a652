//! Who may not neither sees it, nor plans it, nor runs it; and each attempt is recorded.

use gesta::definition::{Place, Rights};
use gesta::run::{Filter, RunError, RunQuery, RunState, Start, Which};
use gesta::{Outcome, Tenant};
use serde_json::json;

use super::press::{article, asker, editor, press};
use crate::support::{check_log, resource};

/// B19: what somebody may not run is filtered when it is listed and when it is run.
#[tokio::test]
async fn who_has_no_permission_neither_sees_nor_plans_nor_runs_it() {
    let press = press(3).await;
    let selection = press.selected([1, 2]).await;
    let mallory = asker("user:6", Rights::new(["article.view"]));
    let names: Vec<_> = press
        .runs
        .catalog()
        .offered(&mallory, &article(), Place::List)
        .iter()
        .map(|offer| offer.name().to_owned())
        .collect();
    assert_eq!(names, ["mail"]);
    let theirs = press.runs.select(&mallory, &article(), Which::Rows(Filter::all()), None).await;
    let theirs = theirs.expect("they may mail").id;
    let input = json!({});
    let planned = press.runs.plan(&mallory, &article(), "publish", theirs, input).await.map(drop);
    let order = Start::new(article(), "publish", theirs);
    let started = press.runs.start(&mallory, order).await.map(drop);
    let stolen = Start::new(article(), "publish", selection);
    let stolen = press.runs.start(&mallory, stolen).await.map(drop);
    for refused in [planned, started, stolen] {
        let error = refused.expect_err("not permitted");
        let text = error.to_string();
        let RunError::Forbidden { name, permission, run, .. } = error else { panic!("{text}") };
        assert_eq!((name.as_str(), permission.as_deref()), ("publish", Some("article.publish")));
        let info = press.info(run).await;
        assert_eq!((info.state, info.counts.total), (RunState::Refused, 0));
        assert_eq!(info.actor.resource, resource("user:6"));
        assert_eq!(info.label, "Publish article");
        assert_eq!(info.error.as_deref(), Some("it takes article.publish"));
        let actions = press.stream(&format!("run:{run}")).await;
        assert_eq!(actions.len(), 1);
        assert_eq!((actions[0].verb.as_str(), actions[0].outcome), ("run.refuse", Outcome::Denied));
        assert_eq!(actions[0].actor.resource, resource("user:6"));
        let named = actions[0].object.as_ref().and_then(|run| run.name.as_deref());
        assert_eq!(named, Some("Publish article"));
        assert_eq!(actions[0].description.as_deref(), Some("it takes article.publish"));
        assert!(!actions[0].audience.is_public());
    }
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 0);
    let wanted = RunQuery { states: vec![RunState::Refused], ..RunQuery::default() };
    let page = press.runs.list(&Tenant::default(), &wanted).await.expect("the runs");
    assert_eq!(page.items.len(), 3);
    check_log(&press.db).await;
}

/// What is not known is no attempt at anything, and leaves nothing behind.
#[tokio::test]
async fn unknown_action_is_told_and_not_recorded() {
    let press = press(1).await;
    let selection = press.selected([1]).await;
    let order = Start::new(article(), "publsh", selection);
    let error = press.start(order).await.expect_err("unknown");
    assert_eq!(error.to_string(), "there is no action `publsh` of the type `article`");
    assert_eq!(press.number("SELECT count(*) FROM gesta.run").await, 0);
}

/// Who may run nothing of a type learns nothing of its rows.
#[tokio::test]
async fn who_may_run_nothing_of_a_type_selects_nothing_of_it() {
    let press = press(3).await;
    let nobody = asker("user:6", Rights::default());
    let error = press.runs.select(&nobody, &article(), Which::Rows(Filter::all()), None).await;
    assert!(matches!(error, Err(RunError::UnknownType(_))), "{error:?}");
}

#[tokio::test]
async fn who_may_not_run_it_neither_retries_nor_cancels_it() {
    let press = press(3).await;
    press.sql("UPDATE press.article SET title = 'bad' || ' 1' WHERE id = 1").await;
    let run = press.publish([1, 2]).await;
    let mallory = asker("user:6", Rights::new(["article.view"]));
    let retried = press.runs.retry(&mallory, run.id).await;
    let Err(RunError::Forbidden { run: refused, .. }) = retried else { panic!("{retried:?}") };
    assert_eq!(press.info(refused).await.label, "Publish article");
    let selection = press.selected([3]).await;
    let order =
        Start::new(article(), "publish", selection).mode(gesta::definition::Mode::Background);
    let queued = press.start(order).await.expect("queued").run;
    let cancelled = press.runs.cancel(&mallory, queued.id).await;
    assert!(matches!(cancelled, Err(RunError::Forbidden { .. })), "{cancelled:?}");
    assert_eq!(press.info(queued.id).await.state, RunState::Queued);
    // Who may run it may cancel it, whoever asked for it.
    let mut bob = editor();
    bob.context = bob.context.acting(&resource("user:2"));
    let cancelled = press.runs.cancel(&bob, queued.id).await.expect("cancelled");
    assert_eq!(cancelled.cancelled_by, Some(resource("user:2")));
}
