//! How often, by whose word, and that refusals stand in the log.

use axum::http::Method;
use gesta::access::{FAILURES_PER_MINUTE, ProxyTrust, Rights, Scope, Sight};
use gesta::server::Settings;
use gesta::{Outcome, Reader, StreamQuery, Tenant};
use serde_json::json;

use super::rig::{ANN, Answer, READER, Rig, WRITER};
use crate::support::{TestDb, database, resource};

const JSON: &str = "application/json";

fn network(text: &str) -> ipnet::IpNet {
    text.parse().expect("a network")
}

/// What was refused, as auditors read it after the server has ended: verb, actor, data.
async fn denied(db: &TestDb) -> Vec<(String, String, serde_json::Value)> {
    let reader = Reader::new(&db.store().await, Tenant::default()).auditor();
    let page = StreamQuery::tenant().limit(1000).page(&reader).await.expect("a page");
    let refused = page.items.into_iter().filter(|action| action.outcome == Outcome::Denied);
    let told = refused.map(|action| {
        let data = action.data.as_ref().expect("data").value();
        (action.verb, action.actor.resource.to_string(), data)
    });
    told.collect()
}

#[tokio::test]
async fn answers_say_what_is_left_and_one_request_too_many_is_refused() {
    let db = database().await;
    let settings = Settings { requests_per_minute: 3.try_into().ok(), ..Settings::default() };
    let rig = Rig::start_with(&db, settings).await;
    for left in [2, 1, 0] {
        let answer = rig.get_as(WRITER, "/api/v1/whoami").await;
        assert_eq!(answer.code(), 200);
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=3;w=60"#);
        let limit = answer.header("ratelimit");
        assert!(limit.starts_with(&format!(r#""default";r={left};t="#)), "{limit}");
    }
    let answer = rig.get_as(WRITER, "/api/v1/whoami").await;
    answer.problem(429, "quota-exceeded");
    let after: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&after) && answer.header("ratelimit").contains("r=0"));
    assert_eq!(rig.get_as(ANN, "/api/v1/whoami").await.code(), 200, "each has their own");
}

#[tokio::test]
async fn whoever_tries_wrong_keys_is_stopped_by_their_address() {
    let db = database().await;
    let settings = Settings { proxies: vec![network("127.0.0.0/8")], ..Settings::default() };
    let rig = Rig::start_with(&db, settings).await;
    let ask = async |key: &str, address: &str| {
        let key = rig.bearer(key);
        let headers = [("authorization", key.as_str()), ("x-forwarded-for", address)];
        rig.send(Method::GET, "/api/v1/whoami", &headers, "").await
    };
    for _ in 0..FAILURES_PER_MINUTE.get() {
        ask("gesta_wrong", "192.0.2.1").await.problem(401, "unauthenticated");
    }
    ask("gesta_wrong", "192.0.2.1").await.problem(429, "quota-exceeded");
    // Whoever has a right one may have the same address.
    assert_eq!(ask(WRITER, "192.0.2.1").await.code(), 200);
    assert_eq!(ask(WRITER, "192.0.2.2").await.code(), 200);
}

#[tokio::test]
async fn proxy_is_believed_only_where_an_operator_trusts_it() {
    let db = database().await;
    let user = [("x-gesta-user", "ann"), ("content-type", JSON)];
    let login = async |rig: &Rig| -> Answer {
        rig.send(Method::POST, "/api/v1/events", &user, r#"{"verb":"login"}"#).await
    };
    let rig = Rig::start(&db).await;
    login(&rig).await.problem(401, "unauthenticated");
    let trust = |text: &str| {
        let sight = Sight::Labels(vec!["public".to_owned()]);
        let rights = Rights { scopes: vec![Scope::EventsWrite], sight };
        let kind = resource("user:1").kind;
        let trust = ProxyTrust::new([network(text)], kind).everybody(rights);
        Settings { proxy_identity: Some(trust), ..Settings::default() }
    };
    let rig = Rig::start_with(&db, trust("127.0.0.0/8")).await;
    assert_eq!(login(&rig).await.code(), 201);
    assert_eq!(rig.get_as(READER, "/api/v1/whoami").await.json()["who"]["id"], "reader");
    let stranger = Rig::start_with(&db, trust("192.0.2.0/24")).await;
    login(&stranger).await.problem(401, "unauthenticated");
    stranger.stop().await.expect("it ends");
    assert_eq!(denied(&db).await[0].2, json!({ "refused": "proxy" }));
}

#[tokio::test]
async fn refusals_stand_in_the_log() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let post = async |key: &str, body: &str| {
        rig.post_as(key, "/api/v1/events", JSON, body.to_owned()).await
    };
    post(READER, "{}").await.problem(403, "missing-scope");
    post(ANN, r#"{"verb":"x","actor":{"type":"user","id":"root"}}"#)
        .await
        .problem(403, "identity-mismatch");
    let other = r#"{"verb":"x","tenant":"other","actor":{"type":"user","id":"a"}}"#;
    post(WRITER, other).await.problem(403, "identity-mismatch");
    let batch = format!("[{other},{other}]");
    let answer = rig.post_as(WRITER, "/api/v1/events:batch", JSON, batch).await;
    assert_eq!(answer.json()["counts"], json!({ "invalid": 2 }));
    post("gesta_nobody", "{}").await.problem(401, "unauthenticated");
    rig.stop().await.expect("it ends");
    let mut all = denied(&db).await;
    all.sort_by_key(|(verb, actor, _)| (verb.clone(), actor.clone()));
    let told: Vec<_> = all
        .iter()
        .map(|(verb, actor, data)| {
            (verb.as_str(), actor.as_str(), data["refused"].as_str().expect("why"))
        })
        .collect();
    let wanted = [
        ("append", "service:reader", "scope"),
        ("append", "service:writer", "tenant"),
        ("append", "service:writer", "tenant"),
        ("append", "user:ann", "actor"),
        ("authenticate", "anonymous:anonymous", "key"),
    ];
    assert_eq!(told, wanted);
}
