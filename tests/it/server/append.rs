//! One action over HTTP: what is stored, told apart, refused.

use axum::http::Method;
use futures_util::future::join_all;
use gesta::{ActionId, Reader, StreamQuery, Tenant};
use serde_json::{Value, json};

use super::rig::{ADMIN, ANN, Answer, READER, Rig, WRITER};
use crate::support::{TestDb, database};

const JSON: &str = "application/json";

fn closed() -> Value {
    json!({ "actor": { "type": "user", "id": "bob" }, "verb": "close", "object": { "type": "issue", "id": "70" } })
}

async fn post(rig: &Rig, key: &str, body: &Value) -> Answer {
    rig.post_as(key, "/api/v1/events", JSON, body.to_string()).await
}

/// The stored action of an answer, in its JSON form.
async fn stored(rig: &Rig, answer: &Answer) -> Value {
    let id: ActionId = answer.json()["id"].as_str().expect("an id").parse().expect("an id");
    let tenant = Tenant::default();
    let reader = Reader::new(&rig.store, tenant).auditor();
    let page = StreamQuery::tenant().limit(1000).page(&reader).await.expect("a page");
    let found = page.items.iter().find(|action| action.id == id).expect("it is stored");
    serde_json::to_value(found).expect("JSON")
}

/// How many actions came over HTTP and were stored.
pub(super) async fn count(db: &TestDb) -> i64 {
    let sql = "SELECT count(*) FROM gesta.action WHERE source = 'api' AND outcome = 'ok'";
    db.admin().await.query_one(sql, &[]).await.expect("counted").get(0)
}

#[tokio::test]
async fn action_is_stored_when_it_is_answered_with_its_place() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mut body = closed();
    body["data"] = json!({ "n": 1 });
    let answer = post(&rig, WRITER, &body).await;
    assert_eq!((answer.code(), &answer.json()["duplicate"]), (201, &false.into()));
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.header("location"), format!("/api/v1/events/{id}"));
    let action = stored(&rig, &answer).await;
    assert_eq!((&action["verb"], &action["source"]), (&"close".into(), &"api".into()));
    assert_eq!((&action["actor"]["id"], &action["data"]["n"]), (&"bob".into(), &1.into()));
}

#[tokio::test]
async fn id_that_is_sent_again_is_a_duplicate_and_with_other_content_a_conflict() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mut body = closed();
    body["id"] = ActionId::new(rig.store.now(), 7).to_string().into();
    body["context"] = json!({ "reason": "OPS-1" });
    assert_eq!(post(&rig, WRITER, &body).await.code(), 201);
    // Another request: with an id, an address and perhaps a key of its own.
    let again = post(&rig, WRITER, &body).await;
    assert_eq!(again.code(), 200);
    assert_eq!(again.json(), json!({ "id": body["id"], "duplicate": true }));
    body["context"] = json!({ "reason": "OPS-2" });
    let problem = post(&rig, WRITER, &body).await.problem(409, "conflict");
    assert_eq!(problem["errors"][0]["pointer"], "/id");
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn what_the_server_saw_cannot_be_forged() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut body = closed();
    body["source"] = "trigger".into();
    body["context"] = json!({ "ip": "192.0.2.9", "api": { "ip": "192.0.2.1", "key": "somebody" } });
    let key = rig.bearer(WRITER);
    let headers = [
        ("authorization", key.as_str()),
        ("content-type", JSON),
        ("x-request-id", "r-1"),
        ("user-agent", "shop/1"),
        ("traceparent", trace),
        ("x-forwarded-for", "192.0.2.2"),
    ];
    let answer = rig.send(Method::POST, "/api/v1/events", &headers, body.to_string()).await;
    let action = stored(&rig, &answer).await;
    let key = key.split('_').nth(1).expect("an id");
    let seen = json!({
        "request_id": "r-1", "ip": "127.0.0.1", "user_agent": "shop/1", "trace": trace, "key": key
    });
    assert_eq!(action["context"], json!({ "ip": "192.0.2.9", "api": seen }));
    assert_eq!(action["source"], "api");
}

