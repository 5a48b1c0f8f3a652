//! Many actions over HTTP: each by itself, all or none, and those that are only looked at.

use std::io::Write;

use axum::http::Method;
use gesta::ActionId;
use serde_json::{Value, json};

use super::append::count;
use super::rig::{ANN, Answer, Rig, WRITER};
use crate::support::database;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

fn action(n: u64, verb: &str) -> Value {
    json!({ "id": id(n), "actor": { "type": "user", "id": "bob" }, "verb": verb })
}

fn id(n: u64) -> String {
    ActionId::new("2026-11-20T12:00:00Z".parse().expect("a time"), n).to_string()
}

async fn post(rig: &Rig, path: &str, body: Value) -> Answer {
    rig.post_as(WRITER, path, JSON, body.to_string()).await
}

fn words(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().expect("items");
    items.iter().map(|item| item["status"].as_str().expect("a word")).collect()
}

#[tokio::test]
async fn each_action_of_a_batch_is_answered_in_its_place() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let batch = json!([
        action(1, "a"), action(2, "b"), action(1, "a"), action(1, "other"), { "verb": "x" }, 5,
        { "actor": { "type": "u", "id": "1" }, "verbe": "x" }, action(3, "c")
    ]);
    let answer = post(&rig, "/api/v1/events:batch", batch).await;
    assert_eq!(answer.code(), 200);
    let body = answer.json();
    let wanted =
        ["created", "created", "duplicate", "conflict", "invalid", "invalid", "invalid", "created"];
    assert_eq!(words(&body), wanted);
    assert_eq!(
        body["counts"],
        json!({ "created": 3, "duplicate": 1, "conflict": 1, "invalid": 3 })
    );
    assert_eq!(body["items"][3], json!({ "index": 3, "status": "conflict", "id": id(1) }));
    let error = &body["items"][6]["error"];
    assert_eq!((&error["pointer"], &error["suggestion"]), (&"/verbe".into(), &"verb".into()));
    assert_eq!(count(&db).await, 3);
}

#[tokio::test]
async fn lines_are_answered_by_lines_with_their_numbers() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let body = format!("{}\r\n\n{{\n{}", action(1, "a"), action(2, "b"));
    let answer = rig.post_as(WRITER, "/api/v1/events:batch", NDJSON, body).await;
    assert_eq!((answer.code(), answer.header("content-type")), (200, NDJSON));
    let lines: Vec<Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0], json!({ "line": 1, "status": "created", "id": id(1) }));
    assert_eq!((&lines[1]["line"], &lines[1]["status"]), (&3.into(), &"invalid".into()));
    assert_eq!(lines[2], json!({ "line": 4, "status": "created", "id": id(2) }));
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn atomic_batch_is_stored_whole_or_not_at_all() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let path = "/api/v1/events:batch?atomic=true";
    let whole = post(&rig, path, json!([action(1, "a"), action(2, "b"), action(1, "a")])).await;
    assert_eq!(words(&whole.json()), ["created", "created", "duplicate"]);
    let answer = post(&rig, path, json!([action(3, "a"), action(4, ""), action(5, "c")])).await;
    let problem = answer.problem(422, "batch-refused");
    assert_eq!(problem["detail"], "1 of 3 actions cannot be stored, so nothing was");
    assert_eq!(
        (&problem["items"][0]["index"], &problem["items"][0]["status"]),
        (&1.into(), &"invalid".into())
    );
    let answer = post(&rig, path, json!([action(6, "a"), action(1, "other")])).await;
    let problem = answer.problem(409, "conflict");
    assert_eq!(problem["items"], json!([{ "index": 1, "status": "conflict", "id": id(1) }]));
    assert_eq!(count(&db).await, 2);
    let problem = post(&rig, "/api/v1/events:batch?atomic=1", json!([action(7, "a")])).await;
    let problem = problem.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["parameter"], "atomic");
    let problem = post(&rig, "/api/v1/events:batch?atomc=true", json!([action(7, "a")])).await;
    let problem = problem.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["suggestion"], "atomic");
    let twice =
        post(&rig, "/api/v1/events:batch?atomic=true&atomic=true", json!([action(7, "a")])).await;
    assert_eq!(twice.problem(400, "invalid-parameter")["errors"][0]["code"], "repeated");
}

#[tokio::test]
async fn validation_answers_as_a_batch_does_and_stores_nothing() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let path = "/api/v1/events:validate";
    let body = post(&rig, path, json!([action(1, "a"), action(2, "\n")])).await.json();
    assert_eq!(words(&body), ["valid", "invalid"]);
    assert_eq!(body["items"][1]["error"]["pointer"], "/verb");
    assert_eq!(words(&post(&rig, path, action(1, "a")).await.json()), ["valid"]);
    let lines = rig.post_as(WRITER, path, NDJSON, format!("{}\nx", action(1, "a"))).await;
    assert_eq!(lines.text().lines().count(), 2);
    let other = rig.post_as(ANN, path, JSON, action(1, "a").to_string()).await.json();
    assert_eq!(other["items"][0]["error"]["code"], "identity-mismatch");
    rig.post_as(WRITER, path, JSON, "{").await.problem(400, "invalid-body");
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn batch_may_have_ten_thousand_actions_and_no_more() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let lines = |count: usize| {
        let line =
            json!({ "actor": { "type": "user", "id": "bob" }, "verb": "x" }).to_string() + "\n";
        line.repeat(count)
    };
    let answer = rig.post_as(WRITER, "/api/v1/events:batch", NDJSON, lines(10_000)).await;
    assert_eq!(answer.text().matches(r#""status":"created""#).count(), 10_000);
    let answer = rig.post_as(WRITER, "/api/v1/events:batch", NDJSON, lines(10_001)).await;
    answer.problem(413, "too-large");
    let ones = format!("[{}1]", "1,".repeat(2_000_000));
    let answer = rig.post_as(WRITER, "/api/v1/events:batch", JSON, ones).await;
    answer.problem(413, "too-large");
    let answer = rig.post_as(WRITER, "/api/v1/events:batch", JSON, "[]").await;
    answer.problem(400, "invalid-body");
    assert_eq!(count(&db).await, 10_000);
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text).expect("packed");
    packer.finish().expect("packed")
}

