//! What every request gets: ids, headers, problems, and the operations that operators ask.

use axum::http::Method;
use gesta::server::{Kind, Settings};

use super::rig::{ADMIN, ANN, READER, Rig, WRITER};
use crate::support::{bare_database, database};

#[tokio::test]
async fn server_that_lives_and_is_ready_says_so() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let health = rig.get("/healthz").await;
    assert_eq!((health.code(), health.text()), (200, r#"{"status":"ok"}"#));
    let ready = rig.get("/readyz").await;
    assert_eq!((ready.code(), &ready.json()["status"]), (200, &"ready".into()));
    let version = rig.get("/version").await.json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    rig.stop().await.expect("it ends");
}

#[tokio::test]
async fn server_whose_schema_is_missing_lives_and_says_what_to_run() {
    let db = bare_database().await;
    let rig = Rig::start_without_keys(db.unbound_store().await).await;
    assert_eq!(rig.get("/healthz").await.code(), 200);
    let problem = rig.get("/readyz").await.problem(503, "not-ready");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("0001_roles") && detail.contains("run `gesta migrate`"), "{detail}");
}

#[tokio::test]
async fn every_request_has_an_id_that_it_may_bring() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let given = rig.send(Method::GET, "/healthz", &[("x-request-id", "mine-1")], "").await;
    assert_eq!(given.header("x-request-id"), "mine-1");
    let made = rig.send(Method::GET, "/nowhere", &[("x-request-id", "a b")], "").await;
    assert_eq!(made.header("x-request-id").len(), 36);
    made.problem(404, "unknown-path");
}

#[tokio::test]
async fn every_answer_has_the_headers_that_make_it_harmless() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    for path in ["/healthz", "/nowhere", "/api/v1/whoami"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    rig.get("/api/v1/nothing").await.problem(404, "unknown-path");
    let answer = rig.send(Method::DELETE, "/healthz", &[], "").await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn every_problem_leads_to_its_explanation() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let problem = rig.get("/nowhere").await.json();
    let text = rig.get(problem["type"].as_str().expect("a path")).await;
    assert!(text.text().starts_with("There is nothing at this path (404)\n\n"), "{text:?}");
    for kind in Kind::ALL {
        let path = format!("/docs/problems/{}", kind.slug());
        let json = rig.send(Method::GET, &path, &[("accept", "application/json")], "").await;
        assert_eq!(json.json()["title"], kind.title());
    }
    assert_eq!(rig.get("/docs/problems").await.text().lines().count(), Kind::ALL.len());
    rig.get("/docs/problems/none").await.problem(404, "unknown-path");
}

#[tokio::test]
async fn everything_is_below_the_base_path() {
    let db = database().await;
    let settings = Settings { base_path: "/audit".parse().expect("a path"), ..Settings::default() };
    let rig = Rig::start_with(&db, settings).await;
    assert_eq!(rig.get("/audit/healthz").await.code(), 200);
    let problem = rig.get("/healthz").await.problem(404, "unknown-path");
    assert_eq!(problem["type"], "/audit/docs/problems/unknown-path");
    assert_eq!(rig.get("/audit/docs/problems/unknown-path").await.code(), 200);
    assert_eq!(rig.get_as(ANN, "/audit/api/v1/whoami").await.code(), 200);
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused_by_name() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let problem = rig.get("/healthz?verbose=1&x=2").await.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["parameter"], "verbose");
    assert_eq!(problem["errors"][1]["parameter"], "x");
    assert_eq!(problem["errors"][0]["code"], "unknown");
    let problem = rig.get("/healthz?a=%ff").await.problem(400, "malformed-request");
    assert_eq!(problem["errors"][0]["offset"], 2);
}

#[tokio::test]
async fn credentials_are_told_apart() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let none = rig.get("/api/v1/whoami").await;
    none.problem(401, "unauthenticated");
    assert_eq!(none.header("www-authenticate"), r#"Bearer realm="gesta""#);
    let wrong = rig.get_as("gesta_nobody", "/api/v1/whoami").await;
    wrong.problem(401, "unauthenticated");
    assert!(wrong.header("www-authenticate").contains("invalid_token"));
    assert!(!wrong.text().contains("gesta_nobody"), "a secret is not repeated");
    let basic = [("authorization", "Basic YTpi")];
    rig.send(Method::GET, "/api/v1/whoami", &basic, "").await.problem(401, "unauthenticated");
    let ann = rig.get_as(ANN, "/api/v1/whoami").await.json();
    assert_eq!((&ann["who"]["id"], &ann["is_actor"]), (&"ann".into(), &true.into()));
    let key_id = rig.bearer(ANN).split('_').nth(1).expect("an id").to_owned();
    assert_eq!((&ann["tenant"], &ann["key"]), (&"default".into(), &key_id.into()));
}

#[tokio::test]
async fn tenant_is_that_of_the_credential() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let asked = async |key: &str, tenant: &str| {
        let key = rig.bearer(key);
        let headers = [("authorization", key.as_str()), ("x-gesta-tenant", tenant)];
        rig.send(Method::GET, "/api/v1/whoami", &headers, "").await
    };
    assert_eq!(asked(WRITER, "default").await.code(), 200);
    asked(WRITER, "other").await.problem(403, "identity-mismatch");
    assert_eq!(asked(ADMIN, "other").await.code(), 200);
    asked(ADMIN, &"x".repeat(64)).await.problem(400, "malformed-request");
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_those_who_may() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    rig.get("/nowhere").await;
    let text = rig.get("/metrics").await;
    assert!(text.header("content-type").starts_with("application/openmetrics-text"));
    let line = r#"gesta_http_requests_total{method="GET",route="-",status="404"} 1"#;
    assert!(text.text().contains(line) && text.text().ends_with("# EOF\n"), "{}", text.text());
    assert!(text.text().contains(r#"gesta_pool_connections{state="max"} 8"#), "{}", text.text());
    let from = async |key: Option<&str>| {
        let key = key.map(|key| rig.bearer(key));
        let mut headers = vec![("x-forwarded-for", "192.0.2.1")];
        headers.extend(key.as_deref().map(|key| ("authorization", key)));
        rig.send(Method::GET, "/metrics", &headers, "").await
    };
    from(None).await.problem(401, "unauthenticated");
    let problem = from(Some(READER)).await.problem(403, "missing-scope");
    assert_eq!(problem["detail"], "the credential lacks the scope `metrics:read`");
    assert_eq!(from(Some(ADMIN)).await.code(), 200);
}
