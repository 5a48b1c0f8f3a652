//! Formats: by `Accept` or by the end of a path; what none can be, is refused with the choices.

use axum::http::Method;
use gesta::format::Format;

use super::{fill, ids};
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
    let wrong = rig.get_as(READER, "/api/v1/events.csv?columns=verb,x").await;
    assert_eq!(wrong.problem(400, "invalid-parameter")["errors"][0]["parameter"], "columns");
}
