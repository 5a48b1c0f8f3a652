//! Positions of elsewhere, a database that was set back, and one that crashes.

use gesta::live::{Event, LiveError, ResetReason};
use gesta::store::{Endpoint, PoolOptions};
use gesta::{Live, Position, Store};

use super::{action, listen, live, next, objects, position, take, take_all};
use crate::log::action as did;
use crate::support::{OwnCluster, append, database};

async fn reset(listener: &mut gesta::live::Listener) -> (ResetReason, Position) {
    match next(listener).await {
        Event::Reset { reason, position } => (reason, position),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn position_of_another_database_is_told_and_it_goes_on_from_here() {
    let (db, other) = (database().await, database().await);
    let (store, elsewhere) = (db.store().await, other.store().await);
    append(&store, did("1")).await;
    append(&elsewhere, did("1")).await;
    let (_, foreign) =
        take_all(&mut listen(&live(&elsewhere), &elsewhere, Some(&Position::start()))).await;

    let live = live(&store);
    let mut listener = listen(&live, &store, Some(&foreign));
    let (reason, from) = reset(&mut listener).await;
    assert_eq!(reason, ResetReason::OtherOrigin);
    assert_eq!(listener.position(), Some(&from));
    append(&store, did("2")).await;
    assert_eq!(objects(&take(&mut listener, 1).await), ["2"]);
    assert_eq!(objects(&take_all(&mut listen(&live, &store, Some(&from))).await.0), ["2"]);
}

/// The ring's reader is as lost as those who listen to it.
#[tokio::test]
async fn listeners_of_a_database_that_is_set_back_are_told_and_go_on() {
    let db = database().await;
    let store = db.store().await;
    let live = live(&store);
    let mut listeners = [listen(&live, &store, None), listen(&live, &store, None)];
    for listener in &mut listeners {
        let _ = position(listener).await;
    }
    for n in 0..3 {
        append(&store, did(&n.to_string())).await;
        for listener in &mut listeners {
            let _ = action(listener).await;
        }
    }
    let back =
        "ALTER TABLE gesta.action DISABLE TRIGGER USER; DELETE FROM gesta.action WHERE seq > 1;
        SELECT setval('gesta.action_seq', 1)";
    db.admin().await.batch_execute(back).await.expect("set back");
    for listener in &mut listeners {
        assert_eq!(reset(listener).await.0, ResetReason::SetBack);
    }
    append(&store, did("after")).await;
    for listener in &mut listeners {
        assert_eq!(objects(&take(listener, 1).await), ["after"]);
    }
}

#[tokio::test]
async fn listeners_wait_while_the_database_is_away_and_miss_nothing() {
    let mut own = OwnCluster::start().await;
    gesta::store::migrate(&mut own.admin("postgres").await).await.expect("migrated");
    let endpoint = Endpoint::from(own.config("gesta_app", "postgres"));
    let store = Store::new(endpoint.pool(&PoolOptions::default()).await.expect("a pool"));
    let live = live(&store);
    let (mut one, mut other) = (listen(&live, &store, None), listen(&live, &store, None));
    let began = position(&mut one).await;
    let _ = position(&mut other).await;
    append(&store, did("before")).await;
    assert_eq!(objects(&take(&mut one, 1).await), ["before"]);
    for n in 0..2 {
        // One waits all the time, the other is asked when the server is back.
        let name = format!("after {n}");
        let waiting = take(&mut one, 1);
        let crash = async {
            own.crash().await;
            while store.client().await.is_err() {}
            append(&store, did(&name)).await;
        };
        let (heard, ()) = tokio::join!(biased; waiting, crash);
        assert_eq!(objects(&heard), [name]);
    }
    assert_eq!(objects(&take(&mut other, 3).await), ["before", "after 0", "after 1"]);
    let late = take_all(&mut listen(&live, &store, Some(&began))).await.0;
    assert_eq!(objects(&late), ["before", "after 0", "after 1"]);
    own.stop().await;
}

#[tokio::test]
async fn failure_that_does_not_pass_is_told_and_when_it_has_been_dealt_with_listeners_go_on() {
    let db = database().await;
    let store = db.store().await;
    let (live, admin) = (Live::new(&store), db.admin().await);
    let mut listener = listen(&live, &store, None);
    let began = position(&mut listener).await;
    admin.batch_execute("REVOKE SELECT ON gesta.action_seq FROM gesta_app").await.expect("revoked");
    let error = loop {
        match listener.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LiveError::Log(_)), "{error}");
    let mut other = listen(&live, &store, Some(&Position::start()));
    assert!(matches!(other.next().await, Err(LiveError::Log(_))));
    admin.batch_execute("GRANT SELECT ON gesta.action_seq TO gesta_app").await.expect("granted");
    append(&store, did("1")).await;
    let mut listener = listen(&live, &store, Some(&began));
    let heard = loop {
        match listener.next().await {
            Ok(Event::Action { action, .. }) => break action,
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(objects(&[heard]), ["1"]);
}
