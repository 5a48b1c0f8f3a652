//! Fixture F1 of django-activity-stream's test suite: eleven actions of one moment, six follows.

use chrono::{DateTime, Utc};
use gesta::stream::{Edge, FollowQuery};
use gesta::{
    Action, ActionId, Context, FeedQuery, Follow, Named, NewAction, Reader, Registry, Resource,
    Store, StreamQuery,
};

use crate::support::{TestDb, append, database, page, public, resource, walk};

/// When all of it happened.
pub(super) const T0: &str = "2000-01-01T00:00:00Z";

/// The fixture's objects, follows and actions.
pub(super) struct F1 {
    pub(super) db: TestDb,
    pub(super) store: Store,
    pub(super) reader: Reader,
    pub(super) user1: Named,
    pub(super) user2: Named,
    pub(super) user3: Named,
    pub(super) user4: Named,
    pub(super) group: Named,
    pub(super) another_group: Named,
    pub(super) comment: Named,
    /// `a1` is the first.
    actions: Vec<ActionId>,
}

/// The moment of the fixture.
pub(super) fn t0() -> DateTime<Utc> {
    T0.parse().expect(T0)
}

pub(super) fn registry() -> Registry {
    let builder =
        Registry::builder().resource("user", "user", "users").resource("group", "group", "groups");
    let builder = builder.resource("site", "site", "sites").resource("player", "player", "players");
    builder.resource("nested-model", "nested model", "nested models").build().expect("a registry")
}

impl F1 {
    /// Plays the eleven steps.
    pub(super) async fn new() -> Self {
        let db = database().await;
        let store = db.store_at(t0(), registry()).await;
        let named = |text: &str, name: &str| resource(text).named(name);
        let mut f1 = Self {
            reader: public(&store),
            store,
            db,
            user1: named("user:1", "admin"),
            user2: named("user:2", "Two"),
            user3: named("user:3", "Three"),
            user4: named("user:4", "Four"),
            group: named("group:1", "CoolGroup"),
            another_group: named("group:2", "NiceGroup"),
            comment: named("site:1", "admin: Sweet Group!..."),
            actions: Vec::new(),
        };
        f1.play().await;
        let stored = page(&f1.reader, StreamQuery::tenant()).await;
        f1.actions = stored.iter().rev().map(|action| action.id).collect();
        f1
    }

    async fn play(&self) {
        let Self { user1, user2, user3, user4, group, another_group, comment, .. } = self;
        self.send(user1, "joined", None, Some(group)).await;
        self.follow(user1, user2, "").await;
        self.send(user2, "joined", None, Some(group)).await;
        self.follow(user2, group, "").await;
        self.send(user1, "commented on", None, Some(group)).await;
        self.send(group, "responded to", None, Some(comment)).await;
        self.send(user3, "liked actstream", None, None).await;
        self.follow(user4, another_group, "liking").await;
        self.follow(user4, another_group, "watching").await;
        self.follow(user4, user1, "liking").await;
        self.follow(user4, user3, "blacklisting").await;
    }

    /// `action.send`
    pub(super) async fn send(
        &self,
        actor: &Named,
        verb: &str,
        object: Option<&Named>,
        target: Option<&Named>,
    ) -> Action {
        let mut action = NewAction::new(verb, &Context::new(actor));
        action = object.into_iter().fold(action, NewAction::object);
        action = target.into_iter().fold(action, NewAction::target);
        let id = append(&self.store, action).await;
        self.reader.action(id).await.expect("read").expect("stored")
    }

    /// `follow`
    pub(super) async fn follow(&self, user: &Named, followed: &Named, flag: &str) -> Edge {
        let mut client = self.store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        let follow = Follow::new(user, followed).flag(flag);
        let edge = self.store.follow(&tx, &Context::new(user), &follow).await.expect("followed");
        tx.commit().await.expect("committed");
        edge
    }

    /// `unfollow`
    pub(super) async fn unfollow(&self, user: &Named, followed: &Named, flag: &str) -> usize {
        let mut client = self.store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        let gone = self.store.unfollow(&tx, &Context::new(user), user, followed, flag).await;
        tx.commit().await.expect("committed");
        gone.expect("unfollowed")
    }

    /// What DAS does to follows when an object is deleted.
    pub(super) async fn delete(&self, gone: &Named) -> u64 {
        let mut client = self.store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        let ctx = Context::system("clean-up").expect("a context");
        let edges = self.store.forget_edges(&tx, &ctx, gone).await.expect("forgotten");
        tx.commit().await.expect("committed");
        edges
    }

    /// The names of actions in the table, in their order: `a5 a2 a1`. Those that were added later are `new`.
    pub(super) fn names<'a>(&self, actions: impl IntoIterator<Item = &'a Action>) -> String {
        let name = |action: &Action| match self.actions.iter().position(|&id| id == action.id) {
            Some(n) => format!("a{}", n + 1),
            None => "new".to_owned(),
        };
        actions.into_iter().map(name).collect::<Vec<_>>().join(" ")
    }

    /// The names of a stream's actions, newest first.
    pub(super) async fn stream(&self, query: StreamQuery) -> String {
        self.names(&walk(&self.reader, &query).await.0)
    }

    /// The names of a feed's actions, newest first.
    pub(super) async fn feed(&self, query: FeedQuery) -> String {
        let page = query.page(&self.reader).await.expect("a feed");
        self.names(page.items.iter().map(|item| &item.action))
    }

    /// `a1` is 1.
    pub(super) fn id(&self, number: usize) -> ActionId {
        self.actions[number - 1]
    }

    /// The fixture's action with this number.
    pub(super) async fn action(&self, number: usize) -> Action {
        self.reader.action(self.id(number)).await.expect("read").expect("stored")
    }

    /// The other ends of some edges, sorted.
    pub(super) async fn others(&self, query: FollowQuery, of: &Named) -> Vec<String> {
        let edges = query.list(&self.reader).await.expect("edges");
        let other = |edge: Edge| {
            let own = of.resource();
            if edge.follower == own { edge.followed.to_string() } else { edge.follower.to_string() }
        };
        let mut others: Vec<_> = edges.into_iter().map(other).collect();
        others.sort();
        others
    }

    /// What an action says, 26 years later.
    pub(super) fn text(&self, action: &Action) -> String {
        let now = t0() + chrono::TimeDelta::days(26 * 366);
        self.store.registry().sentence_at(action, now)
    }
}
