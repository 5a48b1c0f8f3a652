//! Which texts are read as what, and what the others are told.

use std::path::PathBuf;

use tokio_postgres::config::{Host, SslMode};

use super::super::dsn::Verify;
use super::{Duration, Endpoint, PoolOptions, time_limit};

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).expect("a readable URL")
}

fn error(text: &str) -> String {
    Endpoint::parse(text).expect_err("an unreadable URL").to_string()
}

#[test]
fn url_and_pairs_say_the_same() {
    let url = endpoint("postgresql://ann:s%40crt@db.example:5433/app?application_name=a%20b");
    let pairs = endpoint(
        "host=db.example port = 5433 dbname=app user=ann password='s@crt' application_name='a b'",
    );
    assert_eq!(url.config, pairs.config);
    assert_eq!(url.to_string(), "database `app` at db.example:5433 as `ann`");
}

#[test]
fn password_arrives_sign_by_sign() {
    for (text, password) in [
        ("postgres://u:a%25b%2Fc%3F%23@h/d", r"a%b/c?#"),
        ("postgres://u:a?b:c#d+e'f\\g@h/d", r"a?b:c#d+e'f\g"),
        ("postgres://u:%C3%BC%F0%9F%94%91@h/d", "ü🔑"),
        ("postgres://h/d?user=u&password=a%26b%3Dc+d", "a&b=c+d"),
        (r"host=h user=u password='it\'s \\ all' dbname=d", r"it's \ all"),
        (r"host=h user=u password=a\ b=%41 dbname=d", "a b=%41"),
    ] {
        let endpoint = endpoint(text);
        assert_eq!(endpoint.config.get_password(), Some(password.as_bytes()), "{text}");
        assert_eq!(endpoint.to_string().split_once("as ").map(|it| it.1), Some("`u`"), "{text}");
    }
}

#[test]
fn hosts_are_names_addresses_and_socket_directories() {
    for (text, shown) in [
        ("postgresql://u@[::1]:5433/d", "[::1]:5433"),
        ("postgresql://u@[fe80::1]/d", "[fe80::1]:5432"),
        ("postgresql://u@a:1,b,[::1]:3/d", "a:1 or b:5432 or [::1]:3"),
        ("postgresql:///d?host=%2Ftmp%2Fx&user=u", "/tmp/x/.s.PGSQL.5432"),
        ("postgresql://u@%2Ftmp%2Fx:77/d", "/tmp/x/.s.PGSQL.77"),
        ("postgresql://u@:77/d?host=/tmp/x", "/tmp/x/.s.PGSQL.77"),
        ("host=a,b port=7 dbname=d user=u", "a:7 or b:7"),
        ("hostaddr=127.0.0.1 dbname=d user=u", "127.0.0.1:5432"),
    ] {
        assert_eq!(endpoint(text).to_string(), format!("database `d` at {shown} as `u`"), "{text}");
    }
    let socket = endpoint("postgresql:///d?host=%2Ftmp%2Fx&sslmode=verify-full");
    assert_eq!(socket.config.get_hosts(), [Host::Unix(PathBuf::from("/tmp/x"))]);
    assert_eq!(socket.config.get_ssl_mode(), SslMode::Disable, "sockets have no TLS");
}

#[test]
fn sslmode_says_what_is_verified() {
    use Verify::{Chain, ChainAndHost, Nothing};
    for (query, mode, verify) in [
        ("", SslMode::Prefer, Nothing),
        ("sslmode=disable", SslMode::Disable, Nothing),
        ("sslmode=allow", SslMode::Prefer, Nothing),
        ("sslmode=require", SslMode::Require, Nothing),
        ("ssl=true", SslMode::Require, Nothing),
        ("sslmode=require&sslrootcert=ca.pem", SslMode::Require, Chain),
        ("sslmode=verify-ca&sslrootcert=ca.pem", SslMode::Require, Chain),
        ("sslmode=verify-full&sslrootcert=ca.pem", SslMode::Require, ChainAndHost),
        ("sslmode=verify-full", SslMode::Require, ChainAndHost),
        ("sslrootcert=system", SslMode::Require, ChainAndHost),
    ] {
        let endpoint = endpoint(&format!("postgresql://h/d?{query}"));
        assert_eq!(
            (endpoint.config.get_ssl_mode(), endpoint.tls.verify),
            (mode, verify),
            "{query}"
        );
    }
}

#[test]
fn wrong_values_are_told_with_what_is_allowed() {
    for (query, told) in [
        ("sslmode=on", "`sslmode` of the database URL cannot be `on`; allowed: disable, allow"),
        ("sslmode=require&sslrootcert=system", "cannot be `system`; allowed: a PEM file; `system`"),
        (
            "sslmode=verify-ca",
            "`sslrootcert` of the database URL cannot be ``; allowed: a PEM file",
        ),
        ("sslcert=c.pem", "`sslkey` of the database URL cannot be ``; allowed: a PEM file"),
        ("sslkey=k.pem", "`sslcert` of the database URL cannot be ``; allowed: a PEM file"),
        ("sslnegotiation=direct", "cannot be `direct`; allowed: postgres; direct, if sslmode"),
        ("channel_binding=yes", "cannot be `yes`; allowed: disable, prefer, require"),
        ("connect_timeout=soon", "`connect_timeout` of the database URL cannot be `soon`"),
        ("tcp_user_timeout=-1", "cannot be `-1`; allowed: milliseconds"),
        ("gssencmode=require", "cannot be `require`; allowed: disable, prefer"),
        ("port=1,2", "`port` of the database URL cannot be"),
        ("hostaddr=::1,::2", "`hostaddr` of the database URL cannot be `2 addresses`"),
        ("hostaddr=localhost", "cannot be `localhost`; allowed: as many IP addresses as hosts"),
    ] {
        let error = error(&format!("postgresql://h/d?{query}"));
        assert!(error.contains(told), "{query}: {error}");
    }
}

