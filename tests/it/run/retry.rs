//! Retrying: what failed and what is pending, once, and nothing that was done.

use gesta::run::{RunError, RunState, Start};
use serde_json::json;

use super::press::{article, counts, editor, press};

#[tokio::test]
async fn retry_takes_what_failed_and_nothing_that_was_done() {
    let press = press(10).await;
    press.sql("UPDATE press.article SET title = 'bad ' || id WHERE id IN (3, 7); UPDATE press.article SET title = 'secret' WHERE id = 4").await;
    let first = press.publish(1..=10).await;
    assert_eq!(counts(&first), [10, 7, 0, 1, 2]);
    press.sql("UPDATE press.article SET title = 'good' WHERE id = 3").await;
    let second = press.runs.retry(&editor(), first.id).await.expect("retried");
    assert!(second.is_new);
    let second = second.run;
    assert_eq!(
        (second.retry_of, second.state, counts(&second)),
        (Some(first.id), RunState::Partial, [2, 1, 0, 0, 1])
    );
    let ids: Vec<_> =
        press.items(second.id).await.into_iter().map(|it| it.object.to_string()).collect();
    assert_eq!(ids, ["article:3", "article:7"]);
    // A second click finds the first one's run.
    let again = press.runs.retry(&editor(), first.id).await.expect("found");
    assert!(!again.is_new && again.run.id == second.id);
    press.sql("UPDATE press.article SET title = 'good' WHERE id = 7").await;
    let third = press.runs.retry(&editor(), second.id).await.expect("retried").run;
    assert_eq!((third.state, counts(&third)), (RunState::Succeeded, [1, 1, 0, 0, 0]));
    assert_eq!(press.verbs("article:7").await, ["publish", "publish", "update"]);
    let sql = "SELECT count(*) FROM press.article WHERE edits = 1 AND state = 'public'";
    assert_eq!(press.number(sql).await, 9);
}

#[tokio::test]
async fn what_cannot_be_retried_is_told() {
    let press = press(3).await;
    let done = press.publish([1]).await;
    let error = press.runs.retry(&editor(), done.id).await.expect_err("nothing is left");
    assert!(
        error.to_string().ends_with("cannot be retried: no object failed or is pending"),
        "{error}"
    );
    let selection = press.selected([2]).await;
    let queued =
        Start::new(article(), "publish", selection).mode(gesta::definition::Mode::Background);
    let queued = press.start(queued).await.expect("queued").run;
    let error = press.runs.retry(&editor(), queued.id).await.expect_err("it has not ended");
    assert!(matches!(error, RunError::NotRetryable { .. }), "{error}");
    let input = json!({"to": "x", "password": "wrong"});
    let selection = press.selected([2]).await;
    let secret = press.start(Start::new(article(), "mail", selection).input(input)).await;
    let secret = secret.expect("started").run;
    assert_eq!((secret.state, counts(&secret)), (RunState::Failed, [1, 0, 0, 0, 1]));
    let error = press.runs.retry(&editor(), secret.id).await.expect_err("its secrets are gone");
    assert!(error.to_string().contains("its input had secrets, which are gone"), "{error}");
    let error = press.runs.retry(&editor(), uuid::Uuid::nil()).await.expect_err("no run");
    assert!(matches!(error, RunError::NotFound(_)), "{error}");
}
