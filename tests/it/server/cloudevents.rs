//! `CloudEvents` over HTTP: those of the relay come back as the actions that they were, others become actions.

use axum::http::Method;
use gesta::action::form;
use gesta::{Action, ActionId, Context, NewAction, Reader, StreamQuery, Tenant};
use serde_json::{Value, json};

use super::rig::{Rig, WRITER};
use crate::support::{TestDb, append, database, resource};

const STRUCTURED: &str = "application/cloudevents+json";

async fn actions(rig: &Rig) -> Vec<Action> {
    let reader = Reader::new(&rig.store, Tenant::default()).auditor();
    let page = StreamQuery::tenant().limit(1000).page(&reader).await.expect("a page");
    page.items.into_iter().filter(|action| action.source == gesta::Source::Api).collect()
}

/// An action with everything, as another database has it.
async fn action(other: &TestDb) -> Action {
    let store = other.store().await;
    let ctx = Context::new(&resource("user:ünï/ctrl\u{1}").named("Ann %41")).reason("OPS-1");
    let new = NewAction::new("close \"it\" 100%", &ctx)
        .object(&resource("issue:70 a:b").named("Crash"))
        .target(&resource("project:x"))
        .description("text")
        .changes(json!({ "status": ["open", "closed"] }))
        .data(json!({ "n": 1 }));
    append(&store, new).await;
    let reader = Reader::new(&store, Tenant::default()).auditor();
    StreamQuery::tenant().page(&reader).await.expect("a page").items.remove(0)
}

/// The same but for what the server writes.
fn assert_same(one: &Action, other: &Action) {
    let form = |action: &Action| {
        let mut form = serde_json::to_value(action).expect("JSON");
        form["recorded_at"] = Value::Null;
        form["source"] = Value::Null;
        form["context"].as_object_mut().expect("a context").remove("api");
        form
    };
    assert_eq!(form(one), form(other));
}

#[cfg(feature = "nats")]
#[tokio::test]
async fn events_of_the_relay_come_back_as_the_actions_that_they_were() {
    use gesta::relay::{Encoder, Mode, Subjects};
    let (db, other) = (database().await, database().await);
    let rig = Rig::start(&db).await;
    let action = action(&other).await;
    let encoder = |mode| Encoder::new(Subjects::default()).mode(mode);
    let structured = encoder(Mode::Structured).encode(&action, "1").expect("a message");
    let answer =
        rig.post_as(WRITER, "/api/v1/events", STRUCTURED, structured.payload.clone()).await;
    assert_eq!(answer.code(), 201, "{answer:?}");
    assert_same(&actions(&rig).await[0], &action);
    let key = rig.bearer(WRITER);
    let binary = encoder(Mode::Binary).encode(&action, "1").expect("a message");
    let mut headers = vec![("authorization", key.as_str()), ("content-type", "application/json")];
    headers.extend(binary.headers.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| (name.as_ref(), value.as_str()))
    }));
    let answer = rig.send(Method::POST, "/api/v1/events", &headers, binary.payload).await;
    assert_eq!((answer.code(), &answer.json()["duplicate"]), (200, &true.into()), "{answer:?}");
    let batch = format!("[{0},{0}]", String::from_utf8_lossy(&structured.payload));
    let answer = rig
        .post_as(WRITER, "/api/v1/events:batch", "application/cloudevents-batch+json", batch)
        .await;
    assert_eq!(answer.json()["counts"], json!({ "duplicate": 2 }));
    let stub = encoder(Mode::Structured).stub(&action, "1", gesta::relay::Parked::TooLarge);
    let stub = stub.expect("a message").payload;
    let problem = rig.post_as(WRITER, "/api/v1/events", STRUCTURED, stub).await;
    assert_eq!(problem.problem(400, "invalid-body")["errors"][0]["pointer"], "/parked");
}

fn event() -> Value {
    json!({
        "specversion": "1.0", "id": "A-1", "source": "https://shop.example/orders", "type": "issue.close",
        "subject": "issue:70", "time": "2026-11-20T12:00:00.5Z", "actor": "user:bob", "severity": 3,
        "data": { "n": 0.5 }
    })
}

#[tokio::test]
async fn events_of_others_become_actions_that_are_the_same_each_time() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let post = async |event: Value| {
        rig.post_as(WRITER, "/api/v1/events", STRUCTURED, event.to_string()).await
    };
    assert_eq!(post(event()).await.code(), 201);
    assert_eq!(post(event()).await.code(), 200, "again");
    let mut other = event();
    other["data"] = json!(2);
    post(other).await.problem(409, "conflict");
    let action = &actions(&rig).await[0];
    assert_eq!(action.verb, "close");
    assert_eq!(
        action.object.as_ref().map(|it| it.resource.to_string()).as_deref(),
        Some("issue:70")
    );
    assert_eq!(action.actor.resource.to_string(), "user:bob");
    assert_eq!(form::time(action.occurred_at), "2026-11-20T12:00:00.500000Z");
    let context = action.context.as_ref().expect("a context").value();
    let wanted = json!({
        "id": "A-1", "source": "https://shop.example/orders", "type": "issue.close", "subject": "issue:70", "severity": 3
    });
    assert_eq!(context["event"], wanted);
}

#[tokio::test]
async fn events_that_are_none_are_refused_by_their_attribute() {
    let db = database().await;
    let rig = Rig::start(&db).await;
    let wrong = [
        ("specversion", json!("0.3"), "/specversion"),
        ("specversion", Value::Null, "/specversion"),
        ("id", json!(""), "/id"),
        ("source", json!(5), "/source"),
        ("time", Value::Null, "/time"),
        ("time", json!("yesterday"), "/time"),
        ("actor", json!("bob"), "/actor"),
        ("actor", Value::Null, "/actor"),
        ("data_base64", json!("AA=="), "/data_base64"),
        ("datacontenttype", json!("text/xml"), "/datacontenttype"),
        ("tenant", json!("other"), "/tenant"),
    ];
    for (name, value, pointer) in wrong {
        let mut event = event();
        event[name] = value;
        let answer = rig.post_as(WRITER, "/api/v1/events", STRUCTURED, event.to_string()).await;
        assert!(answer.status.is_client_error(), "{name}: {answer:?}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer:?}");
    }
    let twice = event().to_string().replacen('{', r#"{"id":"x","#, 1);
    let problem = rig.post_as(WRITER, "/api/v1/events", STRUCTURED, twice).await;
    assert_eq!(problem.problem(400, "invalid-body")["errors"][0]["code"], "repeated");
    let mut own = event();
    own["id"] = ActionId::new(rig.store.now(), 1).to_string().into();
    own["time"] = Value::Null;
    let answer = rig.post_as(WRITER, "/api/v1/events", STRUCTURED, own.to_string()).await;
    assert_eq!((answer.code(), &answer.json()["id"]), (201, &own["id"]));
}
