//! Other people's events, and mistakes.

use serde_json::{Value, json};

use super::*;

fn event() -> Value {
    json!({
        "specversion": "1.0", "id": "A234-1234", "source": "https://github.com/cloudevents", "subject": "pull/123",
        "type": "com.github.pull_request.opened", "time": "2018-04-05T17:31:00+02:00",
        "datacontenttype": "application/json", "comexampleext": 7, "data": { "n": 1 },
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut event = event();
    event[name] = value;
    event
}

fn taken(event: &Value) -> NewAction {
    read(&event.to_string(), &Tenant::default()).expect("an action")
}

#[test]
fn foreign_event_becomes_an_action_that_is_the_same_each_time() {
    let action = taken(&event());
    assert_eq!(action.verb, "com.github.pull_request.opened");
    assert_eq!(action.actor.resource.to_string(), "source:https://github.com/cloudevents");
    assert_eq!(
        action.object.as_ref().map(|it| it.resource.to_string()).as_deref(),
        Some("pull:123")
    );
    let time: DateTime<Utc> = "2018-04-05T15:31:00Z".parse().expect("a time");
    assert_eq!(action.occurred_at, Some(time));
    assert_eq!(action.id.map(ActionId::time), Some(time));
    assert_eq!(action.data.as_ref().map(Json::get), Some(r#"{"n":1}"#));
    let context = action.context.as_ref().expect("a context").value();
    assert_eq!(context["source_id"], "A234-1234");
    assert_eq!(context["cloudevent"]["comexampleext"], 7);
    assert_eq!(context["cloudevent"]["time"], "2018-04-05T17:31:00+02:00");
    assert_eq!(context["cloudevent"].get("data"), None);
    assert_eq!(taken(&event()), action);
    for (name, value) in [("id", "A234-1235"), ("source", "/other"), ("tenant", "other")] {
        assert_ne!(taken(&with(name, json!(value))).id, action.id, "{name}");
    }
}

#[test]
fn uuid_is_the_id_where_it_agrees_with_the_time() {
    let id = "01a1f944-dc8b-774c-8000-000000000007";
    let mut event = with("id", json!(id));
    assert_ne!(taken(&event).id.map(|id| id.to_string()).as_deref(), Some(id));
    for time in [json!("2026-11-20T14:03:22.123999Z"), Value::Null] {
        event["time"] = time;
        assert_eq!(taken(&event).id.map(|id| id.to_string()).as_deref(), Some(id));
    }
}

#[test]
fn who_and_what_are_read_from_the_attributes_that_tell_them() {
    let mut event = with("type", json!("issue.close"));
    for (subject, object, verb) in [
        ("issue:70", "issue:70", "close"),
        ("issue/7:0", "issue:7:0", "close"),
        ("mynewfile.jpg", "subject:mynewfile.jpg", "issue.close"),
        ("/a/b", "subject:/a/b", "issue.close"),
        ("a b/c", "subject:a b/c", "issue.close"),
    ] {
        event["subject"] = json!(subject);
        let action = taken(&event);
        assert_eq!(action.object.expect("an object").resource.to_string(), object);
        assert_eq!(action.verb, verb);
    }
    let actor = |event: &Value| taken(event).actor.resource.to_string();
    event["authid"] = json!("u1");
    assert_eq!(actor(&event), "user:u1");
    event["authtype"] = json!("service_account");
    assert_eq!(actor(&event), "service_account:u1");
    event["actor"] = json!("user:42");
    assert_eq!(actor(&event), "user:42");
    event["target"] = json!("project:9");
    assert_eq!(taken(&event).target.expect("a target").resource.to_string(), "project:9");
    event["subject"] = Value::Null;
    assert_eq!(taken(&event).object, None);
    event.as_object_mut().expect("an object").remove("data");
    event["data_base64"] = json!("Zm9v");
    assert_eq!(taken(&event).data.as_ref().map(Json::get), Some(r#"{"data_base64":"Zm9v"}"#));
}

#[test]
fn refusals_name_the_attribute() {
    for (name, value, field, text) in [
        ("specversion", json!("0.3"), "specversion", "`0.3` is not `1.0`"),
        ("specversion", Value::Null, "specversion", "is missing"),
        ("id", json!(""), "id", "is missing"),
        ("id", json!(7), "id", "`7` is no text"),
        ("id", json!("a\0"), "id", "without NUL"),
        ("source", Value::Null, "source", "is missing"),
        ("source", json!("x".repeat(3000)), "source", "1 to 2048 bytes"),
        ("type", Value::Null, "type", "is missing"),
        ("type", json!("a\nb"), "verb", "without control characters"),
        ("time", json!("yesterday"), "time", "RFC 3339"),
        ("time", Value::Null, "time", "a second delivery would be another action"),
        ("time", json!("0001-01-01T00:00:00Z"), "occurred_at", "outside of 1970"),
        ("actor", json!("alice"), "actor", "TYPE:ID"),
        ("target", json!(["x"]), "target", "is no text"),
        ("tenant", json!("a\nb"), "tenant", "control characters"),
        ("data_base64", json!("Zm9v"), "data_base64", "beside `data`"),
        ("data", json!("\0"), "data", "contains the character"),
    ] {
        let event = with(name, value);
        let problem = read(&event.to_string(), &Tenant::default()).expect_err("must be refused");
        assert_eq!(problem.field.as_deref(), Some(field), "{}", problem.text);
        assert!(problem.text.contains(text), "{}", problem.text);
    }
    for text in [
        "",
        "1",
        "[]",
        "null",
        r#"{"id":"a","id":"b"}"#,
        "{\"id\":\"\\ud800\"}",
        &"[".repeat(100_000),
    ] {
        let problem = read(text, &Tenant::default()).expect_err("no event");
        assert!(problem.text.contains("event") || problem.field.is_some(), "{}", problem.text);
    }
}

#[test]
fn own_event_is_read_from_its_data_alone() {
    let id = "01a1f944-dc8b-774c-8000-000000000007";
    let data = json!({
        "id": id, "tenant": "acme", "actor": { "type": "user", "id": "42", "name": null }, "verb": "close",
        "object": null, "recorded_at": null, "audience": [],
    });
    let own = |id: &str, data: &Value| {
        let mut event =
            json!({ "specversion": "1.0", "id": id, "source": "/act/acme", "type": "other" });
        event["data"] = data.clone();
        event
    };
    let action = taken(&own(id, &data));
    assert_eq!((action.verb.as_str(), action.tenant.as_str()), ("close", "acme"));
    assert_eq!(action.context, None);
    let refused =
        |event: &Value| read(&event.to_string(), &Tenant::default()).expect_err("refused");
    assert_eq!(refused(&own("other", &data)).field.as_deref(), Some("id"));
    let mut parked = own(id, &data);
    parked["parked"] = json!("too-large");
    assert_eq!(refused(&parked).field.as_deref(), Some("parked"));
    let mut wrong = data.clone();
    wrong["actor"]["id"] = json!(1);
    let problem = refused(&own(id, &wrong));
    assert_eq!(problem.field.as_deref(), Some("data.actor.id"));
    assert!(problem.text.starts_with("`data`: `actor.id`: invalid type"), "{}", problem.text);
}
