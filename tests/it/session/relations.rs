//! Members of a relation: what was added and removed stands in the owner's stream.

use gesta::session::{Membership, Relation, SessionError};
use serde_json::json;

use super::newsroom::{article, done, in_session, line, log, newsroom, value};
use crate::support::{TestDb, check_log};

const TAGS: Relation = Relation::new("newsroom.article_tag", "article_id", "tag_id", "tags");

async fn tags(db: &TestDb) -> Vec<String> {
    value(db, "SELECT coalesce(array_agg(tag_id ORDER BY tag_id), '{}') FROM newsroom.article_tag")
        .await
}

#[tokio::test]
async fn added_and_removed_members_are_one_update_of_the_owner() {
    let (db, store) = newsroom().await;
    let fill = "INSERT INTO newsroom.tag SELECT chr(n) FROM generate_series(97, 105) AS n";
    db.admin().await.batch_execute(fill).await.expect("tags");
    let storm = article(7, "Storm");
    let counts = done(&store, async |session| {
        session.save(&storm).await?;
        let added = session.add(&storm, &TAGS, ["b", "a", "a"]).await?;
        let again = session.add(&storm, &TAGS, ["a", "c"]).await?;
        let nothing = session.add(&storm, &TAGS, ["a"]).await?;
        let removed = session.remove(&storm, &TAGS, ["a", "z"]).await?;
        let absent = session.remove(&storm, &TAGS, ["a"]).await?;
        let set = session.set(&storm, &TAGS, ["c", "d", "e"]).await?;
        let same = session.set(&storm, &TAGS, ["e", "d", "c"]).await?;
        Ok([added, again, nothing, removed, absent, set, same])
    })
    .await;
    let counts = counts.map(|Membership { added, removed }| (added, removed));
    assert_eq!(counts, [(2, 0), (1, 0), (0, 0), (0, 1), (0, 0), (2, 1), (0, 0)]);
    assert_eq!(tags(&db).await, ["c", "d", "e"]);
    let told = |removed: &[&str], added: &[&str]| {
        line("save", "update", "article:7", &json!({ "tags": [removed, added] }))
    };
    let wanted =
        [told(&[], &["a", "b"]), told(&[], &["c"]), told(&["a"], &[]), told(&["b"], &["d", "e"])];
    assert_eq!(log(&db).await[1..], wanted);
    let none: [&str; 0] = [];
    let emptied = done(&store, async |session| session.set(&storm, &TAGS, none).await).await;
    assert_eq!((emptied.removed, tags(&db).await.len()), (3, 0));
    check_log(&db).await;
}

#[tokio::test]
async fn owner_or_member_that_does_not_exist_is_refused() {
    let (db, store) = newsroom().await;
    let storm = article(7, "Storm");
    let error = in_session(&store, async |session| session.add(&storm, &TAGS, ["a"]).await).await;
    assert_eq!(
        error.expect_err("no owner").to_string(),
        "`article:7` is not in its table, so nothing can be added to it or removed"
    );
    let error = in_session(&store, async |session| {
        session.save(&storm).await?;
        session.add(&storm, &TAGS, ["a"]).await
    });
    let Err(SessionError::Database { source, .. }) = error.await else { panic!("no member") };
    assert_eq!(source.constraint(), Some("article_tag_tag_id_fkey"));
    assert_eq!(log(&db).await.len(), 0);
    check_log(&db).await;
}
