//! Following: edges that are state, told by actions.

use chrono::TimeDelta;
use gesta::stream::follow::{EDGES_MAX, FLAG_LEN_MAX, FollowError, VERBS_MAX};
use gesta::stream::{Edge, FollowQuery, Reason, Role};
use gesta::{
    Context, FeedQuery, Follow, NewAction, QueryError, Reader, ResourceRef, Store, StreamQuery,
    Tenant,
};

use crate::support::{
    append, check_log, database, day, ids, page, public, resource, until_waiting, walk,
};

fn bob() -> ResourceRef {
    resource("user:bob")
}

fn alice() -> ResourceRef {
    resource("user:alice")
}

/// Follows in a transaction of its own.
async fn follow(store: &Store, follow: &Follow) -> Edge {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let edge = store.follow(&tx, &Context::new(&bob()), follow).await.expect("followed");
    tx.commit().await.expect("committed");
    edge
}

/// Unfollows in a transaction of its own.
async fn unfollow(store: &Store, followed: &ResourceRef, flag: &str) -> usize {
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let gone = store.unfollow(&tx, &Context::new(&bob()), &bob(), followed, flag).await;
    tx.commit().await.expect("committed");
    gone.expect("unfollowed")
}

/// The verbs of all actions, oldest first.
async fn verbs(store: &Store) -> Vec<String> {
    let actions = page(&public(store), StreamQuery::tenant()).await;
    actions.into_iter().rev().map(|action| action.verb).collect()
}

async fn edges(store: &Store) -> Vec<Edge> {
    FollowQuery::following(&bob()).list(&public(store)).await.expect("edges")
}

#[tokio::test]
async fn following_again_gives_the_edge_its_options_anew() {
    let db = database().await;
    let store = db.store().await;
    let first = follow(&store, &Follow::new(&bob(), &alice())).await;
    let told = (first.roles.as_slice(), first.verbs.len(), first.since, first.muted);
    assert_eq!(told, ([Role::Actor].as_slice(), 0, None, false));
    let again = Follow::new(&bob(), &alice())
        .roles([Role::Object, Role::Target])
        .verbs(["close"])
        .since(day(3))
        .muted();
    let second = follow(&store, &again).await;
    assert_eq!((second.id, second.created_at), (first.id, first.created_at));
    let told = (second.roles.as_slice(), second.verbs.as_slice(), second.since, second.muted);
    let verbs_told = ["close".to_owned()];
    let expected =
        ([Role::Object, Role::Target].as_slice(), verbs_told.as_slice(), Some(day(3)), true);
    assert_eq!(told, expected);
    assert_eq!(edges(&store).await, [second]);
    assert_eq!(follow(&store, &Follow::new(&bob(), &alice())).await, first);
    assert_eq!(verbs(&store).await, ["started following"], "told once");
    check_log(&db).await;
}

#[tokio::test]
async fn edge_and_its_action_exist_if_and_only_if_the_transaction_commits() {
    let db = database().await;
    let store = db.store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let wish = Follow::new(&bob(), &alice());
    store.follow(&tx, &Context::new(&bob()), &wish).await.expect("followed");
    tx.rollback().await.expect("rolled back");
    assert_eq!(edges(&store).await, []);
    assert_eq!(verbs(&store).await, [""; 0]);
    follow(&store, &wish).await;
    let tx = client.transaction().await.expect("a transaction");
    let gone = store.unfollow(&tx, &Context::new(&bob()), &bob(), &alice(), "").await;
    assert_eq!(gone.expect("unfollowed"), 1);
    tx.rollback().await.expect("rolled back");
    assert_eq!(edges(&store).await.len(), 1);
    assert_eq!(verbs(&store).await, ["started following"]);
    check_log(&db).await;
}

