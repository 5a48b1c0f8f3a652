//! A small page in every format, and pages of any actions.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::action::{Action, ActionId, Audience, Outcome, Source};
use crate::format::csv::{Cells, Column, Mark};
use crate::format::xml::tests::{Element, elements};
use crate::format::{Heading, Links, Site, event, xml};
use crate::json::Json;
use crate::registry::Verb;
use crate::resource::{Named, ResourceRef, Tenant};
use crate::stream::{FeedItem, Reason, Role};

const FIRST: &str = "https://example.com/api/v1/objects/issue/70/events";

fn meta(links: Links) -> Meta {
    let since = "2026-01-01".parse().expect("a day");
    let tenant = Tenant::default();
    Meta {
        title: Heading::Resource("<Crash on save>").title(),
        description: Heading::Resource("<Crash on save>").description(),
        author: "Gesta at Example".to_owned(),
        updated: "2026-11-20T14:03:22.13Z".parse().expect("a time"),
        links,
        subject: "/objects/issue/70/events".to_owned(),
        query: Some("verb:close".to_owned()),
        source: event::source("act", &tenant),
        site: Site::new("https://example.com/api/v1", tenant, since).expect("a base"),
    }
}

/// The links of a page in the middle.
fn middle() -> Links {
    Links {
        this: format!("{FIRST}?cursor=b&limit=3"),
        first: Some(FIRST.to_owned()),
        next: Some(format!("{FIRST}?cursor=c&limit=3")),
        prev: Some(format!("{FIRST}?cursor=a&limit=3")),
    }
}

fn registry() -> Registry {
    let close = Verb::new("issue", "close").summary("{actor} closed {object} in {target}");
    let registry = Registry::builder().resource("issue", "issue", "issues").verb(close);
    registry.build().expect("valid")
}

fn named(reference: &str, name: Option<&str>) -> Named {
    Named { resource: reference.parse().expect("TYPE:ID"), name: name.map(str::to_owned) }
}

fn action(random: u64, actor: Named, verb: &str, object: Option<Named>) -> Action {
    let time = "2026-11-20T14:03:22.123456Z".parse().expect("a time");
    Action {
        tenant: Tenant::default(),
        id: ActionId::new(time, random),
        actor,
        verb: verb.to_owned(),
        object,
        target: None,
        occurred_at: time,
        recorded_at: "2026-11-20T14:03:22.13Z".parse().expect("a time"),
        run: None,
        source: Source::Emit,
        outcome: Outcome::Ok,
        description: None,
        changes: None,
        data: None,
        context: None,
        audience: Audience::public(),
    }
}

