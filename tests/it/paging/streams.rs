//! Streams against the model.

use std::sync::atomic::{AtomicU32, Ordering};

use gesta::stream::{Page, Role};
use gesta::{Action, ActionId, Reader, Store, StreamQuery, Tenant};
use proptest::prelude::*;

use super::model::{
    Keys, Row, Spec, VERBS, Window, append_specs, database_with, moment, sights, sort, windows,
};
use crate::support::{check_log, holds, ids, resource, runtime, walk};

/// Few, so that they meet in all roles.
const PARTIES: [&str; 3] = ["user:1", "user:2", "issue:1"];
/// The most that a case appends.
const ROWS: usize = 40;
/// Few moments for many actions.
const MICROS: std::ops::Range<i64> = 0..5;

#[derive(Clone, Debug)]
enum Kind {
    Role(Role, &'static str),
    Any(&'static str),
    Type(&'static str),
    Run(u128),
    Tenant,
}

impl Kind {
    fn query(&self) -> StreamQuery {
        match self {
            Self::Role(Role::Actor, party) => StreamQuery::actor(&resource(party)),
            Self::Role(Role::Object, party) => StreamQuery::object(&resource(party)),
            Self::Role(Role::Target, party) => StreamQuery::target(&resource(party)),
            Self::Any(party) => StreamQuery::any(&resource(party)),
            Self::Type(kind) => StreamQuery::of_type(kind.parse().expect("a type")),
            Self::Run(run) => StreamQuery::run(uuid::Uuid::from_u128(*run)),
            Self::Tenant => StreamQuery::tenant(),
        }
    }

    fn has(&self, row: &Row) -> bool {
        let in_role = |role, party: &str| row.party(role).is_some_and(|at| *at == resource(party));
        let of_type = |kind: &str| {
            Role::ALL.iter().any(|&role| row.party(role).is_some_and(|at| at.kind.as_str() == kind))
        };
        match self {
            Self::Role(role, party) => in_role(*role, party),
            Self::Any(party) => Role::ALL.iter().any(|&role| in_role(role, party)),
            Self::Type(kind) => of_type(kind),
            Self::Run(run) => row.run == Some(*run),
            Self::Tenant => true,
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    let party = || proptest::sample::select(PARTIES.to_vec());
    prop_oneof![
        (proptest::sample::select(Role::ALL.to_vec()), party())
            .prop_map(|(role, p)| Kind::Role(role, p)),
        party().prop_map(Kind::Any),
        proptest::sample::select(vec!["user", "issue", "action"]).prop_map(Kind::Type),
        Just(Kind::Run(1)),
        Just(Kind::Tenant),
    ]
}

fn specs() -> impl Strategy<Value = Spec> {
    let party = || proptest::sample::select(PARTIES.to_vec()).prop_map(str::to_owned);
    let maybe = move || proptest::option::of(party());
    let later = proptest::option::weighted(0.1, sights());
    let verb = proptest::sample::select(VERBS.to_vec());
    let run = proptest::option::of(1..3_u128);
    (party(), maybe(), maybe(), verb, MICROS, sights(), later, run).prop_map(
        |(actor, object, target, verb, micros, sight, later, run)| Spec {
            actor,
            object,
            target,
            verb,
            micros,
            sight,
            later,
            run,
        },
    )
}

/// What is there, what arrives late, and how it is read.
#[derive(Clone, Debug)]
struct Case {
    present: Vec<Spec>,
    late: Vec<Spec>,
    kind: Kind,
    window: Window,
    limit: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let present = proptest::collection::vec(specs(), 0..25);
    let late = proptest::collection::vec(specs(), 0..10);
    (present, late, kinds(), windows(MICROS), 1..6_usize).prop_map(
        |(present, late, kind, window, limit)| Case { present, late, kind, window, limit },
    )
}

impl Case {
    fn query(&self) -> StreamQuery {
        let mut query = self.kind.query().verbs(self.window.verbs.clone()).limit(self.limit);
        query =
            self.window.since.into_iter().fold(query, |query, micros| query.since(moment(micros)));
        self.window.until.into_iter().fold(query, |query, micros| query.until(moment(micros)))
    }

    /// The stream, newest first.
    fn model(&self, rows: &[Row]) -> Vec<ActionId> {
        let shown = |row: &&Row| self.kind.has(row) && self.window.lets_through(row);
        rows.iter().filter(shown).map(|row| row.id).collect()
    }
}

/// All pages from this one to the newest, and all their actions, newest first.
async fn back(reader: &Reader, query: &StreamQuery, from: Page<Action>) -> Vec<Action> {
    let (mut all, mut page) = (from.items.clone(), from);
    while page.newer.is_some() && !page.items.is_empty() {
        assert!(all.len() < 2 * ROWS, "it goes round in circles");
        page = query.clone().from(page.newer).page(reader).await.expect("a page");
        all.splice(0..0, page.items.iter().cloned());
    }
    all
}

async fn joined_pages_are_the_stream(store: &Store, tenant: &Tenant, case: &Case) {
    let (reader, query) = (case.window.sight.reader(store, tenant), case.query());
    let mut rows = append_specs(store, tenant, &case.present).await;
    let (present, last) = walk(&reader, &query).await;
    let model = case.model(&rows);
    assert_eq!(ids(&present), model, "to older");
    assert_eq!(back(&reader, &query, last).await, present, "to newer");

    // A page is read, then more arrives, then the rest is read.
    let first = query.page(&reader).await.expect("a page");
    rows.extend(append_specs(store, tenant, &case.late).await);
    sort(&mut rows);
    let mut read = ids(&first.items);
    let mut cursor = first.older;
    while cursor.is_some() {
        let page = query.clone().from(cursor).page(&reader).await.expect("a page");
        read.extend(ids(&page.items));
        cursor = page.older;
    }
    assert!(read.is_sorted_by(|newer, older| newer > older), "in order, and nothing twice");
    let all = case.model(&rows);
    assert!(read.iter().all(|id| all.contains(id)), "nothing else");
    assert!(model.iter().all(|id| read.contains(id)), "everything that was there");
    assert_eq!(ids(&walk(&reader, &query).await.0), all, "and with all that was late");
}

fn streams_are_exact(keys: Keys, count: u32) {
    let runtime = runtime();
    let (db, store) = runtime.block_on(async {
        let db = database_with(keys).await;
        let store = db.store().await;
        (db, store)
    });
    let number = AtomicU32::new(0);
    holds(count, &cases(), |case| {
        let tenant = format!("t{}", number.fetch_add(1, Ordering::Relaxed));
        let tenant = Tenant::new(tenant).expect("a tenant");
        runtime.block_on(joined_pages_are_the_stream(&store, &tenant, &case));
    });
    runtime.block_on(check_log(&db));
}

#[test]
fn joined_pages_are_the_stream_in_both_directions_with_ties_and_late_arrivals() {
    streams_are_exact(Keys::Own, 96);
}

/// A key only finds rows: type, id and tenant decide.
#[test]
fn streams_are_exact_where_other_resources_have_the_same_key() {
    streams_are_exact(Keys::Shared, 48);
}
