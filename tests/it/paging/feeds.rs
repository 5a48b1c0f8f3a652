//! Feeds against the model: enough rows and edges that every way of finding the next page is taken.

use std::collections::BTreeSet;

use gesta::stream::{FeedItem, Page};
use gesta::{ActionId, FeedQuery, Reader, ResourceRef, Store, Tenant};
use proptest::prelude::*;

use super::edges::{Because, FLAGS, Wishes, naive, party, wishes, write};
use super::model::{
    Keys, Row, Sight, Spec, VERBS, Window, append_specs, database_with, moment, windows,
};
use crate::support::{check_log, holds, runtime, walk_feed};

/// Many times as many as are looked at before the streams of the followed are.
const ROWS: usize = 2500;
/// Those that do something. The first ones do most of it, the last ones have long been silent.
const PARTIES: usize = 80;
const SILENT_FROM: usize = 65;
/// Half as many moments as rows.
const MICROS: std::ops::Range<i64> = 0..1250;
/// Pages of one feed, so that a case does not take forever.
const PAGES_MAX: usize = 12;

/// Numbers without a pattern, the same every time (`SplitMix64`).
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("below a usize")
    }

    /// The least of three: the first ones come most often.
    fn skewed(&mut self, end: usize) -> usize {
        (0..3).map(|_| self.below(end)).min().unwrap_or_default()
    }

    fn spec(&mut self) -> Spec {
        let micros = i64::try_from(self.below(1250)).expect("small");
        let parties = if micros < 250 { PARTIES } else { SILENT_FROM };
        let pick = |noise: &mut Self| {
            let number =
                if noise.below(4) == 0 { noise.below(parties) } else { noise.skewed(parties) };
            party(number).to_string()
        };
        let actor = pick(self);
        let object = match self.below(8) {
            0 => None,
            1 => Some(actor.clone()),
            _ => Some(pick(self)),
        };
        let target = match self.below(4) {
            0 => object.clone(),
            1 => Some(pick(self)),
            _ => None,
        };
        let sight = [Sight::Public, Sight::Public, Sight::Public, Sight::Staff, Sight::Auditors];
        Spec {
            actor,
            object,
            target,
            verb: VERBS[self.below(3)],
            micros,
            sight: sight[self.below(5)],
            later: (self.below(20) == 0).then(|| sight[self.below(5)]),
            run: None,
        }
    }
}

/// What somebody follows and how the feed is read.
#[derive(Clone, Debug)]
struct Case {
    follower: usize,
    wishes: Wishes,
    own: bool,
    flag: &'static str,
    window: Window,
    limit: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    // Few edges, for which the first step is skipped; about as many as it needs; many.
    let few = wishes(0..8, PARTIES, MICROS);
    let some = wishes(30..70, PARTIES + 20, MICROS);
    let many = wishes(90..160, PARTIES + 40, MICROS);
    // Many edges, but only to those that are silent or rare: the first step finds next to nothing.
    let sparse = wishes(70..110, 300, MICROS).prop_map(|wishes| {
        let rare = |&(followed, _): &(usize, _)| followed >= SILENT_FROM - 5;
        wishes.into_iter().filter(|(key, _)| rare(key)).collect()
    });
    let wishes = prop_oneof![1 => few, 1 => some, 2 => many, 2 => sparse];
    let flag = prop_oneof![3 => Just(""), 1 => proptest::sample::select(FLAGS.to_vec())];
    let limit = prop_oneof![2 => 1..8_usize, 1 => 8..200_usize];
    (0..PARTIES, wishes, any::<bool>(), flag, windows(MICROS), limit).prop_map(
        |(follower, wishes, own, flag, window, limit)| Case {
            follower,
            wishes,
            own,
            flag,
            window,
            limit,
        },
    )
}

impl Case {
    fn query(&self, follower: &ResourceRef, len: usize) -> FeedQuery {
        let limit = self.limit.max(len / PAGES_MAX);
        let mut query = FeedQuery::new(follower).flag(self.flag).limit(limit);
        query = query.verbs(self.window.verbs.clone());
        query = if self.own { query.with_own_activity() } else { query };
        query =
            self.window.since.into_iter().fold(query, |query, micros| query.since(moment(micros)));
        self.window.until.into_iter().fold(query, |query, micros| query.until(moment(micros)))
    }
}

fn told(items: &[FeedItem]) -> Vec<(ActionId, BTreeSet<Because>)> {
    let because = |item: &FeedItem| -> BTreeSet<Because> {
        let told: BTreeSet<_> = item
            .reasons
            .iter()
            .map(|reason| (reason.followed.to_string(), reason.role.as_str(), reason.flag.clone()))
            .collect();
        assert_eq!(told.len(), item.reasons.len(), "no reason twice: {:?}", item.reasons);
        told
    };
    items.iter().map(|item| (item.action.id, because(item))).collect()
}

/// All pages from this one to the newest, and all their items, newest first.
async fn back(reader: &Reader, query: &FeedQuery, from: Page<FeedItem>) -> Vec<FeedItem> {
    let (mut all, mut page) = (from.items.clone(), from);
    while page.newer.is_some() && !page.items.is_empty() {
        assert!(all.len() < 2 * ROWS, "it goes round in circles");
        page = query.clone().from(page.newer).page(reader).await.expect("a page");
        all.splice(0..0, page.items.iter().cloned());
    }
    all
}

async fn joined_pages_are_the_merge(store: &Store, tenant: &Tenant, rows: &[Row], case: &Case) {
    let follower = party(case.follower);
    write(store, tenant, &follower, &case.wishes).await;
    let own = case.own.then_some(&follower);
    let expected = naive(rows, &case.wishes, own, case.flag, &case.window);
    let (reader, query) =
        (case.window.sight.reader(store, tenant), case.query(&follower, expected.len()));
    let (items, last) = walk_feed(&reader, &query).await;
    assert_eq!(told(&items), expected, "to older");
    assert_eq!(told(&back(&reader, &query, last).await), expected, "to newer");
}

fn feeds_are_exact(keys: Keys, count: u32) {
    let runtime = runtime();
    let tenant = Tenant::default();
    let (db, store, rows) = runtime.block_on(async {
        let db = database_with(keys).await;
        let store = db.store().await;
        let mut noise = Noise(7);
        let specs: Vec<_> = (0..ROWS).map(|_| noise.spec()).collect();
        let rows = append_specs(&store, &Tenant::default(), &specs).await;
        db.admin().await.batch_execute("ANALYZE").await.expect("analyzed");
        (db, store, rows)
    });
    holds(count, &cases(), |case| {
        runtime.block_on(joined_pages_are_the_merge(&store, &tenant, &rows, &case));
    });
    runtime.block_on(check_log(&db));
}

#[test]
fn joined_pages_of_a_feed_are_the_naive_merge_with_its_reasons() {
    feeds_are_exact(Keys::Own, 32);
}

/// False ids and false heads cost further looks, never an item, and bring none in.
#[test]
fn feeds_are_exact_where_other_resources_have_the_same_key() {
    feeds_are_exact(Keys::Shared, 16);
}
