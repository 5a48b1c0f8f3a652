//! Getting in, and being told why not.

use std::error::Error as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gesta::relay::{ConnectError, NatsOptions, Reason};
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair as TlsKey};
use serde_json::{Value, json};

use crate::support::{OwnNats, TestNats, nats};

fn options(url: &str) -> NatsOptions {
    NatsOptions::parse(url).expect("a URL")
}

/// Whether the server takes us and has JetStream for us.
async fn gets_in(options: &NatsOptions) {
    let client = options.connect().await.expect("it gets in");
    let jet_stream = async_nats::jetstream::new(client);
    jet_stream.query_account().await.expect("JetStream answers");
}

/// Why it does not get in. Nothing of the error shows a secret, which is `hush` in all tests.
async fn refused(options: &NatsOptions) -> Reason {
    let error = options.connect().await.expect_err("it stays outside");
    let chain = std::iter::successors(error.source(), |&error| error.source());
    let sources: Vec<_> = chain.map(|source| format!("{source} {source:?}")).collect();
    let all = format!("{error} {error:?} {options:?} {}", sources.join(" "));
    assert!(!all.contains("hush"), "{all}");
    match error {
        ConnectError::Failed { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn user_and_password_come_from_the_url_whatever_is_in_them() {
    let own = OwnNats::start(r#"authorization { user: "a nn", password: "hush@/?#%25,:ü" }"#).await;
    gets_in(&options(&own.url("a%20nn:hush%40%2F%3F%23%2525%2C:%C3%BC@"))).await;
    assert_eq!(refused(&options(&own.url("ann:hush@"))).await, Reason::Refused);
    assert_eq!(refused(&options(&own.url(""))).await, Reason::Refused);
}

#[tokio::test]
async fn token_comes_from_the_url_or_beside_it() {
    let own = OwnNats::start(r#"authorization { token: "hush" }"#).await;
    gets_in(&options(&own.url("hush@"))).await;
    gets_in(&options(&own.url("")).token("hush").expect("one login")).await;
    assert_eq!(refused(&options(&own.url("hush2@"))).await, Reason::Refused);
}

#[tokio::test]
async fn seed_of_an_nkey_comes_from_a_file() {
    let (ann, bob) = (KeyPair::new_user(), KeyPair::new_user());
    let own =
        OwnNats::start(&format!("authorization {{ users: [{{ nkey: {} }}] }}", ann.public_key()))
            .await;
    let file = |name: &str, text: &str| {
        fs::write(own.path(name), text).expect("a file");
        options(&own.url("")).nkey_file(own.path(name)).expect("one login")
    };
    let seed = ann.seed().expect("a seed");
    gets_in(&file("ann", &format!("# Ann's\n{seed}\n{}\n", ann.public_key()))).await;
    assert_eq!(refused(&file("bob", &bob.seed().expect("a seed"))).await, Reason::Refused);
    assert_eq!(refused(&file("broken", &format!("{}hush", &seed[..20]))).await, Reason::BadKey);
    let error = file("none", "hush").connect().await.expect_err("no seed");
    let text = gesta::error::chain(&error);
    assert!(
        text.contains("none` as the seed of an nkey (a line SU…) for NATS: there is no such line"),
        "{text}"
    );
    assert!(!text.contains("hush"));
}

/// A JWT of the kind that nsc makes: claims, signed by an nkey.
fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let claims = encode(&json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(), "name": name,
        "nats": nats,
    }));
    let signed = format!("{header}.{claims}");
    let signature = issuer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The limits that a system account may not have.
const JET_STREAM: [&str; 4] = ["mem_storage", "disk_storage", "streams", "consumer"];

fn credentials(jwt: &str, user: &KeyPair) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().expect("a seed")
    )
}

#[tokio::test]
async fn credentials_of_an_operators_account_come_from_a_file() {
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let (system, stranger) = (KeyPair::new_account(), KeyPair::new_account());
    let ann = KeyPair::new_user();
    let unlimited = json!({
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1, "conn": -1, "subs": -1, "data": -1,
        "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
    });
    let mut without_jet_stream = unlimited.clone();
    without_jet_stream
        .as_object_mut()
        .expect("an object")
        .retain(|key, _| !JET_STREAM.contains(&key.as_str()));
    let operator_claims =
        json!({ "type": "operator", "version": 2, "system_account": system.public_key() });
    let claims = |limits: &Value| json!({ "type": "account", "version": 2, "limits": limits });
    let config = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        jwt(&operator, &operator, "operator", &operator_claims),
        system.public_key(),
        account.public_key(),
        jwt(&operator, &account, "account", &claims(&unlimited)),
        system.public_key(),
        jwt(&operator, &system, "SYS", &claims(&without_jet_stream)),
    );
    let own = OwnNats::start(&config).await;
    let user = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
    let file = |name: &str, issuer: &KeyPair| {
        let text = credentials(&jwt(issuer, &ann, "ann", &user), &ann);
        fs::write(own.path(name), text).expect("a file");
        options(&own.url("")).credentials_file(own.path(name)).expect("one login")
    };
    gets_in(&file("ann.creds", &account)).await;
    assert_eq!(refused(&file("forged.creds", &stranger)).await, Reason::Refused);
    fs::write(own.path("none.creds"), "hush").expect("a file");
    let none = options(&own.url("")).credentials_file(own.path("none.creds")).expect("one login");
    let text = gesta::error::chain(&none.connect().await.expect_err("no credentials"));
    assert!(text.contains("none.creds` as credentials (JWT and seed"), "{text}");
    assert!(!text.contains("hush"), "{text}");
    let missing = options(&own.url("")).credentials_file("/none/such.creds").expect("one login");
    let text = gesta::error::chain(&missing.connect().await.expect_err("no file"));
    assert!(text.contains("/none/such.creds") && text.contains("No such file"), "{text}");
}