/// Two transactions follow at the same time: the second one waits for the first, and only who made the edge tells of it.
#[tokio::test]
async fn edge_of_two_overlapping_transactions_is_told_once() {
    let db = database().await;
    let (store, admin) = (db.store().await, db.admin().await);
    let ctx = Context::new(&bob());
    for (followed, commits) in [("user:1", true), ("user:2", false)] {
        let wish = Follow::new(&bob(), &resource(followed));
        let mut one = store.client().await.expect("a connection");
        let mut other = store.client().await.expect("a connection");
        let one = one.transaction().await.expect("a transaction");
        let other = other.transaction().await.expect("a transaction");
        let waiter = other.query_one("SELECT pg_backend_pid()", &[]).await.expect("a row").get(0);
        store.follow(&one, &ctx, &wish).await.expect("followed");
        let end = async {
            until_waiting(&admin, waiter).await;
            if commits { one.commit().await } else { one.rollback().await }
        };
        let (edge, ended) = tokio::join!(store.follow(&other, &ctx, &wish), end);
        ended.expect("ended");
        edge.expect("followed");
        other.commit().await.expect("committed");
    }
    assert_eq!(edges(&store).await.len(), 2);
    assert_eq!(verbs(&store).await, ["started following", "started following"]);
    check_log(&db).await;
}

#[tokio::test]
async fn overlapping_edges_show_an_action_once_with_all_their_reasons() {
    let db = database().await;
    let store = db.store().await;
    let issue = resource("issue:70");
    for wish in [
        Follow::new(&bob(), &alice()),
        Follow::new(&bob(), &alice()).flag("liking"),
        Follow::new(&bob(), &alice()).flag("muted").muted(),
        Follow::new(&bob(), &alice()).flag("others").verbs(["open"]),
        Follow::new(&bob(), &issue).roles(Role::ALL),
        Follow::new(&bob(), &resource("issue:71")).roles(Role::ALL),
    ] {
        follow(&store, &wish.silent()).await;
    }
    let action = NewAction::new("close", &Context::new(&alice())).object(&issue).target(&issue);
    let id = append(&store, action).await;
    let feed = FeedQuery::new(&bob()).page(&public(&store)).await.expect("a feed");
    assert_eq!(ids(feed.items.iter().map(|item| &item.action)), [id]);
    let reason = |followed: &ResourceRef, role, flag: &str| Reason {
        followed: followed.clone(),
        role,
        flag: Some(flag.to_owned()),
    };
    let reasons = &feed.items[0].reasons;
    for wanted in [
        reason(&alice(), Role::Actor, ""),
        reason(&alice(), Role::Actor, "liking"),
        reason(&issue, Role::Object, ""),
        reason(&issue, Role::Target, ""),
    ] {
        assert!(reasons.contains(&wanted), "{wanted:?} in {reasons:?}");
    }
    assert_eq!(reasons.len(), 4);
    check_log(&db).await;
}

#[tokio::test]
async fn role_named_twice_is_one_reason() {
    let db = database().await;
    let store = db.store().await;
    let roles = [Role::Actor, Role::Target, Role::Actor, Role::Actor, Role::Target];
    let edge = follow(&store, &Follow::new(&bob(), &alice()).roles(roles)).await;
    assert_eq!(edge.roles, [Role::Actor, Role::Target]);
    append(&store, NewAction::new("close", &Context::new(&alice()))).await;
    let feed = FeedQuery::new(&bob()).page(&public(&store)).await.expect("a feed");
    let reasons: Vec<_> = feed.items.iter().map(|item| item.reasons.len()).collect();
    assert_eq!(reasons, [1, 1], "the close, and the follow itself, whose target is followed");
    check_log(&db).await;
}

#[tokio::test]
async fn unfollowing_takes_one_kind_or_all_and_tells_of_each() {
    let db = database().await;
    let store = db.store().await;
    for flag in ["", "liking", "watching"] {
        follow(&store, &Follow::new(&bob(), &alice()).flag(flag)).await;
    }
    follow(&store, &Follow::new(&bob(), &resource("user:2")).silent()).await;
    assert_eq!(unfollow(&store, &alice(), "liking").await, 1);
    assert_eq!(unfollow(&store, &alice(), "liking").await, 0);
    assert_eq!(edges(&store).await.len(), 3);
    assert_eq!(unfollow(&store, &alice(), "").await, 2);
    assert_eq!(edges(&store).await.len(), 1, "the edge to another stays");
    let mut told = verbs(&store).await;
    assert_eq!(
        told[..4],
        ["started following", "started liking", "started watching", "stopped liking"]
    );
    told[4..].sort();
    assert_eq!(told[4..], ["stopped following", "stopped watching"]);
    check_log(&db).await;
}

