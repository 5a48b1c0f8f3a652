//! Plans: which index each query reads, and that a page costs the same wherever it is.
//!
//! What is looked at are the plans of the very statements that the library runs, as the role and in the plan mode that it
//! runs them: `auto_explain`, which comes with PostgreSQL, sends each plan to the client as a notice. Amounts are buffers
//! and rows, never times.

mod log;
mod role;
#[cfg(feature = "actions")]
mod run;
mod search;
mod watch;

use gesta::stream::{Filter, FollowQuery};
use gesta::{Context, FeedQuery, Follow, NewAction, Page, StreamQuery};

use crate::support::{append_all, resource};
use watch::{Plan, Watched, watched};

const OBJECT: &str = "object_key_id_tenant_idx";
const ACTOR: &str = "actor_key_id_tenant_idx";
const TARGET: &str = "target_key_id_tenant_idx";
const TYPES: [&str; 3] =
    ["tenant_actor_type_id_idx", "tenant_object_type_id_idx", "tenant_target_type_id_idx"];
const RUN: &str = "tenant_run_id_id_idx";
const KEY: &str = "pkey";

/// A row of a page: its own buffer, one or two of its visibility, now and then a page of the index.
const BUFFERS_A_ROW: u64 = 4;
/// The way down an index, once for each partition that may have to be looked into.
const BUFFERS_A_DESCENT: u64 = 5 * 4;

fn run_of(n: i32) -> uuid::Uuid {
    // As in the filling: md5 of the number.
    let runs =
        [(0, "cfcd2084-95d5-65ef-66e7-dff9f98764da"), (50, "c0c7c76d-30bd-3dca-efc9-6f40275bdc0a")];
    let run = runs.into_iter().find(|(number, _)| *number == n).expect("a run");
    run.1.parse().expect("a UUID")
}

/// Every stream that has an index of its own.
fn indexed() -> Vec<(&'static str, StreamQuery, Vec<&'static str>)> {
    vec![
        ("object", StreamQuery::object(&resource("file:0")), vec![OBJECT]),
        ("actor", StreamQuery::actor(&resource("user:0")), vec![ACTOR]),
        ("target", StreamQuery::target(&resource("repo:0")), vec![TARGET]),
        ("any", StreamQuery::any(&resource("user:0")), vec![ACTOR, OBJECT, TARGET]),
        ("run", StreamQuery::run(run_of(50)), vec![RUN]),
        ("tenant", StreamQuery::tenant(), vec![KEY]),
    ]
}

/// A page of each direction: the second, and back to the first.
async fn both_ways(db: &Watched, query: &StreamQuery) -> [(Page<gesta::Action>, Plan); 2] {
    let reader = db.reader();
    let first = query.page(&reader).await.expect("a page");
    let second = db.plan(query.clone().from(first.older).page(&reader)).await;
    let back = db.plan(query.clone().from(second.0.newer).page(&reader)).await;
    assert_eq!(back.0.items, first.items, "the page before the second is the first");
    [second, back]
}

#[tokio::test]
async fn each_stream_walks_its_own_index_both_ways() {
    let db = watched().await;
    for (name, query, indexes) in indexed() {
        for (page, plan) in both_ways(&db, &query).await {
            assert_eq!(page.items.len(), 50, "{name}");
            assert_eq!(plan.indexes(), indexes, "{name}: {plan}");
            assert_eq!(plan.sorts(), 0, "{name}: {plan}");
            assert_eq!(plan.scanned(), Vec::<String>::new(), "{name}: {plan}");
            let roles = u64::try_from(indexes.len()).expect("few");
            plan.assert_buffers(name, 51 * BUFFERS_A_ROW + roles * BUFFERS_A_DESCENT);
        }
    }
}

/// Partitions are walked from the newest on, and not begun before they are needed.
#[tokio::test]
async fn first_page_does_not_look_into_the_past() {
    let db = watched().await;
    for (name, query, _) in indexed() {
        if name == "run" {
            continue;
        }
        let (_, plan) = db.plan(query.page(&db.reader())).await;
        assert!(plan.rows_of("action_past") < 1.0, "{name}: {plan}");
        // A resource that is nowhere an object has to be looked for everywhere.
        if name != "any" {
            assert!(!plan.has_begun("action_past"), "{name}: {plan}");
        }
    }
}

