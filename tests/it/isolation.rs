//! What belongs to one tenant is never seen by another, and what is meant for some readers never by others: through
//! every function that reads, both where row security helps and where it does not.

mod audiences;
mod row_security;

use std::collections::BTreeSet;

use gesta::stream::{Facet, FollowQuery, Period, StatsQuery};
use gesta::{ActionId, Context, FeedQuery, Follow, NewAction, Reader, Store, StreamQuery, Tenant};
use uuid::Uuid;

use crate::support::{append_all, check_log, database, day, resource, walk, walk_feed};

/// Every way to read actions, by name, for the actor, object, target and run of [`action`] and the follower of its actor.
async fn everything_read(
    reader: &Reader,
    ids: &[ActionId],
) -> Vec<(&'static str, BTreeSet<ActionId>)> {
    let (actor, object, target) = (resource("user:1"), resource("issue:1"), resource("project:1"));
    let mut read = Vec::new();
    for (name, query) in [
        ("actor", StreamQuery::actor(&actor)),
        ("object", StreamQuery::object(&object)),
        ("target", StreamQuery::target(&target)),
        ("any, as actor", StreamQuery::any(&actor)),
        ("any, as object", StreamQuery::any(&object)),
        ("any, as target", StreamQuery::any(&target)),
        ("type of the actor", StreamQuery::of_type(actor.kind.clone())),
        ("type of the object", StreamQuery::of_type(object.kind.clone())),
        ("type of the target", StreamQuery::of_type(target.kind.clone())),
        ("run", StreamQuery::run(Uuid::from_u128(1))),
        ("tenant", StreamQuery::tenant()),
    ] {
        let page = query.clone().page(reader).await.expect(name);
        assert!(page.items.iter().all(|action| &action.tenant == reader.tenant()), "{name}");
        let found: BTreeSet<_> = page.items.iter().map(|action| action.id).collect();
        // The other direction is another query: from the oldest back to the newest.
        let (_, oldest) = walk(reader, &query.clone().limit(1)).await;
        let newer = query.from(oldest.newer).page(reader).await.expect(name);
        let back = newer.items.iter().chain(&oldest.items).map(|action| action.id);
        assert_eq!(back.collect::<BTreeSet<_>>(), found, "{name}, to newer");
        read.push((name, found));
    }
    for (name, feed) in [
        ("feed", FeedQuery::new(&resource("user:follower"))),
        ("feed of many edges", FeedQuery::new(&resource("user:busy"))),
        ("feed of one's own", FeedQuery::new(&actor).with_own_activity()),
    ] {
        let page = feed.page(reader).await.expect(name);
        assert!(page.items.iter().all(|item| &item.action.tenant == reader.tenant()), "{name}");
        let found: BTreeSet<_> = page.items.iter().map(|item| item.action.id).collect();
        let (_, oldest) = walk_feed(reader, &feed.clone().limit(1)).await;
        let newer = feed.from(oldest.newer).page(reader).await.expect(name);
        let back = newer.items.iter().chain(&oldest.items).map(|item| item.action.id);
        assert_eq!(back.collect::<BTreeSet<_>>(), found, "{name}, to newer");
        read.push((name, found));
    }
    let mut single = BTreeSet::new();
    for &id in ids {
        single.extend(reader.action(id).await.expect("read").map(|action| action.id));
    }
    read.push(("single action", single));
    read
}

/// That every way to count actions counts these and no others, and calls nobody by a name that only others know.
async fn assert_counted(reader: &Reader, ids: &BTreeSet<ActionId>) {
    let (len, stats) = (i64::try_from(ids.len()).expect("few"), StatsQuery::new());
    assert_eq!(stats.totals(reader).await.expect("totals").actions, len, "{reader:?}");
    for facet in Facet::ALL {
        let counts = stats.count_by(facet, 10, reader).await.expect("counts");
        let sum: i64 = counts.top.iter().map(|count| count.actions).sum();
        assert_eq!(sum, len, "{facet:?} for {reader:?}");
        let mut names = counts.top.iter().filter_map(|count| count.name.as_deref());
        assert!(names.all(|name| name == reader.tenant().as_str()), "{facet:?} for {reader:?}");
    }
    for period in Period::ALL {
        let bars = stats.count_per(period, reader).await.expect("counts").bars;
        assert_eq!(
            bars.iter().map(|bar| bar.actions).sum::<i64>(),
            len,
            "{period:?} for {reader:?}"
        );
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).expect("a tenant")
}

fn action(tenant: &Tenant) -> NewAction {
    let named = |text: &str| resource(text).named(tenant.as_str());
    let ctx = Context::new(&named("user:1")).tenant(tenant.clone()).run(Uuid::from_u128(1));
    NewAction::new("close", &ctx).object(&named("issue:1")).target(&named("project:1"))
}