#[tokio::test]
async fn following_for_somebody_else_is_told_of_both() {
    let db = database().await;
    let store = db.store().await;
    let wish = Follow::new(&alice().named("Alice"), &resource("group:1").named("Group"));
    follow(&store, &wish).await;
    let told = page(&public(&store), StreamQuery::tenant()).await.remove(0);
    let sentence = store.registry().sentence(&told);
    assert_eq!(sentence, "bob started following Alice on Group");
    assert_eq!(edges(&store).await, []);
    let of_alice = FollowQuery::following(&alice()).list(&public(&store)).await.expect("edges");
    assert_eq!(of_alice.len(), 1);
    check_log(&db).await;
}

#[tokio::test]
async fn forgetting_takes_edges_of_both_directions_and_of_one_tenant() {
    let db = database().await;
    let store = db.store().await;
    let ctx = |tenant: &str| Context::new(&bob()).tenant(Tenant::new(tenant).expect("a tenant"));
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    for tenant in ["a", "b"] {
        for wish in [
            Follow::new(&bob(), &alice()),
            Follow::new(&bob(), &alice()).flag("liking"),
            Follow::new(&alice(), &resource("group:1")),
            Follow::new(&alice(), &alice()),
            Follow::new(&bob(), &resource("group:1")),
            // The same id of another type, and the other way round.
            Follow::new(&resource("alice:user"), &resource("group:alice")),
        ] {
            store.follow(&tx, &ctx(tenant), &wish).await.expect("followed");
        }
    }
    let gone = store.forget_edges(&tx, &ctx("a"), &alice()).await.expect("forgotten");
    tx.commit().await.expect("committed");
    assert_eq!(gone, 4);
    let left = "SELECT tenant, count(*) FROM gesta.follow GROUP BY 1 ORDER BY 1";
    let rows = db.admin().await.query(left, &[]).await.expect("counted");
    let rows: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [("a".to_owned(), 2), ("b".to_owned(), 6)]);
    for tenant in ["a", "b"] {
        let reader = Reader::new(&store, Tenant::new(tenant).expect("a tenant"));
        assert_eq!(page(&reader, StreamQuery::tenant()).await.len(), 6, "its actions stay");
    }
    check_log(&db).await;
}

#[tokio::test]
async fn longest_ids_are_followed_at_both_ends() {
    let db = database().await;
    let store = db.store().await;
    let reader = public(&store);
    let long = |last: char| {
        ResourceRef::new(&"k".repeat(63), "é".repeat(1023) + "x" + &last.to_string())
            .expect("valid")
    };
    let (one, other, third) = (long('1'), long('2'), long('3'));
    let flag = "f".repeat(FLAG_LEN_MAX);
    for followed in [&other, &third] {
        follow(&store, &Follow::new(&one, followed).flag(flag.as_str()).silent()).await;
    }
    append(&store, NewAction::new("close", &Context::new(&other))).await;
    for (follower, followed, answer) in
        [(&one, &other, true), (&one, &third, true), (&other, &one, false), (&other, &third, false)]
    {
        let found = reader.is_following(follower, followed, &flag).await.expect("an answer");
        assert_eq!(found, answer);
    }
    let followers = FollowQuery::followers(&third).list(&reader).await.expect("edges");
    assert_eq!(followers.iter().map(|edge| &edge.follower).collect::<Vec<_>>(), [&one]);
    let feed = FeedQuery::new(&one).flag(flag.as_str()).page(&reader).await.expect("a feed");
    assert_eq!(feed.items.len(), 1);
    assert_eq!(feed.items[0].reasons[0].followed, other);
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let gone = store.unfollow(&tx, &Context::new(&one), &one, &other, &flag).await;
    tx.commit().await.expect("committed");
    assert_eq!(gone.expect("unfollowed"), 1);
    assert_eq!(FollowQuery::following(&one).list(&reader).await.expect("edges").len(), 1);
    check_log(&db).await;
}

