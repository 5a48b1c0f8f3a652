//! Changes at the same time: one after the other, each told once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gesta::Tenant;
use gesta::role::{RoleError, Roles, Written};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::{add, exceeds, member, name, operator, put, rights, role, told};
use crate::support::{check_log, database, resource};

/// The library's lock on the tenant `default`, so that a test says in which order changes get it.
const LOCK: &str =
    "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('default', 7450488102242643820))";

const WAITING: &str = "SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Returns when so many changes wait for the lock.
async fn until_queued(admin: &Client, wanted: i64) {
    while admin.query_one(WAITING, &[]).await.expect("the locks").get::<_, i64>(0) < wanted {
        tokio::task::yield_now().await;
    }
}

/// Mia may give `a.b`. While she gives a role away, somebody else gives it more than that: she does not pass that on.
#[tokio::test]
async fn what_is_compared_with_the_giver_s_rights_is_what_is_given() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    for it in ["desk", "other"] {
        put(&roles, &operator(), &role(it, &["a.b"])).await;
    }
    add(&roles, &operator(), "desk", "user:mia").await;
    let (first, admin) = (db.admin().await, db.admin().await);
    first.batch_execute(LOCK).await.expect("the lock");
    let raise = tokio::spawn({
        let roles = roles.clone();
        async move { put(&roles, &operator(), &role("other", &["a.b", "c.d"])).await.1 }
    });
    until_queued(&admin, 1).await;
    let give = tokio::spawn({
        let roles = roles.clone();
        async move { roles.add_member(&member("user:mia"), &name("other"), &resource("user:bob")).await }
    });
    until_queued(&admin, 2).await;
    first.batch_execute("COMMIT").await.expect("released");
    assert_eq!(raise.await.expect("no panic"), Written::Changed);
    let refused = give.await.expect("no panic").expect_err("more than hers");
    assert_eq!(exceeds(&refused), Some("c.d"));
    assert!(rights(&roles, "user:bob").await.is_empty());
}

/// Whoever becomes a member of a role while it is removed has no part in a later one of the same name.
#[tokio::test]
async fn nobody_becomes_a_member_of_a_role_that_goes() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    put(&roles, &operator(), &role("desk", &["a.b"])).await;
    let (first, admin) = (db.admin().await, db.admin().await);
    first.batch_execute(LOCK).await.expect("the lock");
    let remove = tokio::spawn({
        let roles = roles.clone();
        async move { roles.remove(&operator(), &name("desk")).await }
    });
    until_queued(&admin, 1).await;
    let join = tokio::spawn({
        let roles = roles.clone();
        async move { roles.add_member(&operator(), &name("desk"), &resource("user:bob")).await }
    });
    until_queued(&admin, 2).await;
    first.batch_execute("COMMIT").await.expect("released");
    assert_eq!(remove.await.expect("no panic").expect("removed"), 0);
    let refused = join.await.expect("no panic");
    assert!(matches!(refused, Err(RoleError::NotFound { .. })), "{refused:?}");
    put(&roles, &operator(), &role("desk", &["a.b"])).await;
    assert!(rights(&roles, "user:bob").await.is_empty());
}

#[tokio::test]
async fn same_change_at_once_is_made_and_told_once() {
    let db = database().await;
    put(&Roles::new(&db.store().await), &operator(), &role("desk", &["a.b"])).await;
    let barrier = Arc::new(Barrier::new(8));
    let mut changes = JoinSet::new();
    for n in 0..8 {
        let (roles, barrier) = (Roles::new(&db.store().await), Arc::clone(&barrier));
        changes.spawn(async move {
            barrier.wait().await;
            let written = put(&roles, &operator(), &role("editor", &["a.b", "c.d"])).await.1;
            (
                written,
                add(&roles, &operator(), "desk", if n % 2 == 0 { "user:a" } else { "user:b" })
                    .await,
            )
        });
    }
    let all = changes.join_all().await;
    assert_eq!(all.iter().filter(|(put, _)| *put == Written::New).count(), 1);
    assert_eq!(all.iter().filter(|(put, _)| *put == Written::Same).count(), 7);
    assert_eq!(all.iter().filter(|(_, added)| *added == Written::New).count(), 2);
    assert_eq!(told(&db).await.len(), 4);
    check_log(&db).await;
}

/// Each of many changes finds what the one before it left: the log alone gives the state.
#[tokio::test]
async fn log_alone_gives_what_there_is_after_many_changes_at_once() {
    let db = database().await;
    let mut changes = JoinSet::new();
    for n in 0..6_u32 {
        let roles = Roles::new(&db.store().await);
        changes.spawn(async move {
            for round in 0..8_u32 {
                let it = ["red", "blue"][((n + round) % 2) as usize];
                let who = resource(&format!("user:{}", (n * 7 + round) % 3));
                let permission = format!("t{n}.w{round}");
                match (n * 3 + round * 5) % 5 {
                    0 => drop(roles.remove(&operator(), &name(it)).await),
                    1 => drop(roles.remove_member(&operator(), &name(it), &who).await),
                    2 => drop(roles.add_member(&operator(), &name(it), &who).await),
                    _ => drop(put(&roles, &operator(), &role(it, &[&permission])).await),
                }
            }
        });
    }
    changes.join_all().await;
    let store = db.store().await;
    let (mut permissions, mut members) = (BTreeMap::new(), BTreeSet::new());
    for action in super::log(&store, &Tenant::default()).await {
        let object = action.object.expect("an object").resource;
        let target = action.target.map(|target| target.resource.id.to_string());
        let changed = action.changes.map(|changes| changes.value()["permissions"].clone());
        match (action.verb.as_str(), changed, target) {
            ("role.create", Some(change), None) => {
                assert!(change[0].is_null());
                let before = permissions.insert(object.id.to_string(), change[1].clone());
                assert_eq!(before, None);
            }
            ("role.change", Some(change), None) => {
                let before = permissions.insert(object.id.to_string(), change[1].clone());
                assert_eq!(before, Some(change[0].clone()));
            }
            ("role.remove", Some(change), None) => {
                assert_eq!(permissions.remove(object.id.as_str()), Some(change[0].clone()));
            }
            ("role.add", None, Some(role)) => assert!(members.insert((role, object))),
            ("role.drop", None, Some(role)) => assert!(members.remove(&(role, object))),
            other => panic!("{other:?}"),
        }
    }
    let roles = Roles::new(&store);
    for it in ["red", "blue"] {
        let there = roles.role(&Tenant::default(), &name(it)).await.ok();
        let there = there.map(|role| serde_json::json!(role.permissions));
        assert_eq!(there.as_ref(), permissions.get(it));
        let Ok(listed) = roles.members(&Tenant::default(), &name(it), None, 100).await else {
            continue;
        };
        let listed: BTreeSet<_> =
            listed.into_iter().map(|member| (it.to_owned(), member.member)).collect();
        let of_it = members.iter().filter(|(role, _)| role == it).cloned().collect();
        assert_eq!(listed, of_it);
    }
    check_log(&db).await;
}
