//! Input that breaks things elsewhere: stored exactly and read back equal, or refused with an error that names the field.

use gesta::action::form::Given;
use gesta::store::AppendError;
use gesta::{
    Action, Audience, Context, Json, Named, NewAction, Registry, ResourceRef, Store, StreamQuery,
    Tenant,
};
use serde_json::json;

use super::{alice, close};
use crate::support::{append, check_log, database, page, public, resource};

/// Texts that are no trouble but look like it.
const STRANGE: [&str; 12] = [
    "line\nline\r\nline\ttab",
    "\u{1b}[31mred\u{7}\u{8}",
    "\u{202e}txt.exe\u{2066}\u{200f}",
    "\u{feff}\u{200b}\u{ad}",
    "\u{ffff}\u{fdd0}\u{10ffff}",
    "e\u{301} is not \u{e9}",
    "'; DROP TABLE gesta.action; --",
    "$1 {actor} %s \\ \" {\"a\":1} \\u0000",
    "NULL",
    " ",
    "👩‍👩‍👧‍👦 日本",
    "\u{7f}\u{85}\u{2028}",
];

async fn read_back(store: &Store, action: NewAction) -> Action {
    let id = append(store, action).await;
    public(store).action(id).await.expect("read").expect("stored")
}

#[tokio::test]
async fn strange_texts_are_stored_exactly() {
    let db = database().await;
    let store = db.store().await;
    for text in STRANGE {
        let party = ResourceRef::new("thing", text).expect(text).named(text);
        let ctx = Context::new(&party).reason(text).user_agent(text).request_id(text);
        let data = json!({ text: [text, { text: text }] });
        let action = NewAction::new("see", &ctx)
            .object(&party)
            .target(&party)
            .description(text)
            .data(data.clone())
            .changes(json!({ text: [text, null] }))
            .audience(Audience::labels(["public", text]));
        let stored = read_back(&store, action).await;
        assert_eq!(stored.actor, party);
        assert_eq!(stored.object.as_ref(), Some(&party));
        assert_eq!(stored.target.as_ref(), Some(&party));
        assert_eq!(stored.description.as_deref(), Some(text));
        assert_eq!(stored.data.expect("data").value(), data);
        assert_eq!(stored.changes.expect("changes").value(), json!({ text: [text, null] }));
        let context = stored.context.expect("a context").value();
        assert_eq!(context, json!({ "request_id": text, "user_agent": text, "reason": text }));
        assert_eq!(stored.audience, Audience::labels(["public", text]));
        let any = page(&public(&store), StreamQuery::any(&party)).await;
        assert_eq!(any.len(), 1, "it is found by its id: {text:?}");
    }
    check_log(&db).await;
}

#[tokio::test]
async fn verbs_keep_everything_but_control_characters() {
    let db = database().await;
    let store = db.store().await;
    for text in STRANGE {
        let action = NewAction::new(text, &alice());
        if text.chars().any(char::is_control) {
            assert!(refusal(&store, text, action).await.contains("`verb`: "), "{text:?}");
            continue;
        }
        assert_eq!(read_back(&store, action).await.verb, text);
        assert_eq!(page(&public(&store), StreamQuery::tenant().verbs([text])).await.len(), 1);
    }
    check_log(&db).await;
}

#[tokio::test]
async fn longest_keys_of_a_row_all_at_once_are_stored() {
    let db = database().await;
    let store = db.store().await;
    let tenant = Tenant::new("t".repeat(63)).expect("a tenant");
    // No two bytes alike: nothing of it can be compressed to fit into an index.
    let party =
        |seed: u64| ResourceRef::new(&"k".repeat(63), noise(seed, 2048)).expect("a resource");
    let (actor, object, target) = (party(1), party(2), party(3));
    let ctx = Context::new(&actor).tenant(tenant.clone()).run(uuid::Uuid::from_u128(7));
    let action = NewAction::new("v".repeat(255), &ctx)
        .object(&object)
        .target(&target)
        .description("é".repeat(8 * 1024))
        .data(json!("x".repeat(64 * 1024 - 2)))
        .audience(Audience::labels((0..32).map(|n| format!("{n:0255}")).chain([])));
    append(&store, action).await;
    let reader = gesta::Reader::new(&store, tenant).auditor();
    for query in [
        StreamQuery::actor(&actor),
        StreamQuery::object(&object),
        StreamQuery::target(&target),
        StreamQuery::any(&object),
        StreamQuery::run(uuid::Uuid::from_u128(7)),
    ] {
        assert_eq!(page(&reader, query).await.len(), 1);
    }
    check_log(&db).await;
}

