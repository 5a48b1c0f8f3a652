//! Runs that are one transaction.

use gesta::definition::{Definition, Fault, Level, Operation, Piece};
use gesta::run::{ItemOutcome, RunState, Start};

use super::press::{article, counts, definitions, press, press_with};
use crate::support::check_log_but_xids;

#[tokio::test]
async fn atomic_run_does_all_or_nothing() {
    let press = press(2500).await;
    let selection = press.selected(1..=2500).await;
    press.sql("UPDATE press.article SET title = 'bad 2400' WHERE id = 2400").await;
    let run =
        press.start(Start::new(article(), "publish_all", selection)).await.expect("started").run;
    assert_eq!((run.state, counts(&run)), (RunState::Failed, [2500, 0, 0, 0, 0]));
    assert!(run.error.expect("why").contains("article_bad_is_no_public"));
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 0);
    assert_eq!(press.number("SELECT count(*) FROM gesta.action WHERE verb = 'update'").await, 0);
    // Mended, what is left of it is retried: all of it.
    press.sql("UPDATE press.article SET title = 'good' WHERE id = 2400").await;
    let retried = press.runs.retry(&super::press::editor(), run.id).await.expect("retried").run;
    assert_eq!((retried.state, counts(&retried)), (RunState::Succeeded, [2500, 2500, 0, 0, 0]));
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 2500);
    check_log_but_xids(&press.db).await;
}

#[tokio::test]
async fn object_that_is_denied_undoes_an_atomic_run_and_is_named() {
    let press = press(3).await;
    press.sql("UPDATE press.article SET title = 'secret' WHERE id = 2").await;
    let selection = press.selected(1..=3).await;
    let run =
        press.start(Start::new(article(), "publish_all", selection)).await.expect("started").run;
    assert_eq!((run.state, counts(&run)), (RunState::Failed, [3, 0, 0, 1, 0]));
    assert_eq!(run.error.as_deref(), Some("nothing was done, because article:2 could not be"));
    let outcomes = press.outcomes(run.id).await;
    assert_eq!(outcomes, [ItemOutcome::Pending, ItemOutcome::Denied, ItemOutcome::Pending]);
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 0);
}

/// Says something of each object.
struct Tell;

impl Operation for Tell {
    type Input = ();

    async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        for _ in 0..piece.items().len() {
            piece.tell(Level::Info, "seen");
        }
        Ok(())
    }
}

#[tokio::test]
async fn messages_of_an_atomic_run_are_all_counted_and_the_first_are_kept() {
    let tell = Definition::new("tell", "Tell of {name}", Tell).permissions(&["article.view"]);
    let press = press_with(1200, definitions().on("article", tell.atomic())).await;
    let selection = press.selected(1..=1200).await;
    let run = press.start(Start::new(article(), "tell", selection)).await.expect("started").run;
    assert_eq!((run.state, run.messages), (RunState::Succeeded, 1200));
    assert_eq!(press.number("SELECT count(*) FROM gesta.run_message").await, 1000);
}
