//! Old runs: archived before they are removed, oldest first, never the newest.

use std::time::Duration;

use gesta::run::{RunError, Start};
use serde_json::Value;

use super::press::{article, editor, press};
use crate::support::until_any_waits;

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn old_runs_are_archived_with_all_that_is_known_of_them() {
    let press = press(5).await;
    press.sql("UPDATE press.article SET title = 'bad 2' WHERE id = 2; UPDATE press.article SET title = 'secret' WHERE id = 3").await;
    let old = press.publish([1, 2, 3]).await;
    let young = press.publish([4]).await;
    let newest = press.publish([5]).await;
    let alone = press.start(Start::new(article(), "publish_all", press.selected([5]).await)).await;
    let alone = alone.expect("started").run;
    assert_eq!(press.runs.archive(DAY).await.expect("looked"), 0);
    press.sql("UPDATE gesta.run SET ended_at = ended_at - interval '2 days'").await;
    press.sql(&format!("UPDATE gesta.run SET ended_at = now() WHERE id = '{}'", young.id)).await;
    assert_eq!(press.runs.archive(DAY).await.expect("archived"), 1);
    let error = press.runs.run(&old.tenant, old.id).await.expect_err("gone");
    assert!(matches!(error, RunError::NotFound(_)));
    // The newest of each definition stays, however old it is.
    for kept in [young.id, newest.id, alone.id] {
        press.info(kept).await;
    }
    let app = press.db.connect("gesta_app").await;
    app.batch_execute("SET gesta.tenant = 'default'").await.expect("set");
    let rows =
        app.query("SELECT content FROM gesta.run_archive ORDER BY part", &[]).await.expect("kept");
    let [run, items] = [0, 1].map(|n| rows[n].get::<_, Value>(0));
    assert_eq!(run["run"]["id"], old.id.to_string());
    assert_eq!((&run["run"]["failed"], &run["run"]["state"]), (&1.into(), &"partial".into()));
    assert_eq!(run["messages"][0]["content"], "article 3 is secret");
    assert!(run["run"].get("secret_input").is_none());
    let told: Vec<_> =
        items.as_array().expect("objects").iter().map(|item| item[3].as_str()).collect();
    assert_eq!(told, [Some("done"), Some("failed"), Some("denied")]);
    assert_eq!(press.number("SELECT count(*) FROM gesta.run_item").await, 3);
    // What it did stays in the log.
    assert_eq!(press.verbs(&format!("run:{}", old.id)).await, ["run.start", "run.end"]);
    let error = app.batch_execute("DELETE FROM gesta.run_archive").await.expect_err("not allowed");
    assert_eq!(error.code().expect("a code").code(), "42501");
}

/// A run that is taken away looks like one whose objects are all pending.
#[tokio::test]
async fn run_that_is_archived_meanwhile_is_not_retried() {
    let press = press(3).await;
    press.sql("UPDATE press.article SET title = 'bad 2' WHERE id = 2").await;
    let old = press.publish([1, 2]).await;
    press.publish([3]).await;
    press.sql("UPDATE gesta.run SET ended_at = ended_at - interval '2 days'").await;
    press.sql("BEGIN; SELECT gesta.archive_runs('1 day', 10)").await;
    let (runs, id) = (press.runs.clone(), old.id);
    let retry = tokio::spawn(async move { runs.retry(&editor(), id).await });
    until_any_waits(&press.db.admin().await).await;
    press.sql("COMMIT").await;
    let error = retry.await.expect("no panic").expect_err("it is gone");
    assert!(matches!(error, RunError::NotFound(_)), "{error:?}");
    assert_eq!(press.number("SELECT count(*) FROM gesta.run").await, 1);
}

#[tokio::test]
async fn oldest_runs_go_first() {
    let press = press(3).await;
    let [first, second, _] =
        [press.publish([1]).await, press.publish([2]).await, press.publish([3]).await];
    press.sql("UPDATE gesta.run SET ended_at = ended_at - interval '2 days'").await;
    assert_eq!(press.number("SELECT gesta.archive_runs('1 day', 1)::bigint").await, 1);
    assert!(press.runs.run(&first.tenant, first.id).await.is_err());
    press.info(second.id).await;
}

/// A selection goes when it has expired, unless a run still needs it to know what is pending.
#[tokio::test]
async fn expired_selections_go_when_no_run_needs_them() {
    let press = press(5).await;
    let (used, waiting, unused) =
        (press.selected([1]).await, press.selected([2]).await, press.selected([3]).await);
    press.start(Start::new(article(), "publish", used)).await.expect("started");
    let order = Start::new(article(), "publish", waiting).mode(gesta::definition::Mode::Background);
    let run = press.start(order).await.expect("queued").run;
    press.runs.archive(DAY).await.expect("looked");
    assert_eq!(press.number("SELECT count(*) FROM gesta.selection").await, 3);
    press.sql("UPDATE gesta.selection SET expires_at = now() - interval '1 minute'").await;
    press.runs.archive(DAY).await.expect("dropped");
    let left = format!("SELECT count(*) FROM gesta.selection WHERE id = '{waiting}'");
    assert_eq!(press.number(&left).await, 1);
    assert_eq!(press.number("SELECT count(*) FROM gesta.selection").await, 1);
    let gone =
        format!("SELECT count(*) FROM gesta.selected WHERE selection IN ('{used}', '{unused}')");
    assert_eq!(press.number(&gone).await, 0);
    press.runs.cancel(&editor(), run.id).await.expect("cancelled");
    press.runs.archive(DAY).await.expect("looked");
    assert_eq!(press.items(run.id).await.len(), 1, "what was pending is still known");
}
