//! The live stream: each action once, from any position on, until the server ends.

use std::collections::BTreeSet;

use axum::http::Method;
use gesta::access::{NewKey, Scope};
use gesta::{Audience, Context, NewAction, Tenant};

use super::raw::{Live, Raw};
use super::{closes, closes_in};
use crate::server::rig::{READER, Rig, WRITER, make_key};
use crate::support::{append, append_all, check_log, database, resource};

const STREAM: &str = "/api/v1/events/stream";

#[tokio::test]
async fn client_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    const WRITERS: i64 = 3;
    const EACH: i64 = 60;
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mut live = Live::get(&rig, READER, STREAM, None).await;
    let mut position = live.position().await;
    let writers = (0..WRITERS).map(|writer| {
        let store = rig.store.clone();
        tokio::spawn(async move {
            for action in closes(EACH) {
                append(&store, action.data(serde_json::json!({ "writer": writer }))).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut seen = BTreeSet::new();
    let mut lives = 1;
    while seen.len() < usize::try_from(WRITERS * EACH).expect("few") {
        // Now by the header, which says more than the URL, and now by the URL.
        live = match lives % 3 {
            0 => Live::get(&rig, READER, &format!("{STREAM}?after={position}"), None).await,
            1 => Live::get(&rig, READER, &format!("{STREAM}?after=start"), Some(&position)).await,
            _ => live,
        };
        lives += 1;
        for _ in 0..7.min(usize::try_from(WRITERS * EACH).expect("few") - seen.len()) {
            let (id, after) = live.action().await;
            assert!(seen.insert(id), "twice");
            position = after;
        }
    }
    for writer in writers {
        writer.await.expect("written");
    }
    append(&rig.store, closes(1).remove(0)).await;
    assert!(seen.insert(live.action().await.0), "twice");
    check_log(&db).await;
}

#[tokio::test]
async fn stream_has_what_the_search_finds_and_the_reader_sees() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let ctx = Context::new(&resource("user:ann"));
    let act = |verb: &str, labels: &[&str]| {
        NewAction::new(verb, &ctx)
            .object(&resource("issue:1"))
            .audience(Audience::labels(labels.iter().copied()))
    };
    let mut live = Live::get(&rig, READER, &format!("{STREAM}?q=verb:close"), None).await;
    assert!(live.raw.head.contains("content-type: text/event-stream"), "{}", live.raw.head);
    assert!(live.raw.head.contains("x-accel-buffering: no"), "{}", live.raw.head);
    let began = live.position().await;
    append(&rig.store, act("open", &["public"])).await;
    append(&rig.store, act("close", &["team:a"])).await;
    append_all(&rig.store, closes_in(&Tenant::new("other").expect("a tenant"), 1)).await;
    let seen = append(&rig.store, act("close", &["public"])).await;
    assert_eq!(live.action().await.0, seen.to_string());
    let who = resource("service:a").named("a");
    let new = || NewKey::new("a", &who).scopes([Scope::EventsRead]);
    let of_team = make_key(&db, new().labels(["team:a"])).await;
    let auditor = make_key(&db, new().auditor()).await;
    for (key, count) in [(of_team, 1), (auditor, 3)] {
        let path = format!("{STREAM}?q=object:issue:1&after={began}");
        let mut live = Live::get(&rig, &key, &path, None).await;
        for _ in 0..count {
            live.action().await;
        }
        live.position().await;
    }
}

#[tokio::test]
async fn position_of_another_database_is_a_reset() {
    let (db, other) = (database().await, database().await);
    let (rig, elsewhere) = (Rig::start(&db).await, Rig::start(&other).await);
    let position = Live::get(&elsewhere, READER, STREAM, None).await.position().await;
    let mut live = Live::get(&rig, READER, STREAM, Some(&position)).await;
    let reset = live.next().await.expect("an event");
    assert_eq!(reset.event, "reset");
    assert!(reset.data.contains("another database"), "{reset:?}");
    let id = append(&rig.store, closes(1).remove(0)).await;
    assert_eq!(live.action().await.0, id.to_string());
    for (header, query) in [("nonsense", ""), ("", "?after=nonsense")] {
        let key = rig.bearer(READER);
        let headers = [("authorization", key.as_str()), ("last-event-id", header)];
        let answer = rig.send(Method::GET, &format!("{STREAM}{query}"), &headers, "").await;
        assert_eq!(answer.code(), 400);
    }
    let wrong = rig.get_as(READER, &format!("{STREAM}?q=actr:x")).await;
    wrong.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn server_that_ends_ends_its_streams() {
    let db = database().await;
    let mut rig = Rig::start(&db).await;
    let mut live = Live::get(&rig, READER, STREAM, None).await;
    live.position().await;
    rig.ask_to_stop();
    assert!(live.next().await.is_none(), "an end in order");
    rig.stop().await.expect("nothing was cut");
}

#[tokio::test]
async fn stream_ends_when_its_key_is_revoked() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mut live = Live::get(&rig, READER, STREAM, None).await;
    live.position().await;
    let admin = db.admin().await;
    let revoke = "UPDATE gesta.key SET revoked_at = now() WHERE name = 'reader'";
    assert_eq!(admin.execute(revoke, &[]).await.expect("revoked"), 1);
    while live.next().await.is_some() {}
    rig.get_as(READER, "/api/v1/events").await.problem(401, "unauthenticated");
    assert_eq!(rig.get_as(WRITER, "/api/v1/events").await.code(), 200);
}

#[tokio::test]
async fn key_has_a_limited_number_of_streams() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(Live::get(&rig, READER, STREAM, None).await);
    }
    rig.get_as(READER, STREAM).await.problem(429, "quota-exceeded");
    let _another = Live::get(&rig, WRITER, STREAM, None).await;
    // What ends gives its place back, at the latest when the next event cannot be sent.
    open.pop();
    for _ in 0..100 {
        append(&rig.store, closes(1).remove(0)).await;
        let request = Raw::get(&rig, READER, STREAM, "").await;
        if request.head.starts_with("HTTP/1.1 200") {
            return;
        }
        assert!(request.head.starts_with("HTTP/1.1 429"), "{}", request.head);
    }
    panic!("a stream that has ended keeps its place");
}
