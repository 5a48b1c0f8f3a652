//! Follows: begun and ended, as often as one likes, by oneself or by whoever manages feeds.

use axum::http::Method;
use gesta::access::{NewKey, Scope};
use gesta::stream::Role;
use gesta::{Context, Follow, StreamQuery};
use serde_json::{Value, json};

use super::{page, path_of};
use crate::server::rig::{ANN, Answer, READER, Rig, WRITER, make_key};
use crate::support::{check_log, database, page as actions, public, resource};

async fn send(rig: &Rig, method: Method, key: &str, path: &str) -> Answer {
    let key = rig.bearer(key);
    let path = format!("/api/v1/follows/{path}");
    rig.send(method, &path, &[("authorization", &key)], "").await
}

#[tokio::test]
async fn following_and_ending_it_can_be_sent_again() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let path = "user/ann/project/9?flag=liking&roles=target,object";
    let made = send(&rig, Method::PUT, ANN, path).await;
    assert_eq!(made.code(), 201);
    let location = made.header("location");
    assert!(location.ends_with("/api/v1/follows/user/ann/project/9?flag=liking"), "{location}");
    let edge = made.json();
    assert_eq!(edge["follower"], json!({ "type": "user", "id": "ann" }));
    assert_eq!((&edge["flag"], &edge["roles"]), (&json!("liking"), &json!(["target", "object"])));
    assert_eq!(send(&rig, Method::PUT, ANN, path).await.code(), 200);
    let is_following = async |query: &str| {
        let answer = send(&rig, Method::GET, READER, &format!("user/ann/project/9{query}")).await;
        answer.json()["is_following"].clone()
    };
    assert_eq!(is_following("").await, json!(true));
    assert_eq!(is_following("?flag=liking").await, json!(true));
    assert_eq!(is_following("?flag=watching").await, json!(false));
    for _ in 0..2 {
        let ended = send(&rig, Method::DELETE, ANN, "user/ann/project/9").await;
        assert_eq!((ended.code(), ended.body.len()), (204, 0));
    }
    assert_eq!(is_following("").await, json!(false));
    // Each change is told once, by whoever asked.
    let told = actions(&public(&rig.store), StreamQuery::tenant()).await;
    let verbs: Vec<_> = told.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["stopped liking", "started liking"]);
    assert!(told.iter().all(|action| action.actor == resource("user:ann").named("Ann")));
    assert!(told[0].context.as_ref().expect("a context").get().contains("request_id"));
    check_log(&db).await;
}

#[tokio::test]
async fn what_is_not_said_of_a_follow_stays_as_it_was() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let (ann, project) = (resource("user:ann"), resource("project:9"));
    let follow = Follow::new(&ann, &project).verbs(["close"]).roles([Role::Target]).muted();
    let follow = follow.since("2026-01-02T00:00:00Z".parse().expect("a time"));
    let mut client = rig.store.client().await.expect("a client");
    let tx = client.transaction().await.expect("a transaction");
    rig.store.follow(&tx, &Context::new(&ann), &follow).await.expect("followed");
    tx.commit().await.expect("committed");
    let put = async |query: &str| {
        let answer = send(&rig, Method::PUT, ANN, &format!("user/ann/project/9{query}")).await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        let edge = answer.json();
        assert_eq!(edge["since"], "2026-01-02T00:00:00.000000Z");
        assert_eq!(edge["muted"], true);
        (edge["roles"].clone(), edge["verbs"].clone())
    };
    assert_eq!(put("").await, (json!(["target"]), json!(["close"])));
    assert_eq!(put("?verbs=open,close").await, (json!(["target"]), json!(["open", "close"])));
    assert_eq!(put("?roles=object").await, (json!(["object"]), json!(["open", "close"])));
    assert_eq!(put("?verbs=").await, (json!(["object"]), json!([])));
    let new = send(&rig, Method::PUT, ANN, "user/ann/project/8?verbs=close").await.json();
    assert_eq!((&new["roles"], &new["verbs"]), (&json!(["actor"]), &json!(["close"])));
    let many = vec!["x"; 101].join(",");
    for verbs in [",", "a%00", &many] {
        let path = format!("user/ann/project/8?verbs={verbs}");
        let problem = send(&rig, Method::PUT, ANN, &path).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "verbs");
    }
    check_log(&db).await;
}

