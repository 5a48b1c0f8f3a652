//! Optimistic concurrency: what somebody else has changed meanwhile is not overwritten.

use gesta::session::{Selection, SessionError};
use serde_json::json;

use super::newsroom::{Person, done, in_session, log, newsroom, person, value};
use crate::support::check_log;

#[tokio::test]
async fn stale_model_is_refused_and_overwrites_nothing() {
    let (db, store) = newsroom().await;
    let read = done(&store, async |session| session.save(&person("Ann")).await).await.row;
    let renamed = |name: &str| Person { name: name.to_owned(), ..read.clone() };
    let first = done(&store, async |session| session.save(&renamed("Anna")).await).await.row;
    let other = person("Bob");
    let refused = in_session(&store, async |session| {
        session.save(&other).await?;
        session.save_all(&[person("Carol"), renamed("Annie")]).await
    });
    let error = refused.await.expect_err("stale");
    assert_eq!(
        error.to_string(),
        "`person:1` is stale: version 1 was given, and the row has 2; nothing was overwritten: read it again, and \
         change that"
    );
    let names: Vec<String> = value(&db, "SELECT array_agg(name) FROM newsroom.person").await;
    assert_eq!(
        (names, log(&db).await.len()),
        (vec!["Anna".to_owned()], 2),
        "all of it is rolled back"
    );
    let again = done(&store, async |session| {
        session.save(&Person { name: "Annie".to_owned(), ..first }).await
    })
    .await;
    assert_eq!(again.row.version, Some(3));
    let unversioned = Person { version: None, ..read.clone() };
    let error = in_session(&store, async |session| session.save(&unversioned).await).await;
    let Err(SessionError::Stale { given, found, .. }) = error else { panic!("{error:?}") };
    assert_eq!((given.as_str(), found.as_str()), ("none", "3"));
    check_log(&db).await;
}

#[tokio::test]
async fn bulk_update_makes_models_stale_that_were_read_before() {
    let (db, store) = newsroom().await;
    let read = done(&store, async |session| session.save(&person("Ann")).await).await.row;
    done(&store, async |session| {
        session.update::<Person>(Selection::all(), &json!({ "password": "x" })).await
    })
    .await;
    let error = in_session(&store, async |session| session.save(&read).await).await;
    assert!(matches!(error, Err(SessionError::Stale { .. })), "{error:?}");
    let error = in_session(&store, async |session| {
        session.update::<Person>(Selection::all(), &json!({ "version": 1 })).await
    });
    let error = error.await.expect_err("refused").to_string();
    assert!(error.contains("without the key `id`, the version `version` and generated"), "{error}");
    check_log(&db).await;
}