/// Writes an authority and certificates of it for `localhost` and for a client.
fn write_certificates(dir: &Path, ca: &str) {
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = TlsKey::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let write = |name: &str, text: String| fs::write(dir.join(name), text).expect("a file");
    write(&format!("{ca}.pem"), authority.pem());
    for name in ["server", "client"] {
        let key = TlsKey::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("params");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        write(&format!("{ca}-{name}.pem"), certificate.pem());
        write(&format!("{ca}-{name}.key"), key.serialize_pem());
    }
}

async fn tls_server(more: &str) -> OwnNats {
    let dir = tempfile::tempdir().expect("a folder");
    write_certificates(dir.path(), "ca");
    write_certificates(dir.path(), "other");
    let files = r#"cert_file: "$DIR/ca-server.pem", key_file: "$DIR/ca-server.key""#;
    OwnNats::start_in(dir, &format!("tls {{ {files} {more} }}")).await
}

#[tokio::test]
async fn tls_is_done_with_the_authority_that_is_given_and_no_other() {
    let own = tls_server("").await;
    let plain = own.url("");
    let tls = plain.replace("nats://", "tls://");
    for url in [&plain, &tls] {
        gets_in(&options(url).ca_file(own.path("ca.pem"))).await;
        assert_eq!(refused(&options(url).ca_file(own.path("other.pem"))).await, Reason::Tls);
        // The platform's authorities do not know it either.
        assert_eq!(refused(&options(url)).await, Reason::Tls);
    }
    let by_address = tls.replace("localhost", "127.0.0.1");
    let other_name = options(&by_address).ca_file(own.path("ca.pem"));
    assert_eq!(refused(&other_name).await, Reason::Tls);
}