/// As `cat a.gz b.gz` makes them.
#[tokio::test]
async fn all_members_of_a_packed_body_are_read() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let key = rig.bearer(WRITER);
    let send = async |body: Vec<u8>| {
        let headers = [
            ("authorization", key.as_str()),
            ("content-type", NDJSON),
            ("content-encoding", "GZIP"),
        ];
        rig.send(Method::POST, "/api/v1/events:batch", &headers, body).await
    };
    let (a, b) = (action(1, "a").to_string(), format!("\n{}", action(2, "b")));
    let both = [packed(a.as_bytes()), packed(b.as_bytes())].concat();
    assert_eq!(send(both).await.code(), 200);
    assert_eq!(count(&db).await, 2);
    let rubbish = [packed(action(3, "c").to_string().as_bytes()), b"rubbish".to_vec()].concat();
    send(rubbish).await.problem(400, "malformed-request");
    assert_eq!(count(&db).await, 2);
}

/// What was done is not answered with a refusal.
#[tokio::test]
async fn answer_is_plain_where_it_may_not_be_and_nothing_else_is_taken() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let key = rig.bearer(WRITER);
    let wishes = ["br, identity;q=0", "*;q=0", "identity ; Q=0.0", "gzip, *;q=0"];
    for (n, wish) in (0..).zip(wishes) {
        let headers =
            [("authorization", key.as_str()), ("content-type", JSON), ("accept-encoding", wish)];
        let body = json!([action(n, "a")]).to_string();
        let answer = rig.send(Method::POST, "/api/v1/events:batch", &headers, body).await;
        assert_eq!(answer.code(), 200, "{wish}");
        assert_eq!(count(&db).await, i64::try_from(n).expect("few") + 1);
    }
}

#[tokio::test]
async fn atomic_batch_that_the_database_undoes_for_another_one_is_tried_again() {
    const STORE: &str =
        "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, occurred_at, source)
        VALUES ('default', $1::text::uuid, 'user', 'x', 'did', '2026-11-20T12:00:00Z', 'emit')";
    const WAITS: &str =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'
        AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
    let db = database().await;
    // The batch looks first whether it waits in a circle, so it is the one that is undone.
    let later = format!("ALTER DATABASE {} SET deadlock_timeout = '3s'", db.name());
    db.admin().await.batch_execute(&later).await.expect("set");
    let rig = Rig::start(&db).await;
    let (mut other, watch) = (db.admin().await, db.admin().await);
    other.batch_execute("SET deadlock_timeout = '1h'").await.expect("set");
    let tx = other.transaction().await.expect("begun");
    tx.execute(STORE, &[&id(2)]).await.expect("stored");
    let sent = async {
        let path = "/api/v1/events:batch?atomic=true";
        post(&rig, path, json!([action(1, "a"), action(2, "b")])).await
    };
    let crossed = async {
        while watch.query_one(WAITS, &[]).await.expect("locks").get::<_, i64>(0) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        tx.execute(STORE, &[&id(1)]).await.expect("stored, when the batch is undone");
        tx.rollback().await.expect("undone");
    };
    let (answer, ()) = tokio::join!(sent, crossed);
    assert_eq!(words(&answer.json()), ["created", "created"]);
}

#[tokio::test]
async fn bodies_are_unpacked_and_answers_packed_as_it_is_wished() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let key = rig.bearer(WRITER);
    let headers = |encoding| {
        [
            ("authorization", key.as_str()),
            ("content-type", JSON),
            ("content-encoding", "gzip"),
            ("accept-encoding", encoding),
        ]
    };
    let batch: Vec<_> = (0..100).map(|n| action(n, "x")).collect();
    let body = packed(json!(batch).to_string().as_bytes());
    for encoding in ["gzip", "zstd"] {
        let answer =
            rig.send(Method::POST, "/api/v1/events:batch", &headers(encoding), body.clone()).await;
        assert_eq!((answer.code(), answer.header("content-encoding")), (200, encoding));
    }
    assert_eq!(count(&db).await, 100);
    // Some kilobytes that become twice what is allowed.
    let bomb = packed(&vec![b' '; 32 << 20]);
    assert!(bomb.len() < 100_000);
    let answer = rig.send(Method::POST, "/api/v1/events:batch", &headers("identity"), bomb).await;
    answer.problem(413, "too-large");
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused_before_they_come() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let body = vec![b' '; gesta::server::BODY_LEN_MAX + 1];
    let problem = rig.post_as(WRITER, "/api/v1/events:batch", JSON, body).await;
    let problem = problem.problem(413, "too-large");
    assert_eq!(problem["detail"], "at most 16777216 bytes are allowed, unpacked");
}
