//! What is built in, as people run it: planned, confirmed, run, downloaded.

use futures_util::TryStreamExt as _;
use gesta::definition::{Asker, Impact};
use gesta::run::{
    Downloaded, ItemOutcome, ItemQuery, RunError, RunInfo, RunState, Runs, Start, Which,
};
use gesta::{ResourceType, Tenant};
use serde_json::{Value, json};
use uuid::Uuid;

use super::rig::{Desk, asker};
use crate::support::check_log_but_xids;

fn article() -> ResourceType {
    ResourceType::new("article").expect("a type")
}

async fn select(runs: &Runs, alice: &Asker, ids: &[&str]) -> Uuid {
    let which = Which::Ids(ids.iter().map(ToString::to_string).collect());
    runs.select(alice, &article(), which, None).await.expect("selected").id
}

async fn outcomes(runs: &Runs, run: Uuid) -> Vec<(String, ItemOutcome)> {
    let items = runs.items(&Tenant::default(), run, ItemQuery::default()).await.expect("items");
    items.items.into_iter().map(|item| (item.object.id.to_string(), item.outcome)).collect()
}

/// Cases 39, 41, 42 and 43: a plan tells what goes with it, what forbids it and what is not permitted, and changes
/// nothing; what was confirmed is done as far as it may be.
#[tokio::test]
async fn deletion_is_planned_confirmed_and_done_as_far_as_it_may_be() {
    let desk = Desk::new().await;
    let runs = Runs::new(&desk.store, desk.catalog.clone());
    let alice = asker(&["article.delete"]);
    let selection = select(&runs, &alice, &["1", "2", "3"]).await;
    let order = Start::new(article(), "delete", selection);
    let unconfirmed = runs.start(&alice, order.clone()).await.expect_err("not confirmed");
    assert!(matches!(unconfirmed, RunError::ConfirmationNeeded { .. }), "{unconfirmed}");
    let plan = runs.plan(&alice, &article(), "delete", selection, json!({})).await.expect("a plan");
    let told = |impact| plan.consequences.all.iter().find(|it| it.impact == impact).expect("told");
    let (deleted, forbidding) = (told(Impact::Deleted), told(Impact::Forbidding));
    assert_eq!((deleted.rows, deleted.missing.as_deref()), (Some(3), Some("comment.delete")));
    assert_eq!((forbidding.rows, forbidding.keys.join(" ")), (Some(2), "70 71".to_owned()));
    assert!(plan.consequences.is_whole);
    assert_eq!((plan.tried.done, plan.tried.denied, plan.tried.failed), (1, 1, 1));
    assert_eq!(desk.texts("SELECT count(*)::text FROM newsroom.article").await, ["3"]);

    let run = runs.start(&alice, order.token(plan.token)).await.expect("started").run;
    assert_eq!(run.state, RunState::Partial);
    let wanted = [("1", ItemOutcome::Denied), ("2", ItemOutcome::Failed), ("3", ItemOutcome::Done)];
    assert_eq!(outcomes(&runs, run.id).await, wanted.map(|(id, it)| (id.to_owned(), it)));
    assert_eq!(desk.texts("SELECT id::text FROM newsroom.article ORDER BY 1").await, ["1", "2"]);
    let sql = "SELECT concat_ws(' ', verb, outcome, source, object_type || ':' || object_id) FROM gesta.action
               WHERE run_id IS NOT NULL ORDER BY 1";
    let wanted = [
        "delete denied run article:1".to_owned(),
        "delete failed run article:2".to_owned(),
        "delete ok run article:3".to_owned(),
        format!("run.end failed run run:{}", run.id),
        format!("run.start ok run run:{}", run.id),
    ];
    assert_eq!(desk.texts(sql).await, wanted);
    check_log_but_xids(&desk.db).await;
}

#[tokio::test]
async fn plan_of_more_objects_than_are_tried_says_that_it_is_not_whole() {
    let desk = Desk::new().await;
    desk.sql("INSERT INTO newsroom.article (id, title) SELECT n, 'x' FROM generate_series(10, 1100) AS n").await;
    let runs = Runs::new(&desk.store, desk.catalog.clone());
    let alice = asker(&["*"]);
    let all = Which::Rows(gesta::run::Filter::all());
    let selection = runs.select(&alice, &article(), all, None).await.expect("selected").id;
    let plan = runs.plan(&alice, &article(), "delete", selection, json!({})).await.expect("a plan");
    assert!(!plan.consequences.is_whole);
}

