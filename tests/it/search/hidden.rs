//! What belongs to another tenant, or to other readers, is neither found nor counted.

use gesta::search::{Split, Zone};
use gesta::stream::{Facet, Period};
use gesta::{ActionId, Audience, Context, NewAction, Query, Reader, SearchQuery, Store, Tenant};

use crate::support::{append, check_log, database, day, resource, set_audience};

/// Searches that walk each kind of index, and all of which everything satisfies.
const SEARCHES: [&str; 8] = [
    "",
    "close",
    "actor:user:1",
    "about:user:1",
    "object:issue:1 OR target:org:1",
    "about.type:user",
    "run:00000000-0000-7000-8000-000000000001",
    "-verb:open occurred:2026-01",
];

async fn one(store: &Store, tenant: &Tenant, audience: Audience) -> ActionId {
    let run = uuid::Uuid::from_u128(0x7000_8000_0000_0000_0001);
    let ctx =
        Context::new(&resource("user:1").named(tenant.as_str())).tenant(tenant.clone()).run(run);
    let action =
        NewAction::new("close", &ctx).object(&resource("issue:1")).target(&resource("org:1"));
    append(store, action.at(day(1)).audience(audience)).await
}

/// That a reader sees so many, whichever way it asks.
async fn assert_seen(reader: &Reader, wanted: &[ActionId]) {
    let len = wanted.len();
    for text in SEARCHES {
        let search = SearchQuery::new(Query::parse(text).expect(text));
        let page = search.page(reader).await.expect(text);
        let mut found: Vec<_> = page.items.iter().map(|action| action.id).collect();
        found.sort();
        assert_eq!(found, wanted, "{text} for {reader:?}");
        assert!(page.items.iter().all(|action| &action.tenant == reader.tenant()), "{text}");
        assert_eq!(
            search.count(reader, 10).await.expect(text).actions,
            len,
            "{text} for {reader:?}"
        );
        let facets = search.facets(reader, &Facet::ALL, 5, 10).await.expect(text);
        assert_eq!(facets.of.actions, len, "{text} for {reader:?}");
        for (facet, counts) in facets.facets {
            let sum: i64 = counts.iter().map(|count| count.actions).sum();
            assert_eq!(
                usize::try_from(sum).expect("few"),
                len,
                "{facet:?} of {text} for {reader:?}"
            );
            let mut names = counts.iter().filter_map(|count| count.name.as_deref());
            assert!(names.all(|name| name == reader.tenant().as_str()), "{facet:?} of {text}");
        }
        let bars =
            search.histogram(reader, Some(Period::Day), Split::Outcome, &Zone::default()).await;
        let sum: i64 = bars.expect(text).bars.iter().map(|bar| bar.actions).sum();
        assert_eq!(usize::try_from(sum).expect("few"), len, "{text} for {reader:?}");
    }
}

#[tokio::test]
async fn search_shows_a_reader_its_tenant_and_what_its_labels_allow() {
    let db = database().await;
    let app = db.store().await;
    let (ours, theirs) = (Tenant::default(), Tenant::new("theirs").expect("a tenant"));
    let open = one(&app, &ours, Audience::public()).await;
    let staff = one(&app, &ours, Audience::labels(["staff"])).await;
    let secret = one(&app, &ours, Audience::auditors()).await;
    let other = one(&app, &theirs, Audience::public()).await;
    // What was public and is hidden since.
    let hidden = one(&app, &ours, Audience::public()).await;
    let moderator = Context::new(&resource("moderator:1"));
    let told = set_audience(&app, &moderator, hidden, &Audience::labels(["board"])).await;
    for store in [app, db.unbound_store().await] {
        let reader = |tenant: &Tenant| Reader::new(&store, tenant.clone());
        for (reader, mut seen) in [
            (reader(&ours), vec![open]),
            (reader(&ours).labels(["staff", "board"]), vec![staff, hidden]),
            (reader(&ours).labels([""; 0]), vec![]),
            (reader(&theirs).auditor(), vec![other]),
        ] {
            seen.sort();
            assert_seen(&reader, &seen).await;
        }
        let search = SearchQuery::new(Query::parse("").expect("a search"));
        let mut all: Vec<_> = search
            .page(&reader(&ours).auditor())
            .await
            .expect("a page")
            .items
            .iter()
            .map(|a| a.id)
            .collect();
        all.sort();
        let mut wanted = vec![open, staff, secret, hidden, told];
        wanted.sort();
        assert_eq!(all, wanted);
    }
    check_log(&db).await;
}
