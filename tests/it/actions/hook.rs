//! Requests to a web service: signed, sent again while that can help, and never to a private address by mistake.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gesta::definition::Fate;
use gesta::definition::remote::{Hook, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::rig::{Reports, order};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A service that answers as it is told, and keeps what it was asked.
#[derive(Clone, Default)]
struct Service {
    answers: Arc<Mutex<VecDeque<u16>>>,
    asked: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

async fn answer(State(service): State<Service>, headers: HeaderMap, body: Bytes) -> Response {
    service.asked.lock().expect("a lock").push((headers, body));
    let status = service.answers.lock().expect("a lock").pop_front().unwrap_or(204);
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let status = StatusCode::from_u16(status).expect("a status");
    let elsewhere = [(header::LOCATION, "http://127.0.0.1:1/"), (header::RETRY_AFTER, "0")];
    (status, elsewhere).into_response()
}

impl Service {
    async fn start(answers: &[u16]) -> (Self, SocketAddr) {
        let service = Self::default();
        service.answers.lock().expect("a lock").extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (service, address)
    }

    fn asked(&self) -> Vec<(HeaderMap, Bytes)> {
        self.asked.lock().expect("a lock").clone()
    }

    fn ids(&self) -> Vec<String> {
        let id = |(headers, _): &(HeaderMap, Bytes)| {
            headers["webhook-id"].to_str().expect("text").to_owned()
        };
        self.asked().iter().map(id).collect()
    }
}

fn hook(address: SocketAddr) -> Hook {
    let secret = Secret::parse(SECRET).expect("a secret");
    let hook = Hook::new(&format!("http://{address}/in"), secret, &["127.0.0.1".to_owned()]);
    hook.expect("a URL").pause(Duration::from_millis(10)).timeout(Duration::from_millis(500))
}

/// What becomes of some articles, of which each is a request.
async fn fates(hook: &Hook, ids: &[&str]) -> Vec<Fate> {
    let reports = Reports::default();
    reports.settle(hook, &order("article", ids, json!({ "note": "x" }))).await;
    reports.fates().into_iter().map(|(_, fate)| fate).collect()
}

fn failed(why: &str) -> Fate {
    Fate::Failed(why.to_owned())
}

#[tokio::test]
async fn each_object_is_a_signed_request() {
    let (service, address) = Service::start(&[]).await;
    assert_eq!(fates(&hook(address), &["a", "b"]).await, [Fate::Done, Fate::Done]);
    let mut asked = service.asked();
    asked.sort_by_key(|(headers, _)| headers["webhook-id"].to_str().expect("text").to_owned());
    let ids = ["run_00000000000000000000000000000007_0", "run_00000000000000000000000000000007_1"];
    for ((headers, body), id) in asked.iter().zip(ids) {
        let text = |name: &str| headers[name].to_str().expect("text");
        assert_eq!((text("webhook-id"), text("content-type")), (id, "application/json"));
        let key = STANDARD.decode(&SECRET["whsec_".len()..]).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(format!("{id}.{}.", text("webhook-timestamp")).as_bytes());
        mac.update(body);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(text("webhook-signature"), wanted);
    }
    let body: Value = serde_json::from_slice(&asked[1].1).expect("JSON");
    assert_eq!(body["objects"], json!([{ "place": 1, "id": "b", "name": "the article b" }]));
    assert_eq!(
        (&body["input"], &body["reason"]),
        (&json!({ "note": "x" }), &json!("spring cleaning"))
    );
}

#[tokio::test]
async fn what_may_pass_is_sent_again_under_the_same_id() {
    let (service, address) = Service::start(&[503, 429, 0, 500]).await;
    assert_eq!(fates(&hook(address), &["a"]).await, [Fate::Done]);
    let ids = service.ids();
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn what_does_not_pass_is_what_the_object_fails_with() {
    for (answer, told, times) in [
        (422, "the service answers 422 Unprocessable Entity", 1),
        (302, "the service answers 302 Found", 1),
        (503, "the service answers 503 Service Unavailable, 5 times", 5),
    ] {
        let (service, address) = Service::start(&[answer; 5]).await;
        assert_eq!(fates(&hook(address), &["a"]).await, [failed(told)]);
        assert_eq!(service.asked().len(), times);
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr();
    let fates = fates(&hook(closed.expect("an address")), &["a"]).await;
    let told = matches!(&fates[..], [Fate::Failed(told)]
        if told.starts_with("the service cannot be reached (") && told.ends_with(", 5 times"));
    assert!(told, "{fates:?}");
}

#[tokio::test]
async fn batches_are_one_request_and_keep_their_id() {
    let (service, address) = Service::start(&[500]).await;
    let hook = hook(address).batch(2);
    assert_eq!(fates(&hook, &["a", "b", "c"]).await, [Fate::Done, Fate::Done, Fate::Done]);
    let mut ids = service.ids();
    assert_eq!(ids.len(), 3);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2, "the batch of two and the last one");
}

/// A name that leads to this machine is refused when it is resolved, and an address at once.
#[tokio::test]
async fn private_addresses_are_refused_unless_they_are_allowed() {
    let (service, address) = Service::start(&[]).await;
    let secret = || Secret::parse(SECRET).expect("a secret");
    let url = format!("http://localhost:{}/", address.port());
    let hook = Hook::new(&url, secret(), &[]).expect("a name").pause(Duration::from_millis(1));
    let fates = fates(&hook, &["a"]).await;
    let told = matches!(&fates[..], [Fate::Failed(told)] if told.contains("the host has no public address"));
    assert!(told, "{fates:?}");
    for url in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "http://[::ffff:10.0.0.1]/",
    ] {
        let error = Hook::new(url, secret(), &["localhost".to_owned()]).expect_err(url).to_string();
        assert!(error.contains("is a private address"), "{error}");
    }
    // Other ways to write an address are names, and are resolved.
    for url in ["http://2130706433/", "http://0x7f.1/", "http://127.1/"] {
        let Ok(hook) = Hook::new(url, secret(), &[]) else { continue };
        let fates = super::hook::fates(&hook.pause(Duration::from_millis(1)), &["a"]).await;
        assert!(matches!(&fates[..], [Fate::Failed(_)]), "{url}: {fates:?}");
    }
    assert_eq!(service.asked().len(), 0);
}