#[tokio::test]
async fn client_certificate_is_shown_where_one_is_given() {
    let own = tls_server(r#", ca_file: "$DIR/ca.pem", verify: true"#).await;
    let trusting = || options(&own.url("")).ca_file(own.path("ca.pem"));
    let with = |name: &str| {
        trusting()
            .client_certificate(own.path(&format!("{name}.pem")), own.path(&format!("{name}.key")))
    };
    gets_in(&with("ca-client")).await;
    for stranger in [with("other-client"), trusting()] {
        refused(&stranger).await;
    }
    let missing = with("none").connect().await.expect_err("no file");
    let text = gesta::error::chain(&missing);
    assert!(text.contains("none.pem` as the client's certificate (PEM) for NATS"), "{text}");
    let empty = trusting().ca_file(own.path("nats.conf")).connect().await.expect_err("no PEM");
    assert!(gesta::error::chain(&empty).contains("no certificate in it"));
}

#[tokio::test]
async fn server_without_tls_is_not_talked_to_where_tls_is_asked_for() {
    let own = OwnNats::start("").await;
    let url = own.url("ann:hush@").replace("nats://", "tls://");
    let reason = refused(&options(&url).connect_wait(Duration::from_secs(1))).await;
    assert!(matches!(reason, Reason::Tls | Reason::Timeout | Reason::Unreachable), "{reason:?}");
}

/// A stand-in that greets as an older server does.
fn old_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let info = r#"{"server_id":"X","version":"2.9.10","headers":true,"max_payload":1048576,"jetstream":true}"#;
        write!(stream, "INFO {info}\r\n").expect("to greet");
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            let _ = stream.write_all(b"PONG\r\n");
        }
    });
    port
}

#[tokio::test]
async fn server_that_would_ignore_what_is_asked_is_refused() {
    let url = format!("nats://ann:hush@localhost:{}", old_server());
    let error = options(&url).connect().await.expect_err("too old").to_string();
    assert!(
        error.contains("is version 2.9.10, but Gesta needs 2.10 or later: upgrade the server"),
        "{error}"
    );
    assert!(!error.contains("hush"), "{error}");
}

#[tokio::test]
async fn what_does_not_answer_is_told_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let quick = |url: &str| options(url).connect_wait(Duration::from_millis(200));
    let url = format!("nats://ann:hush@127.0.0.1:{port}");
    assert_eq!(refused(&quick(&url)).await, Reason::Timeout);
    drop(silent);
    assert_eq!(refused(&quick(&url)).await, Reason::Unreachable);
    assert_eq!(refused(&quick("nats://no.such.host.invalid")).await, Reason::UnknownHost);
}

#[tokio::test]
async fn one_server_of_a_list_is_enough() {
    let own = OwnNats::start("").await;
    let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    gets_in(&options(&format!("nats://{dead}, {}", own.url("")))).await;
}

#[tokio::test]
async fn connection_comes_back_after_the_server_has() {
    let mut own = OwnNats::start("").await;
    let nats = TestNats::on(&own.url(""), "back").await;
    nats.spec.open(&nats.jet_stream).await.expect("made");
    own.kill();
    own.restart();
    let found = loop {
        // A request of the moment in which the connection is lost is answered by nobody.
        if let Ok(stream) = nats.jet_stream.get_stream(nats.spec.name()).await {
            break stream;
        }
    };
    assert_eq!(found.cached_info().config.name, "back");
}

#[tokio::test]
async fn connection_has_a_name_and_an_inbox_of_its_own() {
    let own = OwnNats::start("").await;
    let inbox = "_INBOX_ann".parse().expect("a prefix");
    let client =
        options(&own.url("")).inbox(inbox).name("relay of ann").connect().await.expect("in");
    assert!(client.new_inbox().starts_with("_INBOX_ann."), "{}", client.new_inbox());
}

#[tokio::test]
async fn server_of_the_tests_keeps_strangers_out() {
    let nats = nats().await;
    if std::env::var_os("TEST_NATS_URL").is_none() {
        let servers = nats.options().servers();
        assert_eq!(refused(&options(&servers)).await, Reason::Refused);
    }
}
