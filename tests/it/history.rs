//! Histories: the state of an object at a time, who last changed each field, what is different between two moments.

mod model;

use gesta::stream::history::{Life, Value};
use gesta::stream::{Comparison, History, HistoryError, Moment, State};
use gesta::{ActionId, Audience, Context, Json, NewAction, Outcome, Reader, Store};
use serde_json::json;

use crate::support::{append, append_all, check_log, database, day, public, resource};

/// An action on `doc:1`, on so many days after the first.
fn action(number: i64, verb: &str, changes: serde_json::Value) -> NewAction {
    let actor = resource(&format!("user:{number}"));
    NewAction::new(verb, &Context::new(&actor))
        .object(&resource("doc:1"))
        .at(day(number))
        .changes(changes)
}

fn history() -> History {
    History::of(&resource("doc:1"))
}

async fn state(reader: &Reader, at: Moment) -> State {
    history().state(at, reader).await.expect("a state")
}

async fn diff(reader: &Reader, from: Moment, to: Moment) -> Comparison {
    history().compare(from, to, reader).await.expect("a comparison")
}

async fn refused(reader: &Reader, at: Moment) -> HistoryError {
    history().state(at, reader).await.expect_err("no state")
}

/// A store with these actions and what is public of it.
async fn reader(store: &Store, actions: Vec<NewAction>) -> Reader {
    append_all(store, actions).await;
    public(store).auditor()
}

fn plain(text: &str) -> Value {
    Value::Plain(Json::parse(text).expect("JSON"))
}

/// The values of a state: JSON texts, and the kind where it is not plain.
fn values(state: &State) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::Plain(json) => json.get().to_owned(),
        other => serde_json::to_string(other).expect("JSON"),
    };
    state.fields.iter().map(|(name, field)| (name.clone(), text(&field.value))).collect()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    wanted.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// Who last changed a field, as the id of the actor.
fn last(state: &State, field: &str) -> Option<String> {
    state.fields[field].by.as_ref().map(|by| by.actor.resource.id.to_string())
}

#[tokio::test]
async fn state_names_who_last_changed_each_field() {
    let db = database().await;
    let store = db.store().await;
    let actions = vec![
        action(1, "create", json!({"title": [null, "A"], "status": [null, "draft"]})),
        action(2, "publish", json!({"status": ["draft", "public"]})),
        action(3, "update", json!({"title": ["A", "B"]})),
    ];
    let reader = reader(&store, actions).await;
    let then = state(&reader, Moment::At(day(2))).await;
    assert_eq!(values(&then), pairs(&[("status", "\"public\""), ("title", "\"A\"")]));
    assert_eq!((last(&then, "title"), last(&then, "status")), (Some("1".into()), Some("2".into())));
    let by = then.fields["status"].by.as_ref().expect("known");
    assert_eq!((by.verb.as_str(), by.at), ("publish", day(2)));
    assert!(then.is_whole() && then.created.is_some_and(|by| by.verb == "create"));
    let now = state(&reader, Moment::Now).await;
    assert_eq!(values(&now), pairs(&[("status", "\"public\""), ("title", "\"B\"")]));
    // As a handler of a web server reads it.
    let task = tokio::spawn({
        let reader = reader.clone();
        async move { history().compare(Moment::Beginning, Moment::Now, &reader).await }
    });
    assert_eq!(task.await.expect("it ends").expect("a comparison").steps_total, 3);
    let before = then.fields["title"].by.as_ref().expect("known").action;
    let first = state(&reader, Moment::After(before)).await;
    assert_eq!(values(&first), pairs(&[("status", "\"draft\""), ("title", "\"A\"")]));
    check_log(&db).await;
}

