//! Plans of searches: what is asked for decides on the index, and what else is asked for is checked on its rows.

use gesta::action::form::time;
use gesta::search::{Split, Zone};
use gesta::stream::{Facet, Period};
use gesta::{Query, SearchQuery};

use super::watch::{Watched, watched};
use super::{ACTOR, BUFFERS_A_DESCENT, BUFFERS_A_ROW, KEY, OBJECT, RUN, TARGET};

const ACTOR_TYPE: &str = "tenant_actor_type_id_idx";
const OBJECT_TYPE: &str = "tenant_object_type_id_idx";

fn query(text: &str) -> SearchQuery {
    SearchQuery::new(Query::parse(text).expect(text))
}

/// Searches whose pages are full, and the indexes that they walk.
fn indexed() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("", vec![KEY]),
        ("-outcome:failed source:import", vec![KEY]),
        ("object:file:0", vec![OBJECT]),
        ("actor:user:0", vec![ACTOR]),
        ("target:repo:0", vec![TARGET]),
        ("about:user:0", vec![ACTOR, OBJECT, TARGET]),
        ("object:file:0,issue:0,file:1", vec![OBJECT]),
        ("actor:user:0 OR target:repo:0", vec![ACTOR, TARGET]),
        ("run:c0c7c76d-30bd-3dca-efc9-6f40275bdc0a", vec![RUN]),
        ("actor.type:user", vec![ACTOR_TYPE]),
        ("object.type:file,issue", vec![OBJECT_TYPE]),
        ("actor:user:0 object.type:file -data.n:0 (outcome:ok OR crash)", vec![ACTOR]),
    ]
}

#[tokio::test]
async fn each_search_walks_its_own_indexes_both_ways() {
    let db = watched().await;
    let reader = db.reader();
    for (text, indexes) in indexed() {
        let search = query(text);
        let first = search.page(&reader).await.expect(text);
        let (second, plan) = db.plan(search.clone().from(first.older).page(&reader)).await;
        let (back, back_plan) = db.plan(search.from(second.newer).page(&reader)).await;
        assert_eq!(back.items, first.items, "{text}");
        for plan in [plan, back_plan] {
            assert_eq!(
                (first.items.len(), plan.indexes()),
                (50, indexes.clone()),
                "{text}: {plan}"
            );
            assert_eq!((plan.sorts(), plan.scanned()), (0, Vec::new()), "{text}: {plan}");
            // Each branch reads a page, and what a condition refuses is read as well.
            let branches = u64::try_from(plan_branches(text)).expect("few");
            plan.assert_buffers(text, branches * (60 * BUFFERS_A_ROW + BUFFERS_A_DESCENT));
        }
    }
}

fn plan_branches(text: &str) -> usize {
    match text {
        "about:user:0" | "object:file:0,issue:0,file:1" => 3,
        _ if text.contains(" OR ") || text.contains(',') => 2,
        _ => 1,
    }
}

/// Types that are common, rare, or long gone.
#[tokio::test]
async fn every_type_is_searched_by_its_own_range() {
    let db = watched().await;
    for kind in ["file", "rare", "former", "nothing"] {
        let (_, plan) = db.plan(query(&format!("object.type:{kind}")).page(&db.reader())).await;
        assert_eq!((plan.indexes(), plan.sorts()), (vec![OBJECT_TYPE], 0), "{kind}: {plan}");
        plan.assert_buffers(kind, 60 * BUFFERS_A_ROW + BUFFERS_A_DESCENT);
    }
}

/// Times are bounds of whatever index is walked, and partitions outside of them are left alone.
#[tokio::test]
async fn window_of_time_is_entered_by_the_index_and_prunes_partitions() {
    let db = watched().await;
    let reader = db.reader();
    for (text, indexes) in indexed() {
        let first = query(text).limit(1).page(&reader).await.expect(text);
        let newest = time(first.items.first().expect("an action").occurred_at);
        let within = |window: String| {
            let window = Query::parse(&window).expect("a window");
            SearchQuery::new(Query::parse(text).expect(text).and(window)).limit(1)
        };
        let (_, plan) = db.plan(within(format!("occurred:<{newest}")).page(&reader)).await;
        assert_eq!(plan.indexes(), indexes, "{text}: {plan}");
        plan.assert_buffers(text, 60 + 3 * BUFFERS_A_DESCENT);
        // What finds nothing looks everywhere in its window, and nowhere else.
        let nothing = "verb:nothing occurred:>=now-1w".to_owned();
        let (page, plan) = db.plan(within(nothing).page(&reader)).await;
        assert_eq!(page.items, [], "{text}");
        assert!(!plan.has_begun("action_past"), "{text}: {plan}");
    }
}

#[tokio::test]
async fn single_id_is_one_probe() {
    let db = watched().await;
    let id = db.some_ids(1).await[0];
    let (page, plan) = db.plan(query(&format!("id:{id}")).page(&db.reader())).await;
    assert_eq!((page.items.len(), plan.indexes()), (1, vec![KEY]), "{plan}");
    plan.assert_buffers("id", 16);
}

async fn assert_unscanned(db: &Watched, text: &str) {
    let (reader, search) = (db.reader(), query(text));
    let (_, plan) = db.plan(search.count(&reader, 1_000)).await;
    assert_eq!(plan.scanned(), Vec::<String>::new(), "{text}: {plan}");
    let (_, plan) = db.plan(search.facets(&reader, &Facet::ALL, 10, 1_000)).await;
    assert_eq!(plan.scanned(), Vec::<String>::new(), "{text}: {plan}");
    let zone = Zone::default();
    let bars = search.histogram(&reader, Some(Period::Month), Split::Outcome, &zone);
    let (_, plan) = db.plan(bars).await;
    assert_eq!(plan.scanned(), Vec::<String>::new(), "{text}: {plan}");
}

/// Counts of a resource or a run read its rows, not the log.
#[tokio::test]
async fn counts_are_made_of_the_rows_of_an_index() {
    let db = watched().await;
    for text in [
        "object:file:7",
        "about:user:500",
        "actor:user:500 OR target:repo:29",
        "run:c0c7c76d-30bd-3dca-efc9-6f40275bdc0a",
        "actor.type:service verb:commit",
    ] {
        assert_unscanned(&db, text).await;
    }
}
