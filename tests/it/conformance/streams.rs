//! Streams and what their actions say.

use gesta::{Audience, Context, FeedQuery, Json, NewAction, Registry, Resource, StreamQuery, Verb};
use serde_json::{Value, json};

use super::fixture::{F1, T0, t0};
use crate::support::{append, check_log, page, resource, set_audience};

/// Case 1.
#[tokio::test]
async fn actors_stream_is_what_they_did_as_sentences() {
    let f1 = F1::new().await;
    let actions = page(&f1.reader, StreamQuery::actor(&f1.user1)).await;
    assert_eq!(f1.names(&actions), "a5 a2 a1");
    let texts: Vec<_> = actions.iter().map(|action| f1.text(action)).collect();
    assert_eq!(
        texts,
        [
            "admin commented on CoolGroup 26y ago",
            "admin started following Two 26y ago",
            "admin joined CoolGroup 26y ago",
        ]
    );
    check_log(&f1.db).await;
}

/// Case 2.
#[tokio::test]
async fn actors_stream_leaves_out_what_others_did() {
    let f1 = F1::new().await;
    assert_eq!(f1.stream(StreamQuery::actor(&f1.user2)).await, "a4 a3");
}

/// Case 3.
#[tokio::test]
async fn follows_with_flags_are_told_by_their_own_verbs() {
    let f1 = F1::new().await;
    let actions = page(&f1.reader, StreamQuery::actor(&f1.user4)).await;
    assert_eq!(f1.names(&actions), "a11 a10 a9 a8");
    let verbs: Vec<_> = actions.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(
        verbs,
        ["started blacklisting", "started liking", "started watching", "started liking"]
    );
}

/// Case 4.
#[tokio::test]
async fn actor_need_not_be_a_user() {
    let f1 = F1::new().await;
    let actions = page(&f1.reader, StreamQuery::actor(&f1.group)).await;
    assert_eq!(f1.names(&actions), "a6");
    assert_eq!(f1.text(&actions[0]), "CoolGroup responded to admin: Sweet Group!... 26y ago");
}

/// Cases 14 and 48.
#[tokio::test]
async fn action_keeps_actor_object_and_target() {
    let f1 = F1::new().await;
    let made = f1.send(&f1.user1, "created comment", Some(&f1.comment), Some(&f1.group)).await;
    assert_eq!(made.actor, f1.user1);
    assert_eq!(made.object.as_ref(), Some(&f1.comment));
    assert_eq!(made.target.as_ref(), Some(&f1.group));
    assert_eq!(f1.text(&made), "admin created comment admin: Sweet Group!... on CoolGroup 26y ago");
    let of_comment = page(&f1.reader, StreamQuery::object(&f1.comment)).await;
    assert_eq!(of_comment, [made]);
    check_log(&f1.db).await;
}

/// Case 18, ours: no row is lost, and the name that it had stays with each action.
#[tokio::test]
async fn actions_outlive_their_objects() {
    let f1 = F1::new().await;
    let before = page(&f1.reader, StreamQuery::tenant()).await;
    f1.delete(&f1.user2).await;
    assert_eq!(f1.stream(StreamQuery::actor(&f1.user1)).await, "a5 a2 a1");
    assert_eq!(f1.text(&f1.action(2).await), "admin started following Two 26y ago");
    assert_eq!(page(&f1.reader, StreamQuery::tenant()).await, before);
    check_log(&f1.db).await;
}

/// Case 19.
#[tokio::test]
async fn resource_is_counted_by_role() {
    let f1 = F1::new().await;
    assert_eq!(f1.stream(StreamQuery::actor(&f1.user2)).await, "a4 a3");
    assert_eq!(f1.stream(StreamQuery::target(&f1.user2)).await, "a2");
    assert_eq!(f1.stream(StreamQuery::object(&f1.user2)).await, "");
}

/// Case 20, ours: the change is a new action, which only auditors see, and the visible result is the same.
#[tokio::test]
async fn hidden_action_leaves_every_public_stream() {
    let f1 = F1::new().await;
    let moderator = Context::new(&resource("user:9"));
    set_audience(&f1.store, &moderator, f1.id(1), &Audience::auditors()).await;
    assert_eq!(f1.stream(StreamQuery::actor(&f1.user1)).await, "a5 a2");
    assert_eq!(f1.stream(StreamQuery::target(&f1.group)).await, "a5 a4 a3");
    assert_eq!(f1.stream(StreamQuery::tenant()).await, "a11 a10 a9 a8 a7 a6 a5 a4 a3 a2");
    assert_eq!(f1.reader.action(f1.id(1)).await.expect("read"), None);
    let auditor = f1.reader.clone().auditor();
    let all = page(&auditor, StreamQuery::tenant()).await;
    assert_eq!(f1.names(&all), "new a11 a10 a9 a8 a7 a6 a5 a4 a3 a2 a1");
    assert_eq!(
        all[0].changes.as_ref().expect("changes").value(),
        json!({ "audience": [["public"], []] })
    );
    check_log(&f1.db).await;
}

/// Case 28.
#[tokio::test]
async fn type_stream_of_an_instances_type_is_narrowed_by_verb() {
    let f1 = F1::new().await;
    let query = StreamQuery::of_type(f1.user1.resource().kind).verbs(["commented on"]);
    assert_eq!(f1.stream(query).await, "a5");
}

/// Case 34.
#[tokio::test]
async fn stream_of_nothing_is_an_empty_page() {
    let f1 = F1::new().await;
    let nobody = resource("user:nobody");
    for query in [StreamQuery::actor(&nobody), StreamQuery::any(&nobody)] {
        let page = query.page(&f1.reader).await.expect("a page");
        assert!(page.items.is_empty() && page.older.is_none());
    }
    let feed = FeedQuery::new(&nobody).with_own_activity().page(&f1.reader).await.expect("a page");
    assert!(feed.items.is_empty() && feed.older.is_none());
}