/// Runs an export of articles 3, 1 and one that is not there, and gives what is downloaded.
async fn exported(runs: &Runs, alice: &Asker, input: Value) -> (RunInfo, Downloaded, String) {
    let selection = select(runs, alice, &["3", "1"]).await;
    let order = Start::new(article(), "export", selection).input(input);
    let run = runs.start(alice, order).await.expect("started").run;
    let mut file = runs.download(alice, run.id).await.expect("a file");
    let bytes: Vec<_> = std::mem::replace(&mut file.bytes, Box::pin(futures_util::stream::empty()))
        .try_collect()
        .await
        .expect("bytes");
    (run, file, String::from_utf8(bytes.concat()).expect("UTF-8"))
}

#[tokio::test]
async fn selected_rows_are_taken_away_as_csv_and_as_json_lines() {
    let desk = Desk::new().await;
    let runs = Runs::new(&desk.store, desk.catalog.clone());
    let alice = asker(&["article.view"]);
    desk.sql("UPDATE newsroom.article SET title = '=HYPERLINK(\"http://x\")', note = E'a,\\n\"b\"' WHERE id = 1").await;
    let (run, file, text) = exported(&runs, &alice, json!({})).await;
    assert_eq!((run.state, run.counts.done), (RunState::Succeeded, 2));
    assert_eq!(file.content_type, "text/csv; charset=utf-8");
    assert_eq!(file.file_name, format!("article-export-{}.csv", run.id));
    let mut lines: Vec<_> = text.split("\r\n").collect();
    lines.sort_unstable();
    let wanted = [
        "",
        "1,1,\"'=HYPERLINK(\"\"http://x\"\")\",draft,,\"a,\n\"\"b\"\"\"",
        "3,1,Article 3,draft,,",
        "id,section,title,state,published_at,note",
    ];
    assert_eq!(lines, wanted);
    assert!(text.starts_with("id,"), "{text}");

    let (_, file, text) = exported(&runs, &alice, json!({ "format": "jsonl" })).await;
    assert_eq!(file.content_type, "application/x-ndjson");
    let mut rows: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    rows.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(rows.iter().map(|row| &row["id"]).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(rows[0]["title"], "=HYPERLINK(\"http://x\")");
    assert_eq!(desk.log("run.download").await.len(), 2);
    check_log_but_xids(&desk.db).await;
}

/// Only whoever ran it takes it away, as long as they may.
#[tokio::test]
async fn file_is_for_whoever_made_it_and_still_may() {
    let desk = Desk::new().await;
    let runs = Runs::new(&desk.store, desk.catalog.clone());
    let alice = asker(&["article.view"]);
    let (run, _, _) = exported(&runs, &alice, json!({})).await;
    let bob = Asker {
        context: gesta::Context::new(&crate::support::resource("user:7")),
        ..alice.clone()
    };
    let error = runs.download(&bob, run.id).await.expect_err("not his");
    assert!(matches!(error, RunError::NotFound(_)), "{error}");
    let without = Asker { rights: gesta::definition::Rights::default(), ..alice.clone() };
    let error = runs.download(&without, run.id).await.expect_err("no longer");
    assert!(matches!(error, RunError::Forbidden { .. }), "{error}");
    assert_eq!(desk.log("run.refuse").await.len(), 1);
    let all = asker(&["*"]);
    let selection = select(&runs, &all, &["3"]).await;
    let plan = runs.plan(&all, &article(), "delete", selection, json!({})).await.expect("a plan");
    let order = Start::new(article(), "delete", selection).token(plan.token);
    let run = runs.start(&all, order).await.expect("started").run;
    let error = runs.download(&all, run.id).await.expect_err("no file");
    assert_eq!(
        error.to_string(),
        format!("the run {} leaves nothing to take away: its action makes no file", run.id)
    );
}

/// Case 31: A file is read as it is taken: a few hundred objects at a time, and no further than somebody reads.
#[tokio::test]
async fn download_is_a_stream_of_small_parts() {
    let desk = Desk::new().await;
    desk.sql("INSERT INTO newsroom.article (id, title) SELECT n, repeat('x', 5000) FROM generate_series(10, 1009) AS n").await;
    let runs = Runs::new(&desk.store, desk.catalog.clone());
    let alice = asker(&["article.view"]);
    let all = Which::Rows(gesta::run::Filter::all());
    let selection = runs.select(&alice, &article(), all, None).await.expect("selected").id;
    let order = Start::new(article(), "export", selection).input(json!({ "format": "jsonl" }));
    let run = runs.start(&alice, order).await.expect("started").run;
    let mut bytes = runs.download(&alice, run.id).await.expect("a file").bytes;
    let (mut lines, mut longest) = (0, 0);
    while let Some(part) = bytes.try_next().await.expect("a part") {
        lines += part.split(|byte| *byte == b'\n').count() - 1;
        longest = longest.max(part.len());
    }
    assert_eq!(lines, 1003);
    assert!(longest < 1_300_000, "{longest}");
}
