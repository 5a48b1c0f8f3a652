//! Keys over HTTP: made, listed and revoked by who may, and each making and revoking is in the log.

use axum::http::Method;
use gesta::access::{NewKey, Scope};
use gesta::{Action, Reader, StreamQuery, Tenant};
use serde_json::{Value, json};

use super::rig::{ADMIN, Answer, Rig, WRITER, make_key};
use crate::support::{TestDb, database, page, resource};

const PATH: &str = "/api/v1/keys";

/// A key of the tenant `default` that may manage keys and read, and sees `public` and `staff`.
async fn manager(db: &TestDb) -> String {
    let scopes = [Scope::KeysManage, Scope::EventsRead];
    let key =
        NewKey::new("manager", &resource("user:mia")).scopes(scopes).labels(["public", "staff"]);
    make_key(db, key).await
}

async fn create(rig: &Rig, key: &str, body: Value) -> Answer {
    rig.post_as(key, PATH, "application/json", body.to_string()).await
}

async fn revoke(rig: &Rig, key: &str, id: &str) -> Answer {
    let key = rig.bearer(key);
    let headers = [("authorization", key.as_str())];
    rig.send(Method::DELETE, &format!("{PATH}/{id}"), &headers, "").await
}

/// What auditors read of a key.
async fn told(db: &TestDb, id: &str) -> Vec<Action> {
    let reader = Reader::new(&db.store().await, Tenant::default()).auditor();
    page(&reader, StreamQuery::object(&resource(&format!("key:{id}")))).await
}

#[tokio::test]
async fn key_is_made_used_listed_and_revoked() {
    let db = database().await;
    let (rig, manager) = (Rig::start(&db).await, manager(&db).await);
    let given = json!({"name": "desk", "scopes": ["events:read"], "labels": ["staff"], "actor": "service:desk",
        "rate_per_minute": 60, "expires_at": "2099-01-01T00:00:00Z", "reason": "OPS-7"});
    let made = create(&rig, &manager, given).await;
    assert_eq!(made.code(), 201, "{made:?}");
    let body = made.json();
    let (key, secret) = (&body["key"], body["secret"].as_str().expect("a secret"));
    let id = key["id"].as_str().expect("an id");
    assert_eq!(made.header("location"), format!("{PATH}/{id}"));
    assert!(secret.starts_with(&format!("gesta_{id}_")), "a key");
    assert_eq!((&key["actor"], &key["rate_per_minute"]), (&json!("service:desk"), &json!(60)));
    assert_eq!((&key["labels"], &key["created_by"]), (&json!(["staff"]), &json!("user:mia")));
    assert_eq!(key["expires_at"], "2099-01-01T00:00:00.000000Z");

    let who = rig.get_as(secret, "/api/v1/whoami").await.json();
    assert_eq!((&who["key"], &who["scopes"]), (&json!(id), &json!(["events:read"])));

    let list = rig.get_as(&manager, PATH).await;
    assert_eq!(list.json()["items"][0]["id"], id, "the newest is the first");
    assert!(!list.text().contains(secret), "a secret is told once");

    let revoked = revoke(&rig, &manager, id).await.json();
    assert_eq!(revoked["state"], "revoked");
    rig.get_as(secret, "/api/v1/whoami").await.problem(401, "unauthenticated");
    revoke(&rig, &manager, id).await.problem(404, "not-found");

    let actions = told(&db, id).await;
    let verbs: Vec<_> = actions.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["revoke", "create"]);
    for action in &actions {
        assert_eq!(action.actor.resource.to_string(), "user:mia");
        assert!(action.audience == gesta::Audience::auditors());
        assert!(!format!("{action:?}").contains(secret), "no secret is in the log");
    }
    let context = actions[1].context.as_ref().expect("a context").value();
    assert_eq!((&context["reason"], &context["ip"]), (&json!("OPS-7"), &json!("127.0.0.1")));
    assert_eq!(context["request_id"], made.header("x-request-id"));
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let db = database().await;
    let (rig, manager) = (Rig::start(&db).await, manager(&db).await);
    for (given, pointer) in [
        (json!({"name": "a", "scopes": ["events:write"]}), "/scopes"),
        (json!({"name": "a", "scopes": ["events:read"], "labels": ["board"]}), "/labels"),
        (json!({"name": "a", "scopes": ["events:read"], "auditor": true}), "/labels"),
    ] {
        let problem = create(&rig, &manager, given).await.problem(403, "exceeds-credential");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let plain = json!({"name": "a", "scopes": ["events:read"]});
    create(&rig, WRITER, plain).await.problem(403, "missing-scope");
    rig.get_as(WRITER, PATH).await.problem(403, "missing-scope");
    revoke(&rig, WRITER, "4f0k2m9x7a1c").await.problem(403, "missing-scope");
    rig.get(PATH).await.problem(401, "unauthenticated");
    let store = rig.store.clone();
    rig.stop().await.expect("it ends");
    let reader = Reader::new(&store, Tenant::default()).auditor();
    let all = page(&reader, StreamQuery::tenant()).await;
    let denied = all.iter().filter(|action| action.outcome == gesta::Outcome::Denied);
    let told: Vec<_> = denied.map(|action| action.data.as_ref().expect("data").value()).collect();
    assert!(told.iter().any(|data| data["refused"] == "sight"), "{told:?}");
    assert!(told.iter().any(|data| data["scope"] == "events:write"), "{told:?}");
}

