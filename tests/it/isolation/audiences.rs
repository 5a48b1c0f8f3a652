//! Labels: who may see an action.

use std::collections::BTreeSet;

use gesta::stream::{Facet, StatsQuery};
use gesta::{ActionId, Audience, Context, NewAction, Reader, Store, Tenant};
use serde_json::json;

use super::{action, assert_counted, everything_read, follow_all};
use crate::support::{append, check_log, database, resource, set_audience};

/// One action of each audience.
async fn one_of_each(store: &Store) -> [ActionId; 4] {
    let of = |audience| append(store, action(&Tenant::default()).audience(audience));
    [
        of(Audience::public()).await,
        of(Audience::labels(["staff", "board"])).await,
        of(Audience::labels(["public", "staff"])).await,
        of(Audience::auditors()).await,
    ]
}

fn readers(store: &Store) -> [(Reader, &'static [usize]); 6] {
    let reader = || Reader::new(store, Tenant::default());
    [
        (reader(), &[0, 2]),
        (reader().labels(["board"]), &[1]),
        (reader().labels(["public", "staff"]), &[0, 1, 2]),
        (reader().labels(["STAFF", "stuff", ""]), &[]),
        (reader().labels([""; 0]), &[]),
        (reader().auditor(), &[0, 1, 2, 3]),
    ]
}

#[tokio::test]
async fn every_function_shows_a_reader_what_its_labels_allow() {
    let db = database().await;
    let app = db.store().await;
    follow_all(&app, &Tenant::default()).await;
    let ids = one_of_each(&app).await;
    for store in [app, db.unbound_store().await] {
        for (reader, seen) in readers(&store) {
            let seen: BTreeSet<_> = seen.iter().map(|&n| ids[n]).collect();
            assert_counted(&reader, &seen).await;
            for (name, found) in everything_read(&reader, &ids).await {
                assert_eq!(found, seen, "{name} for {reader:?}");
            }
        }
    }
    check_log(&db).await;
}

#[tokio::test]
async fn count_calls_nobody_by_a_name_that_is_hidden() {
    let db = database().await;
    let store = db.store().await;
    for (name, audience) in [("Ann", Audience::public()), ("Agent A", Audience::auditors())] {
        let ctx = Context::new(&resource("user:1").named(name));
        append(&store, NewAction::new("close", &ctx).audience(audience)).await;
    }
    let reader = Reader::new(&store, Tenant::default());
    for (reader, name) in [(reader.clone(), "Ann"), (reader.auditor(), "Agent A")] {
        let counts = StatsQuery::new().count_by(Facet::Actor, 10, &reader).await.expect("counts");
        assert_eq!(counts.top[0].name.as_deref(), Some(name));
    }
    check_log(&db).await;
}

/// What was public can be hidden and what was hidden shown, at once and everywhere.
#[tokio::test]
async fn every_function_follows_a_changed_audience() {
    let db = database().await;
    let store = db.store().await;
    follow_all(&store, &Tenant::default()).await;
    let ids = one_of_each(&store).await;
    let moderator = Context::new(&resource("moderator:1"));
    let swap = [
        (0, Audience::auditors()),
        (1, Audience::public()),
        (2, Audience::labels(["board"])),
        (3, Audience::labels(["staff", "public"])),
    ];
    for (n, audience) in &swap {
        set_audience(&store, &moderator, ids[*n], audience).await;
    }
    let reader = || Reader::new(&store, Tenant::default());
    for (reader, seen) in [
        (reader(), [1, 3].as_slice()),
        (reader().labels(["board"]), &[2]),
        (reader().labels(["staff"]), &[3]),
    ] {
        let seen: BTreeSet<_> = seen.iter().map(|&n| ids[n]).collect();
        assert_counted(&reader, &seen).await;
        for (name, found) in everything_read(&reader, &ids).await {
            assert_eq!(found, seen, "{name} for {reader:?}");
        }
    }
    // The row itself still says what it said.
    let stored = reader().auditor().action(ids[0]).await.expect("read").expect("stored");
    assert_eq!(stored.audience, Audience::public());
    // And once more, back.
    set_audience(&store, &moderator, ids[0], &Audience::public()).await;
    assert!(reader().action(ids[0]).await.expect("read").is_some());
    check_log(&db).await;
}

/// That an audience was changed, by whom, from what to what, stands in the log, for auditors only.
#[tokio::test]
async fn change_of_an_audience_is_told_to_auditors_only() {
    let db = database().await;
    let store = db.store().await;
    let id = one_of_each(&store).await[0];
    let moderator = Context::new(&resource("moderator:1")).reason("court order");
    let changes = [Audience::auditors(), Audience::labels(["staff"]), Audience::public()];
    let mut told = Vec::new();
    for audience in &changes {
        told.push(set_audience(&store, &moderator, id, audience).await);
    }
    let reader = Reader::new(&store, Tenant::default());
    let expected = [
        json!({ "audience": [["public"], []] }),
        json!({ "audience": [[], ["staff"]] }),
        json!({ "audience": [["staff"], ["public"]] }),
    ];
    for (id, changes) in told.into_iter().zip(expected) {
        assert_eq!(reader.action(id).await.expect("read"), None);
        let action = reader.clone().auditor().action(id).await.expect("read").expect("stored");
        assert_eq!(action.changes.expect("changes").value(), changes);
        assert_eq!(action.actor.resource, resource("moderator:1"));
        assert_eq!(action.context.expect("a context").value(), json!({ "reason": "court order" }));
    }
    check_log(&db).await;
}

#[tokio::test]
async fn audience_that_cannot_be_stored_is_refused_by_name_and_the_transaction_goes_on() {
    let db = database().await;
    let store = db.store().await;
    let id = one_of_each(&store).await[0];
    let ctx = Context::new(&resource("moderator:1"));
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    for audience in [
        Audience::labels(["a\0b"]),
        Audience::labels(["x".repeat(256)]),
        Audience::labels(vec!["x"; 33]),
    ] {
        let error = store.set_audience(&tx, &ctx, id, &audience).await.expect_err("refused");
        assert!(
            gesta::error::chain(&error).contains("`audience`"),
            "{}",
            gesta::error::chain(&error)
        );
    }
    let _ = store.set_audience(&tx, &ctx, id, &Audience::auditors()).await.expect("changed");
    tx.commit().await.expect("committed");
    check_log(&db).await;
}