#[tokio::test]
async fn body_of_a_follow_is_refused() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let key = rig.bearer(ANN);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let path = "/api/v1/follows/user/ann/project/9";
    let answer = rig.send(Method::PUT, path, &headers, r#"{"verbs":["close"]}"#).await;
    answer.problem(400, "invalid-body");
    assert_eq!(rig.send(Method::PUT, path, &headers, "").await.code(), 201, "nothing was stored");
}

#[tokio::test]
async fn others_follows_are_for_those_who_manage_feeds() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let who = resource("service:feeds").named("feeds");
    let manager = make_key(&db, NewKey::new("m", &who).scopes([Scope::FeedsManage])).await;
    let path = "user/bob/project/9";
    for key in [ANN, WRITER, READER] {
        for method in [Method::PUT, Method::DELETE] {
            let problem = send(&rig, method, key, path).await.problem(403, "missing-scope");
            assert!(problem["detail"].as_str().expect("a detail").contains("feeds:manage"));
        }
    }
    // To follow is to append an action.
    let reader = "service/reader/project/9";
    let problem = send(&rig, Method::PUT, READER, reader).await.problem(403, "missing-scope");
    assert!(problem["detail"].as_str().expect("a detail").contains("events:write"));
    assert_eq!(send(&rig, Method::PUT, &manager, path).await.code(), 201);
    assert_eq!(send(&rig, Method::DELETE, &manager, path).await.code(), 204);
    let told = actions(&public(&rig.store), StreamQuery::tenant()).await;
    assert!(told.iter().all(|action| action.actor == who), "{told:?}");
    assert_eq!(told[0].object.as_ref().map(|it| &it.resource), Some(&resource("user:bob")));
    let wrong = send(&rig, Method::PUT, &manager, "user/bob/project/9?flag=%07").await;
    wrong.problem(400, "invalid-parameter");
    let wrong = send(&rig, Method::PUT, &manager, "user/bob/project/9?roles=verb").await;
    wrong.problem(400, "invalid-parameter");
    check_log(&db).await;
}

#[tokio::test]
async fn follows_are_listed_from_both_ends_page_by_page() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    for n in 0..7 {
        let kind = ["project", "team"][n % 2];
        let path = format!("user/ann/{kind}/{n}?flag={}", ["", "liking"][n / 4]);
        assert_eq!(send(&rig, Method::PUT, ANN, &path).await.code(), 201);
    }
    let list =
        async |query: &str| {
            let (mut all, mut path) = (Vec::new(), Some(format!("/api/v1/follows?{query}")));
            while let Some(next) = path {
                let page = page(&rig, READER, &next).await;
                all.extend(page["items"].as_array().expect("items").iter().map(|edge: &Value| {
                    edge["followed"]["id"].as_str().expect("an id").to_owned()
                }));
                path = path_of(&rig, &page["next"]);
            }
            all.sort();
            all.concat()
        };
    assert_eq!(list("follower=user:ann").await, "0123456");
    assert_eq!(list("follower=user:ann&limit=2").await, "0123456");
    assert_eq!(list("follower=user:ann&limit=1&type=team").await, "135");
    assert_eq!(list("follower=user:ann&flag=liking").await, "456");
    assert_eq!(list("followed=team:3").await, "3");
    assert_eq!(list("followed=team:9").await, "");
    assert_eq!(list("follower=user:ann&followed=team:3").await, "3");
    assert_eq!(list("follower=user:bob&followed=team:3").await, "");
    for query in ["follower=ann", "follower=user:ann&limit=0"] {
        let answer = rig.get_as(READER, &format!("/api/v1/follows?{query}")).await;
        answer.problem(400, "invalid-parameter");
    }
}
