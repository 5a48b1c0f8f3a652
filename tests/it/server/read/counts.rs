//! How many there are, of what and when; and what a search means.

use serde_json::json;

use super::{fill, page};
use crate::server::rig::{READER, Rig, WRITER, make_key};
use crate::support::{database, resource};

#[tokio::test]
async fn search_is_counted_by_value_and_by_time() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 9).await;
    let get = async |path: &str| page(&rig, READER, &format!("/api/v1/events/{path}")).await;
    assert_eq!(get("count").await, json!({ "count": 9, "capped": false }));
    assert_eq!(get("count?q=target:project:1&mode=exact").await["count"], 4);
    assert_eq!(get("count?q=target:project:1&until=2026-01-03").await["count"], 1);
    let facets = get("facets?keys=target,verb&top=1&cap=5").await;
    assert_eq!((&facets["count"], &facets["capped"]), (&json!(5), &json!(true)));
    let top = json!([{ "value": "project:0", "name": null, "count": 3 }]);
    assert_eq!(facets["facets"]["target"], top);
    // One more than the cap is looked at, to know that there is more, and not counted.
    assert_eq!(facets["facets"]["verb"][0]["count"], 5);
    let one = get("facets?keys=outcome&cap=1").await;
    assert_eq!((&one["count"], &one["facets"]["outcome"][0]["count"]), (&json!(1), &json!(1)));
    let bars = get("histogram?bucket=week&by=verb&q=verb:close").await;
    assert_eq!((&bars["bucket"], &bars["bars"][0]["value"]), (&json!("week"), &json!("close")));
    let sum: i64 = bars["bars"]
        .as_array()
        .expect("bars")
        .iter()
        .map(|it| it["count"].as_i64().expect("it"))
        .sum();
    assert_eq!(sum, 9);
    let days = get("histogram?tz=Europe/Berlin&bucket=day").await;
    assert_eq!(days["bars"][0]["at"], "2025-12-31T23:00:00.000000Z");
    assert!(get("histogram").await["bucket"].is_string());
    for wrong in [
        "count?mode=x",
        "facets?keys=x",
        "facets?top=0",
        "facets?cap=100001",
        "histogram?bucket=x",
        "histogram?tz=Nowhere/City",
        "histogram?by=actor",
        "count?q=actr:x",
        "count?limit=1",
    ] {
        let answer = rig.get_as(READER, &format!("/api/v1/events/{wrong}")).await;
        answer.problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn counts_are_of_what_the_reader_sees() {
    use gesta::access::{NewKey, Scope};
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 3).await;
    let blind = NewKey::new("b", &resource("user:b")).scopes([Scope::EventsRead]).labels(["x"]);
    let blind = make_key(&db, blind).await;
    let wrong = NewKey::new("w", &resource("user:w")).scopes([Scope::EventsExport]);
    let wrong = make_key(&db, wrong).await;
    for path in ["count", "facets", "histogram"] {
        let path = format!("/api/v1/events/{path}");
        let text = page(&rig, &blind, &path).await.to_string();
        assert!(!text.contains('3') && !text.contains("close"), "{text}");
        rig.get_as(&wrong, &path).await.problem(403, "missing-scope");
        rig.get(&path).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn search_is_explained() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let parse = async |body: &str| {
        rig.post_as(WRITER, "/api/v1/queries:parse", "application/json", body.to_owned()).await
    };
    let told = parse(r#"{"q": "action:close  AND object:issue:1"}"#).await.json();
    assert_eq!(told["query"], "verb:close object:issue:1");
    assert!(told["tree"]["and"].is_array(), "{told}");
    assert!(told["indexes"].is_array(), "{told}");
    let fault = parse(r#"{"q": "actr:x"}"#).await.problem(400, "invalid-body")["errors"][0].clone();
    assert_eq!((&fault["offset"], &fault["suggestion"]), (&json!(0), &json!("actor")));
    assert_eq!((&fault["pointer"], &fault["parameter"]), (&json!("/q"), &json!(null)));
    for (body, pointer) in [
        ("", ""),
        ("{}", "/q"),
        (r#"{"q": 1}"#, "/q"),
        (r#"{"q": "a", "x": 1}"#, "/x"),
        (r#"["actor:ann"]"#, ""),
    ] {
        let problem = parse(body).await.problem(400, "invalid-body");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}
