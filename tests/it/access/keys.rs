//! A key is what it was made as, until it ends.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use gesta::access::{
    AccessError, Credential, Identity, KeyError, KeyInfo, Keys, NewKey, REVOKED_WITHIN, Scope,
    Sight, Via,
};
use gesta::{Action, Outcome, Reader, Resource as _, StreamQuery, Tenant};

use super::{admin, made, reading, tenant, who};
use crate::support::{TestDb, check_log, database, page, resource};

/// What is in the log of a key.
async fn told(db: &TestDb, tenant: &Tenant, id: &str) -> Vec<Action> {
    let store = db.store_as("gesta_auditor").await;
    let reader = Reader::new(&store, tenant.clone()).auditor();
    page(&reader, StreamQuery::object(&resource(&format!("key:{id}")))).await
}

#[tokio::test]
async fn key_gives_exactly_what_it_was_made_with() {
    let db = database().await;
    let store = db.store().await;
    let keys = Keys::new(&store);
    let person = resource("user:ann").named("Ann");
    let quota = NonZeroU32::new(600);
    let plain = reading();
    let full = NewKey::new("all", &person)
        .tenant(tenant("shop"))
        .scopes(Scope::ALL)
        .auditor()
        .acting()
        .quota(quota.expect("not zero"))
        .expires_at(store.now() + TimeDelta::days(1));
    let labelled = reading().labels(["staff", "public"]);
    let (plain, full, labelled) =
        (made(&store, plain).await, made(&store, full).await, made(&store, labelled).await);
    let service = || resource("service:shop").to_named();
    let via = |(info, _): &(KeyInfo, Credential)| Via::Key(info.id.clone());
    let reads = Identity {
        tenant: Some(Tenant::default()),
        who: service(),
        is_actor: false,
        scopes: vec![Scope::EventsRead],
        sight: Sight::Labels(vec!["public".into()]),
        groups: Vec::new(),
        quota: None,
        via: via(&plain),
    };
    let sees =
        Identity { sight: Sight::Labels(vec!["staff".into(), "public".into()]), ..reads.clone() };
    let all = Identity {
        tenant: Some(tenant("shop")),
        who: person,
        is_actor: true,
        scopes: Scope::ALL.to_vec(),
        sight: Sight::Everything,
        groups: Vec::new(),
        quota,
        via: via(&full),
    };
    // The second time it is not looked up.
    for _ in 0..2 {
        assert_eq!(who(&keys, &plain.1).await, reads);
        assert_eq!(who(&keys, &full.1).await, all);
        assert_eq!(who(&keys, &labelled.1).await, Identity { via: via(&labelled), ..sees.clone() });
    }
    let listed = keys.list(Some(&tenant("shop"))).await.expect("a list");
    assert_eq!(listed.iter().map(|key| &key.id).collect::<Vec<_>>(), [&full.0.id]);
    assert_eq!(keys.list(None).await.expect("a list"), [], "an application sees no other tenant");
    check_log(&db).await;
}

#[tokio::test]
async fn key_for_all_tenants_is_made_by_the_operator_only() {
    let db = database().await;
    let store = db.store().await;
    let refused = Keys::new(&store).create(reading().all_tenants(), &admin()).await;
    assert!(matches!(refused, Err(KeyError::Operator(_))));
    let unbound = db.unbound_store().await;
    let (info, credential) = made(&unbound, reading().all_tenants()).await;
    assert_eq!(who(&Keys::new(&store), &credential).await.tenant, None);
    let keys = Keys::new(&store);
    for tenant in [None, Some(&Tenant::default())] {
        let refused = keys.revoke(tenant, &info.id, &admin()).await;
        assert!(matches!(refused, Err(KeyError::NotFound { .. })), "{refused:?}");
    }
    let other = Keys::new(&unbound).revoke(Some(&Tenant::default()), &info.id, &admin()).await;
    assert!(matches!(other, Err(KeyError::NotFound { .. })));
    Keys::new(&unbound).revoke(None, &info.id, &admin()).await.expect("revoked");
    assert_eq!(told(&db, &Tenant::default(), &info.id).await.len(), 2);
}