#[tokio::test]
async fn edges_whose_parts_read_alike_when_joined_are_different_edges() {
    let db = database().await;
    let store = db.store().await;
    let mut ids = std::collections::BTreeSet::new();
    for (follower, followed, flag) in [
        ("ab:c", "d:e", ""),
        ("a:bc", "d:e", ""),
        ("ab:cd", "e:f", ""),
        ("ab:c", "d:e", "f"),
        ("ab:c", "d:ef", ""),
        ("d:e", "ab:c", ""),
    ] {
        let wish = Follow::new(&resource(follower), &resource(followed)).flag(flag);
        assert!(
            ids.insert(follow(&store, &wish.silent()).await.id),
            "{follower} {followed} {flag}"
        );
    }
    check_log(&db).await;
}

#[tokio::test]
async fn wish_that_cannot_be_stored_is_refused_and_the_transaction_goes_on() {
    let db = database().await;
    let store = db.store().await;
    let ctx = Context::new(&bob());
    let wish = || Follow::new(&bob(), &alice());
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    for (part, wish) in [
        ("flag `", wish().flag("f".repeat(FLAG_LEN_MAX + 1))),
        ("flag `", wish().flag("a\0b")),
        ("flag `", wish().flag("a\nb")),
        ("no role", wish().roles([])),
        ("verb `", wish().verbs(["a\0b"])),
        ("verb `", wish().verbs([""])),
        ("verb `", wish().verbs(["v".repeat(256)])),
        ("verbs", wish().verbs((0..=VERBS_MAX).map(|n| n.to_string()))),
    ] {
        let error = store.follow(&tx, &ctx, &wish).await.expect_err(part);
        assert!(!matches!(error, FollowError::Database(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let error = store.unfollow(&tx, &ctx, &bob(), &alice(), "a\0b").await.expect_err("no flag");
    assert!(matches!(error, FollowError::Flag { .. }));
    store.follow(&tx, &ctx, &wish()).await.expect("followed");
    tx.commit().await.expect("committed");
    check_log(&db).await;
}

#[tokio::test]
async fn lists_of_edges_go_on_after_an_edge() {
    let db = database().await;
    let store = db.store().await;
    for n in 0..7 {
        follow(&store, &Follow::new(&bob(), &resource(&format!("user:{n}"))).silent()).await;
        follow(&store, &Follow::new(&resource(&format!("user:{n}")), &alice()).silent()).await;
    }
    let reader = public(&store);
    for query in [FollowQuery::following(&bob()), FollowQuery::followers(&alice())] {
        let all = query.list(&reader).await.expect("edges");
        assert_eq!(all.len(), 7);
        let (mut joined, mut query) = (Vec::new(), query.limit(3));
        loop {
            let part = query.list(&reader).await.expect("edges");
            let Some(last) = part.last() else { break };
            query = query.after(last.id);
            joined.extend(part);
        }
        assert_eq!(joined, all);
    }
    for limit in [0, EDGES_MAX + 1] {
        let refused = FollowQuery::following(&bob()).limit(limit).list(&reader).await;
        assert!(
            matches!(refused, Err(QueryError::Limit { given, max: EDGES_MAX }) if given == limit)
        );
    }
    check_log(&db).await;
}

#[tokio::test]
async fn edge_with_a_first_moment_shows_that_moment_and_later() {
    let db = database().await;
    let store = db.store().await;
    follow(&store, &Follow::new(&bob(), &alice()).since(day(3)).silent()).await;
    let close = |at| NewAction::new("close", &Context::new(&alice())).at(at);
    append(&store, close(day(3) - TimeDelta::microseconds(1))).await;
    let first = append(&store, close(day(3))).await;
    let later = append(&store, close(day(4))).await;
    let feed = FeedQuery::new(&bob()).page(&public(&store)).await.expect("a feed");
    assert_eq!(ids(feed.items.iter().map(|item| &item.action)), [later, first]);
    let (all, _) = walk(&public(&store), &StreamQuery::actor(&alice())).await;
    assert_eq!(all.len(), 3);
    check_log(&db).await;
}