/// Letters without a pattern.
fn noise(seed: u64, len: usize) -> String {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 94).expect("below 94"))
    };
    (0..len).map(|_| next()).collect()
}

#[tokio::test]
async fn numbers_are_exact_past_two_to_the_53() {
    let db = database().await;
    let store = db.store().await;
    let digits = "7".repeat(300);
    let tiny = format!("0.{}1", "0".repeat(16_382));
    for number in [
        "9007199254740993",
        "-9223372036854775809",
        "18446744073709551617",
        "123456789012345678901234567890.125",
        "0.1000000000000000055511151231257827021181583404541015625",
        "1.10",
        digits.as_str(),
        tiny.as_str(),
    ] {
        let data = Json::parse(&format!(r#"{{"n":{number}}}"#)).expect(number);
        let stored = read_back(&store, close().data(data)).await.data.expect("data");
        assert_eq!(stored.get().replace(' ', ""), format!(r#"{{"n":{number}}}"#));
    }
    // jsonb writes numbers out.
    for (given, written) in [("1e300", format!("1{}", "0".repeat(300))), ("25e-4", "0.0025".into())]
    {
        let stored = read_back(&store, close().data(Json::parse(given).expect(given))).await;
        assert_eq!(stored.data.expect("data").get(), written);
    }
    check_log(&db).await;
}

async fn refusal(store: &Store, field: &str, action: NewAction) -> String {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    match store.append(&tx, action).await {
        Err(error @ AppendError::Invalid { .. }) => gesta::error::chain(&error),
        other => panic!("{field}: {other:?}"),
    }
}

/// A payload as it may come from anywhere, unchecked.
fn raw(text: &str) -> Json {
    serde_json::from_str(text).expect("a JSON text")
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_by_the_name_of_its_field() {
    let db = database().await;
    let store = db.store().await;
    let named = |name: &str| Named { resource: resource("user:1"), name: Some(name.to_owned()) };
    let long = "x".repeat(2_000_000);
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    let fraction = format!("0.{}1", "0".repeat(16_383));
    let at = |text: &str| close().at(text.parse().expect(text));
    for (field, action) in [
        ("`verb`", NewAction::new("", &alice())),
        ("`verb`", NewAction::new("v".repeat(256), &alice())),
        ("`verb`", NewAction::new("a\nb", &alice())),
        ("`verb`", NewAction::new("a\0b", &alice())),
        ("`description`", close().description("a\0b")),
        ("`description`", close().description("x".repeat(16 * 1024 + 1))),
        ("`actor.name`", NewAction::new("close", &Context::new(&named("a\0b")))),
        ("`object.name`", close().object(&named("a\0b"))),
        ("`target.name`", close().target(&named("a\0b"))),
        ("`data`", close().data(json!({ "a": "\0" }))),
        ("`data`", close().data(json!({ "\0": "a" }))),
        ("`data`", close().data(raw(r#""\ud800""#))),
        ("`data`", close().data(raw(r#"["\udc00\ud800"]"#))),
        ("`data`", close().data(raw("1e400"))),
        ("`data`", close().data(raw("1e-20000"))),
        ("`data`", close().data(raw("0e-20000"))),
        ("`data`", close().data(raw("[0.1, -1E-99999999999999999999]"))),
        ("`data`", close().data(raw("0e2000000000"))),
        ("`data`", close().data(raw(&fraction))),
        ("`data`", close().data(json!(long))),
        ("`changes`", close().changes(json!({ "a": 1 }))),
        ("`changes`", close().changes(json!({ "a": ["\0", 1] }))),
        ("`changes`", close().changes(json!([1, 2]))),
        ("`context`", NewAction::new("close", &alice().reason("a\0b"))),
        ("`context`", NewAction::new("close", &alice().user_agent(long.as_str()))),
        ("`audience`", close().audience(Audience::labels(["a\0b"]))),
        ("`audience`", close().audience(Audience::labels(["x".repeat(256)]))),
        ("`audience`", close().audience(Audience::labels(vec!["x"; 33]))),
        ("`occurred_at`", at("0000-01-01T00:00:00Z")),
        ("`occurred_at`", at("-0001-01-01T00:00:00Z")),
        ("`occurred_at`", at("1969-12-31T23:59:59.999999Z")),
        ("`occurred_at`", at("+10000-01-01T00:00:00Z")),
        ("`occurred_at`", close().at(chrono::DateTime::<chrono::Utc>::MAX_UTC)),
        ("`occurred_at`", close().at(chrono::DateTime::<chrono::Utc>::MIN_UTC)),
        ("`id`", at("2026-01-01T00:00:00Z").id(super::id(1))),
    ] {
        let told = format!("{field} of {action:.300?}");
        let message = refusal(&store, &told, action).await;
        assert!(message.contains(field), "{field}: {message}");
        assert!(message.len() < 500 && !message.contains(char::is_control), "{message}");
    }
    if let Ok(deep) = serde_json::from_str::<Json>(&deep) {
        assert!(refusal(&store, "depth", close().data(deep)).await.contains("`data`"));
    }
    check_log(&db).await;
}

/// The JSON form: what somebody else wrote.
#[tokio::test]
async fn given_form_is_refused_by_the_name_of_its_field() {
    let db = database().await;
    let store = db.store().await;
    let id = "x".repeat(3000);
    let form = |field: &str, value: &str| {
        let mut form = serde_json::Map::new();
        form.insert("actor".to_owned(), json!({ "type": "user", "id": "1" }));
        form.insert("verb".to_owned(), json!("close"));
        let value = serde_json::from_str(value).expect(value);
        form.insert(field.to_owned(), value);
        serde_json::to_string(&form).expect("a form")
    };
    for (field, value) in [
        ("actor", format!(r#"{{"type":"user","id":"{id}"}}"#)),
        ("actor", r#"{"type":"us er","id":"1"}"#.to_owned()),
        ("object", format!(r#"{{"type":"user","id":"{id}"}}"#)),
        ("object", r#"{"type":"user","id":""}"#.to_owned()),
        ("target", r#"{"type":"user","id":"a\u0000"}"#.to_owned()),
        ("tenant", r#""a\nb""#.to_owned()),
        ("id", r#""e4eaaaf2-d142-11e1-b3e4-080027620cdd""#.to_owned()),
        ("verb", r#""a\u0000""#.to_owned()),
        ("data", r#""a\u0000""#.to_owned()),
        ("occurred_at", r#""0000-01-01T00:00:00Z""#.to_owned()),
    ] {
        let given: Given = serde_json::from_str(&form(field, &value)).expect("a form");
        let error = given.into_action(&Tenant::default()).expect_err("must be refused");
        assert!(error.to_string().contains(&format!("`{field}`")), "{field}: {error}");
    }
    let exact = form("data", r#"{"n": 1}"#).replace("{\"n\":1}", "{\"n\":9007199254740993.25}");
    let given: Given = serde_json::from_str(&exact).expect("a form");
    let stored = read_back(&store, given.into_action(&Tenant::default()).expect("valid")).await;
    assert_eq!(stored.data.expect("data").get(), r#"{"n": 9007199254740993.25}"#);
    check_log(&db).await;
}

#[tokio::test]
async fn every_time_that_can_be_written_is_stored_to_the_microsecond() {
    let db = database().await;
    let store = db.store().await;
    for time in [
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59.999999Z",
        "2026-02-28T23:59:59.000001Z",
        "9999-12-31T23:59:59.999999Z",
    ] {
        let time: chrono::DateTime<chrono::Utc> = time.parse().expect(time);
        assert_eq!(read_back(&store, close().at(time)).await.occurred_at, time);
    }
    check_log(&db).await;
}

#[tokio::test]
async fn sentence_of_hostile_names_has_no_fields_of_its_own() {
    let db = database().await;
    let store = db.store().await;
    let action = NewAction::new("close", &Context::new(&resource("user:1").named("{object}")));
    let stored = read_back(&store, action.object(&resource("issue:70").named("{actor}"))).await;
    assert_eq!(Registry::default().sentence(&stored), "{object} close {actor}");
}
