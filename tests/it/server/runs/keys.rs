//! Requests that are sent again.

use serde_json::{Value, json};

use super::Newsroom;
use crate::server::rig::{Answer, EDITOR};

const PUBLISH: &str = "/resources/article/actions/publish/runs";

async fn publish(room: &Newsroom, key: &str, body: Value) -> Answer {
    room.post_by(EDITOR, PUBLISH, &[("idempotency-key", key)], body).await
}

#[tokio::test]
async fn request_that_is_sent_again_has_its_run() {
    let room = Newsroom::open().await;
    let made = room.post("/selections", json!({"type": "article", "ids": ["1"]})).await.json();
    for (key, body) in [
        ("\"8e03978e\"", json!({"ids": ["1", "2"], "input": {"notify": true}, "reason": "OPS-1"})),
        ("of-a-selection", json!({"selection": made["id"]})),
        ("of-a-filter", json!({"filter": {"state": "draft"}})),
    ] {
        let first = publish(&room, key, body.clone()).await;
        assert_eq!(first.code(), 200, "{first:?}");
        // Whatever has changed since.
        for _ in 0..2 {
            let again = publish(&room, key, body.clone()).await;
            assert_eq!((again.code(), again.json()), (200, first.json()), "{key}");
        }
        let mut other = body.clone();
        other["input"] = json!({"notify": false});
        publish(&room, key, other).await.problem(422, "idempotency-key-reused");
    }
    let elsewhere = [("idempotency-key", "8e03978e")];
    let later = "/resources/article/actions/later/runs";
    let answer = room.post_by(EDITOR, later, &elsewhere, json!({"ids": ["1", "2"]})).await;
    answer.problem(422, "idempotency-key-reused");
    let runs = room.read(EDITOR, "/runs").await.json();
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn two_that_are_sent_at_once_are_one_run() {
    let room = Newsroom::open().await;
    let body = || json!({"ids": ["3"]});
    let both = tokio::join!(publish(&room, "twice", body()), publish(&room, "twice", body()));
    let ids: Vec<_> = [&both.0, &both.1].map(|it| it.json()["id"].clone()).to_vec();
    assert_eq!(ids[0], ids[1]);
    assert!([both.0.code(), both.1.code()].iter().all(|code| matches!(code, 200 | 202)));
}

#[tokio::test]
async fn keys_that_cannot_be_are_refused() {
    let room = Newsroom::open().await;
    for key in ["", "\"", "\"\"", "a b", &"x".repeat(256)] {
        let problem =
            publish(&room, key, json!({"ids": ["1"]})).await.problem(400, "malformed-request");
        assert_eq!(problem["errors"][0]["header"], "Idempotency-Key");
    }
    assert_eq!(room.states(1).await, ["draft"]);
}
