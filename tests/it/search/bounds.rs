//! What a search may cost, and that what somebody gives stays a value.

use std::time::Duration;

use gesta::search::{Split, Zone};
use gesta::stream::{Facet, Period};
use gesta::{Context, NewAction, Query, QueryError, SearchQuery};

use super::model::quoted;
use crate::support::{append_all, check_log, database, day, ids, public, resource};

const HOSTILE: [&str; 7] = [
    "' OR true --",
    "'; DROP TABLE gesta.action; --",
    "$1",
    "%_\\%",
    "{}\" : [1]",
    "\u{1b}[31m\u{202e}x",
    "$$ || pg_sleep(10) || $$",
];

#[tokio::test]
async fn hostile_values_are_found_as_what_they_are_and_nothing_else() {
    let db = database().await;
    let store = db.store().await;
    let ctx = Context::new(&resource("user:1"));
    let named = |text: &str| gesta::ResourceRef::new("x", text).expect("an id").named(text);
    let of = |text: &str| {
        let data = serde_json::json!({ "v": text });
        let changes = serde_json::json!({ text: [text, null] });
        let ctx = Context::new(&resource("user:1"))
            .reason(text)
            .user_agent(text)
            .request_id(text)
            .trace(text);
        NewAction::new("x", &ctx).object(&named(text)).data(data).changes(changes)
    };
    let mut actions: Vec<_> = HOSTILE.iter().map(|text| of(text)).collect();
    actions.push(NewAction::new("x", &ctx));
    append_all(&store, actions).await;
    let reader = public(&store);
    for text in HOSTILE {
        let value = quoted(text);
        for key in [
            "object",
            "object.name",
            "about.name",
            "data.v",
            "changed",
            "from",
            "reason",
            "ua",
            "req",
            "trace",
        ] {
            let query = Query::parse(&format!("{key}:{value}")).expect(text);
            let page = SearchQuery::new(query).page(&reader).await.expect(text);
            assert_eq!(page.items.len(), 1, "{key}:{value}");
            assert_eq!(
                page.items[0].object.as_ref().and_then(|o| o.name.as_deref()),
                Some(text),
                "{key}"
            );
        }
        for search in [format!("object:x:{value}"), value.clone()] {
            let query = Query::parse(&search).expect(text);
            assert_eq!(
                SearchQuery::new(query).count(&reader, 10).await.expect(text).actions,
                1,
                "{search}"
            );
        }
        for search in [
            format!("verb:{value}"),
            format!("audience:{value}"),
            format!("to:{value}"),
            format!("data.n:>{value}"),
        ] {
            let query = Query::parse(&search).expect(text);
            assert_eq!(
                SearchQuery::new(query).count(&reader, 10).await.expect(text).actions,
                0,
                "{search}"
            );
        }
    }
    check_log(&db).await;
}

