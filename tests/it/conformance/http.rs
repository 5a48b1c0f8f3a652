//! The cases as they look over HTTP.

use axum::http::Method;
use gesta::access::{NewKey, Scope};
use serde_json::{Value, json};

use super::fixture::F1;
use crate::server::rig::{Answer, READER, Rig, WRITER, make_key};

/// The fixture behind a server, and a key of user1 by which they act.
struct Web {
    f1: F1,
    rig: Rig,
    user1: String,
}

impl Web {
    async fn new() -> Self {
        let f1 = F1::new().await;
        let rig = Rig::start_over(&f1.db, f1.store.clone()).await;
        let both = [Scope::EventsRead, Scope::EventsWrite];
        let user1 = NewKey::new("admin", &f1.user1).scopes(both).acting();
        let user1 = make_key(&f1.db, user1).await;
        Self { f1, rig, user1 }
    }

    async fn get(&self, path: &str) -> Value {
        self.answer(path).await.json()
    }

    async fn answer(&self, path: &str) -> Answer {
        let answer = self.rig.get_as(READER, &format!("/api/v1{path}")).await;
        assert_eq!(answer.code(), 200, "{path}: {}", answer.text());
        answer
    }

    /// The names of a list's actions, newest first: `a5 a2 a1`.
    async fn names(&self, path: &str) -> String {
        let list = self.get(path).await;
        let items = list["items"].as_array().expect("items");
        let names = items.iter().map(|item| {
            let id = item["id"].as_str().expect("an id");
            let known = (1..=11).find(|n| self.f1.id(*n).to_string() == id);
            known.map_or("new".to_owned(), |n| format!("a{n}"))
        });
        names.collect::<Vec<_>>().join(" ")
    }

    /// The other ends of a list of follows, sorted.
    async fn others(&self, query: &str) -> String {
        let end = if query.starts_with("follower") { "followed" } else { "follower" };
        let list = self.get(&format!("/follows?{query}")).await;
        let items = list["items"].as_array().expect("items").iter();
        let text = |part: &Value| part.as_str().expect("a text").to_owned();
        let mut others: Vec<_> =
            items.map(|it| text(&it[end]["type"]) + ":" + &text(&it[end]["id"])).collect();
        others.sort();
        others.join(" ")
    }

    async fn send(&self, method: Method, path: &str) -> Answer {
        let key = self.rig.bearer(&self.user1);
        self.rig.send(method, &format!("/api/v1{path}"), &[("authorization", &key)], "").await
    }

    async fn post(&self, action: Value) -> Answer {
        let body = action.to_string();
        self.rig.post_as(&self.user1, "/api/v1/events", "application/json", body).await
    }

    /// The texts stand in the document.
    async fn has(&self, path: &str, texts: &[&str]) {
        let answer = self.answer(path).await;
        for text in texts {
            assert!(answer.text().contains(text), "{text} in {path}: {}", answer.text());
        }
    }
}

/// Cases 1, 2, 3, 4, 45 and 67.
#[tokio::test]
async fn actors_streams_are_read_by_their_paths() {
    let web = Web::new().await;
    assert_eq!(web.names("/actors/user/1/events").await, "a5 a2 a1");
    assert_eq!(web.names("/actors/user/2/events").await, "a4 a3");
    assert_eq!(web.names("/actors/user/4/events").await, "a11 a10 a9 a8");
    assert_eq!(web.names("/actors/group/1/events").await, "a6");
    let told =
        ["admin commented on CoolGroup", "admin started following Two", "admin joined CoolGroup"];
    web.has("/actors/user/1/events.atom", &told).await;
    let group = ["CoolGroup responded to admin: Sweet Group!..."];
    web.has("/actors/group/1/events.rss", &group).await;
    assert_eq!(web.get("/actors/user/4/events").await["items"][0]["verb"], "started blacklisting");
    assert_eq!(web.get("/actors/user/1/events").await["items"][2]["verb"], "joined");
}

/// Cases 5, 6, 7, 8, 16, 54, 55, 63 and 64.
#[tokio::test]
async fn follows_are_listed_by_either_end() {
    let web = Web::new().await;
    for (query, others) in [
        ("follower=user:1", "user:2"),
        ("follower=user:2&type=user", ""),
        ("follower=user:4&flag=liking", "group:2 user:1"),
        ("follower=user:4&flag=watching", "group:2"),
        ("follower=user:4&flag=blacklisting", "user:3"),
        ("follower=user:4&type=user&flag=liking", "user:1"),
        ("followed=group:1", "user:2"),
        ("followed=group:2&flag=liking", "user:4"),
        ("followed=group:2&flag=watching", "user:4"),
        ("followed=user:1&flag=liking", "user:4"),
        ("followed=user:3&flag=blacklisting", "user:4"),
        ("followed=user:1", "user:4"),
    ] {
        assert_eq!(web.others(query).await, others, "{query}");
    }
    assert_eq!(web.send(Method::PUT, "/follows/user/1/group/1").await.code(), 201);
    assert_eq!(web.others("follower=user:1&type=group,user").await, "group:1 user:2");
}