/// Edges of two followers to the actor, the object and the target; one of them has many others besides.
async fn follow_all(store: &Store, tenant: &Tenant) {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let ctx = Context::new(&resource("user:follower")).tenant(tenant.clone());
    let busy = resource("user:busy");
    let others = (0..100).map(|n| Follow::new(&busy, &resource(&format!("user:quiet{n}"))));
    let wanted = ["user:1", "issue:1", "project:1"].into_iter().flat_map(|followed| {
        [resource("user:follower"), busy.clone()]
            .map(|follower| Follow::new(&follower, &resource(followed)))
    });
    for follow in wanted.chain(others) {
        let follow = follow.roles(gesta::stream::Role::ALL).silent();
        store.follow(&tx, &ctx, &follow).await.expect("followed");
    }
    tx.commit().await.expect("committed");
}

/// Two tenants with the same resources, the same follows and, for some actions, the same ids.
#[tokio::test]
async fn no_function_reads_another_tenants_rows() {
    let db = database().await;
    let app = db.store().await;
    let (one, other, empty) = (tenant("one"), tenant("other"), tenant("empty"));
    let id = |n| ActionId::new(day(0), n);
    let (mut of_one, mut of_other) = (BTreeSet::new(), BTreeSet::new());
    for n in 0..4 {
        of_one.insert(id(n));
        of_other.insert(id(n + 2));
    }
    for (tenant, ids) in [(&one, &of_one), (&other, &of_other)] {
        follow_all(&app, tenant).await;
        let actions = ids.iter().map(|&id| action(tenant).id(id)).collect();
        let _ = append_all(&app, actions).await;
    }
    let all: Vec<_> = of_one.union(&of_other).copied().collect();
    // Row security binds the first; the others see only what their queries ask for.
    for role in ["gesta_app", "gesta_import", "gesta_auditor", db.superuser()] {
        let store = db.store_as(role).await;
        for (tenant, own) in [(&one, &of_one), (&other, &of_other), (&empty, &BTreeSet::new())] {
            for reader in
                [Reader::new(&store, tenant.clone()), Reader::new(&store, tenant.clone()).auditor()]
            {
                assert_counted(&reader, own).await;
                for (name, found) in everything_read(&reader, &all).await {
                    assert_eq!(&found, own, "{name} of {tenant} as {role}");
                }
            }
        }
    }
    check_log(&db).await;
}

#[tokio::test]
async fn no_function_reads_another_tenants_edges() {
    let db = database().await;
    let app = db.store().await;
    follow_all(&app, &tenant("one")).await;
    let _ = append_all(&app, vec![action(&tenant("other"))]).await;
    let (follower, followed) = (resource("user:follower"), resource("issue:1"));
    for role in ["gesta_app", "gesta_import", "gesta_auditor", db.superuser()] {
        let store = db.store_as(role).await;
        for (name, following, followers) in [("one", 3, 2), ("other", 0, 0)] {
            let reader = Reader::new(&store, tenant(name));
            let list = FollowQuery::following(&follower).list(&reader).await.expect("edges");
            assert_eq!(list.len(), following, "following in {name} as {role}");
            let list = FollowQuery::followers(&followed).list(&reader).await.expect("edges");
            assert_eq!(list.len(), followers, "followers in {name} as {role}");
            let found = reader.is_following(&follower, &followed, "").await.expect("an answer");
            assert_eq!(found, following > 0, "is_following in {name} as {role}");
            // There is an action, but those who follow its actor are in the other tenant.
            let feed = FeedQuery::new(&follower).page(&reader).await.expect("a feed");
            assert_eq!(feed.items.len(), 0, "feed of {name} as {role}");
        }
    }
    check_log(&db).await;
}

#[tokio::test]
async fn no_function_writes_into_another_tenant() {
    let db = database().await;
    let follower = resource("user:follower");
    for role in ["gesta_app", db.superuser()] {
        let store = db.store_as(role).await;
        follow_all(&store, &tenant("one")).await;
        let receipts = append_all(&store, vec![action(&tenant("one"))]).await;
        let stranger = Context::new(&follower).tenant(tenant("other"));
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        let gone = store.unfollow(&tx, &stranger, &follower, &resource("issue:1"), "").await;
        assert_eq!(gone.expect("answered"), 0, "{role}");
        let gone = store.forget_edges(&tx, &stranger, &follower).await;
        assert_eq!(gone.expect("answered"), 0, "{role}");
        let hidden = gesta::Audience::auditors();
        let hidden = store.set_audience(&tx, &stranger, receipts[0].id(), &hidden).await;
        let error = hidden.expect_err("not there");
        assert!(matches!(error, gesta::store::AudienceError::NotFound(_)), "{role}: {error}");
        tx.commit().await.expect("committed");
        let edges =
            FollowQuery::following(&follower).list(&Reader::new(&store, tenant("one"))).await;
        assert_eq!(edges.expect("edges").len(), 3, "{role}");
    }
    check_log(&db).await;
}
