//! One action, what it changed, what was around it, and what an object was.

use axum::http::Method;
use gesta::{Audience, Context, NewAction};
use serde_json::json;

use super::{fill, ids, page};
use crate::server::rig::{Answer, READER, Rig};
use crate::support::{append, database, resource, set_audience};

async fn ask(rig: &Rig, path: &str, tag: &str) -> Answer {
    let key = rig.bearer(READER);
    let headers = [("authorization", key.as_str()), ("if-none-match", tag)];
    rig.send(Method::GET, path, &headers, "").await
}

#[tokio::test]
async fn action_that_a_client_has_is_not_sent_again_and_hidden_ones_are_gone() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 1).await;
    let list = page(&rig, READER, "/api/v1/events").await;
    let id = ids(&list)[0];
    let path = format!("/api/v1/events/{id}");
    let first = rig.get_as(READER, &path).await;
    assert_eq!(first.json(), list["items"][0]);
    assert_eq!(first.header("cache-control"), "private, no-cache");
    let tag = first.header("etag").to_owned();
    for given in [tag.clone(), format!("\"x\", {tag}"), "*".to_owned(), tag.replace("W/", "")] {
        let again = ask(&rig, &path, &given).await;
        assert_eq!((again.code(), again.body.len()), (304, 0), "{given}");
        assert_eq!(again.header("etag"), tag);
    }
    assert_eq!(ask(&rig, &path, "\"x\"").await.code(), 200);
    let by = Context::new(&resource("user:moderator"));
    set_audience(&rig.store, &by, id, &Audience::auditors()).await;
    ask(&rig, &path, &tag).await.problem(404, "not-found");
    rig.get_as(READER, "/api/v1/events/7").await.problem(400, "malformed-request");
}

#[tokio::test]
async fn diff_is_told_in_three_forms() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let changes =
        r#"{"a/b~c": [null, 10.10], "gone": ["x\n\u001b[2J", null], "title": ["old", "new"]}"#;
    let changes = gesta::Json::parse(changes).expect("JSON");
    let edit = NewAction::new("edit", &Context::new(&resource("user:ann")));
    let id = append(&rig.store, edit.object(&resource("issue:1")).changes(changes)).await;
    let path = format!("/api/v1/events/{id}/diff");
    let fields = page(&rig, READER, &path).await;
    assert_eq!(fields["fields"]["title"], json!({ "old": "old", "new": "new" }));
    let patch = rig.get_as(READER, &format!("{path}?format=json-patch")).await;
    assert_eq!(patch.header("content-type"), "application/json-patch+json");
    assert!(patch.text().contains("10.10"), "{}", patch.text());
    let operations = patch.json();
    assert_eq!(operations[0]["path"], "/a~1b~0c");
    let kinds: Vec<_> =
        (0..3).map(|n| operations[n]["op"].as_str().expect("an op").to_owned()).collect();
    assert_eq!(kinds, ["add", "remove", "replace"]);
    let unified = rig.get_as(READER, &format!("{path}?format=unified")).await;
    assert!(
        unified.text().starts_with("--- issue:1\n+++ issue:1\n+a/b~c: 10.10\n"),
        "{}",
        unified.text()
    );
    assert!(unified.text().ends_with("-title: \"old\"\n+title: \"new\"\n"), "{}", unified.text());
    assert_eq!(unified.text().lines().count(), 6);
    let plain =
        append(&rig.store, NewAction::new("read", &Context::new(&resource("user:ann")))).await;
    assert_eq!(
        page(&rig, READER, &format!("/api/v1/events/{plain}/diff")).await["fields"],
        json!({})
    );
}

#[tokio::test]
async fn changes_of_another_form_are_no_diff() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let sql = "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, occurred_at, source, changes)
        SELECT 'default', gesta.id_floor(t), 'user', '1', 'edit', t, 'emit', '{\"title\": \"new\"}'
        FROM (SELECT timestamptz '2026-06-01Z' AS t) AS m RETURNING id";
    let id: uuid::Uuid = db.admin().await.query_one(sql, &[]).await.expect("stored").get(0);
    for form in ["fields", "json-patch", "unified"] {
        let answer = rig.get_as(READER, &format!("/api/v1/events/{id}/diff?format={form}")).await;
        assert_eq!(answer.code(), 200, "{form}: {}", answer.text());
    }
    let fields = page(&rig, READER, &format!("/api/v1/events/{id}/diff")).await;
    assert_eq!(fields["fields"], json!({}));
}

#[tokio::test]
async fn context_is_what_is_right_before_and_after() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 9).await;
    let all = ids(&page(&rig, READER, "/api/v1/events").await);
    let at = |of: &serde_json::Value, name: &str| ids(&json!({ "items": of[name] }));
    let around = page(&rig, READER, &format!("/api/v1/events/{}/context?n=2", all[4])).await;
    assert_eq!(
        (at(&around, "newer"), at(&around, "older")),
        (all[2..4].to_vec(), all[5..7].to_vec())
    );
    let newest = page(&rig, READER, &format!("/api/v1/events/{}/context?by=actor", all[0])).await;
    assert_eq!((at(&newest, "newer").len(), at(&newest, "older").len()), (0, 8));
    let alone = page(&rig, READER, &format!("/api/v1/events/{}/context?by=object", all[4])).await;
    assert_eq!((at(&alone, "newer").len(), at(&alone, "older").len()), (0, 0));
    for wrong in ["by=target", "n=0", "n=101"] {
        let answer =
            rig.get_as(READER, &format!("/api/v1/events/{}/context?{wrong}", all[4])).await;
        answer.problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn object_is_told_as_it_was() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let ctx = Context::new(&resource("user:ann"));
    let mut last = None;
    for (verb, old, new, day) in [("create", None, Some("a"), 1), ("edit", Some("a"), Some("b"), 2)]
    {
        let action = NewAction::new(verb, &ctx)
            .object(&resource("issue:1"))
            .changes(json!({ "title": [old, new] }))
            .at(crate::support::day(day));
        last = Some(append(&rig.store, action).await);
    }
    let path = "/api/v1/objects/issue/1";
    let title = async |query: &str| {
        page(&rig, READER, &format!("{path}/state{query}")).await["fields"]["title"]["value"]
            .clone()
    };
    assert_eq!(title("").await, "b");
    assert_eq!(title("?at=2026-01-03").await, "a");
    assert_eq!(title(&format!("?at={}", last.expect("it"))).await, "b");
    let diff = page(&rig, READER, &format!("{path}/diff?from=2026-01-03&to=now")).await;
    assert!(diff.to_string().contains("title"), "{diff}");
    for (query, code, slug) in [
        ("state?at=2020-01-01", 404, "not-found"),
        ("diff?from=now&to=2026-01-03", 422, "unprocessable-content"),
        ("state?at=soon", 400, "invalid-parameter"),
    ] {
        rig.get_as(READER, &format!("{path}/{query}")).await.problem(code, slug);
    }
    rig.get_as(READER, "/api/v1/objects/issue/2/state").await.problem(404, "not-found");
}
