//! Follows and the feeds that come of them.

use gesta::stream::FollowQuery;
use gesta::{FeedQuery, Resource, ResourceType, StreamQuery};

use super::fixture::F1;
use crate::support::{check_log, page};

fn kind(name: &str) -> ResourceType {
    name.parse().expect(name)
}

/// Case 5.
#[tokio::test]
async fn following_is_narrowed_by_type() {
    let f1 = F1::new().await;
    let following = FollowQuery::following;
    assert_eq!(f1.others(following(&f1.user1), &f1.user1).await, ["user:2"]);
    let users = following(&f1.user2).types([kind("user")]);
    assert_eq!(f1.others(users, &f1.user2).await, [""; 0]);
    assert_eq!(f1.others(following(&f1.user2), &f1.user2).await, ["group:1"]);
}

/// Case 6.
#[tokio::test]
async fn following_is_narrowed_by_flag() {
    let f1 = F1::new().await;
    let flag = |flag: &str| FollowQuery::following(&f1.user4).flag(flag);
    assert_eq!(f1.others(flag("liking"), &f1.user4).await, ["group:2", "user:1"]);
    assert_eq!(f1.others(flag("watching"), &f1.user4).await, ["group:2"]);
    assert_eq!(f1.others(flag("blacklisting"), &f1.user4).await, ["user:3"]);
    let users = flag("liking").types([kind("user")]);
    assert_eq!(f1.others(users, &f1.user4).await, ["user:1"]);
}

/// Case 7.
#[tokio::test]
async fn followers_are_the_other_end() {
    let f1 = F1::new().await;
    assert_eq!(f1.others(FollowQuery::followers(&f1.group), &f1.group).await, ["user:2"]);
}

/// Case 8.
#[tokio::test]
async fn followers_are_narrowed_by_flag() {
    let f1 = F1::new().await;
    for (followed, flag) in [
        (&f1.another_group, "liking"),
        (&f1.another_group, "watching"),
        (&f1.user1, "liking"),
        (&f1.user3, "blacklisting"),
    ] {
        let query = FollowQuery::followers(followed).flag(flag);
        assert_eq!(f1.others(query, followed).await, ["user:4"], "{flag}");
    }
    let none = FollowQuery::followers(&f1.user1).flag("blacklisting");
    assert_eq!(f1.others(none, &f1.user1).await, [""; 0]);
}

/// Case 9.
#[tokio::test]
async fn feed_is_empty_after_the_last_unfollow() {
    let f1 = F1::new().await;
    assert_eq!(f1.unfollow(&f1.user1, &f1.user2, "").await, 1);
    assert_eq!(f1.feed(FeedQuery::new(&f1.user1)).await, "");
    assert_eq!(f1.feed(FeedQuery::new(&f1.user3).with_own_activity()).await, "a7");
    check_log(&f1.db).await;
}

/// Case 10.
#[tokio::test]
async fn follow_of_somebody_with_accents_is_told_with_them() {
    let f1 = F1::new().await;
    let renamed = f1.user1.resource().named("éé");
    let before = FollowQuery::following(&renamed).list(&f1.reader).await.expect("edges");
    assert_eq!(f1.follow(&renamed, &f1.user2, "").await, before[0], "the edge that is there");
    f1.follow(&renamed, &f1.user3, "").await;
    let told = page(&f1.reader, StreamQuery::actor(&renamed).limit(1)).await;
    assert_eq!(f1.text(&told[0]), "éé started following Three 26y ago");
    check_log(&f1.db).await;
}

/// Cases 11 and 50.
#[tokio::test]
async fn feed_is_what_the_followed_did() {
    let f1 = F1::new().await;
    assert_eq!(f1.feed(FeedQuery::new(&f1.user1)).await, "a4 a3");
    assert_eq!(f1.feed(FeedQuery::new(&f1.user2)).await, "a6");
    let page = FeedQuery::new(&f1.user1).page(&f1.reader).await.expect("a feed");
    assert!(page.items.iter().all(|item| item.action.actor == f1.user2));
}

/// Case 12.
#[tokio::test]
async fn feed_is_narrowed_by_flag() {
    let f1 = F1::new().await;
    assert_eq!(f1.feed(FeedQuery::new(&f1.user4).flag("blacklisting")).await, "a7");
    assert_eq!(f1.feed(FeedQuery::new(&f1.user4).flag("liking")).await, "a5 a2 a1");
}

/// Case 13.
#[tokio::test]
async fn feed_is_silent_about_the_deleted() {
    let f1 = F1::new().await;
    f1.delete(&f1.user2).await;
    let feed = FeedQuery::new(&f1.user1).page(&f1.reader).await.expect("a feed");
    assert!(!feed.items.iter().any(|item| f1.text(&item.action).contains("Two")));
    assert_eq!(f1.feed(FeedQuery::new(&f1.user1)).await, "");
    check_log(&f1.db).await;
}

