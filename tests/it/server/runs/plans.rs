//! What would happen, and that it is confirmed before it does.

use serde_json::{Value, json};

use super::Newsroom;
use crate::server::rig::EDITOR;

const WITHDRAW: &str = "/resources/article/actions/withdraw";

#[tokio::test]
async fn plan_shows_what_would_happen_and_changes_nothing() {
    let room = Newsroom::open().await;
    let body = json!({"ids": ["1", "21", "22", "23"], "input": {"notify": true}});
    let plan = room.post("/resources/article/actions/publish:plan", body).await;
    assert_eq!(plan.code(), 200, "{plan:?}");
    let plan = plan.json();
    assert_eq!(
        (&plan["selection"]["total"], &plan["label"]),
        (&json!(4), &json!("Publish articles"))
    );
    let tried =
        json!({"total": 4, "pending": 0, "done": 1, "skipped": 1, "denied": 1, "failed": 1});
    assert_eq!(plan["tried"], tried);
    assert_eq!(plan["needs_confirmation"], false);
    assert_eq!(plan["messages"][0]["text"], "3 subscribers will hear of it");
    let sample = plan["sample"].as_array().expect("a sample");
    let done = sample.iter().find(|it| it["outcome"] == "done").expect("one that would be done");
    assert_eq!(done["object"], json!({"type": "article", "id": "1", "name": "Article 1"}));
    assert_eq!(done["actions"][0]["changes"], json!({"state": ["draft", "published"]}));
    assert_eq!(room.states(1).await, ["draft"]);
    let runs = room.read(EDITOR, "/runs").await.json();
    assert_eq!(runs["items"], json!([]));
}

async fn withdraw(room: &Newsroom, body: Value) -> crate::server::rig::Answer {
    room.post(&format!("{WITHDRAW}/runs"), body).await
}

#[tokio::test]
async fn what_must_be_confirmed_runs_with_its_plan_only() {
    let room = Newsroom::open().await;
    let asked = withdraw(&room, json!({"ids": ["21", "1"]})).await;
    let problem = asked.problem(409, "confirmation-needed");
    assert_eq!(room.states(21).await[20], "published");
    let plan = &problem["plan"];
    assert_eq!(plan["tried"]["done"], 1, "{plan}");
    let confirmed = json!({"selection": plan["selection"]["id"], "token": plan["token"]});
    let run = withdraw(&room, confirmed.clone()).await;
    assert_eq!((run.code(), &run.json()["state"]), (200, &json!("succeeded")), "{run:?}");
    assert_eq!(room.states(21).await[20], "draft");
    // A plan is confirmed once: the second click finds the first one's run.
    assert_eq!(withdraw(&room, confirmed).await.json()["id"], run.json()["id"]);
    for token in ["", "nonsense", &"A".repeat(200)] {
        let again = json!({"ids": ["21"], "token": token});
        let problem = withdraw(&room, again).await.problem(409, "confirmation-needed");
        assert!(problem["plan"]["token"].is_string(), "a new plan is there: {problem}");
    }
}

#[tokio::test]
async fn plan_of_other_input_or_objects_confirms_nothing() {
    let room = Newsroom::open().await;
    let plan = room.post(&format!("{WITHDRAW}:plan"), json!({"ids": ["21"]})).await.json();
    let other = room.post(&format!("{WITHDRAW}:plan"), json!({"ids": ["1"]})).await.json();
    for body in [
        json!({"selection": plan["selection"]["id"], "token": plan["token"], "input": {"notify": true}}),
        json!({"selection": other["selection"]["id"], "token": plan["token"]}),
    ] {
        withdraw(&room, body).await.problem(409, "confirmation-needed");
    }
    assert_eq!(room.states(21).await[20], "published");
}

#[tokio::test]
async fn objects_that_were_changed_since_the_plan_are_named_and_nothing_is_done() {
    let room = Newsroom::open().await;
    let plan = room.post(&format!("{WITHDRAW}:plan"), json!({"ids": ["1", "21"]})).await.json();
    let admin = room.db.admin().await;
    admin
        .execute("UPDATE newsroom.article SET title = 'x' WHERE id = 21", &[])
        .await
        .expect("changed");
    let body = json!({"selection": plan["selection"]["id"], "token": plan["token"]});
    let problem = withdraw(&room, body).await.problem(409, "changed-since-plan");
    assert_eq!(problem["items"], json!([{"object": {"type": "article", "id": "21"}}]));
    assert_eq!(room.states(21).await[20], "published");
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_refused_by_field_before_anything_runs() {
    let room = Newsroom::open().await;
    for path in
        ["/resources/article/actions/publish:plan", "/resources/article/actions/publish/runs"]
    {
        for (input, pointer) in [
            (json!({"notify": "yes"}), "/input/notify"),
            (json!({"notfy": true}), "/input"),
            (json!([]), "/input"),
        ] {
            let problem = room.post(path, json!({"ids": ["1"], "input": input})).await;
            let problem = problem.problem(422, "invalid-input");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
    }
    assert_eq!(room.states(1).await, ["draft"]);
}
