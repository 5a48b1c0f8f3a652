//! Messages of hostile actions, and back.

use proptest::prelude::*;

use super::*;
use crate::action::{Audience, Outcome, Source};
use crate::json::Json;
use crate::resource::{Named, ResourceRef, Tenant};

const POSITION: &str = "1.7:12:9,11/42";

fn named(kind: &str, id: &str) -> Named {
    ResourceRef::new(kind, id).expect("a resource").named("Ännchen\n")
}

fn action(id: &str, verb: &str, audience: Audience) -> Action {
    let time = "2026-11-20T14:03:22.123456Z".parse().expect("a time");
    Action {
        tenant: Tenant::new("acme.eu").expect("a tenant"),
        id: ActionId::new(time, 7),
        actor: named("user", id),
        verb: verb.to_owned(),
        object: Some(named("issue", id)),
        target: Some(named("project", id)),
        occurred_at: time,
        recorded_at: time,
        run: None,
        source: Source::Emit,
        outcome: Outcome::Ok,
        description: Some(id.to_owned()),
        changes: None,
        data: Some(Json::parse(r#"{"n":12345678901234567890.5}"#).expect("JSON")),
        context: None,
        audience,
    }
}

fn public(id: &str) -> Action {
    action(id, "close", Audience::public())
}

fn encoded(action: &Action, mode: Mode) -> Outgoing {
    let encoder = Encoder::new(Subjects::default()).mode(mode);
    encoder.encode(action, POSITION).expect("a message")
}

fn header<'a>(message: &'a Outgoing, name: &str) -> Option<&'a str> {
    message.headers.get(name).map(HeaderValue::as_str)
}

proptest! {
    #[test]
    fn any_action_survives_in_both_modes(id in "[^\\x00]{1,40}", verb in "[^\\x00-\\x1f\\x7f-\\u{9f}]{1,40}") {
        let action = action(&id, &verb, Audience::public());
        for mode in [Mode::Binary, Mode::Structured] {
            let message = encoded(&action, mode);
            for (_, values) in message.headers.iter() {
                prop_assert!(values.iter().all(|value| value.as_str().bytes().all(|byte| byte.is_ascii_graphic())));
            }
            let read = Incoming::read(Some(&message.headers), &message.payload).expect("ours");
            prop_assert_eq!(&read.action, &action);
            prop_assert_eq!(&read.position, POSITION);
        }
    }
}

#[test]
fn binary_message_is_the_documented_one() {
    let message = encoded(&public("a b\"%\r\nNats-Msg-Id: x€"), Mode::Binary);
    let id = "a%20b%22%25%EF%BF%BD%EF%BF%BDNats-Msg-Id:%20x%E2%82%AC";
    let actor = format!("user:{id}");
    for (name, wanted) in [
        (ID_HEADER, "acme%2Eeu/01a1f944-dc8b-774c-8000-000000000007"),
        (POSITION_HEADER, POSITION),
        ("ce-specversion", "1.0"),
        ("ce-id", "01a1f944-dc8b-774c-8000-000000000007"),
        ("ce-source", "/act/acme%252Eeu"),
        ("ce-type", "issue.close"),
        ("ce-time", "2026-11-20T14:03:22.123456Z"),
        ("ce-datacontenttype", "application/json"),
        ("ce-tenant", "acme.eu"),
        ("ce-actor", &actor),
    ] {
        assert_eq!(header(&message, name), Some(wanted), "{name}");
    }
    assert_eq!(message.headers.len(), 12);
    assert_eq!(header(&message, CONTENT_TYPE_HEADER), None);
}

#[test]
fn structured_message_holds_everything_in_its_payload() {
    let message = encoded(&public("70"), Mode::Structured);
    let event: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
    assert_eq!(header(&message, CONTENT_TYPE_HEADER), Some("application/cloudevents+json"));
    assert_eq!(message.headers.len(), 3);
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["source"], "/act/acme%2Eeu");
    assert_eq!(event["subject"], "issue:70");
    assert_eq!(event["target"], "project:70");
    assert_eq!(event["data"]["verb"], "close");
    assert!(message.payload.windows(22).any(|text| text == b"12345678901234567890.5"));
}

#[test]
fn what_only_some_may_see_is_nowhere_in_the_public_tree() {
    for (audience, tree) in [
        (Audience::public(), "act.v1."),
        (Audience::labels(["staff", "public"]), "act.v1."),
        (Audience::labels(["staff"]), "act.v1p."),
        (Audience::labels(["Public"]), "act.v1p."),
        (Audience::auditors(), "act.v1p."),
    ] {
        let message = encoded(&action("70", "close", audience.clone()), Mode::Binary);
        assert!(message.subject.starts_with(tree), "{audience:?}: {}", message.subject);
    }
}

