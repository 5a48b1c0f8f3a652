//! What somebody may not run does not exist for them, and that they tried stands in the log.

use axum::http::Method;
use gesta::Outcome;
use serde_json::json;

use super::Newsroom;
use crate::server::rig::{ADMIN, EDITOR};

/// Case 33.
#[tokio::test]
async fn action_that_is_not_permitted_is_answered_as_one_that_does_not_exist() {
    let room = Newsroom::open().await;
    let key = room.bearer(EDITOR);
    let body = json!({"ids": ["1"], "input": {}}).to_string();
    for (method, end) in [(Method::GET, ""), (Method::POST, ":plan"), (Method::POST, "/runs")] {
        let mut answers = Vec::new();
        for name in ["kill", "nothing"] {
            let path = format!("/api/v1/resources/article/actions/{name}{end}");
            let headers = [
                ("authorization", key.as_str()),
                ("content-type", "application/json"),
                ("x-request-id", "the-same"),
            ];
            let answer = room.send(method.clone(), &path, &headers, body.clone()).await;
            answer.problem(404, "not-found");
            answers.push((answer.status, answer.body));
        }
        assert_eq!(answers[0], answers[1], "{method} {end}");
    }
    assert_eq!(room.states(1).await, ["draft"]);
    let log = room.log().await;
    let denied: Vec<_> = log.iter().filter(|action| action.outcome == Outcome::Denied).collect();
    assert_eq!(denied.len(), 3, "{denied:#?}");
    for action in denied {
        assert_eq!(action.actor.resource.to_string(), "user:ed");
        let object = action.object.as_ref().expect("an object");
        assert_eq!(object.resource.to_string(), "action:article.kill");
        assert!(["read", "run.refuse"].contains(&action.verb.as_str()), "{}", action.verb);
        assert_eq!(action.data.as_ref().expect("data").value()["refused"], "action");
        assert!(action.audience == gesta::Audience::auditors());
    }
}

#[tokio::test]
async fn permission_that_was_taken_away_counts_from_then_on() {
    let room = Newsroom::open().await;
    let made =
        room.post("/resources/article/actions/withdraw:plan", json!({"ids": ["21"]})).await.json();
    let admin = room.bearer(ADMIN);
    let headers = [("authorization", admin.as_str()), ("x-gesta-tenant", "default")];
    let member = "/api/v1/roles/user-ed/members/user/ed";
    let gone = room.send(Method::DELETE, member, &headers, "").await;
    assert!(gone.status.is_success(), "{gone:?}");
    let body = json!({"selection": made["selection"]["id"], "token": made["token"]});
    let answer = room.post("/resources/article/actions/withdraw/runs", body).await;
    answer.problem(404, "not-found");
    assert_eq!(room.states(21).await[20], "published");
}
