//! From a URL to connections, against a real PostgreSQL with TLS.
#![cfg(all(feature = "tls", feature = "local"))]
#![expect(clippy::expect_used, reason = "tests")]

mod server;

use std::error::Error as _;
use std::net::TcpListener;
use std::time::Duration;

use gesta::store::{ConnectError, Endpoint, PoolOptions, Reason};
use rcgen::PKCS_ECDSA_P256_SHA256;
use server::{Authority, PASSWORD, Server, expired_params, free_port, hear, play, server_params};
use tokio_postgres::Client;

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url).expect(url)
}

/// As `ann`, whom the server trusts.
fn ann(server: &Server, host: &str, query: &str) -> Endpoint {
    endpoint(&format!("postgresql://ann@{host}:{}/app?{query}", server.port))
}

fn scram(server: &Server, password: &str, query: &str) -> Endpoint {
    let password: Vec<_> = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let password = password.concat();
    endpoint(&format!("postgresql://scram:{password}@localhost:{}/app?{query}", server.port))
}

async fn uses_tls(client: &Client) -> bool {
    let own = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    client.query_one(own, &[]).await.expect("a row").get(0)
}

async fn tls_of(endpoint: &Endpoint) -> bool {
    uses_tls(&endpoint.connect().await.expect("a connection")).await
}

