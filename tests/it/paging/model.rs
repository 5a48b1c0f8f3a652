//! Streams and feeds computed the naive way, from a list of everything that was appended.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use gesta::stream::Role;
use gesta::{ActionId, Audience, Context, NewAction, Reader, ResourceRef, Store, Tenant};
use proptest::prelude::*;

use crate::support::{TestDb, append_all, database, day, resource, set_audience};

/// Verbs of the actions.
pub(super) const VERBS: [&str; 3] = ["open", "close", "move"];

/// Whether resources have keys of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    Own,
    /// Four keys for all resources of all types and tenants, as if somebody had searched for such ids.
    Shared,
}

const SHARED: &str = "
CREATE OR REPLACE FUNCTION gesta.resource_key(tenant text, type text, id text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN hashtextextended(id, 0) & 3";

/// A database whose rows will have such keys.
pub(super) async fn database_with(keys: Keys) -> TestDb {
    let db = database().await;
    if keys == Keys::Shared {
        db.admin().await.batch_execute(SHARED).await.expect("another function");
    }
    db
}

/// Who may see an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Public,
    Staff,
    Auditors,
}

impl Sight {
    pub(super) const ALL: [Self; 3] = [Self::Public, Self::Staff, Self::Auditors];

    fn audience(self) -> Audience {
        match self {
            Self::Public => Audience::public(),
            Self::Staff => Audience::labels(["staff", "board"]),
            Self::Auditors => Audience::auditors(),
        }
    }

    /// Whether a reader of this kind sees an action of that one: auditors see all, staff also what is public.
    pub(super) fn sees(self, action: Self) -> bool {
        match self {
            Self::Public => action == Self::Public,
            Self::Staff => action != Self::Auditors,
            Self::Auditors => true,
        }
    }

    pub(super) fn reader(self, store: &Store, tenant: &Tenant) -> Reader {
        let reader = Reader::new(store, tenant.clone());
        match self {
            Self::Public => reader,
            Self::Staff => reader.labels(["public", "staff"]),
            Self::Auditors => reader.auditor(),
        }
    }
}

/// An action of a test, before it is appended.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) actor: String,
    pub(super) object: Option<String>,
    pub(super) target: Option<String>,
    pub(super) verb: &'static str,
    /// Microseconds after [`day`] 0: few, so that many actions have the same.
    pub(super) micros: i64,
    pub(super) sight: Sight,
    /// What its audience is changed to afterwards.
    pub(super) later: Option<Sight>,
    pub(super) run: Option<u128>,
}

pub(super) fn moment(micros: i64) -> DateTime<Utc> {
    day(0) + chrono::TimeDelta::microseconds(micros)
}

impl Spec {
    fn action(&self, tenant: &Tenant) -> NewAction {
        let ctx = Context::new(&resource(&self.actor)).tenant(tenant.clone());
        let ctx = self.run.into_iter().fold(ctx, |ctx, run| ctx.run(uuid::Uuid::from_u128(run)));
        let mut action =
            NewAction::new(self.verb, &ctx).at(moment(self.micros)).audience(self.sight.audience());
        action = self.object.iter().fold(action, |action, object| action.object(&resource(object)));
        self.target.iter().fold(action, |action, target| action.target(&resource(target)))
    }
}

/// An action of a test as it was appended.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: ActionId,
    pub(super) actor: ResourceRef,
    pub(super) object: Option<ResourceRef>,
    pub(super) target: Option<ResourceRef>,
    pub(super) verb: String,
    pub(super) sight: Sight,
    pub(super) run: Option<u128>,
}

impl Row {
    /// Who stands in a role.
    pub(super) fn party(&self, role: Role) -> Option<&ResourceRef> {
        match role {
            Role::Actor => Some(&self.actor),
            Role::Object => self.object.as_ref(),
            Role::Target => self.target.as_ref(),
        }
    }
}

/// What was appended, newest first, with the actions that tell of changed audiences.
pub(super) async fn append_specs(store: &Store, tenant: &Tenant, specs: &[Spec]) -> Vec<Row> {
    let batch = specs.iter().map(|spec| spec.action(tenant)).collect();
    let receipts = append_all(store, batch).await;
    let moderator = resource("moderator:1");
    let ctx = Context::new(&moderator).tenant(tenant.clone());
    let mut rows = Vec::with_capacity(specs.len());
    for (spec, receipt) in specs.iter().zip(receipts) {
        let id = receipt.id();
        if let Some(later) = spec.later {
            rows.push(Row {
                id: set_audience(store, &ctx, id, &later.audience()).await,
                actor: moderator.clone(),
                object: Some(resource(&format!("action:{id}"))),
                target: None,
                verb: "changed audience".to_owned(),
                sight: Sight::Auditors,
                run: None,
            });
        }
        rows.push(Row {
            id,
            actor: resource(&spec.actor),
            object: spec.object.as_deref().map(resource),
            target: spec.target.as_deref().map(resource),
            verb: spec.verb.to_owned(),
            sight: spec.later.unwrap_or(spec.sight),
            run: spec.run,
        });
    }
    sort(&mut rows);
    rows
}

/// Newest first.
pub(super) fn sort(rows: &mut [Row]) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
}

/// What narrows a stream or a feed.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) verbs: BTreeSet<&'static str>,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) sight: Sight,
}

impl Window {
    pub(super) fn lets_through(&self, row: &Row) -> bool {
        let time = row.id.time();
        (self.verbs.is_empty() || self.verbs.contains(row.verb.as_str()))
            && self.since.is_none_or(|since| time >= moment(since))
            && self.until.is_none_or(|until| time < moment(until))
            && self.sight.sees(row.sight)
    }
}

pub(super) fn sights() -> impl Strategy<Value = Sight> + Clone {
    prop_oneof![4 => Just(Sight::Public), 1 => Just(Sight::Staff), 1 => Just(Sight::Auditors)]
}

/// None of the verbs, which means all, or some.
pub(super) fn verbs() -> impl Strategy<Value = BTreeSet<&'static str>> {
    prop_oneof![
        2 => Just(BTreeSet::new()),
        1 => proptest::sample::subsequence(VERBS.to_vec(), 1..=2).prop_map(BTreeSet::from_iter),
    ]
}

pub(super) fn windows(micros: std::ops::Range<i64>) -> impl Strategy<Value = Window> {
    let bound = proptest::option::weighted(0.3, micros);
    let reader = proptest::sample::select(Sight::ALL.to_vec());
    (verbs(), bound.clone(), bound, reader).prop_map(|(verbs, since, until, sight)| Window {
        verbs,
        since,
        until,
        sight,
    })
}
