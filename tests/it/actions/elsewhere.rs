//! Work that is done elsewhere, over NATS: orders, reports, silence, cancellation.

use std::time::Duration;

use futures_util::StreamExt as _;
use gesta::definition::remote::Work;
use gesta::definition::{Fate, Level, Order};
use serde_json::{Value, json};

use super::rig::{Reports, order};
use crate::support::{TestNats, nats};

/// A subject that no other test has, and a worker on it who is asked by hand.
struct Hand {
    nats: TestNats,
    subject: String,
    orders: async_nats::Subscriber,
}

impl Hand {
    async fn new() -> Self {
        let nats = nats().await;
        let subject = format!("{}.work", nats.subjects().prefix().as_str());
        let orders = nats.client.queue_subscribe(subject.clone(), "workers".into()).await;
        let orders = orders.expect("a subscription");
        nats.client.flush().await.expect("flushed");
        Self { nats, subject, orders }
    }

    fn work(&self) -> Work {
        Work::new(self.nats.client.clone(), &self.subject)
    }

    async fn next(&mut self) -> (Value, String) {
        let order = self.orders.next().await.expect("an order");
        let body = serde_json::from_slice(&order.payload).expect("JSON");
        (body, order.reply.expect("a reply subject").to_string())
    }

    async fn report(&self, reply: &str, report: Value) -> Value {
        let answer = self.nats.client.request(reply.to_owned(), report.to_string().into()).await;
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
    }
}

fn sources() -> Order {
    order("source", &["a", "b", "c"], json!({ "since": "2026-01-31" }))
}

#[tokio::test]
async fn worker_reports_each_object_and_is_answered_when_it_is_stored() {
    let mut hand = Hand::new().await;
    let (work, reports) = (hand.work(), Reports::default());
    let work = async { reports.settle(&work, &sources()).await };
    let hand = async {
        let (order, reply) = hand.next().await;
        let wanted = json!({
            "run": "00000000-0000-0000-0000-000000000007", "action": "run_now", "type": "source", "tenant": "default",
            "actor": { "type": "user", "id": "42", "name": "Alice" }, "reason": "spring cleaning",
            "input": { "since": "2026-01-31" },
            "objects": [
                { "place": 0, "id": "a", "name": "the source a" }, { "place": 1, "id": "b", "name": "the source b" },
                { "place": 2, "id": "c", "name": "the source c" },
            ],
        });
        assert_eq!(order, wanted);
        let goes_on = json!({ "ok": true, "stop": false });
        assert_eq!(hand.report(&reply, json!({})).await, goes_on);
        let first = json!({ "objects": [{ "place": 0, "outcome": "done" }], "messages": [{ "text": "one" }] });
        assert_eq!(hand.report(&reply, first.clone()).await, goes_on);
        assert_eq!(reports.fates(), [(0, Fate::Done)], "it is stored before the answer");
        assert_eq!(hand.report(&reply, first).await, goes_on, "the answer was lost");
        let wrong =
            hand.report(&reply, json!({ "objects": [{ "place": 9, "outcome": "done" }] })).await;
        assert_eq!(wrong, json!({ "ok": false, "error": "there is no object 9 in this order" }));
        let last = json!([{ "place": 2, "outcome": "skipped", "message": "new" },
            { "place": 1, "outcome": "failed", "message": "no access" }]);
        assert_eq!(hand.report(&reply, json!({ "objects": last })).await, goes_on);
    };
    tokio::join!(work, hand);
    let wanted =
        [(0, Fate::Done), (1, Fate::Failed("no access".into())), (2, Fate::Skipped("new".into()))];
    assert_eq!(reports.fates(), wanted);
    let messages = reports.messages.lock().expect("messages");
    assert_eq!((messages[0].level, messages[0].text.as_str()), (Level::Info, "one"));
}

#[tokio::test]
async fn silent_worker_loses_what_is_pending_to_another_one() {
    let mut hand = Hand::new().await;
    let work = hand.work().silence(Duration::from_millis(300));
    let reports = Reports::default();
    let work = async { reports.settle(&work, &sources()).await };
    let hand = async {
        let (_, old) = hand.next().await;
        hand.report(&old, json!({ "objects": [{ "place": 1, "outcome": "done" }] })).await;
        let (again, reply) = hand.next().await;
        let ids: Vec<_> =
            again["objects"].as_array().expect("objects").iter().map(|it| &it["id"]).collect();
        assert_eq!(ids, ["a", "c"]);
        let late = hand.nats.client.request(old, "{}".into()).await.expect_err("nobody waits");
        assert_eq!(late.kind(), async_nats::RequestErrorKind::NoResponders);
        let rest = json!([{ "place": 0, "outcome": "done" }, { "place": 2, "outcome": "done" }]);
        hand.report(&reply, json!({ "objects": rest })).await;
    };
    tokio::join!(work, hand);
    assert_eq!(reports.fates(), [(0, Fate::Done), (1, Fate::Done), (2, Fate::Done)]);
}

