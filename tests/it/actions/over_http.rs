//! What is built in, over HTTP: consequences in a plan, and files.

use gesta::server::Settings;
use serde_json::json;

use super::rig::{Desk, catalog};
use crate::server::rig::{ADMIN, EDITOR, Rig};
use crate::server::runs::Newsroom;

async fn room() -> Newsroom {
    let Desk { db, .. } = Desk::new().await;
    let settings = Settings { catalog: catalog(), ..Settings::default() };
    let rig = Rig::start_with(&db, settings).await;
    let room = Newsroom { db, rig };
    room.permit("user:ed", &["article.view", "article.delete"]).await;
    room
}

/// Case 47, and B39, B41, B42: rows of what is no type are told by their table.
#[tokio::test]
async fn plan_of_a_deletion_has_its_consequences() {
    let room = room().await;
    let body = json!({ "ids": ["1", "2", "3"] });
    let plan = room.post("/resources/article/actions/delete:plan", body).await;
    assert_eq!(plan.code(), 200, "{plan:?}");
    let wanted = json!({ "is_whole": true, "items": [
        { "impact": "deleted", "table": "newsroom.comment", "type": "comment", "rows": 3, "keys": [],
          "missing": "comment.delete", "is_recorded": true },
        { "impact": "forbidding", "table": "newsroom.newsletter", "type": null, "rows": 2, "keys": ["70", "71"],
          "missing": null, "is_recorded": true },
    ] });
    assert_eq!(plan.json()["consequences"], wanted);
}

/// Case 29.
#[tokio::test]
async fn file_of_a_run_is_downloaded_by_whoever_ran_it() {
    let room = room().await;
    let body = json!({ "ids": ["1", "3"], "input": { "format": "jsonl" } });
    let run = room.post("/resources/article/actions/export/runs", body).await.json();
    assert_eq!(run["state"], "succeeded", "{run}");
    let id = run["id"].as_str().expect("an id");
    let file = room.read(EDITOR, &format!("/runs/{id}/download")).await;
    assert_eq!(
        (file.code(), file.header("content-type")),
        (200, "application/x-ndjson"),
        "{file:?}"
    );
    let name = format!("attachment; filename=\"article-export-{id}.jsonl\"");
    assert_eq!(file.header("content-disposition"), name);
    assert_eq!(file.text().lines().count(), 2);
    room.read(ADMIN, &format!("/runs/{id}/download")).await.problem(404, "not-found");
    let plan =
        room.post("/resources/article/actions/delete:plan", json!({ "ids": ["3"] })).await.json();
    let body = json!({ "selection": plan["selection"]["id"], "token": plan["token"] });
    let run = room.post("/resources/article/actions/delete/runs", body).await.json();
    let id = run["id"].as_str().expect("an id");
    room.read(EDITOR, &format!("/runs/{id}/download")).await.problem(404, "not-found");
    let told = room.log().await;
    assert_eq!(told.iter().filter(|action| action.verb == "run.download").count(), 1);
}