/// Case 36.
#[tokio::test]
async fn verb_is_stored_untranslated() {
    const FRENCH: Verb = Verb::new("group", "English").summary("{actor} Anglais {target}");
    let f1 = F1::new().await;
    let stored = f1.send(&f1.user1, "English", None, Some(&f1.group)).await;
    let french = Registry::builder().resource("group", "groupe", "groupes").verb(FRENCH);
    let french = french.build().expect("a registry");
    assert_eq!(french.sentence(&stored), "admin Anglais CoolGroup");
    assert_eq!(stored.verb, "English");
    check_log(&f1.db).await;
}

/// Case 38, without its endpoints.
#[tokio::test]
async fn tenants_stream_has_all_eleven_actions() {
    let f1 = F1::new().await;
    let all = "a11 a10 a9 a8 a7 a6 a5 a4 a3 a2 a1";
    assert_eq!(f1.stream(StreamQuery::tenant()).await, all);
    assert_eq!(f1.stream(StreamQuery::tenant().limit(3)).await, all);
}

/// Cases 40 and 41, without their endpoints.
#[tokio::test]
async fn detail_of_the_newest_is_the_first_of_the_list() {
    let f1 = F1::new().await;
    let list = page(&f1.reader, StreamQuery::tenant()).await;
    let detail = f1.action(11).await;
    assert_eq!(list[0], detail);
    let form: Value = serde_json::to_value(&detail).expect("JSON");
    assert_eq!(form["occurred_at"], json!("2000-01-01T00:00:00.000000Z"));
    assert_eq!(form["target"], json!({ "type": "user", "id": "3", "name": "Three" }));
    assert_eq!(detail.occurred_at, t0(), "{T0}");
}

/// Case 45. Our order is newest first, so `joined`, which came first, is last.
#[tokio::test]
async fn own_actions_are_the_actors_stream() {
    let f1 = F1::new().await;
    let own = page(&f1.reader, StreamQuery::actor(&f1.user1)).await;
    assert_eq!(own.len(), 3);
    assert_eq!((own[0].verb.as_str(), own[2].verb.as_str()), ("commented on", "joined"));
}

/// Cases 46 and, without its feed, 57.
#[tokio::test]
async fn type_stream_has_every_role() {
    let f1 = F1::new().await;
    let of = |kind: &str| StreamQuery::of_type(kind.parse().expect(kind));
    assert_eq!(f1.stream(of("group")).await, "a9 a8 a6 a5 a4 a3 a1");
    assert_eq!(f1.stream(of("user")).await, "a11 a10 a9 a8 a7 a5 a4 a3 a2 a1");
}

/// Case 47.
#[tokio::test]
async fn target_stream_names_its_target() {
    let f1 = F1::new().await;
    let actions = page(&f1.reader, StreamQuery::target(&f1.another_group)).await;
    assert_eq!(f1.names(&actions), "a9 a8");
    assert!(actions.iter().all(|action| action.target.as_ref() == Some(&f1.another_group)));
}

/// Cases 49 and, without its feed, 58.
#[tokio::test]
async fn any_stream_joins_the_roles_without_repeating() {
    let f1 = F1::new().await;
    assert_eq!(f1.stream(StreamQuery::any(&f1.user1)).await, "a10 a5 a2 a1");
    assert_eq!(f1.stream(StreamQuery::any(&f1.user2)).await, "a4 a3 a2");
    f1.send(&f1.user1, "praised", Some(&f1.user1), Some(&f1.user1)).await;
    assert_eq!(f1.stream(StreamQuery::any(&f1.user1)).await, "new a10 a5 a2 a1");
    assert_eq!(f1.stream(StreamQuery::any(&f1.user1).limit(1)).await, "new a10 a5 a2 a1");
    check_log(&f1.db).await;
}

/// Case 51, without its endpoint: who acts comes from the context, there is no other way to say it.
#[tokio::test]
async fn sent_action_is_the_newest_and_its_actor_the_contexts() {
    let f1 = F1::new().await;
    let action = NewAction::new("mentioned", &Context::new(&f1.user1))
        .description("talked about a group")
        .target(&f1.group);
    append(&f1.store, action).await;
    let newest = page(&f1.reader, StreamQuery::tenant().limit(1)).await.remove(0);
    assert_eq!(newest.description.as_deref(), Some("talked about a group"));
    assert_eq!((newest.verb.as_str(), &newest.actor), ("mentioned", &f1.user1));
    assert_eq!(newest.target.as_ref(), Some(&f1.group));
    check_log(&f1.db).await;
}

/// Case 66, without its page.
#[tokio::test]
async fn detail_of_an_action_is_that_action() {
    let f1 = F1::new().await;
    let action = f1.action(1).await;
    assert_eq!((action.id, action.verb.as_str()), (f1.id(1), "joined"));
    assert_eq!((&action.actor, action.target.as_ref()), (&f1.user1, Some(&f1.group)));
}

/// Case 76.
#[tokio::test]
async fn data_keeps_its_types() {
    let f1 = F1::new().await;
    let given = json!({ "text": "foobar", "tags": ["sayings"], "more_data": { "pk": 1 } });
    let action = NewAction::new("said", &Context::new(&f1.user1)).data(given.clone());
    let id = append(&f1.store, action).await;
    let stored = f1.reader.action(id).await.expect("read").expect("stored");
    assert_eq!(stored.data.as_ref().map(Json::value), Some(given));
    check_log(&f1.db).await;
}