#[tokio::test]
async fn order_waits_for_a_worker_to_come() {
    let mut hand = Hand::new().await;
    hand.orders.unsubscribe().await.expect("gone");
    let work = hand.work();
    let reports = Reports::default();
    // A worker that comes late hears of the order all the same; nobody heard the first one.
    let unheard =
        hand.nats.client.request(hand.subject.clone(), "".into()).await.expect_err("nobody");
    assert_eq!(unheard.kind(), async_nats::RequestErrorKind::NoResponders);
    let work = async { reports.settle(&work, &sources()).await };
    let hand = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        hand.orders =
            hand.nats.client.subscribe(hand.subject.clone()).await.expect("a subscription");
        let (_, reply) = hand.next().await;
        let all: Vec<_> =
            (0..3).map(|place| json!({ "place": place, "outcome": "done" })).collect();
        hand.report(&reply, json!({ "objects": all })).await;
    };
    tokio::join!(work, hand);
    assert_eq!(reports.fates().len(), 3);
}

/// That nobody listens is said at once, and of nobody's objects.
#[tokio::test]
async fn order_that_nobody_hears_says_so() {
    use gesta::definition::{Remote as _, Sent};
    let mut hand = Hand::new().await;
    hand.orders.unsubscribe().await.expect("gone");
    hand.nats.client.flush().await.expect("flushed");
    let reports = Reports::default();
    let sent = hand.work().send(&sources(), &reports).await.expect("no fault");
    assert_eq!(sent, Sent::Unheard(format!("no worker listens on {}", hand.subject)));
    let sent = Work::nowhere("work").send(&sources(), &reports).await.expect("no fault");
    assert_eq!(sent, Sent::Unheard("there is no connection to NATS".to_owned()));
    assert_eq!(reports.fates(), []);
}

/// Sends once, as the engine does between two looks at what is pending.
trait SendOnce {
    async fn send_once(&self, order: &Order, reports: &Reports);
}

impl SendOnce for Work {
    async fn send_once(&self, order: &Order, reports: &Reports) {
        use gesta::definition::Remote as _;
        self.send(order, reports).await.expect("sent");
    }
}

#[tokio::test]
async fn cancelled_run_tells_its_workers_to_stop() {
    let mut hand = Hand::new().await;
    let work = hand.work().batch(1);
    let reports = Reports { cancel_at: Some(1), ..Reports::default() };
    let work = async {
        work.send_once(&sources(), &reports).await;
    };
    let hand = async {
        let (order, reply) = hand.next().await;
        let place = &order["objects"][0]["place"];
        let report = json!({ "objects": [{ "place": place, "outcome": "done" }] });
        assert_eq!(hand.report(&reply, report).await, json!({ "ok": true, "stop": true }));
        // The other orders end with it: their reply subjects are gone.
        let (_, other) = hand.next().await;
        while hand.nats.client.request(other.clone(), "{}".into()).await.is_ok() {}
    };
    tokio::join!(work, hand);
    assert_eq!(reports.fates().len(), 1);
}

/// An order is never larger than the server takes messages, however long ids and names are.
#[tokio::test]
async fn large_orders_are_divided() {
    let mut hand = Hand::new().await;
    let mut order = sources();
    order.items = super::rig::items("source", &vec!["x".repeat(2000).as_str(); 1_000]);
    let (work, reports) = (hand.work().batch(1_000), Reports::default());
    let work = async { reports.settle(&work, &order).await };
    let hand = async {
        let mut parts = 0;
        let mut open = 1_000;
        while open > 0 {
            let (order, reply) = hand.next().await;
            let objects = order["objects"].as_array().expect("objects");
            let done: Vec<_> = objects
                .iter()
                .map(|it| json!({ "place": it["place"], "outcome": "done" }))
                .collect();
            open -= objects.len();
            parts += 1;
            hand.report(&reply, json!({ "objects": done })).await;
        }
        assert!(parts >= 4, "{parts}");
    };
    tokio::join!(work, hand);
    assert_eq!(reports.fates().len(), 1_000);
}