/// Case 15.
#[tokio::test]
async fn following_twice_is_one_edge() {
    let f1 = F1::new().await;
    let first = f1.follow(&f1.user1, &f1.group, "").await;
    assert_eq!(f1.follow(&f1.user1, &f1.group, "").await, first);
    let followers = FollowQuery::followers(&f1.group).list(&f1.reader).await.expect("edges");
    let own = followers.iter().filter(|edge| edge.follower == f1.user1.resource);
    assert_eq!(own.count(), 1);
    assert_eq!(f1.stream(StreamQuery::actor(&f1.user1)).await, "new a5 a2 a1", "told once");
    check_log(&f1.db).await;
}

/// Case 16.
#[tokio::test]
async fn following_of_several_types_is_their_union() {
    let f1 = F1::new().await;
    f1.follow(&f1.user1, &f1.group, "").await;
    let both = FollowQuery::following(&f1.user1).types([kind("group"), kind("user")]);
    assert_eq!(f1.others(both, &f1.user1).await, ["group:1", "user:2"]);
    check_log(&f1.db).await;
}

async fn edges(f1: &F1) -> usize {
    let mut count = 0;
    for user in [&f1.user1, &f1.user2, &f1.user3, &f1.user4] {
        count += FollowQuery::following(user).list(&f1.reader).await.expect("edges").len();
    }
    count
}

/// Cases 17 and, without its endpoint, 38.
#[tokio::test]
async fn edges_of_the_deleted_go_in_both_directions() {
    let f1 = F1::new().await;
    assert_eq!(edges(&f1).await, 6);
    assert_eq!(f1.delete(&f1.user2).await, 2);
    assert_eq!(edges(&f1).await, 4);
    check_log(&f1.db).await;
}

/// Case 29.
#[tokio::test]
async fn feed_is_narrowed_by_verb() {
    let f1 = F1::new().await;
    assert_eq!(f1.feed(FeedQuery::new(&f1.user1).verbs(["joined"])).await, "a3");
}

/// Cases 30 to 33 and, without its endpoint, 53.
#[tokio::test]
async fn is_following_asks_for_one_flag_or_any() {
    let f1 = F1::new().await;
    let variable = String::from("liking");
    for (follower, followed, flag, answer) in [
        (&f1.user2, &f1.group, "", true),
        (&f1.user1, &f1.group, "", false),
        (&f1.user4, &f1.another_group, "", true),
        (&f1.user1, &f1.another_group, "", false),
        (&f1.user4, &f1.another_group, variable.as_str(), true),
        (&f1.user1, &f1.another_group, variable.as_str(), false),
        (&f1.user4, &f1.another_group, "hating", false),
        (&f1.user1, &f1.comment, "", false),
        (&f1.user1, &f1.user2, "", true),
    ] {
        let found = f1.reader.is_following(follower, followed, flag).await.expect("an answer");
        assert_eq!(found, answer, "{follower:?} {followed:?} {flag}");
    }
}

/// Cases 35 and, without its feed, 56.
#[tokio::test]
async fn own_activity_is_in_the_feed_where_it_is_asked_for() {
    let f1 = F1::new().await;
    assert_eq!(f1.feed(FeedQuery::new(&f1.user1)).await, "a4 a3");
    assert_eq!(f1.feed(FeedQuery::new(&f1.user1).with_own_activity()).await, "a5 a4 a3 a2 a1");
}

/// Case 52, without its endpoint.
#[tokio::test]
async fn anything_can_be_followed() {
    let f1 = F1::new().await;
    let edge = f1.follow(&f1.user1, &f1.comment, "").await;
    assert_eq!((edge.follower, edge.followed), (f1.user1.resource(), f1.comment.resource()));
    check_log(&f1.db).await;
}

/// Cases 54 and 55, without their endpoints.
#[tokio::test]
async fn own_followers_and_followed_are_listed() {
    let f1 = F1::new().await;
    assert_eq!(f1.others(FollowQuery::followers(&f1.user1), &f1.user1).await, ["user:4"]);
    assert_eq!(f1.others(FollowQuery::following(&f1.user1), &f1.user1).await, ["user:2"]);
}

/// Cases 61 and 62, without their endpoints.
#[tokio::test]
async fn following_is_told_and_unfollowing_is_idempotent() {
    let f1 = F1::new().await;
    for (flag, verb) in [("", "started following"), ("watching", "started watching")] {
        f1.follow(&f1.user1, &f1.user3, flag).await;
        assert!(f1.reader.is_following(&f1.user1, &f1.user3, flag).await.expect("an answer"));
        let told = page(&f1.reader, StreamQuery::actor(&f1.user1).limit(1)).await.remove(0);
        assert_eq!((told.verb.as_str(), told.target.as_ref()), (verb, Some(&f1.user3)));
        assert_eq!(f1.unfollow(&f1.user1, &f1.user3, flag).await, 1);
        assert!(!f1.reader.is_following(&f1.user1, &f1.user3, flag).await.expect("an answer"));
        assert_eq!(f1.unfollow(&f1.user1, &f1.user3, flag).await, 0);
    }
    check_log(&f1.db).await;
}
