//! Runs: started once, ended or queued, cancelled, retried, and in the log.

use serde_json::json;

use super::Newsroom;
use crate::server::rig::{ADMIN, EDITOR};

const PUBLISH: &str = "/resources/article/actions/publish/runs";
const LATER: &str = "/resources/article/actions/later/runs";

/// Case 29.
#[tokio::test]
async fn run_in_the_foreground_has_ended_when_it_is_answered_and_says_what_became_of_each() {
    let room = Newsroom::open().await;
    let body = json!({"ids": ["1", "21", "22", "23"], "input": {"notify": true, "secret": "sesame"}, "reason": "OPS-7"});
    let answer = room.post(PUBLISH, body).await;
    assert_eq!(answer.code(), 200, "{answer:?}");
    let run = answer.json();
    let id = run["id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), format!("/api/v1/runs/{id}"));
    assert_eq!((&run["state"], &run["is_ended"]), (&json!("partial"), &json!(true)));
    let counts =
        json!({"total": 4, "pending": 0, "done": 1, "skipped": 1, "denied": 1, "failed": 1});
    assert_eq!(run["counts"], counts);
    assert_eq!((&run["reason"], &run["actor"]["id"]), (&json!("OPS-7"), &json!("ed")));
    assert_eq!(run["input"], json!({"notify": true, "secret": "***"}));
    assert!(!answer.text().contains("sesame"));
    assert_eq!(room.states(1).await, ["published"]);

    assert_eq!(room.read(EDITOR, &format!("/runs/{id}")).await.json(), run);
    let items = room.read(EDITOR, &format!("/runs/{id}/items")).await.json();
    let told: Vec<_> =
        items["items"].as_array().expect("items").iter().map(|it| &it["outcome"]).collect();
    assert_eq!(told, ["done", "skipped", "denied", "failed"]);
    assert_eq!(items["items"][3]["note"], "it is broken");
    let messages = room.read(EDITOR, &format!("/runs/{id}/messages")).await.json();
    assert_eq!(messages["items"][0]["text"], "3 subscribers will hear of it");
    let events = room.read(ADMIN, &format!("/runs/{id}/events")).await.json();
    let verbs: Vec<_> =
        events["items"].as_array().expect("events").iter().map(|it| &it["verb"]).collect();
    // What was denied and what failed stand there too, as what was tried.
    assert_eq!(verbs, ["run.end", "publish", "publish", "update", "run.start"]);
    let context = &events["items"][3]["context"];
    assert_eq!(context["reason"], "OPS-7");
    assert_eq!(context["request_id"], answer.header("x-request-id"));
    for action in room.log().await {
        assert!(!format!("{action:?}").contains("sesame"), "no secret is in the log");
    }
}

/// Holds an article until the transaction ends.
async fn held(admin: &mut tokio_postgres::Client, id: i64) -> tokio_postgres::Transaction<'_> {
    let lock = admin.transaction().await.expect("a transaction");
    let sql = "SELECT FROM newsroom.article WHERE id = $1 FOR UPDATE";
    lock.execute(sql, &[&id]).await.expect("held");
    lock
}

/// Nobody waits for ever: the run goes on, and the answer says where.
#[tokio::test(flavor = "multi_thread")]
async fn run_that_takes_long_is_answered_with_where_it_goes_on() {
    let room = Newsroom::open().await;
    let mut admin = room.db.admin().await;
    let lock = held(&mut admin, 2).await;
    let body = json!({"ids": ["1", "2"]});
    let headers = [("prefer", "respond-async"), ("idempotency-key", "\"k\"")];
    let answer = room.post_by(EDITOR, PUBLISH, &headers, body.clone()).await;
    assert_eq!((answer.code(), &answer.json()["state"]), (202, &json!("running")), "{answer:?}");
    assert_eq!(answer.json()["is_background"], false);
    let path = answer.header("location").strip_prefix("/api/v1").expect("a path").to_owned();
    let again = room.post_by(EDITOR, PUBLISH, &[("prefer", "wait=0"), headers[1]], body).await;
    assert_eq!((again.code(), &again.json()["id"]), (202, &answer.json()["id"]));
    lock.commit().await.expect("released");
    let progress = room.read(EDITOR, &format!("{path}/progress")).await;
    assert!(progress.text().contains("event: end"), "{progress:?}");
    assert_eq!(room.read(EDITOR, &path).await.json()["state"], "succeeded");
    assert_eq!(room.states(2).await, ["published", "published"]);
}