/// Four actions: one with everything, a hostile and refused one, one without an object, one of the vocabulary.
fn actions() -> [Action; 4] {
    let alice = || named("user:42", Some("Alice"));
    let hostile = Some("<b onload=\"x\">'Bob' & Co</b>\u{1}");
    let json = |text| Some(Json::parse(text).expect("JSON"));
    let issue = || Some(named("issue:70", Some("Crash on save")));
    [
        Action {
            target: Some(named("project:9", Some("Editor"))),
            run: Some("0192f0c1-2345-8abc-8def-0123456789ab".parse().expect("a UUID")),
            description: Some("Fixed <em>at last</em>.".to_owned()),
            changes: json(r#"{"status": ["open", "closed"], "votes": [null, 3]}"#),
            data: json("{\"n\": 12345678901234567890.50,\n \"t\": \"a  b\"}"),
            context: json(r#"{"reason": "ticket OPS-123"}"#),
            ..action(4, alice(), "close", issue())
        },
        Action {
            outcome: Outcome::Denied,
            description: Some("=1+1".to_owned()),
            audience: Audience::labels(["staff"]),
            ..action(3, named("user:a b", hostile), "delete", Some(named("file:docs/ä?.md", None)))
        },
        action(2, alice(), "log in", None),
        action(1, alice(), "follow", issue()),
    ]
}

fn written(encoder: Encoder, actions: &[Action]) -> Vec<u8> {
    let (mut encoder, registry, mut out) = (encoder, registry(), Vec::new());
    encoder.head(&mut out).expect("written");
    for action in actions {
        encoder.item(&mut out, action, &registry).expect("written");
    }
    encoder.tail(&mut out).expect("written");
    assert_eq!(encoder.items(), actions.len() as u64);
    out
}

fn text(format: Format, links: Links, actions: &[Action]) -> String {
    String::from_utf8(written(Encoder::new(format, meta(links)), actions)).expect("UTF-8")
}

#[test]
fn small_page_is_the_documented_one_in_every_format() {
    for (format, wanted) in [
        (Format::Json, include_str!("tests/page.json")),
        (Format::Ndjson, include_str!("tests/page.ndjson")),
        (Format::Csv, include_str!("tests/page.csv")),
        (Format::ActivityStreams, include_str!("tests/page.as2")),
        (Format::Atom, include_str!("tests/page.atom")),
        (Format::Rss, include_str!("tests/page.rss")),
        (Format::CloudEventsBatch, include_str!("tests/page.cloudevents")),
    ] {
        let page = text(format, middle(), &actions());
        assert_eq!(page, wanted, "{format}:\n{page}");
    }
}

#[test]
fn page_without_items_is_whole_in_every_format() {
    for format in Format::ALL {
        let page = text(format, middle(), &[]);
        match format {
            Format::Ndjson => assert_eq!(page, ""),
            Format::Csv => assert_eq!(page.lines().count(), 1),
            Format::Atom | Format::Rss => drop(elements(&page)),
            _ => drop(serde_json::from_str::<Value>(&page).expect("JSON")),
        }
    }
}

#[test]
fn reasons_of_a_feed_stand_in_json_and_csv() {
    let followed = ResourceRef::new("issue", "70").expect("valid");
    let reasons = vec![Reason { followed, role: Role::Object, flag: Some("watch".to_owned()) }];
    let item = FeedItem { action: actions()[0].clone(), reasons };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(Format::Ndjson, meta(middle()));
    encoder.item(&mut out, &item, &registry()).expect("written");
    let line: Value = serde_json::from_slice(&out).expect("JSON");
    let wanted =
        json!([{ "followed": { "type": "issue", "id": "70" }, "role": "object", "flag": "watch" }]);
    assert_eq!(line["reasons"], wanted);
    assert!(String::from_utf8_lossy(&out).contains("12345678901234567890.50"));
    assert_eq!(Column::Reasons.cell(&Item::from(&item)), "object issue:70");
}

#[test]
fn csv_has_the_columns_cells_and_mark_that_are_asked_for() {
    let sheet = Sheet::default()
        .columns(vec![Column::Description, Column::Data, Column::ActorName])
        .cells(Cells::Raw)
        .mark(Mark::Bom);
    let encoder = Encoder::new(Format::Csv, meta(middle())).sheet(sheet);
    let csv = String::from_utf8(written(encoder, &actions()[..2])).expect("UTF-8");
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "\u{feff}description,data,actor_name");
    assert_eq!(
        lines[1],
        "Fixed <em>at last</em>.,\"{\"\"n\"\":12345678901234567890.50,\"\"t\"\":\"\"a  b\"\"}\",Alice"
    );
    assert!(lines[2].starts_with("=1+1,,\"<b onload="), "{}", lines[2]);
}

#[test]
fn activity_streams_know_a_whole_stream_its_first_page_and_a_later_one() {
    let document = |links| -> Value {
        serde_json::from_str(&text(Format::ActivityStreams, links, &actions())).expect("JSON")
    };
    let whole = document(Links { this: FIRST.to_owned(), ..Links::default() });
    assert_eq!((&whole["type"], &whole["totalItems"]), (&json!("OrderedCollection"), &json!(4)));
    let first = document(Links { this: FIRST.to_owned(), prev: None, ..middle() });
    assert_eq!(first["type"], "OrderedCollection");
    assert_eq!(first["first"]["type"], "OrderedCollectionPage");
    assert_eq!(first["first"]["partOf"], first["id"]);
    assert_eq!(first["first"]["next"], format!("{FIRST}?cursor=c&limit=3"));
    assert_eq!(first["first"]["orderedItems"].as_array().map(Vec::len), Some(4));
    let later = document(middle());
    assert_eq!(later["type"], "OrderedCollectionPage");
    assert_eq!((&later["partOf"], later.get("totalItems")), (&json!(FIRST), None));
    let kinds: Vec<_> =
        later["orderedItems"].as_array().expect("items").iter().map(|it| &it["type"]).collect();
    assert_eq!(kinds, ["Activity", "Activity", "IntransitiveActivity", "Follow"]);
}

/// What readers of syndication feeds look for: cases 56 to 58 of the suite that inspired this.
#[test]
fn syndication_has_language_namespaces_titles_people_and_lasting_ids() {
    for (heading, title, description) in [
        (
            Heading::Feed,
            "Activity feed for your followed actors",
            "Public activities of actors you follow",
        ),
        (Heading::Type("user"), "Activity feed from user", "Public activities of user"),
        (Heading::Resource("Two"), "Activity for Two", "Public activities of Two"),
    ] {
        let meta =
            Meta { title: heading.title(), description: heading.description(), ..meta(middle()) };
        let page = |format| {
            let encoder = Encoder::new(format, meta.clone());
            String::from_utf8(written(encoder, &actions())).expect("UTF-8")
        };
        let rss = [
            r#"<?xml version="1.0" encoding="utf-8"?>"#,
            "<rss ",
            r#"xmlns:atom="http://www.w3.org/2005/Atom""#,
            r#"version="2.0""#,
            "<language>en-us",
            "<guid isPermaLink=\"false\">tag:example.com,2026-01-01:default/events/",
        ];
        let atom = [
            r#"xmlns="http://www.w3.org/2005/Atom""#,
            r#"xml:lang="en-us""#,
            "<uri>https://example.com/api/v1/any/user/42/events</uri>",
            "<id>tag:example.com,2026-01-01:default/events/",
        ];
        for (format, parts) in [(Format::Rss, &rss[..]), (Format::Atom, &atom[..])] {
            let page = page(format);
            let texts = [title, description, "Alice closed Crash on save in Editor"];
            for part in parts.iter().chain(&texts) {
                assert!(page.contains(part), "{part}\n{page}");
            }
        }
    }
}

#[test]
fn title_of_rss_is_text_also_for_those_who_read_html() {
    assert_eq!(rss::title("<b> </b> <!-- <?x a<1 << <"), "< b> < /b> < !-- < ?x a<1 << <");
    let page = text(Format::Rss, middle(), &actions());
    assert!(page.contains("<title>&lt; b onload="), "{page}");
    assert!(
        page.contains("<description>Public activities of &amp;lt;Crash on save&amp;gt;"),
        "{page}"
    );
}

fn texts<'a>(elements: &'a [Element], name: &str) -> Vec<&'a str> {
    let named = elements.iter().filter(|element| element.name == name);
    named.map(|element| element.text.as_str()).collect()
}

