//! Selections: frozen once, on the server, and their maker's alone.

use gesta::definition::Rights;
use gesta::run::{Filter, RunError, Start, Which};
use gesta::{NewAction, Query, ResourceType};
use serde_json::json;

use super::press::{Press, article, asker, editor, ids, press};
use crate::support::{append_all, public, resource};

async fn places(press: &Press, selection: uuid::Uuid) -> Vec<String> {
    let sql = "SELECT object_id FROM gesta.selected WHERE selection = $1 ORDER BY place";
    let rows = press.admin.query(sql, &[&selection]).await.expect("the objects");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Case 23: a key is its text, whatever a locale makes of it.
#[tokio::test]
async fn ids_select_rows_by_the_text_of_their_key_in_the_order_of_keys() {
    let press = press(2).await;
    press.sql("INSERT INTO press.article (id, title) VALUES (9999, 'late'), (10, 'ten')").await;
    let made = press.select(Which::Ids(ids([9999, 10, 2, 2]))).await.expect("selected");
    assert_eq!((made.total, made.dropped), (3, 0));
    assert_eq!(places(&press, made.id).await, ["2", "10", "9999"]);
    let same = press.runs.selection(&editor(), made.id).await.expect("it is there");
    assert_eq!(same, made);
    assert_eq!((made.expires_at - made.created_at).num_minutes(), 60);
}

/// Case 26: an id that no row has selects nothing, and neither does one that no key can be.
#[tokio::test]
async fn ids_that_are_not_there_are_dropped_and_counted() {
    let press = press(3).await;
    let given = ["1", "77", "x", "'; DROP TABLE press.article --", "\0", "99999999999999999999"];
    let which = Which::Ids(given.map(str::to_owned).to_vec());
    let made = press.select(which).await.expect("selected");
    assert_eq!((made.total, made.dropped), (1, 5));
    assert_eq!(places(&press, made.id).await, ["1"]);
}

/// Case 25: nothing selected is told, and changes nothing.
#[tokio::test]
async fn nothing_selected_is_a_refusal_that_changes_nothing() {
    let press = press(3).await;
    for (which, dropped) in [
        (Which::Ids(Vec::new()), 0),
        (Which::Ids(ids([77])), 1),
        (Which::Rows(Filter::all().is("state", "public")), 0),
        (Which::Within { ids: ids([1]), rows: Filter::all().is("state", "public") }, 1),
    ] {
        let error = press.select(which).await.expect_err("nothing is selected");
        assert!(
            matches!(error, RunError::EmptySelection { dropped: d } if d == dropped),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains("no objects are selected") && text.contains("nothing was changed"),
            "{text}"
        );
    }
    let left =
        "SELECT (SELECT count(*) FROM gesta.selection) + (SELECT count(*) FROM gesta.selected)";
    assert_eq!(press.number(left).await, 0);
}

/// Case 24: all rows of the filtered list, or those ids that are in it.
#[tokio::test]
async fn select_across_takes_the_filter_and_drops_ids_outside_of_it() {
    let press = press(20).await;
    press.sql("UPDATE press.article SET state = 'review', words = id WHERE id > 15").await;
    let review = || Filter::all().is("state", "review");
    let across = press.select(Which::Rows(review())).await.expect("selected");
    assert_eq!(places(&press, across.id).await, ["16", "17", "18", "19", "20"]);
    let within = Which::Within { ids: ids([3, 17, 18, 99]), rows: review() };
    let within = press.select(within).await.expect("selected");
    assert_eq!((within.total, within.dropped), (2, 2));
    assert_eq!(places(&press, within.id).await, ["17", "18"]);
    for (filter, total) in [
        (Filter::all(), 20),
        (Filter::all().is("words", json!(null)), 15),
        (Filter::all().any("words", vec![json!(16), json!("17"), json!(null)]), 17),
        (
            Filter::from_json(&json!({"state": ["draft", "review"], "words": 20}))
                .expect("a filter"),
            1,
        ),
    ] {
        let made = press.select(Which::Rows(filter.clone())).await.expect("selected");
        assert_eq!(made.total, total, "{filter:?}");
    }
}

#[tokio::test]
async fn selection_is_frozen_when_it_is_made() {
    let press = press(3).await;
    let made =
        press.select(Which::Rows(Filter::all().is("state", "draft"))).await.expect("selected");
    press.sql("INSERT INTO press.article (id, title) VALUES (4, 'new'); UPDATE press.article SET state = 'old' WHERE id = 1").await;
    assert_eq!(places(&press, made.id).await, ["1", "2", "3"]);
    let run = press.start(Start::new(article(), "publish", made.id)).await.expect("started").run;
    assert_eq!(run.counts.done, 3);
    assert_eq!(press.number("SELECT count(*) FROM press.article WHERE state = 'draft'").await, 1);
}

#[tokio::test]
async fn selection_is_its_makers_and_expires() {
    let press = press(3).await;
    let made = press.selected([1, 2]).await;
    let other = asker("user:2", Rights::all());
    let tenant = gesta::Tenant::new("other").expect("a tenant");
    let mut elsewhere = editor();
    elsewhere.context = elsewhere.context.tenant(tenant);
    for stranger in [&other, &elsewhere] {
        let error = press.runs.selection(stranger, made).await.expect_err("not theirs");
        assert!(matches!(error, RunError::SelectionGone(id) if id == made));
        let order = Start::new(article(), "publish", made);
        let error = press.runs.start(stranger, order).await.expect_err("not theirs");
        assert!(matches!(error, RunError::SelectionGone(_)), "{error}");
    }
    press.sql("UPDATE gesta.selection SET expires_at = now()").await;
    let error = press.start(Start::new(article(), "publish", made)).await.expect_err("expired");
    assert!(matches!(error, RunError::SelectionGone(_)));
    assert_eq!(press.number("SELECT count(*) FROM press.article WHERE state = 'public'").await, 0);
}

#[tokio::test]
async fn filter_that_cannot_be_is_told() {
    let press = press(1).await;
    for (filter, part) in [
        (
            json!({"edits": 1}),
            "`edits` cannot be filtered by; there are `id`, `title`, `state`, `words`",
        ),
        (json!({"titel": "x"}), "`titel` cannot be filtered by"),
        (json!({"state": {"a": 1}}), "`state` takes texts, numbers, true, false and null"),
        (json!({"state": []}), "`state` has 0 values"),
        (json!({"words": "many"}), "a value cannot be read as its type"),
    ] {
        let filter = Filter::from_json(&filter).expect("an object");
        let error = press.select(Which::Rows(filter)).await.expect_err(part).to_string();
        assert!(error.contains(part) && error.starts_with("the filter is refused"), "{error}");
        assert!(!error.contains("many"), "{error}");
    }
    let error = Filter::from_json(&json!(["state"])).expect_err("no object").to_string();
    assert!(error.contains("no JSON object of columns"), "{error}");
    let server = ResourceType::new("server").expect("a type");
    let error = press.runs.select(&editor(), &server, Which::Rows(Filter::all()), None).await;
    assert!(
        matches!(error, Err(RunError::UnknownType(_))),
        "nothing can be run on servers: {error:?}"
    );
}

#[tokio::test]
async fn log_selects_objects_of_actions_that_are_still_there() {
    let press = press(5).await;
    let ctx = editor().context;
    let told = |id: &str| NewAction::new("complained", &ctx).object(&resource(id));
    let seen = ["article:2", "article:4", "article:4", "article:77", "article:x", "user:3"];
    let hidden = told("article:5").audience(gesta::Audience::auditors());
    let actions = seen.into_iter().map(told).chain([hidden]);
    append_all(&press.store, actions.collect()).await;
    let query = || Which::Log(Query::parse("verb:complained").expect("a search"));
    let reader = public(&press.store);
    let made = press.runs.select(&editor(), &article(), query(), Some(&reader)).await;
    assert_eq!(places(&press, made.expect("selected").id).await, ["2", "4"]);
    let auditor = public(&press.store).auditor();
    let made = press.runs.select(&editor(), &article(), query(), Some(&auditor)).await;
    assert_eq!(places(&press, made.expect("selected").id).await, ["2", "4", "5"]);
    let error = press.select(query()).await.expect_err("nobody reads").to_string();
    assert!(error.contains("takes a reader"), "{error}");
}
