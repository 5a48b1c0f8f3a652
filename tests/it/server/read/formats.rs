//! Formats: by `Accept` or by the end of a path; what none can be, is refused with the choices.

use axum::http::Method;
use gesta::format::Format;

use super::{fill, ids, path_of};
use crate::server::rig::{Answer, READER, Rig};
use crate::support::database;

async fn accept(rig: &Rig, path: &str, accept: &str) -> Answer {
    let key = rig.bearer(READER);
    let headers = [("authorization", key.as_str()), ("accept", accept)];
    rig.send(Method::GET, path, &headers, "").await
}

/// How many actions a document has.
fn count(format: Format, answer: &Answer) -> usize {
    match format {
        Format::Json => ids(&answer.json()).len(),
        Format::Ndjson => answer.text().lines().count(),
        Format::Csv => answer.text().lines().count() - 1,
        Format::ActivityStreams => {
            let json = answer.json();
            json["first"]["orderedItems"].as_array().expect("items").len()
        }
        Format::Atom => answer.text().matches("<entry>").count(),
        Format::Rss => answer.text().matches("<item>").count(),
        Format::CloudEventsBatch => answer.json().as_array().expect("events").len(),
    }
}

#[tokio::test]
async fn every_list_is_there_in_every_format_by_header_and_by_suffix() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 3).await;
    for (path, len) in [
        ("events", 3),
        ("objects/issue/1/events", 1),
        ("actors/user/ann/events", 3),
        ("targets/project/0/events", 2),
        ("any/issue/1/events", 1),
        ("types/issue/events", 3),
        ("runs/00000000-0000-7000-8000-000000000001/events", 0),
        ("feeds/user/ann/events", 0),
    ] {
        for format in Format::ALL {
            let by_header = accept(&rig, &format!("/api/v1/{path}"), format.media_type()).await;
            let by_suffix =
                rig.get_as(READER, &format!("/api/v1/{path}.{}", format.suffix())).await;
            for answer in [&by_header, &by_suffix] {
                assert_eq!(answer.code(), 200, "{path} {format}");
                assert_eq!(answer.header("content-type"), format.content_type());
                assert!(answer.header("vary").contains("accept"), "{:?}", answer.headers);
                assert_eq!(count(format, answer), len, "{path} {format}");
                assert!(answer.header("link").contains("rel=\"self\""), "{path} {format}");
            }
        }
    }
    assert_eq!(rig.get_as(READER, "/api/v1/events.jsonl").await.text().lines().count(), 3);
    let feed = accept(&rig, "/api/v1/feeds/user/ann", "application/atom+xml").await;
    assert!(feed.text().contains("Activity feed for your followed actors"), "{}", feed.text());
}

#[tokio::test]
async fn what_cannot_be_given_is_refused_with_the_choices() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let problem = accept(&rig, "/api/v1/events", "text/html").await.problem(406, "not-acceptable");
    let detail = problem["detail"].as_str().expect("a detail");
    for format in Format::ALL {
        assert!(detail.contains(format.media_type()), "{detail}");
    }
    // The end of a path says more than a browser's header.
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    assert_eq!(accept(&rig, "/api/v1/events.csv", browser).await.code(), 200);
    assert_eq!(accept(&rig, "/api/v1/events.csv", "text/html").await.code(), 200);
    accept(&rig, "/api/v1/follows?follower=user:1", "text/csv")
        .await
        .problem(406, "not-acceptable");
}

#[tokio::test]
async fn links_lead_around_in_headers_and_bodies() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 5).await;
    let first = rig.get_as(READER, "/api/v1/events.atom?limit=2").await;
    let link = |answer: &Answer, rel: &str| {
        let header = answer.header("link").to_owned();
        let mut links = header.split(", ").filter_map(|link| link.split_once("; rel="));
        let found = links.find(|(_, name)| *name == format!("\"{rel}\""));
        found.map(|(url, _)| url.trim_matches(['<', '>']).to_owned())
    };
    let base = format!("http://{}/api/v1/events.atom?limit=2", rig.address);
    assert_eq!(link(&first, "self").as_deref(), Some(base.as_str()));
    assert_eq!(link(&first, "first"), link(&first, "self"));
    let next = link(&first, "next").expect("a next page");
    assert!(next.starts_with(&format!("{base}&cursor=")), "{next}");
    assert!(first.text().contains(&next.replace('&', "&amp;")), "{}", first.text());
    let path = next.strip_prefix(&format!("http://{}", rig.address)).expect("here");
    let second = rig.get_as(READER, path).await;
    assert_eq!(link(&second, "self"), Some(next));
    assert_eq!(link(&second, "first").as_deref(), Some(base.as_str()));
    assert!(link(&second, "prev").is_some() && link(&second, "next").is_some());
}

