//! Who ran what: lists, their filters and pages, and who sees them.

use gesta::access::{NewKey, Scope};
use serde_json::{Value, json};

use super::Newsroom;
use crate::server::read::path_of;
use crate::server::rig::{ADMIN, EDITOR, READER, make_key};
use crate::support::resource;

const PUBLISH: &str = "/resources/article/actions/publish/runs";

async fn ids(room: &Newsroom, key: &str, path: &str) -> Vec<String> {
    let answer = room.read(key, path).await;
    assert_eq!(answer.code(), 200, "{path}: {answer:?}");
    let id = |run: &Value| run["id"].as_str().expect("an id").to_owned();
    answer.json()["items"].as_array().expect("items").iter().map(id).collect()
}

#[tokio::test]
async fn runs_are_found_by_who_what_object_state_and_time() {
    let room = Newsroom::open().await;
    let mut made = Vec::new();
    for body in [json!({"ids": ["1"]}), json!({"ids": ["2", "23"]})] {
        let run = room.post(PUBLISH, body).await.json();
        made.insert(0, run["id"].as_str().expect("an id").to_owned());
    }
    let issue =
        room.post("/resources/issue/actions/publish/runs", json!({"ids": ["70"]})).await.json();
    let issue = issue["id"].as_str().expect("an id").to_owned();
    let [second, first] = made.as_slice() else { panic!("two") };
    for (filter, wanted) in [
        ("", vec![&issue, second, first]),
        ("?actor=user:ed", vec![&issue, second, first]),
        ("?actor=user:ann", vec![]),
        ("?type=article", vec![second, first]),
        ("?type=article&action=publish", vec![second, first]),
        ("?action=kill", vec![]),
        ("?object=article:23", vec![second]),
        ("?object=article:3", vec![]),
        ("?state=partial", vec![second]),
        ("?state=succeeded,partial&type=article", vec![second, first]),
        ("?since=1h", vec![&issue, second, first]),
        ("?until=1h", vec![]),
        ("?since=yesterday&until=2099-01-01", vec![&issue, second, first]),
    ] {
        let found = ids(&room, ADMIN, &format!("/runs{filter}")).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{filter}");
    }
    for wrong in
        ["state=done", "actor=ann", "limit=0", "limit=1001", "since=never", "satte=partial"]
    {
        room.read(ADMIN, &format!("/runs?{wrong}")).await.problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn pages_of_runs_and_objects_have_all_of_them_and_cursors_of_their_own() {
    let room = Newsroom::open().await;
    let mut all = Vec::new();
    for n in 1..=5 {
        let run = room.post(PUBLISH, json!({"ids": [n.to_string()]})).await.json();
        all.insert(0, run["id"].as_str().expect("an id").to_owned());
    }
    let mut path = Some("/runs?limit=2&type=article".to_owned());
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    while let Some(at) = path {
        let page = room.read(ADMIN, &at).await;
        for run in page.json()["items"].as_array().expect("items") {
            walked.push(run["id"].as_str().expect("an id").to_owned());
        }
        let next = path_of(&room, &page.json()["next"]);
        assert_eq!(next.is_some(), page.header("link").contains("rel=\"next\""));
        let this = page.header("link").split_once(">; rel=\"self\"").expect("a link").0;
        assert_eq!(this.contains("cursor="), at.contains("cursor="), "{this}");
        cursor = next
            .as_ref()
            .and_then(|it| Some(it.split_once("cursor=")?.1.to_owned()))
            .unwrap_or(cursor);
        path = next.map(|it| it.strip_prefix("/api/v1").expect("a path").to_owned());
    }
    assert_eq!(walked, all);
    for other in ["/runs?limit=2", "/runs?type=issue", "/follows?follower=user:ed"] {
        let mark = if other.contains('?') { '&' } else { '?' };
        let answer = room.read(ADMIN, &format!("{other}{mark}cursor={cursor}")).await;
        answer.problem(400, "invalid-parameter");
    }

    let run = room.post(PUBLISH, json!({"filter": {}})).await.json();
    let id = run["id"].as_str().expect("an id");
    let mut path = Some(format!("/runs/{id}/items?limit=4"));
    let mut places = Vec::new();
    while let Some(at) = path {
        let page = room.read(EDITOR, &at).await.json();
        for item in page["items"].as_array().expect("items") {
            places.push(item["place"].as_u64().expect("a place"));
        }
        path = path_of(&room, &page["next"])
            .map(|it| it.strip_prefix("/api/v1").expect("a path").to_owned());
    }
    assert_eq!(places, (0..23).collect::<Vec<_>>());
    let failed = room.read(EDITOR, &format!("/runs/{id}/items?outcome=failed")).await.json();
    assert_eq!(failed["items"].as_array().map(Vec::len), Some(1));
    let whole = room.read(EDITOR, &format!("/runs/{id}/items?limit=23")).await.json();
    assert_eq!(whole["next"], Value::Null);
    room.read(EDITOR, &format!("/runs/{id}/items?outcome=ok"))
        .await
        .problem(400, "invalid-parameter");
}

#[tokio::test]
async fn runs_of_others_are_for_those_who_may_read_all() {
    let room = Newsroom::open().await;
    let other = NewKey::new("other", &resource("user:eva")).scopes([Scope::ActionsRun]).acting();
    let other = make_key(&room.db, other).await;
    let all = NewKey::new("all", &resource("user:mia")).scopes([Scope::RunsRead]);
    let all = make_key(&room.db, all).await;
    let run =
        room.post("/resources/article/actions/later/runs", json!({"ids": ["1"]})).await.json();
    let id = run["id"].as_str().expect("an id");
    for (key, count) in [(EDITOR, 1), (&all, 1), (&other, 0)] {
        assert_eq!(ids(&room, key, "/runs").await.len(), count);
    }
    room.read(&other, "/runs?actor=user:ed").await.problem(400, "invalid-parameter");
    for path in ["", "/items", "/messages", "/progress"] {
        let path = format!("/runs/{id}{path}");
        room.read(&other, &path).await.problem(404, "not-found");
        room.read(READER, &path).await.problem(403, "missing-scope");
        room.get(&format!("/api/v1{path}")).await.problem(401, "unauthenticated");
        let wrong = path.replace(id, "x");
        room.read(EDITOR, &wrong).await.problem(404, "not-found");
        let unknown = path.replace(id, &uuid::Uuid::from_u128(1).to_string());
        room.read(EDITOR, &unknown).await.problem(404, "not-found");
    }
    room.tell(&other, &format!("/runs/{id}:cancel")).await.problem(404, "not-found");
    room.tell(&all, &format!("/runs/{id}:cancel")).await.problem(403, "missing-scope");
    room.tell(&all, &format!("/runs/{id}:retry")).await.problem(403, "missing-scope");
    let canceller =
        NewKey::new("c", &resource("user:mia")).scopes([Scope::RunsRead, Scope::RunsCancel]);
    let canceller = make_key(&room.db, canceller).await;
    // Who may cancel runs of others, may cancel those of what they might run themselves.
    room.permit("user:mia", &["article.publish"]).await;
    let run = room.tell(&canceller, &format!("/runs/{id}:cancel")).await.json();
    assert_eq!(run["cancelled_by"], "user:mia");
    // Of another tenant there is nothing.
    let admin = room.bearer(ADMIN);
    let headers = [("authorization", admin.as_str()), ("x-gesta-tenant", "other")];
    for path in [format!("/runs/{id}"), format!("/runs/{id}/items")] {
        let answer =
            room.send(axum::http::Method::GET, &format!("/api/v1{path}"), &headers, "").await;
        answer.problem(404, "not-found");
    }
}
