//! Random follows, and the feed that they make, computed by looking at each action and each edge.

use std::collections::{BTreeMap, BTreeSet};

use gesta::stream::Role;
use gesta::{ActionId, Context, Follow, ResourceRef, Store, Tenant};
use proptest::prelude::*;

use super::model::{Row, Window, moment, verbs};
use crate::support::resource;

/// Flags of the edges.
pub(super) const FLAGS: [&str; 3] = ["", "liking", "watching"];

/// An edge before it is written.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) followed: usize,
    pub(super) flag: &'static str,
    roles: Vec<Role>,
    verbs: BTreeSet<&'static str>,
    since: Option<i64>,
    muted: bool,
}

/// One edge for each followed party and flag.
pub(super) type Wishes = BTreeMap<(usize, &'static str), Wish>;

/// The parties of the world that can be followed, by their numbers; those above are silent.
pub(super) fn party(number: usize) -> ResourceRef {
    let kind = if number.is_multiple_of(2) { "user" } else { "issue" };
    resource(&format!("{kind}:{number}"))
}

/// So many edges to parties of which so many exist.
pub(super) fn wishes(
    len: impl Into<proptest::collection::SizeRange>,
    parties: usize,
    micros: std::ops::Range<i64>,
) -> impl Strategy<Value = Wishes> {
    let flag = proptest::sample::select(FLAGS.to_vec());
    let roles = prop_oneof![
        2 => Just(vec![Role::Actor]),
        1 => proptest::sample::subsequence(Role::ALL.to_vec(), 1..=3),
    ];
    let since = proptest::option::weighted(0.2, micros);
    let edge = (0..parties, flag, roles, verbs(), since, proptest::bool::weighted(0.1));
    let wish = edge.prop_map(|(followed, flag, roles, verbs, since, muted)| Wish {
        followed,
        flag,
        roles,
        verbs,
        since,
        muted,
    });
    let keyed = |wishes: Vec<Wish>| {
        wishes.into_iter().map(|wish| ((wish.followed, wish.flag), wish)).collect()
    };
    proptest::collection::vec(wish, len).prop_map(keyed)
}

/// Makes these, and no others, the edges of a follower.
pub(super) async fn write(store: &Store, tenant: &Tenant, follower: &ResourceRef, wishes: &Wishes) {
    let ctx = Context::new(follower).tenant(tenant.clone());
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    store.forget_edges(&tx, &ctx, follower).await.expect("forgotten");
    for wish in wishes.values() {
        let mut follow = Follow::new(follower, &party(wish.followed)).flag(wish.flag).silent();
        follow = follow.roles(wish.roles.clone()).verbs(wish.verbs.clone());
        follow = wish.since.into_iter().fold(follow, |follow, micros| follow.since(moment(micros)));
        follow = if wish.muted { follow.muted() } else { follow };
        store.follow(&tx, &ctx, &follow).await.expect("followed");
    }
    tx.commit().await.expect("committed");
}

/// A reason that can be sorted: what is followed, in which role, under which flag.
pub(super) type Because = (String, &'static str, Option<String>);

/// Each action that an edge wants, newest first, with its reasons.
pub(super) fn naive(
    rows: &[Row],
    wishes: &Wishes,
    own: Option<&ResourceRef>,
    flag: &str,
    window: &Window,
) -> Vec<(ActionId, BTreeSet<Because>)> {
    let active: Vec<_> = wishes
        .values()
        .filter(|wish| !wish.muted && (flag.is_empty() || wish.flag == flag))
        .flat_map(|wish| wish.roles.iter().map(move |&role| (party(wish.followed), role, wish)))
        .collect();
    let because = |row: &Row| -> BTreeSet<Because> {
        let edges = active.iter().filter(|(followed, role, wish)| {
            row.party(*role) == Some(followed)
                && (wish.verbs.is_empty() || wish.verbs.contains(row.verb.as_str()))
                && wish.since.is_none_or(|since| row.id.time() >= moment(since))
        });
        let edges = edges.map(|(followed, role, wish)| {
            (followed.to_string(), role.as_str(), Some(wish.flag.to_owned()))
        });
        let own = own.filter(|own| row.actor == **own).map(|own| (own.to_string(), "actor", None));
        edges.chain(own).collect()
    };
    let shown =
        rows.iter().filter(|row| window.lets_through(row)).map(|row| (row.id, because(row)));
    shown.filter(|(_, because)| !because.is_empty()).collect()
}
