//! Which objects: frozen when they are selected, and for who selected them.

use serde_json::{Value, json};

use super::Newsroom;
use crate::server::rig::{ADMIN, EDITOR, WRITER};

async fn select(room: &Newsroom, body: Value) -> Value {
    let answer = room.post("/selections", body).await;
    assert_eq!(answer.code(), 201, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn objects_are_selected_by_ids_filter_both_and_search() {
    let room = Newsroom::open().await;
    let total = async |body: Value| {
        let made = select(&room, body).await;
        (made["total"].as_u64().expect("a count"), made["dropped"].as_u64().expect("a count"))
    };
    assert_eq!(total(json!({"type": "article", "ids": ["1", "2", "99"]})).await, (2, 1));
    assert_eq!(total(json!({"type": "article", "filter": {"state": "draft"}})).await, (20, 0));
    let either = json!({"state": ["published", "locked"]});
    assert_eq!(total(json!({"type": "article", "filter": either})).await, (2, 0));
    let ticked = json!({"type": "article", "ids": ["1", "21"], "filter": {"state": "draft"}});
    assert_eq!(total(ticked).await, (1, 1));
    for n in 1..=3 {
        let event = json!({"actor": {"type": "user", "id": "ann"}, "verb": "read", "object": {"type": "article", "id": n.to_string()}});
        let kept = room.post_by(WRITER, "/events", &[], event).await;
        assert_eq!(kept.code(), 201, "{kept:?}");
    }
    assert_eq!(total(json!({"type": "article", "q": "verb:read"})).await, (3, 0));
}

#[tokio::test]
async fn selection_stays_as_it_was_and_is_its_makers() {
    let room = Newsroom::open().await;
    let made =
        room.post("/selections", json!({"type": "article", "filter": {"state": "draft"}})).await;
    let location = made.header("location").to_owned();
    let path = location.strip_prefix("/api/v1").expect("a path");
    room.db
        .admin()
        .await
        .execute("UPDATE newsroom.article SET state = 'x' WHERE id <= 10", &[])
        .await
        .expect("changed");
    let again = room.read(EDITOR, path).await.json();
    assert_eq!((&again, &again["total"]), (&made.json(), &json!(20)));
    room.read(ADMIN, path).await.problem(410, "selection-gone");
    room.read(EDITOR, "/selections/nothing").await.problem(404, "not-found");
    let other = format!("/selections/{}", uuid::Uuid::from_u128(7));
    room.read(EDITOR, &other).await.problem(410, "selection-gone");
}

/// Case 30.
#[tokio::test]
async fn what_selects_nothing_or_says_too_much_is_refused() {
    let room = Newsroom::open().await;
    for body in [
        json!({"type": "article", "ids": []}),
        json!({"type": "article", "ids": ["99"]}),
        json!({"type": "article", "ids": ["x' OR 1=1"]}),
        json!({"type": "article", "filter": {"state": "nothing"}}),
    ] {
        let problem = room.post("/selections", body).await.problem(422, "empty-selection");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.starts_with("Nothing is selected, so nothing was changed."), "{detail}");
    }
    for (body, pointer) in [
        (json!({"type": "article"}), ""),
        (json!({"type": "article", "ids": ["1"], "q": "verb:x"}), ""),
        (json!({"type": "article", "idz": ["1"]}), "/idz"),
        (json!({"type": "article", "filter": {"nothing": 1}}), "/filter"),
        (json!({"type": "article", "filter": "state"}), "/filter"),
        (json!({"ids": ["1"]}), "/type"),
    ] {
        let answer = room.post("/selections", body).await;
        let problem = match pointer {
            "" | "/filter" => answer.problem(422, "unprocessable-content"),
            _ => answer.problem(400, "invalid-body"),
        };
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for body in
        [json!({"type": "article"}), json!({"type": "article", "ids": ["1"], "q": "verb:x"})]
    {
        let text = room.post("/selections", body).await.text().to_owned();
        assert!(
            text.contains("give one of `ids`, `filter` and `q`"),
            "what is given is taken: {text}"
        );
    }
    let slip = room.post("/selections", json!({"type": "article", "idz": ["1"]})).await.json();
    assert_eq!(slip["errors"][0]["suggestion"], "ids");
    room.post("/selections", json!({"type": "user", "ids": ["1"]})).await.problem(404, "not-found");
    let wrong = room.post("/selections", json!({"type": "article", "q": "actr:x"})).await;
    let fault = wrong.problem(400, "invalid-body")["errors"][0].clone();
    assert_eq!((&fault["code"], &fault["pointer"]), (&json!("unknown-key"), &json!("/q")));
    // Fields in the order of the source, which is no form that anybody was told of.
    let run = json!([null, ["1"], null, null, null, null, null]);
    for (path, body) in [
        ("/selections", json!(["article", ["1"], null, null])),
        ("/resources/article/actions/publish/runs", run),
        ("/resources/article/actions/publish:plan", json!([null, ["1"], null, null, null])),
    ] {
        room.post(path, body).await.problem(400, "invalid-body");
    }
    assert_eq!(room.states(1).await, ["draft"]);
    let plain =
        room.post_by(WRITER, "/selections", &[], json!({"type": "article", "ids": ["1"]})).await;
    plain.problem(403, "missing-scope");
}