#[tokio::test]
async fn deleted_object_is_shown_as_it_was_and_says_who_deleted_it() {
    let db = database().await;
    let store = db.store().await;
    let actions = vec![
        action(1, "create", json!({"title": [null, "A"]})),
        action(2, "delete", json!({"title": ["A", null]})),
        action(4, "create", json!({"title": [null, "C"], "size": [null, 1]})),
    ];
    let reader = reader(&store, actions).await;
    let then = state(&reader, Moment::At(day(3))).await;
    assert_eq!(values(&then), pairs(&[("title", "\"A\"")]));
    assert_eq!(then.deleted().map(|by| by.at), Some(day(2)));
    assert!(then.field("title").is_none(), "it is not there any more");
    let again = state(&reader, Moment::Now).await;
    assert_eq!(values(&again), pairs(&[("size", "1"), ("title", "\"C\"")]));
    assert!(again.life == Life::Exists && again.created.is_some_and(|by| by.at == day(4)));
    let gone = diff(&reader, Moment::At(day(1)), Moment::At(day(3))).await;
    let title = &gone.fields["title"];
    assert_eq!((&title.old, &title.new), (&Some(plain("\"A\"")), &None));
    assert_eq!(title.by.as_ref().map(|by| by.verb.as_str()), Some("delete"));
    let back = diff(&reader, Moment::At(day(3)), Moment::Now).await;
    assert_eq!(back.fields.keys().collect::<Vec<_>>(), ["size", "title"]);
    let life = diff(&reader, Moment::Beginning, Moment::At(day(3))).await;
    assert!(life.fields.is_empty() && life.steps.len() == 2, "it came and went");
    assert!(matches!(life.from.life, Life::NotYet(_)) && life.to.deleted().is_some());
}

#[tokio::test]
async fn recording_that_began_in_the_middle_knows_what_was_changed_later() {
    let db = database().await;
    let store = db.store().await;
    let actions = vec![
        action(1, "update", json!({"title": ["A", "B"]})),
        action(3, "update", json!({"size": [7, 8], "title": ["B", "C"]})),
        action(5, "delete", json!({"title": ["C", null], "size": [8, null], "owner": ["x", null]})),
        action(6, "create", json!({"other": [null, 1]})),
    ];
    let reader = reader(&store, actions).await;
    let then = state(&reader, Moment::At(day(2))).await;
    assert_eq!(values(&then), pairs(&[("owner", "\"x\""), ("size", "7"), ("title", "\"B\"")]));
    assert_eq!((last(&then, "title"), last(&then, "size")), (Some("1".into()), None));
    assert!(then.created.is_none() && !then.is_whole() && then.gaps == 0);
    let deleted = state(&reader, Moment::At(day(5))).await;
    assert_eq!(values(&deleted), pairs(&[("owner", "\"x\""), ("size", "8"), ("title", "\"C\"")]));
    let whole = diff(&reader, Moment::Beginning, Moment::At(day(4))).await;
    assert_eq!(whole.fields["title"].old, Some(plain("\"A\"")));
    assert_eq!(whole.fields.len(), 2, "the owner was the same");
}

#[tokio::test]
async fn redacted_values_are_never_taken_for_values() {
    let db = database().await;
    let store = db.store().await;
    let hash = |n: u8| format!("sha256:{}", format!("{n:02x}").repeat(32));
    let actions = vec![
        action(1, "create", json!({"pin": [null, "***"], "mail": [null, hash(1)]})),
        action(2, "update", json!({"pin": ["***", "***"]})),
        action(3, "update", json!({"mail": [hash(1), hash(2)]})),
    ];
    let reader = reader(&store, actions).await;
    let now = state(&reader, Moment::Now).await;
    assert_eq!(now.fields["pin"].value, Value::Masked);
    assert_eq!(now.fields["mail"].value, Value::Hashed(hash(2)));
    assert!(now.fields.values().all(|field| field.value.is_redacted()) && now.gaps == 0);
    let form = serde_json::to_value(&now).expect("JSON");
    assert_eq!(form["fields"]["pin"]["value"], json!(null));
    assert_eq!(form["fields"]["pin"]["kind"], "masked");
    let changed = diff(&reader, Moment::At(day(1)), Moment::At(day(2))).await;
    assert_eq!(changed.fields.keys().collect::<Vec<_>>(), ["pin"], "that it changed, not what to");
    let same = diff(&reader, Moment::At(day(2)), Moment::Now).await;
    assert_eq!(same.fields.keys().collect::<Vec<_>>(), ["mail"]);
}

