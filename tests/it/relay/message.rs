//! Messages through the real server, and the schema that consumers validate them with.

use async_nats::Message;
use futures_util::StreamExt as _;
use gesta::relay::subject::Id;
use gesta::relay::{Encoder, Ids, Incoming, Mode, Publisher, Subjects, Tree};
use gesta::{Action, ResourceRef};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{action_from, action_of};
use crate::support::{TestNats, nats};

/// What breaks subjects, headers, terminals and limits.
fn hostile_ids() -> Vec<String> {
    let any: Vec<char> = (1..=255).filter_map(char::from_u32).collect();
    [
        ".",
        "..",
        "*",
        ">",
        "a.*.>",
        " ",
        "\t\r\n",
        "\r\nNats-Msg-Id: x",
        "$JS.API",
        "%2E",
        "~",
        "=",
        "👍",
        "é",
        "e\u{301}",
    ]
    .into_iter()
    .map(str::to_owned)
    // 255 bytes of anything, and then of nothing but what is escaped.
    .chain([any.iter().take(127).collect(), any[127..].iter().take(64).collect()])
    .chain(["👍".repeat(63), "x".repeat(2048), ".".repeat(2048), ".".repeat(2047)])
    .collect()
}

async fn publish(nats: &TestNats, encoder: &Encoder, actions: &[Action]) {
    nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    let messages = actions.iter().map(|action| encoder.encode(action, "1:2:3").expect("a message"));
    publisher.publish(messages, 0).await.expect("published");
}

#[tokio::test]
async fn hostile_ids_come_back_through_the_broker_and_never_share_a_subject() {
    let nats = nats().await;
    let ids = hostile_ids();
    assert_eq!(ids[17].len(), 63 * 4);
    let actions: Vec<_> = (0..).zip(&ids).map(|(n, id)| action_of(n, id)).collect();
    let mut all =
        nats.client.subscribe(format!("{}.>", nats.subjects().prefix())).await.expect("all");
    // A subscription to each object, which gets that object's action and no other.
    let mut each = Vec::new();
    for action in &actions {
        let object = &action.object.as_ref().expect("an object").resource;
        let filter = nats.subjects().filter(Tree::Public).tenant(&action.tenant).object(object);
        each.push(nats.client.subscribe(filter.to_string()).await.expect("one"));
    }
    nats.client.flush().await.expect("the server knows");
    publish(&nats, &nats.encoder, &actions).await;
    for ((action, id), one) in actions.iter().zip(&ids).zip(&mut each) {
        let message = all.next().await.expect("a message");
        assert_eq!(&read(&message), action);
        match nats.subjects().parse(&message.subject).expect("one of ours").object_id {
            Id::Text(found) => assert_eq!(&found, id),
            other => assert!(id.len() > 340, "{other:?}"),
        }
        assert_eq!(read(&one.next().await.expect("a message")), *action);
    }
    // All have been delivered; what is left in a subscription of one object is another one's.
    nats.client.flush().await.expect("all has come");
    for mut one in each {
        one.unsubscribe().await.expect("done");
        assert!(one.next().await.is_none());
    }
}

fn read(message: &Message) -> Action {
    Incoming::read(message.headers.as_ref(), &message.payload).expect("ours").action
}