#[test]
fn length_is_what_goes_over_the_wire() {
    let message = encoded(&public("70"), Mode::Binary);
    let headers: usize = message
        .headers
        .iter()
        .map(|(name, values)| format!("{name}: {}\r\n", values[0].as_str()).len())
        .sum();
    let len = headers + "NATS/1.0\r\n\r\n".len() + message.payload.len();
    assert_eq!(message.wire_len(), len);
    message.check_len(len).expect("it just fits");
    let error = message.check_len(len - 1).expect_err("one byte too much").to_string();
    assert!(error.contains(&format!("a message of {len} bytes, but the broker takes {}", len - 1)));
}

#[test]
fn strangers_messages_are_refused_with_the_reason() {
    let message = encoded(&public("70"), Mode::Binary);
    let read = |headers: &HeaderMap, payload: &[u8]| {
        let error = Incoming::read(Some(headers), payload).expect_err("a stranger's");
        crate::error::chain(&error)
    };
    assert!(read(&HeaderMap::new(), b"{}").contains("no header `Nats-Msg-Id`"));
    let mut headers = message.headers.clone();
    assert!(read(&headers, b"{}").contains("missing field `id`"), "{}", read(&headers, b"{}"));
    headers.insert(ID_HEADER, "other");
    assert!(
        read(&headers, &message.payload)
            .contains("id is `other`, but its action is acme%2Eeu/01a1f944")
    );
    assert!(Incoming::read(None, &message.payload).is_err());
}

#[test]
fn header_names_of_another_case_and_media_types_with_parameters_are_read() {
    let message = encoded(&public("70"), Mode::Structured);
    let mut headers = HeaderMap::new();
    headers.insert("nats-msg-id", header(&message, ID_HEADER).expect("the id"));
    headers.insert("GESTA-POSITION", POSITION);
    headers.insert("Content-Type", "Application/CloudEvents+json; charset=utf-8");
    let read = Incoming::read(Some(&headers), &message.payload).expect("ours");
    assert_eq!(read.action, public("70"));
}

#[test]
fn message_id_has_the_tenant_and_is_read_from_where_earlier_versions_put_it() {
    let mut action = public("a.b");
    action.tenant = Tenant::new("a/b.c €").expect("a tenant");
    let mut message = encoded(&action, Mode::Structured);
    let (name, id) = (MessageId::of(&action), action.id.to_string());
    assert_eq!(header(&message, ID_HEADER), Some(&*format!("a%2Fb%2Ec%20%E2%82%AC/{id}")));
    for text in [name.to_string(), id] {
        assert_eq!(MessageId::read(&text, &message.subject), Some(name.clone()));
        message.headers.insert(ID_HEADER, text);
        let read = Incoming::read(Some(&message.headers), &message.payload).expect("ours");
        assert_eq!(read.action, action);
    }
    let other = name.to_string().replace("a%2Fb", "b");
    message.headers.insert(ID_HEADER, other);
    assert!(Incoming::read(Some(&message.headers), &message.payload).is_err());
    assert_eq!(MessageId::read("a/b", &message.subject), None);
    assert_eq!(MessageId::read("7", "act.v1"), None);
}

/// With the longest name of a stream, the longest tenant, and all digits of a number.
#[test]
fn room_for_what_the_relay_adds_is_enough() {
    use async_nats::header::{
        NATS_EXPECTED_LAST_MESSAGE_ID, NATS_EXPECTED_LAST_SEQUENCE, NATS_EXPECTED_STREAM,
    };
    let mut action = public("70");
    action.tenant = Tenant::new("é".repeat(31)).expect("a tenant");
    let id = MessageId::of(&action).to_string();
    let added = [
        (NATS_EXPECTED_STREAM.as_ref(), "x".repeat(64)),
        (NATS_EXPECTED_LAST_SEQUENCE.as_ref(), u64::MAX.to_string()),
        (NATS_EXPECTED_LAST_MESSAGE_ID.as_ref(), id + "%20"),
        (COMPARED_HEADER, "2026-11-20T14:03:22.123456Z".to_owned()),
    ];
    let len: usize = added.iter().map(|(name, value)| format!("{name}: {value}\r\n").len()).sum();
    assert!(len <= super::super::publish::FENCE_LEN_MAX, "{len}");
}

#[test]
fn position_that_would_end_a_header_is_refused() {
    let encoder = Encoder::default();
    for position in ["", "a b", "a\r\nX: y", "é"] {
        let error = encoder.encode(&public("70"), position).expect_err("no header");
        assert!(matches!(error, MessageError::Position { .. }), "{error}");
    }
}