prop_compose! {
    fn any_text()(text in "[<>&\"'=+@;,\\\\{}\\x01-\\x{10ffff}]{0,12}") -> String { text }
}

prop_compose! {
    fn any_named()(
        kind in "[a-zA-Z0-9_.-]{1,8}", id in "[\\x01-\\x{10ffff}]{1,8}", name in prop::option::of(any_text())
    ) -> Named {
        Named { resource: ResourceRef::new(&kind, id).expect("valid"), name }
    }
}

prop_compose! {
    fn any_action()(
        tenant in "[^\\x00-\\x1f\\x7f-\\x9f]{1,8}", micros in 0..253_402_300_799_999_999_i64, random: u64,
        actor in any_named(), verb in "[^\\x00-\\x1f\\x7f-\\x9f]{1,12}", object in prop::option::of(any_named()),
        target in prop::option::of(any_named()), description in prop::option::of(any_text()), field in any_text(),
        value in any_text(), label in any_text(), outcome in prop::sample::select(vec![Outcome::Ok, Outcome::Failed]),
    ) -> Action {
        let time = chrono::DateTime::from_timestamp_micros(micros).expect("in range");
        let value = json!({ "x": [value, 1, null] });
        Action {
            tenant: Tenant::new(tenant).expect("valid"),
            id: ActionId::new(time, random),
            target,
            occurred_at: time,
            outcome,
            description,
            changes: Some(json!({ field: [value, true] }).into()),
            data: Some(value.into()),
            audience: Audience::labels([label]),
            ..action(0, actor, &verb, object)
        }
    }
}