#[tokio::test]
async fn what_is_no_key_or_another_is_refused_and_told_nothing() {
    let db = database().await;
    let store = db.store().await;
    let keys = Keys::new(&store);
    let (one, other) = (made(&store, reading()).await, made(&store, reading()).await);
    let (one, other) = (one.1.reveal(), other.1.reveal());
    let last = if one.ends_with('0') { "1" } else { "0" };
    let near = format!("{}{last}", &one[..61]);
    let mixed = format!("{}{}", &other[..19], &one[19..]);
    let unknown = format!("gesta_000000000000_{}", &one[19..]);
    for given in [&near, &mixed, &unknown] {
        let error = keys.authenticate(given).await.expect_err("refused");
        assert!(matches!(error, AccessError::Unknown), "{error:?}");
    }
    let upper = one.to_uppercase();
    let (long, nul) = ("x".repeat(1 << 20), format!("{}\0", &one[..61]));
    let garbage = ["", "gesta_", "' OR true --", "gesta_é", &one[..61], &upper, &long, &nul];
    for given in garbage {
        let error = keys.authenticate(given).await.expect_err("refused");
        assert!(matches!(error, AccessError::Malformed), "{error:?}");
        let text = format!("{error} {error:?} {}", gesta::error::chain(&error));
        assert!(text.len() < 300 && !text.contains(&one[19..40]), "{text}");
    }
    for (id, why) in [("", "empty"), ("x\0x", "NUL"), ("000000000000", "unknown"), (&long, "long")]
    {
        let error = keys.revoke(Some(&Tenant::default()), id, &admin()).await.expect_err(why);
        assert!(matches!(error, KeyError::NotFound { .. }), "{error:?}");
        assert!(error.to_string().len() < 200);
    }
}

#[tokio::test]
async fn revoked_key_is_refused_here_at_once_and_elsewhere_within_the_time() {
    let db = database().await;
    let ((store, _), (elsewhere, millis)) = (db.clocked_store().await, db.clocked_store().await);
    let (here, there) = (Keys::new(&store), Keys::new(&elsewhere));
    let (info, credential) = made(&store, reading().tenant(tenant("shop"))).await;
    let text = credential.reveal();
    assert_eq!(who(&here, &credential).await, who(&there, &credential).await);
    let shop = tenant("shop");
    let wrong = here.revoke(Some(&tenant("other")), &info.id, &admin()).await;
    assert!(matches!(wrong, Err(KeyError::NotFound { .. })), "another tenant's");
    let revoked = here.revoke(Some(&shop), &info.id, &admin().reason("left")).await;
    assert!(revoked.expect("revoked").revoked_at.is_some());
    let again = here.revoke(Some(&shop), &info.id, &admin()).await;
    assert!(matches!(again, Err(KeyError::NotFound { .. })), "once");
    let error = here.authenticate(&text).await.expect_err("revoked");
    assert!(matches!(&error, AccessError::Revoked { id } if *id == info.id), "{error:?}");
    millis.store(REVOKED_WITHIN.num_milliseconds() - 1, Ordering::SeqCst);
    assert!(there.authenticate(&text).await.is_ok(), "found a moment ago");
    millis.store(REVOKED_WITHIN.num_milliseconds(), Ordering::SeqCst);
    let error = there.authenticate(&text).await.expect_err("revoked");
    assert!(matches!(error, AccessError::Revoked { .. }), "{error:?}");
    let told = told(&db, &shop, &info.id).await;
    let verbs: Vec<_> = told.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["revoke", "create"]);
    for action in &told {
        assert_eq!(action.actor.resource, resource("user:admin"));
        assert_eq!((action.outcome, action.audience.is_public()), (Outcome::Ok, false));
    }
    check_log(&db).await;
}

#[tokio::test]
async fn expired_key_is_refused_also_where_it_was_found_a_moment_ago() {
    let db = database().await;
    let (store, millis) = db.clocked_store().await;
    let keys = Keys::new(&store);
    let soon = store.now() + TimeDelta::seconds(2);
    let (info, credential) = made(&store, reading().expires_at(soon)).await;
    who(&keys, &credential).await;
    millis.store(2_000, Ordering::SeqCst);
    let error = keys.authenticate(&credential.reveal()).await.expect_err("expired");
    assert!(matches!(&error, AccessError::Expired { id } if *id == info.id), "{error:?}");
    let late = keys.create(reading().expires_at(soon), &admin()).await.expect_err("past");
    assert!(late.to_string().starts_with("the key's end is refused: "), "{late}");
}

#[tokio::test]
async fn use_of_a_key_is_noted() {
    let db = database().await;
    let store = db.store().await;
    let (info, credential) = made(&store, reading()).await;
    assert_eq!(info.last_used_at, None);
    who(&Keys::new(&store), &credential).await;
    let used = loop {
        let listed = Keys::new(&store).list(Some(&Tenant::default())).await.expect("a list");
        if let Some(used) = listed[0].last_used_at {
            break used;
        }
        tokio::task::yield_now().await;
    };
    assert!(used >= info.created_at);
    // Not again within the minute.
    let hash = "SELECT gesta.touch_key(id, hash) FROM gesta.key";
    db.admin().await.query(hash, &[]).await.expect("touched");
    let listed = Keys::new(&store).list(Some(&Tenant::default())).await.expect("a list");
    assert_eq!(listed[0].last_used_at, Some(used));
}