/// A retry as well.
#[tokio::test(flavor = "multi_thread")]
async fn retry_that_takes_long_is_answered_with_where_it_goes_on() {
    let room = Newsroom::open().await;
    let run = room.post(PUBLISH, json!({"ids": ["23"]})).await.json();
    let path = format!("/runs/{}:retry", run["id"].as_str().expect("an id"));
    let mut admin = room.db.admin().await;
    let lock = held(&mut admin, 23).await;
    lock.execute("UPDATE newsroom.article SET state = 'draft' WHERE id = 23", &[])
        .await
        .expect("mended");
    let answer = room.post_by(EDITOR, &path, &[("prefer", "wait=0")], json!(null)).await;
    assert_eq!((answer.code(), &answer.json()["retry_of"]), (202, &run["id"]), "{answer:?}");
    lock.commit().await.expect("released");
    let path = format!("/runs/{}/progress", answer.json()["id"].as_str().expect("an id"));
    assert!(room.read(EDITOR, &path).await.text().contains("event: end"));
}

/// A run whose request was answered long ago ends its piece before the server does, and the rest is left to others at once.
#[tokio::test(flavor = "multi_thread")]
async fn server_that_ends_leaves_its_runs_behind_their_present_piece() {
    let room = Newsroom::open().await;
    let mut admin = room.db.admin().await;
    let more =
        "INSERT INTO newsroom.article SELECT n, 'x', 'draft' FROM generate_series(100, 299) AS n";
    admin.batch_execute(more).await.expect("articles");
    let lock = held(&mut admin, 1).await;
    let body = json!({"filter": {"state": "draft"}});
    let answer = room.post_by(EDITOR, PUBLISH, &[("prefer", "wait=0")], body).await;
    assert_eq!(answer.code(), 202, "{answer:?}");
    let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())";
    while !lock.query_one(waiting, &[]).await.expect("the locks").get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
    let Newsroom { db, mut rig } = room;
    rig.ask_to_stop();
    while tokio::net::TcpStream::connect(rig.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // It has nobody to answer any more, and waits for the piece.
    let (stopped, released) = tokio::join!(rig.stop(), lock.commit());
    released.expect("released");
    stopped.expect("it ends");
    let sql = "SELECT done, total, state, held_until <= clock_timestamp() FROM gesta.run";
    let row = db.admin().await.query_one(sql, &[]).await.expect("the run");
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (100, 220));
    assert_eq!((row.get::<_, &str>(2), row.get::<_, bool>(3)), ("running", true));
}

#[tokio::test]
async fn run_in_the_background_is_queued_and_can_be_cancelled() {
    let room = Newsroom::open().await;
    let queued = room.post(LATER, json!({"ids": ["1"]})).await;
    assert_eq!((queued.code(), &queued.json()["state"]), (202, &json!("queued")), "{queued:?}");
    let path = queued.header("location").strip_prefix("/api/v1").expect("a path").to_owned();
    let cancelled = room.tell(EDITOR, &format!("{path}:cancel")).await;
    assert_eq!((cancelled.code(), &cancelled.json()["state"]), (200, &json!("cancelled")));
    assert_eq!(cancelled.json()["cancelled_by"], "user:ed");
    room.tell(EDITOR, &format!("{path}:cancel")).await.problem(409, "run-ended");
    assert_eq!(room.states(1).await, ["draft"]);
    // What is the same in one text is another path.
    room.tell(EDITOR, &format!("{path}/+cancel")).await.problem(404, "unknown-path");
    room.tell(EDITOR, &format!("{path}:cancle")).await.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn only_what_failed_is_retried_and_once() {
    let room = Newsroom::open().await;
    let run = room.post(PUBLISH, json!({"ids": ["1", "23"]})).await.json();
    let path = format!("/runs/{}:retry", run["id"].as_str().expect("an id"));
    let admin = room.db.admin().await;
    admin
        .execute("UPDATE newsroom.article SET state = 'draft' WHERE id = 23", &[])
        .await
        .expect("mended");
    let retried = room.tell(EDITOR, &path).await;
    assert_eq!(
        (retried.code(), &retried.json()["state"]),
        (200, &json!("succeeded")),
        "{retried:?}"
    );
    assert_eq!(
        (&retried.json()["retry_of"], &retried.json()["counts"]["total"]),
        (&run["id"], &json!(1))
    );
    assert_eq!(room.tell(EDITOR, &path).await.json()["id"], retried.json()["id"], "sent again");
    let nothing = format!("/runs/{}:retry", retried.json()["id"].as_str().expect("an id"));
    room.tell(EDITOR, &nothing).await.problem(409, "nothing-to-retry");
}

#[tokio::test]
async fn selection_that_is_gone_runs_nothing() {
    let room = Newsroom::open().await;
    let made = room.post("/selections", json!({"type": "article", "ids": ["1"]})).await.json();
    let admin = room.db.admin().await;
    admin
        .execute("UPDATE gesta.selection SET expires_at = now() - interval '1 s'", &[])
        .await
        .expect("expired");
    let answer = room.post(PUBLISH, json!({"selection": made["id"]})).await;
    answer.problem(410, "selection-gone");
    assert_eq!(room.states(1).await, ["draft"]);
}