#[tokio::test]
async fn consumers_filter_by_object_type_verb_tenant_and_lane() {
    let nats = nats().await;
    let given = [
        json!({ "tenant": "a.b", "object": { "type": "issue", "id": "1" } }),
        json!({ "tenant": "a.b", "object": { "type": "issue", "id": "2" }, "verb": "re open" }),
        json!({ "tenant": "c", "object": { "type": "pull.request", "id": "1" } }),
        json!({ "tenant": "c" }),
    ];
    let with_id = |(n, mut given): (usize, Value)| {
        given["id"] = json!(format!("01a1f944-dc8b-774c-8000-{n:012}"));
        action_from(&given)
    };
    let actions: Vec<_> = given.into_iter().enumerate().map(with_id).collect();
    publish(&nats, &nats.encoder, &actions).await;
    let all = nats.subjects().filter(Tree::Public);
    let issue: ResourceRef = "issue:1".parse().expect("an object");
    let kind = "pull.request".parse().expect("a type");
    let lane = nats.subjects().parse(&nats.subjects().of(&actions[1])).expect("ours").lane;
    for (filter, wanted) in [
        (all.clone(), vec![0, 1, 2, 3]),
        (all.clone().tenant(&actions[0].tenant), vec![0, 1]),
        (all.clone().tenant(&actions[0].tenant).object(&issue), vec![0]),
        (all.clone().object_type(&kind), vec![2]),
        (all.clone().verb("re open"), vec![1]),
        (all.clone().tenant(&actions[1].tenant).lane(lane).verb("re open"), vec![1]),
        (nats.subjects().filter(Tree::Private), vec![]),
    ] {
        let ids: Vec<_> = wanted.iter().map(|&n: &usize| actions[n].id).collect();
        assert_eq!(received(&nats, &filter.to_string()).await, ids, "{filter}");
        let admitted: Vec<_> =
            actions.iter().filter(|action| filter.admits(action)).map(|it| it.id).collect();
        assert_eq!(admitted, ids, "{filter}");
    }
}

/// The ids of what a new consumer with a filter gets.
async fn received(nats: &TestNats, filter: &str) -> Vec<gesta::ActionId> {
    let config = async_nats::jetstream::consumer::pull::Config {
        filter_subject: filter.to_owned(),
        ..Default::default()
    };
    let stream = nats.jet_stream.get_stream(nats.spec.name()).await.expect("the stream");
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let messages = consumer.fetch().max_messages(100).messages().await.expect("asked");
    messages.map(|message| read(&message.expect("a message")).id).collect().await
}

#[tokio::test]
async fn ids_that_are_left_out_share_a_subject_and_are_told_apart_by_the_filter() {
    let nats = nats().await;
    let subjects = Subjects::new(nats.subjects().prefix().clone()).ids(Ids::LeftOut);
    let actions = [action_of(1, "70"), action_of(2, "71")];
    publish(&nats, &Encoder::new(subjects.clone()), &actions).await;
    for action in &actions {
        let object = &action.object.as_ref().expect("an object").resource;
        let filter = subjects.filter(Tree::Public).tenant(&action.tenant).object(object);
        assert!(filter.to_string().ends_with(".issue.*.~"), "{filter}");
        assert!(received(&nats, &filter.to_string()).await.contains(&action.id));
        let admitted: Vec<_> = actions.iter().filter(|it| filter.admits(it)).collect();
        assert_eq!(admitted, [action]);
    }
}

/// The schema's part of this name.
fn validator(part: &str) -> Validator {
    let text = include_str!("../../../schema/message.schema.json");
    let mut schema: Value = serde_json::from_str(text).expect("JSON");
    if !part.is_empty() {
        schema.as_object_mut().expect("an object").remove("oneOf");
        schema["$ref"] = json!(format!("#/$defs/{part}"));
    }
    jsonschema::validator_for(&schema).expect("a schema")
}

fn assert_valid(part: &str, value: &Value) {
    let errors: Vec<_> =
        validator(part).iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{part}: {errors:?}\n{value}");
}

