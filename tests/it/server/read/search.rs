//! Searches: what is wrong with one is told with its place.

use serde_json::json;

use super::{fill, ids, page, walk};
use crate::server::rig::{READER, Rig};
use crate::support::database;

#[tokio::test]
async fn search_finds_and_says_how_it_was_understood() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 9).await;
    let found =
        page(&rig, READER, "/api/v1/events?q=action%3AClose%20AND%20target%3Aproject%3A1").await;
    assert_eq!(ids(&found).len(), 4);
    assert_eq!(found["query"], "verb:close target:project:1");
    let pages = walk(&rig, READER, "/api/v1/events?q=target:project:1&limit=3", "next").await;
    assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), ids(&found));
    // Together with a path and other parameters.
    let path =
        "/api/v1/targets/project/1/events?q=object:issue:1+OR+object:issue:3&until=2026-01-03";
    assert_eq!(ids(&page(&rig, READER, path).await).len(), 1);
    assert_eq!(page(&rig, READER, "/api/v1/events?q=").await["query"], json!(null));
}

#[tokio::test]
async fn faults_of_a_search_have_a_place_and_a_suggestion() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let answer = rig.get_as(READER, "/api/v1/events?q=actr:ann%20(verb:x").await;
    let problem = answer.problem(400, "invalid-parameter");
    let faults = problem["errors"].as_array().expect("faults");
    assert_eq!(faults.len(), 2, "{problem}");
    assert_eq!((&faults[0]["parameter"], &faults[0]["code"]), (&json!("q"), &json!("unknown-key")));
    assert_eq!((&faults[0]["offset"], &faults[0]["len"]), (&json!(0), &json!(4)));
    assert_eq!(faults[0]["suggestion"], "actor");
    assert_eq!(faults[1]["code"], "unbalanced");
}

#[tokio::test]
async fn unknown_parameters_are_refused_with_what_was_meant() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    for (query, meant) in [
        ("events?limti=3", Some("limit")),
        ("events?curser=x", Some("cursor")),
        ("events?flag=liking", None),
        ("objects/issue/1/events?role=actor", None),
        ("feeds/user/1?q=x", None),
        ("follows?folower=user:1", Some("follower")),
    ] {
        let answer = rig.get_as(READER, &format!("/api/v1/{query}")).await;
        let fault = &answer.problem(400, "invalid-parameter")["errors"][0];
        assert_eq!(fault["code"], "unknown", "{query}");
        assert_eq!(fault["suggestion"], json!(meant), "{query}");
    }
    for query in
        ["since=soon", "verb=", "verb=a,,b", "verb=a%00", "limit=all", "raw=1", "since=1d&since=2d"]
    {
        let answer = rig.get_as(READER, &format!("/api/v1/events?{query}")).await;
        assert!(matches!(answer.code(), 400 | 403), "{query}: {}", answer.text());
    }
}
