//! A user who may read one tenant, and tries to read more.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::pull::Config as PullConfig;
use async_nats::jetstream::{self, Context};
use futures_util::StreamExt as _;
use gesta::Tenant;
use gesta::relay::{Incoming, NatsOptions, Publisher, Tree};
use serde_json::json;

use super::{action_from, action_of};
use crate::support::{OwnNats, TestNats};

/// The user of `relay`'s documentation, with the test's names, beside one who may do everything.
fn users() -> String {
    let docs = include_str!("../../../src/relay/mod.rs");
    let block = docs.split("//! ```text\n").nth(1).and_then(|rest| rest.split("//! ```").next());
    let acme = block.expect("the documentation has the user").replace("//!", "");
    let acme = acme.replace("password: …", "password: acme").replace("GESTA", "fence");
    let acme = acme.replace("act.v1.", "fence.v1.");
    assert!(acme.contains("{ user: acme, password: acme, permissions: {"), "{acme}");
    format!("authorization {{ users: [ {{ user: relay, password: relay }}\n{acme} ] }}")
}

/// How long to wait for what must not come.
const NEVER: Duration = Duration::from_millis(300);

struct Fence {
    relay: TestNats,
    acme: Client,
    jet_stream: Context,
    _own: OwnNats,
}

/// A stream with a public action of two tenants, and a private one of the first.
async fn fence() -> Fence {
    let own = OwnNats::start(&users()).await;
    let relay = TestNats::on(&own.url("relay:relay@"), "fence").await;
    relay.spec.open(&relay.jet_stream).await.expect("made");
    let publisher = Publisher::new(relay.jet_stream.clone(), relay.spec.name());
    let private = json!({
        "id": "01a1f944-dc8b-774c-8000-000000000002", "audience": ["staff"], "data": { "salary": 1 },
        "object": { "type": "issue", "id": "secret" },
    });
    let other = json!({ "id": "01a1f944-dc8b-774c-8000-000000000003", "tenant": "other" });
    let actions = [action_of(1, "70"), action_from(&private), action_from(&other)];
    let encode = |action| relay.encoder.encode(action, "at").expect("a message");
    publisher.publish(actions.iter().map(encode), 0).await.expect("published");
    let options = NatsOptions::parse(&own.url("acme:acme@")).expect("a URL");
    let options = options.inbox("_INBOX_acme".parse().expect("a prefix"));
    let acme = options.request_wait(NEVER).connect().await.expect("it gets in");
    Fence { relay, jet_stream: jetstream::new(acme.clone()), acme, _own: own }
}

fn pull(name: &str, filter: &str) -> PullConfig {
    PullConfig {
        durable_name: Some(name.to_owned()),
        filter_subject: filter.to_owned(),
        ..PullConfig::default()
    }
}

#[tokio::test]
async fn tenants_user_reads_its_tenant_and_nothing_private() {
    let fence = fence().await;
    let tenant: Tenant = "acme".parse().expect("a tenant");
    let filter = fence.relay.subjects().filter(Tree::Public).tenant(&tenant).to_string();
    let config = pull("acme", &filter);
    let consumer =
        fence.jet_stream.create_consumer_on_stream(config, "fence").await.expect("allowed");
    let mut messages = consumer.fetch().max_messages(10).messages().await.expect("asked");
    let mut read = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message.expect("a message");
        message.double_ack().await.expect("acknowledged");
        read.push(Incoming::read(message.headers.as_ref(), &message.payload).expect("ours").action);
    }
    assert_eq!(read, [action_of(1, "70")]);
}

#[tokio::test]
async fn tenants_user_gets_no_consumer_of_anything_else() {
    let fence = fence().await;
    for (name, filter) in [
        ("acme", "fence.v1.other.>"),
        ("acme", "fence.v1p.acme.>"),
        ("acme", "fence.>"),
        ("acme", ""),
        ("mine", "fence.v1.acme.>"),
    ] {
        let made = fence.jet_stream.create_consumer_on_stream(pull(name, filter), "fence").await;
        assert!(made.is_err(), "{name} {filter}");
    }
    let several = PullConfig {
        durable_name: Some("acme".to_owned()),
        filter_subjects: vec!["fence.v1.acme.>".to_owned(), "fence.v1p.acme.>".to_owned()],
        ..PullConfig::default()
    };
    assert!(fence.jet_stream.create_consumer_on_stream(several, "fence").await.is_err());
}