#[test]
fn unknown_parameters_are_named_with_their_neighbours() {
    for (query, told) in [
        ("sslmod=require", "unknown parameter `sslmod`; did you mean `sslmode`?"),
        ("SSLMODE=require", "did you mean `sslmode`?"),
        ("timeout=3", "did you mean `connect_timeout` or `tcp_user_timeout`?"),
        (
            "schema=public",
            "unknown parameter `schema`; known are application_name, channel_binding",
        ),
    ] {
        let error = error(&format!("postgresql://h/d?{query}"));
        assert!(error.contains(told), "{query}: {error}");
    }
}

#[test]
fn unreadable_texts_are_told_what_to_write() {
    for (text, told) in [
        ("", "give postgresql://user:password@host:5432/database"),
        ("  ", "give postgresql://user"),
        ("app", "give postgresql://user"),
        ("mysql://h/d", "must begin with postgresql:// or postgres://"),
        ("jdbc:postgresql://h/d", "must begin with postgresql://"),
        ("postgresql://", "names no host"),
        ("postgresql:///d", "names no host"),
        ("postgresql://a,,b/d", "names no host"),
        ("dbname=d", "names no host"),
        ("host=h dbname='d", "a quote `'` is not closed"),
        ("host=h my app", "give postgresql://"),
        ("host=h my app=1", "a word has no `=`"),
        ("postgresql://h/d?x", "has no `=`"),
        ("postgresql://h/100%", "not followed by two hex digits"),
        ("postgresql://h/%C3", "not UTF-8"),
        ("postgresql://h/a%00b", "a zero byte"),
        ("postgresql://::1/d", "in brackets"),
        ("postgresql://[::1/d", "in brackets"),
        ("postgresql://[::1]5432/d", "in brackets"),
        ("postgresql://h:99999/d", "`port` of the database URL cannot be `…`"),
    ] {
        let error = error(text);
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn no_part_of_a_password_is_told_however_it_is_mangled() {
    for text in [
        "postgresql://ann:hunter2",
        "postgresql://ann:hun@hunter2@h/d",
        "postgresql://ann:x/hunter2@h/d",
        "postgresql://ann:x?hunter2/y@h/d",
        "postgresql://ann:x@h?y=hunter2/@h/d",
        "postgresql://ann:%hunter2@h/d",
        "postgresql://ann@h/d?password=x&hunter2=y",
        "postgresql://ann@h/d?password=x&hunter2",
        "host=h password=x hunter2=y",
        "host=h password=x hunter2 dbname=d",
        "host=h password='hunter2",
        "hunter2",
    ] {
        let error = Endpoint::parse(text).expect_err(text);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error:?}");
    }
    let endpoint = endpoint("postgresql://ann:hunter2@h/d?options=-c%20a%3Db");
    assert!(!format!("{endpoint} {endpoint:?}").contains("hunter2"), "{endpoint:?}");
}

#[test]
fn role_wins_over_given_options_and_limits_do_not() {
    let given = endpoint("postgresql://h/d?options=-c%20role%3Dpostgres&application_name=mine");
    let options = PoolOptions::default()
        .role(r"my \role")
        .statement_timeout(Duration::from_secs(2))
        .application_name("other");
    let config = given.config_for(&options);
    let merged = r"-c statement_timeout=2000 -c role=postgres -c role=my\ \\role";
    assert_eq!(config.get_options(), Some(merged));
    assert_eq!(config.get_application_name(), Some("mine"));
    let config = endpoint("postgresql://h/d").config_for(&PoolOptions::default());
    assert_eq!((config.get_options(), config.get_application_name()), (None, Some("gesta")));
}

#[cfg(feature = "local")]
#[test]
fn guarded_path_stands_behind_that_of_the_url() {
    let given = endpoint("postgresql://h/d?options=-c%20search_path%3Dmine");
    let config = given.config_for(&PoolOptions::default().guarded().role("r"));
    let merged = "-c search_path=mine -c role=r -c search_path=pg_catalog,pg_temp";
    assert_eq!(config.get_options(), Some(merged));
}

#[test]
fn times_are_read_in_the_units_of_libpq() {
    let given =
        endpoint("postgresql://h/d?tcp_user_timeout=1500&connect_timeout=3&keepalives_count=7");
    assert_eq!(given.config.get_tcp_user_timeout(), Some(&Duration::from_millis(1500)));
    assert_eq!(given.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    assert_eq!(given.config.get_keepalives_retries(), Some(7));
    assert_eq!(time_limit(&given.config_for(&PoolOptions::default())), Duration::from_secs(6));
    let endless = endpoint(&format!("postgresql://h,i/d?connect_timeout={}", i64::MAX));
    assert_eq!(time_limit(&endless.config), Duration::MAX);
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn without_the_feature_tls_it_is_named() {
    let error = endpoint("postgresql://h/d?sslmode=require").connect().await.expect_err("no TLS");
    assert!(error.to_string().contains("sslmode=require needs TLS"), "{error}");
    assert!(error.to_string().contains("without the feature `tls`"), "{error}");
}