#[tokio::test]
async fn keys_that_cannot_be_are_refused_by_field() {
    let db = database().await;
    let (rig, manager) = (Rig::start(&db).await, manager(&db).await);
    for (given, pointer) in [
        (json!({"scopes": ["events:read"]}), "/name"),
        (json!({"name": "", "scopes": ["events:read"], "actor": "a:1"}), "/name"),
        (json!({"name": "a\u{7}", "scopes": ["events:read"]}), "/name"),
        (json!({"name": "a", "scopes": []}), "/scopes"),
        (json!({"name": "a", "scopes": ["events:raed"]}), "/scopes/0"),
        (
            json!({"name": "a", "scopes": ["events:read"], "labels": ["x"], "auditor": true}),
            "/labels",
        ),
        (json!({"name": "a", "scopes": ["events:read"], "labels": vec!["staff"; 33]}), "/labels"),
        (json!({"name": "a", "scopes": ["events:read"], "actor": "nobody"}), "/actor"),
        (json!({"name": "a", "scopes": ["events:read"], "rate_per_minute": 0}), "/rate_per_minute"),
        (
            json!({"name": "a", "scopes": ["events:read"], "rate_per_minute": 2_147_483_648_u64}),
            "/rate_per_minute",
        ),
        (
            json!({"name": "a", "scopes": ["events:read"], "expires_at": "2001-01-01T00:00:00Z"}),
            "/expires_at",
        ),
        (json!({"name": "a", "scopes": ["events:read"], "reason": "\0"}), "/reason"),
        (json!({"name": "a", "scopes": ["events:read"], "tenant": "other"}), "/tenant"),
    ] {
        let contradicts = given.get("expires_at").is_some() || given.get("auditor").is_some();
        let answer = create(&rig, &manager, given).await;
        let problem = if contradicts {
            answer.problem(422, "unprocessable-content")
        } else {
            answer.problem(400, "invalid-body")
        };
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    for (given, pointer) in [
        (r#"{"name":"","scopes":["events:read"]}"#, "/name"),
        (r#"{"name":"a","scopes":["events:read"],"rate_per_minute":0}"#, "/rate_per_minute"),
        (r#"{"name":"a","scopes":["events:read"],"rate_per_minute":1.5}"#, "/rate_per_minute"),
        (r#"["a",["events:read"],null,null,null,null,null,null,null]"#, ""),
    ] {
        let answer = rig.post_as(&manager, PATH, "application/json", given.to_owned()).await;
        let problem = answer.problem(400, "invalid-body");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let form = rig.post_as(&manager, PATH, "text/plain", "{}").await;
    form.problem(415, "unsupported-media-type");
    let list = rig.get_as(&manager, PATH).await.json();
    let names: Vec<_> =
        list["items"].as_array().expect("keys").iter().map(|key| &key["name"]).collect();
    assert!(!names.contains(&&json!("a")), "{names:?}");
}

#[tokio::test]
async fn keys_of_other_tenants_are_neither_seen_nor_revoked() {
    let db = database().await;
    let (rig, manager) = (Rig::start(&db).await, manager(&db).await);
    let admin = rig.bearer(ADMIN);
    let headers = [
        ("authorization", admin.as_str()),
        ("x-gesta-tenant", "other"),
        ("content-type", "application/json"),
    ];
    let given = json!({"name": "theirs", "scopes": ["events:read"]}).to_string();
    let made = rig.send(Method::POST, PATH, &headers, given.clone()).await.json();
    assert_eq!(made["key"]["tenant"], "other");
    let id = made["key"]["id"].as_str().expect("an id");
    revoke(&rig, &manager, id).await.problem(404, "not-found");
    assert!(!rig.get_as(&manager, PATH).await.text().contains(id));
    // A key of all tenants is neither listed nor revoked over HTTP: the operator made it.
    let admin_id = admin.split('_').nth(1).expect("an id");
    revoke(&rig, &manager, admin_id).await.problem(404, "not-found");
    let nowhere = [headers[0], headers[2]];
    let problem = rig.send(Method::POST, PATH, &nowhere, given).await;
    problem.problem(400, "tenant-missing");
}
