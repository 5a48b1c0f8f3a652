//! The main test of what searches mean: the database and the memory say the same of any action and any search.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use gesta::{Action, Query, Reader, SearchQuery, StreamQuery, Tenant};
use proptest::prelude::*;

use super::model::{ACTION, SEARCH, append, picks, present, search, store};
use crate::support::{check_log, database, holds, ids, runtime, walk};

/// All that a search finds, by pages of a length.
pub(super) async fn found(reader: &Reader, query: &SearchQuery) -> Vec<Action> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = match query.clone().from(cursor).page(reader).await {
            Ok(page) => page,
            Err(error) => panic!("{}", gesta::error::chain(&error)),
        };
        all.extend(page.items);
        cursor = page.older;
        if cursor.is_none() {
            return all;
        }
    }
}

#[test]
fn database_and_memory_agree_on_any_search_of_any_actions() {
    let runtime = runtime();
    let db = runtime.block_on(database());
    let store = runtime.block_on(store(&db));
    let case = AtomicU32::new(0);
    let strategy = (
        proptest::collection::vec(picks(ACTION), 1..40),
        proptest::collection::vec(picks(SEARCH), 30),
        1_usize..12,
    );
    holds(48, &strategy, |(actions, searches, limit)| {
        let tenant =
            Tenant::new(format!("t{}", case.fetch_add(1, Ordering::Relaxed))).expect("a tenant");
        runtime.block_on(async {
            // Two transactions, so that not all is recorded at the same moment.
            let (first, second) = actions.split_at(actions.len() / 2);
            append(&store, &tenant, first).await;
            append(&store, &tenant, second).await;
            let reader = Reader::new(&store, tenant.clone()).auditor();
            let (all, _) = walk(&reader, &StreamQuery::tenant()).await;
            for picks in &searches {
                let text = search(picks, &all);
                let query = Query::parse(&text)
                    .unwrap_or_else(|error| panic!("{}", error.with_carets(&text)));
                let wanted = ids(all.iter().filter(|action| query.matches(action, present())));
                let search = SearchQuery::new(query).limit(limit);
                assert_eq!(ids(&found(&reader, &search).await), wanted, "{text}");
                let count = search.count(&reader, 1_000).await.expect("a count");
                assert_eq!((count.actions, count.is_capped), (wanted.len(), false), "{text}");
            }
        });
    });
    runtime.block_on(check_log(&db));
}

/// That the searches of the test above find something, and not everything.
#[test]
fn searches_of_the_model_tell_actions_apart() {
    let runtime = runtime();
    let db = runtime.block_on(database());
    let store = runtime.block_on(store(&db));
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut sample = |len, count| -> Vec<Vec<u8>> {
        let strategy = proptest::collection::vec(picks(len), count);
        proptest::strategy::ValueTree::current(&strategy.new_tree(&mut runner).expect("a sample"))
    };
    let (actions, searches) = (sample(ACTION, 40), sample(SEARCH, 400));
    runtime.block_on(async {
        append(&store, &Tenant::default(), &actions).await;
        let reader = Reader::new(&store, Tenant::default()).auditor();
        let (all, _) = walk(&reader, &StreamQuery::tenant()).await;
        let mut sizes = BTreeSet::new();
        let mut telling = 0;
        for picks in &searches {
            let query = Query::parse(&search(picks, &all)).expect("a search");
            let size = all.iter().filter(|action| query.matches(action, present())).count();
            sizes.insert(size);
            telling += usize::from(size > 0 && size < all.len());
        }
        assert!(telling > 200 && sizes.len() > 20, "{telling} of {}, {sizes:?}", searches.len());
    });
}