#[tokio::test]
async fn hundredth_page_costs_as_much_as_the_first() {
    let db = watched().await;
    let reader = db.reader();
    for (name, query, _) in indexed() {
        if name == "run" {
            continue;
        }
        let query = query.limit(10);
        let (mut page, first) = db.plan(query.page(&reader)).await;
        for _ in 1..99 {
            page = query.clone().from(page.older).page(&reader).await.expect("a page");
        }
        let (page, deep) = db.plan(query.clone().from(page.older).page(&reader)).await;
        assert_eq!(page.items.len(), 10, "{name}");
        deep.assert_buffers(name, first.buffers() + BUFFERS_A_DESCENT);
    }
}

/// `since` and `until` are bounds of the index, not filters.
#[tokio::test]
async fn window_of_time_is_entered_by_the_index() {
    let db = watched().await;
    let reader = db.reader();
    for (name, query, _) in indexed() {
        let first = query.clone().limit(1).page(&reader).await.expect("a page");
        let newest = first.items.first().expect("an action").occurred_at;
        for query in [query.clone().since(newest), query.until(newest).limit(1)] {
            let (_, plan) = db.plan(query.page(&reader)).await;
            plan.assert_buffers(name, 40 + 3 * BUFFERS_A_DESCENT);
        }
    }
}

/// Whether a type is common, rare, the latest, or one that ended years ago.
#[tokio::test]
async fn every_type_is_read_by_its_own_ranges() {
    let db = watched().await;
    for (kind, wanted) in
        [("user", 50), ("file", 50), ("repo", 50), ("former", 50), ("service", 40), ("nothing", 0)]
    {
        let query = StreamQuery::of_type(kind.parse().expect("a type")).limit(wanted.max(1));
        let (first, plan) = db.plan(query.page(&db.reader())).await;
        let mut pages = vec![(first, plan)];
        if wanted > 0 {
            pages.extend(both_ways(&db, &query).await);
        }
        for (page, plan) in pages {
            assert_eq!(page.items.len(), wanted, "{kind}");
            assert_eq!((plan.indexes(), plan.sorts()), (TYPES.to_vec(), 0), "{kind}: {plan}");
            assert_eq!(plan.scanned(), Vec::<String>::new(), "{kind}: {plan}");
            plan.assert_buffers(kind, 51 * BUFFERS_A_ROW + 3 * BUFFERS_A_DESCENT);
        }
    }
}

#[tokio::test]
async fn single_action_is_one_probe_of_one_partition() {
    let db = watched().await;
    let ids = db.some_ids(20).await;
    // A connection's first statement reads the system catalogs.
    db.reader().action(ids[0]).await.expect("an action");
    for id in ids {
        let (_, plan) = db.plan(db.reader().action(id)).await;
        assert_eq!(plan.indexes(), [KEY], "{plan}");
        plan.assert_buffers("one", 8);
    }
}

/// A plan that is made while next year's partition is empty is still the right one when it has filled up.
#[tokio::test]
async fn empty_partitions_are_read_by_the_same_index() {
    let db = watched().await;
    let reader = db.reader();
    for (name, query, indexes) in indexed() {
        let (_, plan) = db.plan(query.page(&reader)).await;
        assert_eq!((plan.scans(), plan.indexes()), (Vec::new(), indexes), "{name}: {plan}");
    }
    let (_, plan) = db.plan(FeedQuery::new(&resource("user:many")).page(&reader)).await;
    assert_eq!(plan.scans(), Vec::<&str>::new(), "{plan}");
}

/// What a filter refuses is read, but not looked up in `visibility`, and not sorted.
#[tokio::test]
async fn filtered_stream_still_walks_its_index() {
    let db = watched().await;
    let filter = Filter { changed: Some("title".to_owned()), ..Filter::default() };
    for (name, query, indexes) in indexed() {
        let (page, plan) = db.plan(query.filter(filter.clone()).limit(10).page(&db.reader())).await;
        assert!(page.items.is_empty(), "{name}");
        assert_eq!((plan.indexes(), plan.sorts()), (indexes, 0), "{name}: {plan}");
    }
}