/// The subject of the request says one filter, which is allowed, and its body another one.
#[tokio::test]
async fn request_that_says_another_filter_than_its_subject_is_refused() {
    let fence = fence().await;
    for config in [
        json!({ "durable_name": "acme", "ack_policy": "explicit", "filter_subject": "fence.v1p.acme.>" }),
        json!({ "durable_name": "acme", "ack_policy": "explicit", "filter_subjects": ["fence.v1p.acme.>"] }),
        json!({ "durable_name": "acme", "ack_policy": "explicit" }),
        json!({ "durable_name": "other", "ack_policy": "explicit", "filter_subject": "fence.v1.acme.>" }),
    ] {
        let body = json!({ "stream_name": "fence", "config": config }).to_string();
        let subject = "$JS.API.CONSUMER.CREATE.fence.acme.fence.v1.acme.>";
        let answer = fence.acme.request(subject, body.into()).await.expect("an answer");
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
        assert!(answer["error"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn tenants_user_reads_neither_others_consumers_nor_the_stream_itself() {
    let fence = fence().await;
    let all = pull("all", "");
    fence.relay.jet_stream.create_consumer_on_stream(all, "fence").await.expect("the relay may");
    for (subject, body) in [
        ("$JS.API.CONSUMER.MSG.NEXT.fence.all", r#"{"batch":10,"no_wait":true}"#),
        ("$JS.API.STREAM.MSG.GET.fence", r#"{"seq":2}"#),
        ("$JS.API.DIRECT.GET.fence", r#"{"seq":2}"#),
        ("$JS.API.DIRECT.GET.fence.fence.v1p.acme.>", ""),
        ("$JS.API.STREAM.INFO.fence", r#"{"subjects_filter":">"}"#),
        ("$JS.API.STREAM.DELETE.fence", ""),
        ("$JS.API.STREAM.UPDATE.fence", "{}"),
    ] {
        let answer = fence.acme.request(subject, body.into()).await;
        assert!(answer.is_err(), "{subject}: {answer:?}");
    }
    assert!(fence.relay.jet_stream.get_stream("fence").await.is_ok(), "it is still there");
}

#[tokio::test]
async fn tenants_user_hears_nothing_else_and_publishes_nothing() {
    let fence = fence().await;
    let mut heard = Vec::new();
    for subject in ["fence.>", "fence.v1p.acme.>", "fence.v1.other.>", "_INBOX.>", ">"] {
        heard.push(fence.acme.subscribe(subject).await.expect("asked"));
    }
    let mut own = fence.acme.subscribe("fence.v1.acme.>").await.expect("asked");
    // What it publishes itself goes nowhere, and the server tells it so before it delivers what follows.
    fence.acme.publish("fence.v1.acme.0.issue.close.forged", "forged".into()).await.expect("sent");
    fence.acme.flush().await.expect("the server has read it");
    let publisher = Publisher::new(fence.relay.jet_stream.clone(), "fence");
    let private = json!({ "id": "01a1f944-dc8b-774c-8000-000000000005", "audience": [] });
    let other = json!({ "id": "01a1f944-dc8b-774c-8000-000000000006", "tenant": "other" });
    let actions = [action_from(&private), action_from(&other), action_of(4, "71")];
    let encode = |action| fence.relay.encoder.encode(action, "at").expect("a message");
    let last = publisher.publish(actions.iter().map(encode), 3).await.expect("nothing was forged");
    assert_eq!(last, 6);
    // The last message of all, so whatever else was to come has come before it.
    let message = own.next().await.expect("its own tenant");
    let read = Incoming::read(message.headers.as_ref(), &message.payload).expect("ours");
    assert_eq!(read.action, action_of(4, "71"));
    for mut subscriber in heard {
        let more = tokio::time::timeout(Duration::from_millis(20), subscriber.next()).await;
        assert!(!matches!(more, Ok(Some(_))), "{more:?}");
    }
}
