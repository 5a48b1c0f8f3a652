//! The order of one object's actions is the order of commits, and two sessions at once lose nothing.

use chrono::TimeDelta;
use gesta::session::{SaveOutcome, Selection};
use gesta::{Registry, Resource, Session, Store, StreamQuery};
use serde_json::json;
use std::sync::Arc;

use super::newsroom::{Article, alice, article, done, log, newsroom, value};
use crate::support::{check_log, page, public, until_waiting};

async fn backend(session: &Session<'_>) -> i32 {
    let row = session.transaction().query_one("SELECT pg_backend_pid()", &[]).await;
    row.expect("a backend").get(0)
}

/// The timeline in the documentation of `gesta::session`.
#[tokio::test]
async fn order_of_an_object_is_the_order_of_commits_whatever_the_clocks_say() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save(&article(1, "One")).await).await;
    let now = store.now();
    let clock = |ahead: TimeDelta| {
        let time = now + ahead;
        Store::with_clock(store.pool().clone(), Registry::default(), Arc::new(move || time))
    };
    let (ahead, behind) = (clock(TimeDelta::hours(1)), clock(TimeDelta::hours(-1)));
    let mut one = store.client().await.expect("a connection");
    let mut other = store.client().await.expect("a connection");
    let mut first = Session::begin(&ahead, &mut one, &alice()).await.expect("begun");
    let mut second = Session::begin(&behind, &mut other, &alice()).await.expect("begun");
    let (admin, waiter) = (db.admin().await, backend(&second).await);
    first.save(&article(1, "First")).await.expect("saved");
    let all = Selection::all();
    let patch = json!({ "title": "Second" });
    let update = second.update::<Article>(all, &patch);
    let commit = async {
        until_waiting(&admin, waiter).await;
        first.commit().await
    };
    let (updated, committed) = tokio::join!(update, commit);
    committed.expect("committed");
    assert_eq!(updated.expect("updated").updated, 1);
    second.commit().await.expect("committed");
    let stream = page(&public(&store), StreamQuery::object(&article(1, "").resource())).await;
    let titles: Vec<_> = stream
        .iter()
        .map(|action| action.changes.as_ref().expect("a diff").value()["title"].clone())
        .collect();
    let wanted = [json!(["First", "Second"]), json!(["One", "First"]), json!([null, "One"])];
    assert_eq!(titles, wanted, "the second one tells what the first one left, and stands after it");
    assert!(stream[0].occurred_at - stream[2].occurred_at < TimeDelta::minutes(30));
    check_log(&db).await;
}

/// The second one waits for the first one's row, and then updates it: no key is violated, nothing is lost.
#[tokio::test]
async fn two_saves_of_the_same_new_key_are_a_create_and_an_update() {
    let (db, store) = newsroom().await;
    let mut one = store.client().await.expect("a connection");
    let mut other = store.client().await.expect("a connection");
    let mut first = Session::begin(&store, &mut one, &alice()).await.expect("begun");
    let mut second = Session::begin(&store, &mut other, &alice()).await.expect("begun");
    let (admin, waiter) = (db.admin().await, backend(&second).await);
    let saved = first.save(&article(1, "First")).await.expect("saved");
    assert_eq!(saved.outcome, SaveOutcome::Created);
    let models = [article(1, "Second"), article(2, "Other")];
    let save = second.save_all(&models);
    let commit = async {
        until_waiting(&admin, waiter).await;
        first.commit().await
    };
    let (saved, committed) = tokio::join!(save, commit);
    committed.expect("committed");
    let saved = saved.expect("saved");
    assert_eq!((saved.created, saved.updated), (1, 1));
    second.commit().await.expect("committed");
    let titles: Vec<String> =
        value(&db, "SELECT array_agg(title ORDER BY id) FROM newsroom.article").await;
    assert_eq!(titles, ["Second", "Other"]);
    let told: Vec<_> = log(&db).await.into_iter().filter(|line| line[3] == "article:1").collect();
    assert_eq!(told[1][4]["title"], json!(["First", "Second"]));
    check_log(&db).await;
}

/// Both lock their rows in the order of the keys, whatever order they were given in.
#[tokio::test]
async fn saves_of_the_same_rows_do_not_deadlock() {
    let (db, store) = newsroom().await;
    let articles = |title: &str| -> Vec<_> { (0..500).map(|id| article(id, title)).collect() };
    done(&store, async |session| session.save_all(&articles("Old")).await).await;
    let (forth, mut back) = (articles("Forth"), articles("Back"));
    back.reverse();
    let save = async |models: &[Article]| {
        done(&store, async |session| session.save_all(models).await).await
    };
    let (one, other) = tokio::join!(save(&forth), save(&back));
    assert_eq!((one.updated, other.updated), (500, 500));
    let last: Vec<String> =
        value(&db, "SELECT array_agg(DISTINCT title) FROM newsroom.article").await;
    assert_eq!(last.len(), 1);
    check_log(&db).await;
}