/// Cases 9, 11, 12, 13, 17, 29, 35 and 50.
#[tokio::test]
async fn feeds_are_read_by_their_paths() {
    let web = Web::new().await;
    assert_eq!(web.names("/feeds/user/1").await, "a4 a3");
    assert_eq!(web.names("/feeds/user/2").await, "a6");
    assert_eq!(web.names("/feeds/user/4?flag=blacklisting").await, "a7");
    assert_eq!(web.names("/feeds/user/1?verb=joined").await, "a3");
    assert_eq!(web.names("/feeds/user/1?self=true").await, "a5 a4 a3 a2 a1");
    assert_eq!(web.names("/feeds/user/3?self=true").await, "a7");
    assert_eq!(web.f1.delete(&web.f1.user2).await, 2);
    assert!(!web.answer("/feeds/user/1").await.text().contains("Two"));
    assert_eq!(web.others("follower=user:2").await + &web.others("followed=user:2").await, "");
    assert_eq!(web.send(Method::DELETE, "/follows/user/1/user/2").await.code(), 204);
    assert_eq!(web.names("/feeds/user/1").await, "");
}

/// Cases 10, 15 and 52.
#[tokio::test]
async fn following_twice_is_answered_with_the_same_edge() {
    let web = Web::new().await;
    let first = web.send(Method::PUT, "/follows/user/1/site/1").await;
    let second = web.send(Method::PUT, "/follows/user/1/site/1").await;
    assert_eq!((first.code(), second.code()), (201, 200));
    assert_eq!(first.json(), second.json());
    assert_eq!(web.others("followed=site:1").await, "user:1");
    let accents = web.f1.user2.resource.clone().named("éé");
    let key = NewKey::new("éé", &accents).scopes([Scope::EventsWrite]).acting();
    let key = web.rig.bearer(&make_key(&web.f1.db, key).await);
    let path = "/api/v1/follows/user/2/user/3";
    let headers = [("authorization", key.as_str())];
    assert_eq!(web.rig.send(Method::PUT, path, &headers, "").await.code(), 201);
    web.has("/targets/user/3/events.atom", &["éé started following"]).await;
}

/// Cases 14, 36, 48, 51 and 76.
#[tokio::test]
async fn action_that_is_sent_is_read_as_it_was_meant() {
    let web = Web::new().await;
    let (comment, group) =
        (json!({ "type": "site", "id": "1" }), json!({ "type": "group", "id": "1" }));
    let sent = web.post(json!({ "verb": "created comment", "object": comment, "target": group }));
    assert_eq!(sent.await.code(), 201);
    let list = web.get("/objects/site/1/events").await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    let item = &list["items"][0];
    assert_eq!((&item["verb"], &item["target"]["id"]), (&json!("created comment"), &json!("1")));
    assert_eq!(item["actor"], json!({ "type": "user", "id": "1", "name": "admin" }));
    let data = json!({ "text": "foobar", "tags": ["sayings"], "more_data": { "pk": 1 } });
    let other = json!({ "verb": "English", "description": "talked about a group", "target": group, "data": data });
    assert_eq!(web.post(other).await.code(), 201);
    let newest = &web.get("/actors/user/1/events?verb=English").await["items"][0];
    assert_eq!((&newest["verb"], &newest["data"]), (&json!("English"), &data));
    assert_eq!(newest["description"], "talked about a group");
    // Who acts comes from the key, not from the body.
    let forged = web.post(json!({ "verb": "x", "actor": { "type": "user", "id": "2" } })).await;
    forged.problem(403, "identity-mismatch");
}

/// Cases 19, 28, 34, 46, 47, 49 and 68.
#[tokio::test]
async fn other_streams_are_read_by_their_paths() {
    let web = Web::new().await;
    for (path, names) in [
        ("/actors/user/2/events", "a4 a3"),
        ("/targets/user/2/events", "a2"),
        ("/objects/user/2/events", ""),
        ("/types/user/events?verb=commented+on", "a5"),
        ("/types/group/events", "a9 a8 a6 a5 a4 a3 a1"),
        ("/types/user/events", "a11 a10 a9 a8 a7 a5 a4 a3 a2 a1"),
        ("/targets/group/2/events", "a9 a8"),
        ("/any/user/1/events", "a10 a5 a2 a1"),
        ("/any/user/nobody/events", ""),
    ] {
        assert_eq!(web.names(path).await, names, "{path}");
    }
    let empty = web.get("/any/user/nobody/events").await;
    assert_eq!(empty, json!({ "items": [], "next": null, "prev": null, "query": null }));
    let target = &web.get("/targets/group/2/events").await["items"][1]["target"];
    assert_eq!(target["name"], "NiceGroup");
}

/// Cases 30 to 33 and 53.
#[tokio::test]
async fn whether_somebody_follows_is_answered_with_an_object() {
    let web = Web::new().await;
    for (path, is_following) in [
        ("user/2/group/1", true),
        ("user/1/group/1", false),
        ("user/4/group/2?flag=", true),
        ("user/1/group/2?flag=", false),
        ("user/4/group/2?flag=liking", true),
        ("user/1/group/2?flag=liking", false),
        ("user/1/site/1", false),
        ("user/1/user/2", true),
    ] {
        let answer = web.get(&format!("/follows/{path}")).await;
        assert_eq!(answer["is_following"], is_following, "{path}");
        assert!(answer["follower"].is_object() && answer["followed"].is_object());
    }
}