async fn reason(endpoint: &Endpoint) -> Reason {
    match endpoint.connect().await.expect_err("no connection") {
        ConnectError::Failed { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

/// Fails a test that would hang; far longer than what it waits for takes.
async fn in_the_end<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("an end")
}

/// All that a log could show of an error.
fn everything(error: &ConnectError) -> String {
    let chain = std::iter::successors(error.source(), |&error| error.source());
    let sources: Vec<_> = chain.map(|source| format!("{source} {source:?}")).collect();
    format!("{error} {error:?} {}", sources.join(" "))
}

#[tokio::test]
async fn each_sslmode_encrypts_as_it_says() {
    let Some(server) = Server::shared() else { return };
    for (query, encrypted) in [
        ("sslmode=disable", false),
        ("", true),
        ("sslmode=allow", true),
        ("sslmode=prefer", true),
        ("sslmode=require", true),
    ] {
        assert_eq!(tls_of(&ann(&server, "127.0.0.1", query)).await, encrypted, "{query}");
    }
    let socket = format!("host={} port={} user=ann dbname=app", server.text(), server.port);
    assert!(!tls_of(&endpoint(&format!("{socket} sslmode=verify-full"))).await);
}

#[tokio::test]
async fn chain_is_verified_where_an_authority_is_given() {
    let Some(server) = Server::shared() else { return };
    let (right, wrong) = (server.path("ca.pem"), server.path("other-ca.pem"));
    for mode in ["require", "verify-ca"] {
        for host in ["localhost", "127.0.0.1"] {
            let query = format!("sslmode={mode}&sslrootcert={right}");
            assert!(tls_of(&ann(&server, host, &query)).await, "{query}");
            let query = format!("sslmode={mode}&sslrootcert={wrong}");
            let reason = reason(&ann(&server, host, &query)).await;
            assert_eq!(reason, Reason::CertificateNotTrusted, "{query}");
        }
    }
    let prefer = ann(&server, "localhost", &format!("sslrootcert={wrong}"));
    assert!(!tls_of(&prefer).await, "as libpq, `prefer` goes on without TLS");
}

#[tokio::test]
async fn host_is_verified_by_verify_full_only() {
    let Some(server) = Server::shared() else { return };
    let query = |ca: &str| format!("sslmode=verify-full&sslrootcert={}", server.path(ca));
    assert!(tls_of(&ann(&server, "localhost", &query("ca.pem"))).await);
    let other_host = ann(&server, "127.0.0.1", &query("ca.pem"));
    assert_eq!(reason(&other_host).await, Reason::HostMismatch);
    let other_ca = ann(&server, "localhost", &query("other-ca.pem"));
    assert_eq!(reason(&other_ca).await, Reason::CertificateNotTrusted);
    let by_name = format!("{}&hostaddr=127.0.0.1", query("ca.pem"));
    assert!(tls_of(&ann(&server, "localhost", &by_name)).await, "hostaddr leaves the name alone");
    let system = ann(&server, "localhost", "sslmode=verify-full");
    assert_eq!(reason(&system).await, Reason::CertificateNotTrusted, "the platform's authorities");
}

#[tokio::test]
async fn server_that_insists_on_tls_refuses_plain_connections_clearly() {
    let Some(server) = Server::shared() else { return };
    let url = format!("postgresql://ann@localhost:{}/sealed", server.port);
    assert!(tls_of(&endpoint(&url)).await);
    let plain = endpoint(&format!("{url}?sslmode=disable"));
    let error = plain.connect().await.expect_err("refused");
    let told = format!(
        "failed to connect to database `sealed` at localhost:{} as `ann`: not admitted by the \
         server without TLS; try sslmode=require, or check the user",
        server.port
    );
    assert_eq!(error.to_string(), told);
}

#[tokio::test]
async fn server_that_refuses_tls_gets_plain_connections_by_prefer_only() {
    let Some(server) = Server::shared() else { return };
    let url = format!("postgresql://clear@localhost:{}/app", server.port);
    assert!(!tls_of(&endpoint(&url)).await);
    assert_eq!(reason(&endpoint(&format!("{url}?sslmode=require"))).await, Reason::NotAdmitted);
    let port = play(&[b"N"]);
    let none = endpoint(&format!("postgresql://u@127.0.0.1:{port}/d?sslmode=require"));
    assert_eq!(reason(&none).await, Reason::TlsUnsupported);
    let direct = ann(&server, "localhost", "sslmode=require&sslnegotiation=direct");
    assert_eq!(reason(&direct).await, Reason::TlsFailed, "new in PostgreSQL 17");
}

#[tokio::test]
async fn direct_negotiation_begins_with_tls_and_names_the_protocol() {
    let (port, first) = hear();
    let url = format!("postgresql://u@127.0.0.1:{port}/d?sslmode=require&sslnegotiation=direct");
    assert_eq!(reason(&endpoint(&url)).await, Reason::TlsFailed);
    let hello = first.join().expect("a first message");
    assert_eq!(hello.first(), Some(&22), "a handshake record");
    assert!(hello.windows(11).any(|part| part == b"\x0apostgresql"), "ALPN");
}

#[tokio::test]
async fn password_opens_with_and_without_channel_binding() {
    let Some(server) = Server::shared() else { return };
    assert!(!tls_of(&scram(&server, PASSWORD, "sslmode=disable")).await);
    assert!(tls_of(&scram(&server, PASSWORD, "sslmode=require&channel_binding=require")).await);
    let unbound = scram(&server, PASSWORD, "sslmode=disable&channel_binding=require");
    assert_eq!(reason(&unbound).await, Reason::LoginFailed);
    let quoted = PASSWORD.replace('\\', r"\\").replace('\'', r"\'");
    let pairs = format!("host=localhost port={} dbname=app user=scram", server.port);
    assert!(tls_of(&endpoint(&format!("{pairs} password='{quoted}'"))).await);
}

#[tokio::test]
async fn wrong_password_is_told_and_never_shown() {
    let Some(server) = Server::shared() else { return };
    for query in ["sslmode=disable", "sslmode=require"] {
        let wrong = scram(&server, "hunter2", query);
        let error = wrong.connect().await.expect_err("refused");
        let in_pool = wrong.pool(&PoolOptions::default()).await.expect_err("refused");
        for error in [error, in_pool] {
            assert!(matches!(error, ConnectError::Failed { reason: Reason::WrongPassword, .. }));
            assert!(error.to_string().contains("at localhost:"), "{error}");
            let text = format!("{} {wrong} {wrong:?}", everything(&error));
            assert!(text.contains("password authentication failed for user"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    let pool = scram(&server, PASSWORD, "").pool(&PoolOptions::default()).await.expect("a pool");
    assert!(!format!("{pool:?}").contains("s3cr3t"));
    let none = format!("postgresql://scram@localhost:{}/app", server.port);
    assert_eq!(reason(&endpoint(&none)).await, Reason::PasswordMissing);
}

#[tokio::test]
async fn client_certificate_opens_if_the_server_trusts_it() {
    let Some(server) = Server::shared() else { return };
    let url = format!("postgresql://certified@localhost:{}/app?sslmode=require", server.port);
    let with = |name: &str| {
        let (certificate, key) =
            (server.path(&format!("{name}.pem")), server.path(&format!("{name}.key")));
        endpoint(&format!("{url}&sslcert={certificate}&sslkey={key}"))
    };
    assert!(tls_of(&with("client")).await);
    assert_eq!(reason(&with("forged")).await, Reason::ClientCertificate);
    assert_eq!(reason(&endpoint(&url)).await, Reason::NotAdmitted);
}

#[tokio::test]
async fn useless_certificate_files_are_named() {
    let Some(server) = Server::shared() else { return };
    let (ca, key) = (server.path("ca.pem"), server.path("client.key"));
    for (query, told) in [
        ("sslrootcert=/nowhere/ca.pem".to_owned(), "`sslrootcert=/nowhere/ca.pem`"),
        (format!("sslrootcert={key}"), "holds certificates"),
        (format!("sslcert={ca}&sslkey={ca}"), "a private key that is not encrypted"),
        (format!("sslcert={ca}&sslkey={key}"), "the key of sslcert"),
    ] {
        let endpoint = ann(&server, "localhost", &format!("sslmode=require&{query}"));
        let error = endpoint.connect().await.expect_err("no use");
        assert!(error.to_string().contains(told), "{query}: {error}");
        assert!(error.source().is_some(), "{query}");
    }
}

#[tokio::test]
async fn certificates_of_other_kinds_are_taken_or_told() {
    let Some(server) = Server::own() else { return };
    let root = server.path("root.pem");
    let query = format!("sslmode=verify-full&sslrootcert={root}");

    let authority = Authority::ed25519();
    server::write(&root, &authority.pem());
    server.put_certificate(&authority.sign(&PKCS_ECDSA_P256_SHA256, &server_params()));
    server.restart();
    let unbound = scram(&server, PASSWORD, &query);
    assert!(tls_of(&unbound).await, "no digest for channel binding, and none demanded");

    server.put_certificate(&authority.sign(&PKCS_ECDSA_P256_SHA256, &expired_params()));
    server.restart();
    assert_eq!(reason(&ann(&server, "localhost", &query)).await, Reason::CertificateExpired);

    let old = Authority::for_localhost(expired_params());
    server::write(&root, &old.0);
    server.put_certificate(&old);
    server.restart();
    assert_eq!(reason(&ann(&server, "localhost", &query)).await, Reason::CertificateExpired);

    let own = Authority::for_localhost(server_params());
    server::write(&root, &own.0);
    server.put_certificate(&own);
    server.restart();
    assert!(tls_of(&ann(&server, "localhost", &query)).await, "self-signed, and given as it is");
    assert_eq!(reason(&ann(&server, "127.0.0.1", &query)).await, Reason::HostMismatch);
}

#[tokio::test]
async fn wrong_targets_are_told_apart() {
    let Some(server) = Server::shared() else { return };
    let url = format!("postgresql://ann@localhost:{}/app", server.port);
    let nowhere = format!("postgresql://ann@localhost:{}/app", free_port());
    assert_eq!(reason(&endpoint(&nowhere)).await, Reason::Unreachable);
    assert_eq!(reason(&endpoint("postgresql://u@nowhere.invalid/d")).await, Reason::Unreachable);
    assert_eq!(reason(&endpoint("host=/nowhere user=u")).await, Reason::Unreachable);
    let socket = format!("host={} port={} user=ann", server.text(), server.port);
    let missing = endpoint(&format!("{socket} dbname=missing"));
    assert_eq!(reason(&missing).await, Reason::UnknownDatabase);
    let two = url.replace("@localhost", &format!("@localhost:{},localhost", free_port()));
    assert!(tls_of(&endpoint(&two)).await, "the second host answers");
}

#[tokio::test]
async fn silent_server_is_an_error_in_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let silent = endpoint(&format!("postgresql://u:hunter2@127.0.0.1:{port}/d"));
    let soon = PoolOptions::default().connect_timeout(Duration::from_millis(50));
    let error = in_the_end(silent.pool(&soon)).await.expect_err("no answer");
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("database `d` at 127.0.0.1:{port} as `u`")));
    let silent = endpoint(&format!("postgresql://u@127.0.0.1:{port}/d?connect_timeout=1"));
    let error = in_the_end(silent.connect()).await.expect_err("no answer");
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn old_server_is_refused_with_both_versions() {
    // AuthenticationOk and ReadyForQuery; then one row with one column for `SHOW`.
    let port = play(&[
        b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I",
        b"T\0\0\0\x1a\0\x01v\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0\
          D\0\0\0\x10\0\x01\0\0\0\x06140011C\0\0\0\x09SHOW\0Z\0\0\0\x05I",
    ]);
    let old = endpoint(&format!("postgresql://u@127.0.0.1:{port}/d?sslmode=disable"));
    let error = old.pool(&PoolOptions::default()).await.expect_err("too old");
    let told = format!(
        "database `d` at 127.0.0.1:{port} as `u` runs PostgreSQL 14.11, but Gesta needs 15 or \
         later: upgrade the server"
    );
    assert_eq!(error.to_string(), told);
}

#[tokio::test]
async fn connections_carry_name_role_and_limit() {
    let Some(server) = Server::shared() else { return };
    let options = PoolOptions::default().role("reader").statement_timeout(Duration::from_secs(7));
    let given = ann(&server, "localhost", "options=-c%20role%3Dwriter%20-c%20work_mem%3D77kB");
    let pool = given.pool(&options).await.expect("a pool");
    let sql =
        "SELECT concat_ws(' ', current_setting('application_name'), current_user, session_user,
        current_setting('statement_timeout'), current_setting('work_mem'))";
    let client = pool.get().await.expect("a connection");
    let cached = client.prepare_cached(sql).await.expect("a statement");
    let row = client.query_one(&cached, &[]).await.expect("a row");
    assert_eq!(row.get::<_, String>(0), "gesta reader ann 7s 77kB");
    for (role, wanted) in [("stranger", Reason::Forbidden), ("missing", Reason::UnknownSetting)] {
        let error = ann(&server, "localhost", "").pool(&PoolOptions::default().role(role)).await;
        match error.expect_err("no such role") {
            ConnectError::Failed { reason, .. } => assert_eq!(reason, wanted, "{role}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn pool_in_full_use_is_an_error_and_not_a_hang() {
    let Some(server) = Server::shared() else { return };
    let endpoint = ann(&server, "localhost", "");
    let options = PoolOptions::default().size(1).wait_timeout(Duration::from_millis(10));
    let pool = endpoint.pool(&options).await.expect("a pool");
    let held = pool.get().await.expect("the only one");
    let error = endpoint.explain(in_the_end(pool.get()).await.expect_err("none left"));
    assert!(matches!(error, ConnectError::Exhausted { .. }), "{error:?}");
    drop(held);
    drop(pool.get().await.expect("it came back"));
    pool.close();
    let error = endpoint.explain(pool.get().await.expect_err("closed"));
    assert!(matches!(error, ConnectError::Closed { .. }), "{error:?}");
}

#[tokio::test]
async fn pool_survives_a_restart_of_the_server() {
    const PID: &str = "SELECT pg_backend_pid()";
    let Some(server) = Server::own() else { return };
    let endpoint = ann(&server, "localhost", "");
    let pool = endpoint.pool(&PoolOptions::default().size(3)).await.expect("a pool");
    let idle = (pool.get().await.expect("one"), pool.get().await.expect("two"));
    drop(idle);
    let held = pool.get().await.expect("one to hold");

    // Blocks the only thread: nobody has seen the end of the old connections when it is back.
    server.restart();

    held.query_one(PID, &[]).await.expect_err("its server is gone");
    drop(held);
    let (a, b, c) = (pool.get().await, pool.get().await, pool.get().await);
    for client in [a, b, c] {
        let client = client.expect("a new connection");
        let statement = client.prepare_cached(PID).await.expect("a statement of the new server");
        client.query_one(&statement, &[]).await.expect("an answer");
        assert!(uses_tls(&client).await);
    }
    server.stop();
    let error = endpoint.explain(pool.get().await.expect_err("stopped"));
    assert!(matches!(error, ConnectError::Failed { reason: Reason::Unreachable, .. }), "{error:?}");
}