#[tokio::test]
async fn actor_of_a_credential_that_is_an_actor_s_is_that_actor() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let without = post(&rig, ANN, &json!({ "verb": "login" })).await;
    let action = stored(&rig, &without).await;
    assert_eq!(action["actor"], json!({ "type": "user", "id": "ann", "name": "Ann" }));
    let same = json!({ "verb": "login", "actor": { "type": "user", "id": "ann", "name": "Root" } });
    let action = stored(&rig, &post(&rig, ANN, &same).await).await;
    assert_eq!(action["actor"]["name"], "Ann");
    let problem = post(&rig, ANN, &closed()).await.problem(403, "identity-mismatch");
    assert_eq!(problem["errors"][0]["pointer"], "/actor");
    let problem =
        post(&rig, WRITER, &json!({ "verb": "login" })).await.problem(400, "invalid-body");
    assert_eq!(problem["errors"][0]["pointer"], "/actor");
    assert_eq!(problem["errors"][0]["code"], "missing");
}

#[tokio::test]
async fn tenant_of_an_action_is_the_credential_s_or_named_once() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let of = |tenant: &str| {
        let mut body = closed();
        body["tenant"] = tenant.into();
        body
    };
    assert_eq!(post(&rig, WRITER, &of("default")).await.code(), 201);
    let problem = post(&rig, WRITER, &of("other")).await.problem(403, "identity-mismatch");
    assert_eq!(problem["errors"][0]["pointer"], "/tenant");
    post(&rig, ADMIN, &closed()).await.problem(400, "tenant-missing");
    assert_eq!(post(&rig, ADMIN, &of("acme")).await.code(), 201);
    let key = rig.bearer(ADMIN);
    let named = async |tenant: &str, body: &Value| {
        let headers =
            [("authorization", key.as_str()), ("content-type", JSON), ("x-gesta-tenant", tenant)];
        rig.send(Method::POST, "/api/v1/events", &headers, body.to_string()).await
    };
    assert_eq!(named("acme", &closed()).await.code(), 201);
    named("acme", &of("other")).await.problem(403, "identity-mismatch");
    let sql = "SELECT count(*) FROM gesta.action WHERE tenant = 'acme' AND outcome = 'ok'";
    assert_eq!(db.admin().await.query_one(sql, &[]).await.expect("counted").get::<_, i64>(0), 2);
}

