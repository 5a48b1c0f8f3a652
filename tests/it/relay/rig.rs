//! A database, a stream, and relays between them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use gesta::relay::{Incoming, News, Relay, RelayError};
use gesta::{Action, ActionId, Context, NewAction, Store};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{TestDb, TestNats, append_all, resource};

/// Longer than anything takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// `user:1 did thing:<object>`
pub(super) fn did(object: impl std::fmt::Display) -> NewAction {
    let ctx = Context::new(&resource("user:1"));
    NewAction::new("did", &ctx).object(&resource(&format!("thing:{object}")))
}

/// Appends actions on some objects, in one transaction.
pub(super) async fn append(store: &Store, objects: std::ops::Range<u64>) {
    append_all(store, objects.map(did).collect()).await;
}

/// A relay of a database into a test's stream.
pub(super) async fn relay(db: &TestDb, nats: &TestNats) -> Relay {
    let store = db.store_as("gesta_relay").await;
    Relay::new(store.pool(), nats.client.clone(), nats.spec.clone(), nats.encoder.clone())
}

/// A relay at work.
pub(super) struct Running {
    task: JoinHandle<Result<(), RelayError>>,
    stop: oneshot::Sender<()>,
    news: watch::Receiver<Vec<News>>,
}

/// Starts a relay.
pub(super) fn start(relay: Relay) -> Running {
    let (stop, stopped) = oneshot::channel();
    let (sender, news) = watch::channel(Vec::new());
    let relay = relay.told(move |it| sender.send_modify(|all| all.push(it.clone())));
    let asked = async {
        let _ = stopped.await;
    };
    let task = tokio::spawn(async move { relay.run(asked).await });
    Running { task, stop, news }
}

impl Running {
    /// Waits until it has told this.
    pub(super) async fn until(&self, is_it: impl Fn(&News) -> bool) {
        let mut news = self.news.clone();
        let told = news.wait_for(|all| all.iter().any(&is_it));
        let told = timeout(PATIENCE, told).await;
        let all = || self.news.borrow().clone();
        assert!(told.is_ok_and(|told| told.is_ok()), "it has told {:?}", all());
    }

    pub(super) async fn until_caught_up(&self) {
        self.until(|news| matches!(news, News::CaughtUp { .. })).await;
    }

    /// Asks it to stop, and waits until it has.
    pub(super) async fn stop(self) {
        let asked = self.stop.send(());
        let ended = timeout(PATIENCE, self.task).await.expect("it stops").expect("no panic");
        assert!(asked.is_ok() && ended.is_ok(), "{ended:?}");
        assert_eq!(self.news.borrow().last(), Some(&News::Stopped));
    }

    /// Waits for the error that it ends with.
    pub(super) async fn error(self) -> RelayError {
        let ended = timeout(PATIENCE, self.task).await.expect("it ends").expect("no panic");
        ended.expect_err("it ends by an error")
    }

    /// Ends it where it stands, as a kill would.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// The first so many messages of the stream; waits for them.
pub(super) async fn messages(nats: &TestNats, count: usize) -> Vec<(String, Incoming)> {
    let read = async {
        let stream = nats.spec.open(&nats.jet_stream).await.expect("the stream");
        let consumer = stream.create_consumer(OrderedConfig::default()).await.expect("a consumer");
        let messages = consumer.messages().await.expect("messages").take(count);
        let read = messages.map(|message| {
            let message = message.expect("a message");
            let read = Incoming::read(message.headers.as_ref(), &message.payload);
            (message.subject.to_string(), read.expect("a relay's"))
        });
        read.collect::<Vec<_>>().await
    };
    timeout(PATIENCE, read).await.expect("the messages come")
}

/// The actions of the first so many messages; waits for them.
pub(super) async fn published(nats: &TestNats, count: usize) -> Vec<Action> {
    messages(nats, count).await.into_iter().map(|(_, it)| it.action).collect()
}

/// Everything that the stream has.
pub(super) async fn all(nats: &TestNats) -> Vec<Action> {
    let stream = nats.jet_stream.get_stream(nats.spec.name()).await.expect("the stream");
    published(nats, usize::try_from(stream.cached_info().state.messages).expect("few")).await
}

/// Every committed action is in the stream exactly once, nothing else is, and those of one object are in the order in which
/// they were inserted. Waits until the stream has as many messages.
pub(super) async fn check_stream(db: &TestDb, nats: &TestNats) -> usize {
    let admin = db.admin().await;
    let rows = admin.query("SELECT id FROM gesta.action ORDER BY seq", &[]).await.expect("actions");
    let committed: Vec<ActionId> = rows
        .iter()
        .map(|row| ActionId::try_from(row.get::<_, uuid::Uuid>(0)).expect("an id"))
        .collect();
    published(nats, committed.len()).await;
    check(&committed, &all(nats).await);
    committed.len()
}

/// The same for ids in the order of insertion.
pub(super) fn check(committed: &[ActionId], published: &[Action]) {
    let ids: Vec<_> = published.iter().map(|action| action.id).collect();
    let (given, found): (HashSet<_>, HashSet<_>) =
        (committed.iter().copied().collect(), ids.iter().copied().collect());
    let (missing, foreign) = (given.difference(&found).count(), found.difference(&given).count());
    assert_eq!((missing, foreign, ids.len() - found.len()), (0, 0, 0), "missing, foreign, twice");
    let places: BTreeMap<_, _> = committed.iter().enumerate().map(|(n, id)| (*id, n)).collect();
    let mut last = BTreeMap::new();
    for action in published {
        let object = action.object.as_ref().map(|object| object.resource.to_string());
        let before = last.insert(object.clone(), places[&action.id]);
        assert!(before < Some(places[&action.id]), "{object:?} is out of order");
    }
}