#[tokio::test]
async fn feed_reads_the_log_by_index_alone() {
    let db = watched().await;
    let reader = db.reader();
    // The edges themselves, recent rows, and what comes out; few edges are looked up one by one. Of quiet streams only a
    // sample is looked for in all years.
    for (who, items, limit) in
        [("many", 50, 2_500), ("few", 50, 700), ("silent", 0, 40), ("quiet", 50, 7_000)]
    {
        let query = FeedQuery::new(&resource(&format!("user:{who}")));
        let (first, plan) = db.plan(query.page(&reader)).await;
        assert_eq!(first.items.len(), items, "{who}");
        assert_eq!(plan.scanned(), Vec::<String>::new(), "{who}: {plan}");
        plan.assert_buffers(who, limit);
        let (newer, plan) = db.plan(query.clone().from(first.newer).page(&reader)).await;
        assert!(newer.items.is_empty(), "{who}: nothing is newer than the newest");
        assert_eq!(plan.scanned(), Vec::<String>::new(), "{who}: {plan}");
        plan.assert_buffers(who, limit);
        let second = query.clone().from(first.older).page(&reader).await.expect("a page");
        let (back, plan) = db.plan(query.from(second.newer).page(&reader)).await;
        assert_eq!(back.items, first.items, "{who}: the page before the second is the first");
        assert_eq!(plan.scanned(), Vec::<String>::new(), "{who}: {plan}");
        plan.assert_buffers(who, limit);
    }
}

#[tokio::test]
async fn edges_are_found_by_either_end_and_a_pair_by_both() {
    let db = watched().await;
    let reader = db.reader();
    let many = resource("user:many");
    let (edges, plan) = db.plan(FollowQuery::following(&many).list(&reader)).await;
    assert!(edges.len() >= 1000, "{}", edges.len());
    assert_eq!((plan.indexes(), plan.sorts()), (vec!["follow_follower_idx"], 0), "{plan}");
    plan.assert_buffers("following", 1100);
    let (edges, plan) = db.plan(FollowQuery::followers(&resource("user:1")).list(&reader)).await;
    assert_eq!(edges.len(), 20);
    assert_eq!((plan.indexes(), plan.sorts()), (vec!["follow_followed_idx"], 0), "{plan}");
    plan.assert_buffers("followers", 30);

    let idol = resource("user:idol");
    let mut client = db.store().client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let ctx = Context::new(&many);
    for flag in ["", "liking"] {
        let wish = Follow::new(&many, &idol).flag(flag).silent();
        db.store().follow(&tx, &ctx, &wish).await.expect("followed");
    }
    tx.commit().await.expect("committed");
    drop(client);
    for (followed, flag, wanted) in [
        (&idol, "", true),
        (&idol, "liking", true),
        (&idol, "watching", false),
        (&resource("user:nobody"), "", false),
    ] {
        let (is_following, plan) = db.plan(reader.is_following(&many, followed, flag)).await;
        assert_eq!(is_following, wanted, "{followed} {flag}");
        plan.assert_buffers("is following", 10);
    }
}

/// Whatever the batch's length is, each repeated id is looked up; the log is not read as a whole.
#[tokio::test]
async fn repeated_ids_are_compared_one_by_one() {
    let db = watched().await;
    for len in [10_000, 1000, 1] {
        let ctx = Context::new(&resource("user:1"));
        let ids = db.some_ids(len).await;
        let again = ids.into_iter().map(|id| NewAction::new("other", &ctx).id(id)).collect();
        let (_, plans) = db.plans(append_all(db.store(), again)).await;
        let [_, compared] = &plans[..] else { panic!("{} statements", plans.len()) };
        assert_eq!(compared.indexes(), [KEY], "{compared}");
        assert_eq!(compared.scanned(), Vec::<String>::new(), "{compared}");
        compared
            .assert_buffers("compare", u64::try_from(len).expect("few") * 5 + BUFFERS_A_DESCENT);
    }
}