#[tokio::test]
async fn who_may_only_read_is_refused() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let answer = post(&rig, READER, &closed()).await;
    let problem = answer.problem(403, "missing-scope");
    assert_eq!(problem["detail"], "the credential lacks the scope `events:write`");
    assert!(answer.header("www-authenticate").contains(r#"scope="events:write""#));
    rig.send(Method::POST, "/api/v1/events", &[("content-type", JSON)], closed().to_string())
        .await
        .problem(401, "unauthenticated");
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn wrong_bodies_are_refused_where_they_are_wrong() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let wrong = [
        (r#"{"actor":{"type":"u","id":"1"},"verbe":"x"}"#, "/verbe", "unknown", Some("verb")),
        (r#"{"actor":{"type":"u"},"verb":"x"}"#, "/actor/id", "missing", None),
        (r#"{"actor":{"type":"u","id":"1"},"verb":"x","verb":"y"}"#, "/verb", "repeated", None),
        (r#"{"actor":{"type":"u s","id":"1"},"verb":"x"}"#, "/actor/type", "invalid-value", None),
        (
            r#"{"actor":{"type":"u","id":"1"},"verb":"x","context":5}"#,
            "/context",
            "invalid-value",
            None,
        ),
        (
            r#"{"actor":{"type":"u","id":"1"},"verb":"x","changes":{"a":1}}"#,
            "/changes",
            "invalid-value",
            None,
        ),
        (
            r#"{"actor":{"type":"u","id":"1"},"verb":"x","data":"\u0000"}"#,
            "/data",
            "unstorable",
            None,
        ),
        (r#"{"actor":{"type":"u","id":"1"},"id":"x","verb":"x"}"#, "/id", "invalid-value", None),
        ("{", "", "invalid-value", None),
        ("", "", "invalid-value", None),
        ("[]", "", "invalid-value", None),
    ];
    for (body, pointer, code, meant) in wrong {
        let answer = rig.post_as(WRITER, "/api/v1/events", JSON, body).await;
        let problem = match code {
            "unstorable" => answer.problem(422, "unprocessable-content"),
            _ => answer.problem(400, "invalid-body"),
        };
        let error = &problem["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&pointer.into(), &code.into()), "{error}");
        assert_eq!(error["suggestion"].as_str(), meant, "{error}");
    }
    let large =
        json!({ "actor": { "type": "u", "id": "1" }, "verb": "x", "data": "x".repeat(65_536) });
    let problem = post(&rig, WRITER, &large).await.problem(422, "unprocessable-content");
    assert!(problem["detail"].as_str().expect("a text").contains("at most 65536 are allowed"));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn formats_that_are_not_spoken_are_refused_with_those_that_are() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let answer = rig.post_as(WRITER, "/api/v1/events", "text/plain", "{}").await;
    let problem = answer.problem(415, "unsupported-media-type");
    assert_eq!(
        problem["detail"],
        "`Content-Type` is `text/plain`; send application/json or application/cloudevents+json"
    );
    assert_eq!(answer.header("accept-post"), "application/json, application/cloudevents+json");
    let key = rig.bearer(WRITER);
    let with = async |name: &str, value: &str| {
        let headers = [("authorization", key.as_str()), ("content-type", JSON), (name, value)];
        rig.send(Method::POST, "/api/v1/events", &headers, closed().to_string()).await
    };
    let problem = with("accept", "text/csv").await.problem(406, "not-acceptable");
    assert!(problem["detail"].as_str().expect("a text").ends_with("application/json"));
    with("content-encoding", "br").await.problem(415, "unsupported-media-type");
    with("content-encoding", "gzip").await.problem(400, "malformed-request");
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn requests_that_come_together_share_commits() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let body = closed();
    let answers = join_all((0..256).map(|_| post(&rig, WRITER, &body))).await;
    assert!(answers.iter().all(|answer| answer.code() == 201));
    let sql = "SELECT count(*), count(DISTINCT xid::text) FROM gesta.action WHERE source = 'api' AND outcome = 'ok'";
    let row = db.admin().await.query_one(sql, &[]).await.expect("counted");
    let (actions, commits): (i64, i64) = (row.get(0), row.get(1));
    assert!(actions == 256 && commits < 128, "{commits} commits");
    let text = rig.get("/metrics").await;
    assert!(text.text().contains("gesta_commit_actions_sum 256"), "{}", text.text());
    assert!(text.text().contains(r#"gesta_actions_total{receipt="created"} 256"#));
}

#[tokio::test]
async fn row_that_an_operator_s_rule_refuses_is_the_client_s_affair() {
    let db = database().await;
    let rule = "ALTER TABLE gesta.action ADD CONSTRAINT secret_rule CHECK (verb <> 'close')";
    db.admin().await.batch_execute(rule).await.expect("a rule");
    let rig = Rig::start(&db).await;
    let answer = post(&rig, WRITER, &closed()).await;
    answer.problem(400, "invalid-body");
    assert!(!answer.text().contains("secret_rule"));
}

#[tokio::test]
async fn failure_of_the_database_is_told_without_its_cause() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    // So that the key is known already.
    assert_eq!(rig.get_as(WRITER, "/api/v1/whoami").await.code(), 200);
    let revoke =
        "REVOKE INSERT ON gesta.action FROM gesta_app; ALTER TABLE gesta.action RENAME TO gone";
    db.admin().await.batch_execute(revoke).await.expect("broken");
    let answer = post(&rig, WRITER, &closed()).await;
    let problem = answer.problem(500, "internal");
    assert_eq!(problem["detail"], Value::Null);
    assert!(!answer.text().contains("gesta.action"));
}

#[tokio::test]
async fn arrays_are_no_objects() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let whole = json!([
        null,
        null,
        ["user", "arr"],
        "close",
        ["issue", "1"],
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null
    ]);
    for (body, pointer) in [
        (json!({ "actor": ["user", "arr", "N"], "verb": "x" }), "/actor"),
        (
            json!({ "actor": { "type": "user", "id": "1" }, "verb": "x", "target": ["issue", "1", null] }),
            "/target",
        ),
        (whole.clone(), ""),
    ] {
        let problem = post(&rig, WRITER, &body).await.problem(400, "invalid-body");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let batch = rig.post_as(WRITER, "/api/v1/events:batch", JSON, json!([whole]).to_string()).await;
    assert_eq!(batch.json()["items"][0]["status"], "invalid", "{batch:?}");
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn key_that_is_not_known_is_told_with_its_whole_path() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    for (field, key) in [("actor", "colour"), ("target", "verb"), ("object", "occurred_at")] {
        let mut body = closed();
        body[field] = json!({ "type": "t", "id": "1", key: "x" });
        let problem = post(&rig, WRITER, &body).await.problem(400, "invalid-body");
        let fault = &problem["errors"][0];
        let pointer = format!("/{field}/{key}");
        assert_eq!((&fault["pointer"], &fault["code"]), (&pointer.into(), &"unknown".into()));
    }
}