proptest! {
    #[test]
    fn items_of_any_page_are_its_input(actions in prop::collection::vec(any_action(), 0..4)) {
        let parsed = |text: &str| serde_json::from_str::<Action>(text).expect("an action");
        let lines = text(Format::Ndjson, middle(), &actions);
        prop_assert_eq!(lines.split_terminator('\n').map(parsed).collect::<Vec<_>>(), actions.clone());

        let page: Value = serde_json::from_str(&text(Format::Json, middle(), &actions)).expect("JSON");
        let items = page["items"].as_array().expect("items").iter();
        prop_assert_eq!(items.map(|it| parsed(&it.to_string())).collect::<Vec<_>>(), actions.clone());

        let sheet = Sheet::default().cells(Cells::Raw);
        let raw = written(Encoder::new(Format::Csv, meta(middle())).sheet(sheet), &actions);
        let mut records = ::csv::Reader::from_reader(&raw[..]);
        for (record, action) in records.records().zip(&actions) {
            let cells = Column::ALL.iter().map(|column| column.cell(&Item::from(action)));
            prop_assert!(record.expect("CSV").iter().eq(cells.map(std::borrow::Cow::into_owned)));
        }
        prop_assert_eq!(records.records().count(), 0);
        prop_assert!(records.position().record() > actions.len() as u64);

        let batch: Vec<Value> =
            serde_json::from_str(&text(Format::CloudEventsBatch, middle(), &actions)).expect("JSON");
        prop_assert_eq!(batch.len(), actions.len());
        for (event, action) in batch.iter().zip(&actions) {
            prop_assert_eq!(&event["id"], &action.id.to_string());
            prop_assert_eq!(&parsed(&event["data"].to_string()), action);
        }
    }

    #[test]
    fn summaries_of_any_page_are_well_formed(actions in prop::collection::vec(any_action(), 0..4)) {
        let registry = registry();
        let sentences: Vec<_> =
            actions.iter().map(|action| prose::sentence(&registry, action)).collect();
        for (format, id) in [(Format::Atom, "id"), (Format::Rss, "guid")] {
            let elements = elements(&text(format, middle(), &actions));
            let title = |text: &String| match format {
                Format::Rss => rss::title(text),
                _ => text.clone(),
            };
            let shown = sentences.iter().map(|it| xml::allowed(&title(it)).into_owned());
            prop_assert_eq!(&texts(&elements, "title")[1..], &shown.collect::<Vec<_>>()[..]);
            let tags = texts(&elements, id);
            prop_assert_eq!(tags.len(), actions.len() + usize::from(format == Format::Atom));
            for (tag, action) in tags.iter().rev().zip(actions.iter().rev()) {
                prop_assert!(tag.ends_with(&action.id.to_string()));
            }
        }
        let streams = text(Format::ActivityStreams, middle(), &actions);
        prop_assert!(!streams.contains("\":null"));
        let page: Value = serde_json::from_str(&streams).expect("JSON");
        for (item, sentence) in page["orderedItems"].as_array().expect("items").iter().zip(&sentences) {
            let summary = item["summary"].as_str().expect("a summary");
            prop_assert!(!summary.contains(['<', '>']));
            prop_assert_eq!(&unescaped(summary), sentence);
        }
    }
}

/// What a browser shows of HTML without elements.
fn unescaped(html: &str) -> String {
    let names = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    names.iter().fold(html.to_owned(), |text, (name, c)| text.replace(name, c))
}

/// The part of the schema of messages that tells of events.
#[test]
fn events_of_a_batch_are_those_of_the_schema() {
    let text = include_str!("../../../schema/message.schema.json");
    let mut schema: Value = serde_json::from_str(text).expect("JSON");
    schema.as_object_mut().expect("an object").remove("oneOf");
    schema["$ref"] = json!("#/$defs/event");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let batch: Vec<Value> =
        serde_json::from_str(include_str!("tests/page.cloudevents")).expect("JSON");
    assert_eq!(batch.len(), 4);
    for event in &batch {
        let errors: Vec<_> = validator.iter_errors(event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{event}");
    }
}