#[tokio::test]
async fn search_that_takes_too_long_is_stopped_and_says_what_to_do() {
    let db = database().await;
    let slow = "CREATE OR REPLACE FUNCTION gesta.resource_key(tenant text, type text, id text) RETURNS bigint
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$ BEGIN PERFORM pg_sleep(30); RETURN 1; END $$";
    db.admin().await.batch_execute(slow).await.expect("a slow function");
    let reader = public(&db.store().await);
    let search = SearchQuery::new(Query::parse("actor:user:1").expect("a search"));
    let search = search.timeout(Duration::from_millis(20));
    let error = search.page(&reader).await.expect_err("stopped");
    assert!(matches!(error, QueryError::TooSlow { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("longer than 20ms") && text.contains("occurred:>now-7d"), "{text}");
    // The limit ends with the transaction: the same connection is as patient as before.
    let client = reader.store().client().await.expect("a connection");
    let row = client.query_one("SHOW statement_timeout", &[]).await.expect("the setting");
    assert_eq!(row.get::<_, &str>(0), "0");
}

#[tokio::test]
async fn counts_are_exact_up_to_the_cap() {
    let db = database().await;
    let store = db.store().await;
    let ctx = |n: i64| Context::new(&resource(&format!("user:{}", n % 3)).named(format!("U{n}")));
    let verb = |n: i64| if n % 5 == 0 { "close" } else { "open" };
    let actions = (0..30).map(|n| NewAction::new(verb(n), &ctx(n)).at(day(n / 10))).collect();
    append_all(&store, actions).await;
    let reader = public(&store);
    let search = SearchQuery::new(Query::parse("actor.type:user").expect("a search"));
    for (cap, actions, is_capped) in [(100, 30, false), (30, 30, false), (29, 29, true)] {
        let count = search.count(&reader, cap).await.expect("a count");
        assert_eq!((count.actions, count.is_capped), (actions, is_capped));
        let facets = search.facets(&reader, &[Facet::Verb], 5, cap).await.expect("facets");
        assert_eq!((facets.of.actions, facets.of.is_capped), (actions, is_capped));
        let sum: i64 = facets.facets[0].1.iter().map(|count| count.actions).sum();
        assert_eq!(usize::try_from(sum).expect("a count"), actions, "what is looked at, in all");
    }
    let facets = search
        .facets(&reader, &[Facet::Verb, Facet::Target, Facet::Actor], 2, 1_000)
        .await
        .expect("facets");
    let told: Vec<_> = facets
        .facets
        .iter()
        .map(|(facet, counts)| {
            let of = |c: &gesta::stream::stats::Count| (c.value.clone(), c.name.clone(), c.actions);
            (facet.as_str(), counts.iter().map(of).collect::<Vec<_>>())
        })
        .collect();
    let row = |value: &str, name: Option<&str>, actions| {
        (value.to_owned(), name.map(str::to_owned), actions)
    };
    assert_eq!(
        told,
        [
            ("verb", vec![row("open", None, 24), row("close", None, 6)]),
            ("target", vec![]),
            ("actor", vec![row("user:0", Some("U27"), 10), row("user:1", Some("U28"), 10)]),
        ]
    );
    check_log(&db).await;
}

#[tokio::test]
async fn histogram_has_the_days_of_its_zone_and_is_divided() {
    let db = database().await;
    let store = db.store().await;
    let ctx = Context::new(&resource("user:1"));
    // 23:30 in UTC is the next day in Berlin, the same in Brazil.
    let at = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().expect("a time");
    let times = ["2026-01-01T12:00:00Z", "2026-01-01T23:30:00Z", "2026-01-02T12:00:00Z"];
    let actions = times.iter().map(|time| NewAction::new("x", &ctx).at(at(time))).collect();
    append_all(&store, actions).await;
    let reader = public(&store);
    let search = SearchQuery::new(Query::parse("").expect("a search"));
    let day = |zone: &'static str| {
        let zone: Zone = zone.parse().expect(zone);
        let (search, reader) = (search.clone(), reader.clone());
        async move {
            let found = search
                .histogram(&reader, Some(Period::Day), Split::None, &zone)
                .await
                .expect("bars");
            assert!(!found.is_cut);
            found.bars.into_iter().map(|bar| (bar.at.to_rfc3339(), bar.actions)).collect::<Vec<_>>()
        }
    };
    let bars = |bars: &[(&str, i64)]| {
        bars.iter().map(|(at, n)| ((*at).to_owned(), *n)).collect::<Vec<_>>()
    };
    assert_eq!(
        day("UTC").await,
        bars(&[("2026-01-01T00:00:00+00:00", 2), ("2026-01-02T00:00:00+00:00", 1)])
    );
    for zone in ["Europe/Berlin", "+01:00"] {
        let wanted = [("2025-12-31T23:00:00+00:00", 1), ("2026-01-01T23:00:00+00:00", 2)];
        assert_eq!(day(zone).await, bars(&wanted), "{zone}");
    }
    assert_eq!(
        day("-03").await,
        bars(&[("2026-01-01T03:00:00+00:00", 2), ("2026-01-02T03:00:00+00:00", 1)])
    );
    let found = search.histogram(&reader, None, Split::Verb, &Zone::default()).await.expect("bars");
    assert_eq!((found.period, found.bars[0].value.as_deref()), (Period::Hour, Some("x")));
    let zone: Zone = "Mars/Olympus".parse().expect("it may be one");
    let error = search.histogram(&reader, None, Split::None, &zone).await.expect_err("refused");
    assert!(error.to_string().contains("`Mars/Olympus` is no time zone"), "{error}");
}

#[tokio::test]
async fn filter_and_window_narrow_a_search_besides() {
    let db = database().await;
    let store = db.store().await;
    let ctx = Context::new(&resource("user:1"));
    let actions = (0..4)
        .map(|n| NewAction::new(["a", "b"][n % 2], &ctx).at(day(i64::try_from(n).expect("few"))));
    append_all(&store, actions.collect()).await;
    let reader = public(&store);
    let search =
        SearchQuery::new(Query::parse("actor:user:1 occurred:<=2026-01-03").expect("a search"));
    let filter = gesta::stream::Filter { verbs: vec!["a".to_owned()], ..Default::default() };
    let page = search.clone().filter(filter).since(day(1)).page(&reader).await.expect("a page");
    assert_eq!(page.items.iter().map(|a| a.occurred_at).collect::<Vec<_>>(), [day(2)]);
    let page = search.until(day(1)).page(&reader).await.expect("a page");
    assert_eq!(ids(&page.items).len(), 1);
}