#[tokio::test]
async fn real_messages_are_those_of_the_schema() {
    let nats = nats().await;
    nats.spec.open(&nats.jet_stream).await.expect("made");
    let publisher = Publisher::new(nats.jet_stream.clone(), nats.spec.name());
    let full = json!({
        "verb": "booked a concert", "tenant": "a b", "target": { "type": "hall", "id": "7\n\"%", "name": null },
        "object": { "type": "concert", "id": "👍" }, "run_id": "0192f0c1-2345-7abc-8def-0123456789ab",
        "changes": { "seats": [1, 2] }, "data": [1, "x"], "context": { "reason": "r" }, "description": "d",
        "audience": ["staff"],
    });
    let bare = json!({ "id": "01a1f944-dc8b-774c-8000-000000000001" });
    let mut last = 0;
    for (mode, payload, headers) in
        [(Mode::Binary, "action", "headers"), (Mode::Structured, "event", "structuredHeaders")]
    {
        for given in [&full, &bare] {
            let mut given = given.clone();
            given["id"] = json!(format!("01a1f944-dc8b-774c-8000-00000000000{last}"));
            let encoder = nats.encoder.clone().mode(mode);
            let message = encoder.encode(&action_from(&given), "1:2:3").expect("a message");
            last = publisher.publish([message], last).await.expect("published");
            let stream = nats.jet_stream.get_stream(nats.spec.name()).await.expect("the stream");
            let stored = stream.get_raw_message(last).await.expect("a message");
            let body = serde_json::from_slice(&stored.payload).expect("JSON");
            assert_valid(payload, &body);
            assert_valid("", &body);
            assert_valid(headers, &headers_of(&stored));
            let rest = stored.subject.strip_prefix(nats.subjects().prefix().as_str());
            assert_valid("subject", &json!(format!("act{}", rest.expect("the prefix"))));
        }
    }
}

/// The headers as the broker keeps them, without those that fence a publish.
fn headers_of(message: &async_nats::jetstream::message::StreamMessage) -> Value {
    let fence = |name: &str| name.starts_with("Nats-Expected-");
    let headers =
        message.headers.iter().map(|(name, values)| (name.to_string(), json!(values[0].as_str())));
    headers.filter(|(name, _)| !fence(name)).collect()
}

/// CloudEvents allows no noncharacters in attributes.
#[test]
fn tenant_with_a_noncharacter_is_exact_in_the_action_only() {
    let action = action_from(&json!({ "tenant": "a\u{fffe}b" }));
    let encoder = Encoder::new(Subjects::default());
    let message = encoder.encode(&action, "1:2:3").expect("a message");
    let header = message.headers.get("ce-tenant").map(async_nats::HeaderValue::as_str);
    assert_eq!(header, Some("a%EF%BF%BDb"));
    let message = encoder.mode(Mode::Structured).encode(&action, "1:2:3").expect("a message");
    let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
    assert_eq!(
        (&event["tenant"], &event["data"]["tenant"]),
        (&json!("a\u{fffd}b"), &json!("a\u{fffe}b"))
    );
}

#[test]
fn schema_refuses_what_is_no_message() {
    let action = serde_json::to_value(action_of(1, "70")).expect("JSON");
    assert_valid("action", &action);
    let without = |key: &str| {
        let mut action = action.clone();
        action.as_object_mut().expect("an object").remove(key);
        action
    };
    for key in action.as_object().expect("an object").keys() {
        assert!(!validator("action").is_valid(&without(key)), "{key}");
        assert!(!validator("").is_valid(&without(key)), "{key}");
    }
    for (key, value) in [
        ("id", json!("e4eaaaf2-d142-11e1-b3e4-080027620cdd")),
        ("changes", json!({ "a": [1] })),
        ("occurred_at", json!("2026-11-20T14:03:22Z")),
        ("outcome", json!("maybe")),
        ("object", json!({ "type": "issue", "id": "", "name": null })),
    ] {
        let mut action = action.clone();
        action[key] = value;
        assert!(!validator("action").is_valid(&action), "{key}");
    }
    for subject in [
        "act.v1.a.0.b.c",
        "act.v2.a.0.b.c.d",
        "act.v1.a.g.b.c.d",
        "act.v1.a.0.b.c.%2e",
        "act.v1.*.0.b.c.d",
    ] {
        assert!(!validator("subject").is_valid(&json!(subject)), "{subject}");
    }
}