/// What readers of syndication tell feeds apart by (RFC 4287, section 4.2.6).
#[tokio::test]
async fn feeds_have_one_id_each() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 1).await;
    let id = async |path: &str| {
        let answer = accept(&rig, &format!("/api/v1/{path}"), "application/atom+xml").await;
        assert_eq!(answer.code(), 200, "{answer:?}");
        let (_, rest) = answer.text().split_once("<id>").expect("an id");
        rest.split_once("</id>").expect("its end").0.to_owned()
    };
    let different = [
        "events",
        "events?q=verb:a",
        "events?q=verb:b",
        "events?verb=a",
        "events?since=2026-01-01",
        "events?since=2d",
        "types/walk/events?role=actor",
        "types/walk/events?role=object",
        "feeds/user/ann",
        "feeds/user/ann?flag=x",
        "feeds/user/ann?self=true",
    ];
    let mut ids = std::collections::BTreeSet::new();
    for path in different {
        assert!(ids.insert(id(path).await), "{path}");
    }
    for (path, same) in [
        ("events", "events.atom"),
        ("events", "events?limit=7&columns=verb"),
        ("events?q=verb:a", "events.atom?q=action:a&limit=3"),
        ("events?since=2d", "events.atom?since=48h"),
        ("types/walk/events?role=actor", "types/walk/events.atom?role=actor"),
        ("feeds/user/ann?flag=x", "feeds/user/ann/events.atom?flag=x"),
    ] {
        assert_eq!(id(path).await, id(same).await, "{path} {same}");
    }
}

#[tokio::test]
async fn what_documents_link_to_is_there() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 1).await;
    let kind = "application/activity+json";
    let page = accept(&rig, "/api/v1/events", kind).await.json();
    let item = &page["first"]["orderedItems"][0];
    let get = async |url: &serde_json::Value| {
        let path = path_of(&rig, url).expect("an URL");
        let answer = accept(&rig, &path, kind).await;
        assert_eq!((answer.code(), answer.header("content-type")), (200, kind), "{path}");
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert!(vary.iter().any(|it| *it == "accept"), "{vary:?}");
        (answer.header("etag").to_owned(), answer.json())
    };
    for role in ["actor", "object", "target"] {
        get(&item[role]["id"]).await;
    }
    let (tag, mut own) = get(&item["id"]).await;
    assert_eq!(own["@context"], page["@context"]);
    own.as_object_mut().expect("an object").remove("@context");
    assert_eq!(own, *item);
    let path = path_of(&rig, &item["id"]).expect("an URL");
    let json = accept(&rig, &path, "application/json").await;
    assert_eq!((json.code(), json.header("content-type")), (200, "application/json"));
    assert_ne!(json.header("etag"), tag, "another representation");
    let atom = rig.get_as(READER, "/api/v1/events.atom").await;
    let uri = item["actor"]["id"].as_str().expect("an URL");
    assert!(atom.text().contains(&format!("<uri>{uri}</uri>")), "{}", atom.text());
}

#[tokio::test]
async fn csv_is_as_it_is_asked_for() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    fill(&rig, 1).await;
    let csv = rig.get_as(READER, "/api/v1/events.csv?columns=verb,object_id&bom=true").await;
    assert_eq!(csv.text(), "\u{feff}verb,object_id\r\nclose,0\r\n");
    // One URL serves all formats.
    let json = rig.get_as(READER, "/api/v1/events.json?columns=verb&raw=true&cursor=").await;
    assert_eq!(json.json()["items"][0]["object"]["id"], "0");
    let headless = accept(&rig, "/api/v1/events", "text/csv; header=absent").await;
    headless.problem(406, "not-acceptable");
    let wrong = rig.get_as(READER, "/api/v1/events.csv?columns=verb,x").await;
    assert_eq!(wrong.problem(400, "invalid-parameter")["errors"][0]["parameter"], "columns");
}