/// Of a relation the log has who was added and who was removed; a column that holds arrays has old and new ones.
#[tokio::test]
async fn members_of_a_relation_are_put_together() {
    let db = database().await;
    let store = db.store().await;
    let tags = |number, removed: &[&str], added: &[&str]| {
        let changes = json!({"tags": [removed, added]});
        action(number, "update", changes).data(json!({"relations": ["tags"]}))
    };
    let actions = vec![
        tags(1, &[], &["b", "a"]),
        action(2, "update", json!({"list": [["x"], ["x", "y"]]})),
        tags(3, &["a"], &["c"]),
        tags(5, &["old", "c"], &["a"]),
    ];
    let reader = reader(&store, actions).await;
    let members = |texts: &[&str]| {
        let json = |text: &&str| Json::parse(&format!("\"{text}\"")).expect("JSON");
        Value::Members(texts.iter().map(json).collect())
    };
    for (at, wanted) in [(1, &["a", "b", "old"][..]), (3, &["b", "c", "old"]), (5, &["a", "b"])] {
        let then = state(&reader, Moment::At(day(at))).await;
        assert_eq!(then.fields["tags"].value, members(wanted), "who goes later was there: {at}");
        assert_eq!((last(&then, "tags"), then.gaps), (Some(at.to_string()), 0));
    }
    let now = state(&reader, Moment::Now).await;
    assert_eq!(now.fields["list"].value, plain(r#"["x", "y"]"#));
    let change = diff(&reader, Moment::At(day(1)), Moment::Now).await;
    assert_eq!(change.fields["tags"].old, Some(members(&["a", "b", "old"])));
    let before = diff(&reader, Moment::Beginning, Moment::At(day(1))).await;
    assert_eq!(before.fields["tags"].old, Some(members(&["old"])));
}

#[tokio::test]
async fn attempts_and_actions_without_changes_have_no_effect() {
    let db = database().await;
    let store = db.store().await;
    let plain = |number, verb: &str| {
        NewAction::new(verb, &Context::new(&resource("user:9")))
            .object(&resource("doc:1"))
            .at(day(number))
    };
    let actions = vec![
        plain(1, "view"),
        action(2, "create", json!({"title": [null, "A"]})),
        action(3, "update", json!({"title": ["A", "B"]})).outcome(Outcome::Failed),
        action(4, "delete", json!({"title": ["A", null]})).outcome(Outcome::Denied),
        plain(5, "view"),
    ];
    let reader = reader(&store, actions).await;
    let now = state(&reader, Moment::Now).await;
    assert_eq!(values(&now), pairs(&[("title", "\"A\"")]));
    assert!(now.life == Life::Exists && now.is_whole());
    let all = diff(&reader, Moment::Beginning, Moment::Now).await;
    assert_eq!(all.steps.iter().map(|step| step.by.verb.as_str()).collect::<Vec<_>>(), ["create"]);
    let error = refused(&reader, Moment::At(day(1))).await.to_string();
    assert!(error.contains("its history begins at 2026-01-03T12:00:00"), "{error}");
}

#[tokio::test]
async fn what_was_not_recorded_is_a_gap() {
    let db = database().await;
    let store = db.store().await;
    let actions = vec![
        action(1, "create", json!({"title": [null, "A"], "pin": [null, "x"]})),
        // Told twice, by the hook and by the change itself: no gap.
        action(2, "publish", json!({"title": ["A", "B"]})),
        action(3, "update", json!({"title": ["A", "B"], "pin": ["***", "***"]})),
        action(4, "update", json!({"status": ["draft", "public"]})),
        action(5, "update", json!({"title": ["X", "Y"]})),
        action(6, "delete", json!({"title": ["Z", null]})),
        action(7, "update", json!({"size": [1, 2]})),
    ];
    let reader = reader(&store, actions).await;
    for (at, gaps) in [(1, 0), (2, 0), (3, 0), (4, 1), (5, 2), (6, 3), (7, 4)] {
        assert_eq!(state(&reader, Moment::At(day(at))).await.gaps, gaps, "at {at}");
    }
    let again = state(&reader, Moment::Now).await;
    assert_eq!(values(&again), pairs(&[("size", "2")]), "nothing is known of the new one but this");
    assert!(again.life == Life::Exists && again.created.is_none() && !again.is_complete);
}

/// Hooks give their own names to what the session saves; its diff is then the whole row, with its key.
#[tokio::test]
async fn life_is_told_by_the_diff_whatever_the_verb() {
    let db = database().await;
    let store = db.store().await;
    let row = json!({"id": [null, 1], "title": [null, "A"], "rank": [null, 1]});
    let actions = vec![
        action(1, "open", row.clone()),
        // One field that happens to be the id is no row, and neither is a part of one.
        action(2, "update", json!({"rank": [1, null]})),
        action(3, "update", json!({"rank": [null, 1], "parent": [null, 1]})),
        action(4, "update", json!({"rank": [1, null], "parent": [1, null]})),
        action(5, "scrap", json!({"id": [1, null], "title": ["A", null]})),
        action(6, "open", row),
    ];
    let reader = reader(&store, actions).await;
    for at in 1..5 {
        let then = state(&reader, Moment::At(day(at))).await;
        assert!(then.life == Life::Exists && then.is_whole(), "{at}: {then:?}");
        assert_eq!(then.created.map(|by| by.at), Some(day(1)), "{at}");
    }
    let gone = state(&reader, Moment::At(day(5))).await;
    assert_eq!(gone.deleted().map(|by| by.verb.as_str()), Some("scrap"));
    let again = state(&reader, Moment::Now).await;
    assert_eq!(again.created.as_ref().map(|by| by.at), Some(day(6)));
    assert!(again.is_whole());
    let early = refused(&reader, Moment::At(day(0))).await;
    assert!(matches!(early, HistoryError::TooEarly { .. }), "{early}");
}

#[tokio::test]
async fn creation_that_tells_no_fields_leaves_them_to_later_changes() {
    let db = database().await;
    let store = db.store().await;
    let opened = NewAction::new("open", &Context::new(&resource("user:1")));
    let actions = vec![
        opened.object(&resource("doc:1")).at(day(1)),
        action(3, "update", json!({"title": ["A", "B"]})),
        action(4, "close", json!({"title": ["B", null]})),
    ];
    let reader = reader(&store, actions).await;
    let history = history().created_by(["open"]).deleted_by(["close"]);
    let then = history.state(Moment::At(day(2)), &reader).await.expect("a state");
    assert_eq!(values(&then), pairs(&[("title", "\"A\"")]));
    assert!(then.created.is_some() && !then.is_complete && then.gaps == 0);
    let now = history.state(Moment::Now, &reader).await.expect("a state");
    assert_eq!(now.deleted().map(|by| by.at), Some(day(4)));
    let early = history.state(Moment::At(day(0)), &reader).await;
    assert!(matches!(early, Err(HistoryError::TooEarly { .. })));
}

#[tokio::test]
async fn what_a_reader_does_not_see_is_a_gap_and_not_a_guess() {
    let db = database().await;
    let store = db.store().await;
    let actions = vec![
        action(1, "create", json!({"title": [null, "A"]})),
        action(2, "update", json!({"title": ["A", "B"]})).audience(Audience::labels(["staff"])),
        action(3, "update", json!({"title": ["B", "C"]})),
    ];
    let auditor = reader(&store, actions).await;
    assert!(state(&auditor, Moment::Now).await.is_whole());
    let outsider = public(&store);
    let now = state(&outsider, Moment::Now).await;
    assert_eq!((now.gaps, now.sees_everything), (1, false));
    assert_eq!(now.fields["title"].value, plain("\"C\""));
    assert_eq!(last(&state(&outsider, Moment::At(day(2))).await, "title"), Some("1".into()));
    let stranger = Reader::new(&store, "other".parse().expect("a tenant")).auditor();
    let error = refused(&stranger, Moment::Now).await;
    assert!(matches!(error, HistoryError::Unknown { .. }), "another tenant's: {error}");
}

#[tokio::test]
async fn moments_of_which_nothing_is_known_are_refused() {
    let db = database().await;
    let store = db.store().await;
    let reader = public(&store).auditor();
    let error = refused(&reader, Moment::Now).await;
    assert_eq!(error.to_string(), "nothing is known of doc:1: no visible action was done to it");
    let id = append(&store, action(2, "create", json!({"title": [null, "A"]}))).await;
    for early in [Moment::Beginning, Moment::At(day(1))] {
        let error = refused(&reader, early).await;
        assert!(
            matches!(error, HistoryError::TooEarly { first, .. } if first == day(2)),
            "{error}"
        );
    }
    let absent = ActionId::new(day(2), 7);
    let error = refused(&reader, Moment::After(absent)).await;
    assert_eq!(
        error.to_string(),
        format!("there is no action {absent}, after which the moment would be")
    );
    let error = history().compare(Moment::Now, Moment::After(id), &reader).await;
    assert!(matches!(error, Err(HistoryError::Backwards)));
    assert!(diff(&reader, Moment::After(id), Moment::After(id)).await.fields.is_empty());
}

#[tokio::test]
async fn numbers_are_exact_and_neighbours_are_told_apart() {
    let db = database().await;
    let store = db.store().await;
    let (a, b) = ("12345678901234567890.123456789", "12345678901234567890.123456788");
    let changes = |old: &str, new: &str| Json::parse(&format!("{{\"n\": [{old}, {new}]}}"));
    let actions = vec![
        action(1, "create", json!({})).changes(changes("null", a).expect("JSON")),
        action(2, "update", json!({})).changes(changes(a, b).expect("JSON")),
    ];
    let reader = reader(&store, actions).await;
    assert_eq!(values(&state(&reader, Moment::Now).await), pairs(&[("n", b)]));
    let change = diff(&reader, Moment::At(day(1)), Moment::Now).await;
    let form = serde_json::to_string(&change).expect("JSON");
    assert!(form.contains(&format!("\"value\":{a}")) && form.contains(&format!("\"value\":{b}")));
}

/// Longer than three pages, of which one is held.
#[tokio::test]
async fn long_history_is_read_page_by_page() {
    let db = database().await;
    let store = db.store().await;
    let count = 800;
    let change = |n: i64| {
        let field = format!("f{}", n % 3);
        action(0, "update", json!({ field: [n - 3, n] })).at(day(0) + chrono::TimeDelta::seconds(n))
    };
    let reader = reader(&store, (0..count).map(change).collect()).await;
    for n in [5, 249, 250, 251, 500, 777, count - 1] {
        let at = Moment::At(day(0) + chrono::TimeDelta::seconds(n));
        let wanted = |field: i64| (n - (n - field) % 3).to_string();
        let wanted = [wanted(0), wanted(1), wanted(2)];
        let then = state(&reader, at).await;
        let found: Vec<_> = values(&then).into_iter().map(|(_, value)| value).collect();
        assert_eq!((found.as_slice(), then.gaps), (&wanted[..], 0), "{n}");
    }
    let all = diff(&reader, Moment::Beginning, Moment::Now).await;
    assert_eq!((all.steps.len(), all.steps_total), (800, 800));
}