/// Cases 38, 40, 41, 42, 66 and 77.
#[tokio::test]
async fn list_and_details_are_there_for_those_with_a_key() {
    let web = Web::new().await;
    let list = web.get("/events").await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(11));
    let edges = ["user:1", "user:2", "user:4"].map(|follower| format!("follower={follower}"));
    let mut count = 0;
    for query in edges {
        count +=
            web.get(&format!("/follows?{query}")).await["items"].as_array().map_or(0, Vec::len);
    }
    assert_eq!(count, 6);
    let detail = web.get(&format!("/events/{}", web.f1.id(11))).await;
    assert_eq!(detail, list["items"][0]);
    assert_eq!(detail["occurred_at"], "2000-01-01T00:00:00.000000Z");
    assert_eq!(detail["target"]["name"], "Three");
    assert_eq!(web.get(&format!("/events/{}", web.f1.id(1))).await["verb"], "joined");
    for path in ["/events", "/follows?follower=user:1", "/feeds/user/1", "/types/user/events"] {
        assert_eq!(web.rig.get_as(WRITER, &format!("/api/v1{path}")).await.code(), 200, "{path}");
        web.rig.get(&format!("/api/v1{path}")).await.problem(401, "unauthenticated");
    }
}

/// Cases 43 and 78.
#[tokio::test]
async fn resources_show_type_id_and_name_and_nothing_else() {
    let web = Web::new().await;
    let list = web.get("/types/group/events").await;
    for item in list["items"].as_array().expect("items") {
        for part in ["actor", "target"] {
            let Some(resource) = item[part].as_object() else { continue };
            let mut keys: Vec<_> = resource.keys().map(String::as_str).collect();
            keys.sort_unstable();
            assert_eq!(keys, ["id", "name", "type"]);
        }
    }
}

/// Cases 56, 57 and 58.
#[tokio::test]
async fn feeds_are_documents_of_syndication() {
    let web = Web::new().await;
    let rss = [
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        "<rss ",
        "version=\"2.0\"",
        "<language>en-us",
        "xmlns:atom=\"http://www.w3.org/2005/Atom\"",
    ];
    let atom =
        ["xmlns=\"http://www.w3.org/2005/Atom\"", "xml:lang=\"en-us\"", "<uri>http://", "<id>tag:"];
    let of_feed = [
        "Activity feed for your followed actors",
        "Public activities of actors you follow",
        "Two started following CoolGroup",
        "Two joined CoolGroup",
    ];
    let of_type = [
        "Activity feed from users",
        "Public activities of users",
        "admin commented on CoolGroup",
        "Two started following CoolGroup",
        "Two joined CoolGroup",
        "admin started following Two",
        "admin joined CoolGroup",
    ];
    let of_object = ["Activity for Two", "admin started following Two"];
    for (path, texts) in [
        ("/feeds/user/1/events", &of_feed[..]),
        ("/types/user/events", &of_type),
        ("/any/user/2/events", &of_object),
    ] {
        web.has(&format!("{path}.rss"), &[&rss[..], texts].concat()).await;
        web.has(&format!("{path}.atom"), &[&atom[..], texts].concat()).await;
    }
    let count = async |path: &str| web.get(path).await["items"].as_array().map(Vec::len);
    assert_eq!(count("/feeds/user/1/events.json?self=true").await, Some(5));
    assert_eq!(count("/types/user/events.json").await, Some(10));
    assert_eq!(count("/any/user/2/events.json").await, Some(3));
}

/// Cases 61 and 62.
#[tokio::test]
async fn following_and_unfollowing_have_their_statuses() {
    let web = Web::new().await;
    for (flag, verb) in [("", "started following"), ("?flag=watching", "started watching")] {
        let path = format!("/follows/user/1/user/3{flag}");
        assert_eq!(web.send(Method::PUT, &path).await.code(), 201);
        assert_eq!(web.get(&path).await["is_following"], true);
        let verb = verb.replace(' ', "+");
        let told = web.get(&format!("/actors/user/1/events?verb={verb}&limit=1")).await;
        assert_eq!(told["items"][0]["target"]["id"], "3");
        for _ in 0..2 {
            assert_eq!(web.send(Method::DELETE, &path).await.code(), 204);
        }
        assert_eq!(web.get(&path).await["is_following"], false);
    }
}

/// Cases 71, 72 and 74.
#[tokio::test]
async fn search_is_a_stream_of_ones_own() {
    let web = Web::new().await;
    let path = "/events?q=actor:user:1+verb:joined";
    assert_eq!(web.names(path).await, "a1");
    assert_eq!(web.names(&format!("{path}&until=1970-01-01")).await, "");
    assert_eq!(web.names("/events?q=object:user:1+verb:joined").await, "");
    assert_eq!(web.names("/actors/user/1/events.json?q=verb:joined").await, "a1");
}
