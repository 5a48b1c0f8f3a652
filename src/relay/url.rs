//! The text of NATS URLs, taken apart. Pure.
//!
//! async-nats refuses a list of URLs in one text, and leaves user and password in what it prints of a server.

use async_nats::ServerAddr;

use super::connect::ConnectError;
use crate::store::percent_decode;

/// Servers of one URL text: a cluster has three or five.
const SERVERS_MAX: usize = 32;

const NO_HOST: ConnectError =
    ConnectError::Url("it names no host; give nats://host:4222, or several with commas between");
const SCHEME: ConnectError =
    ConnectError::Url("a scheme is neither nats:// nor tls://; Gesta uses no other, also no ws://");
const AMBIGUOUS: ConnectError = ConnectError::Url(
    "something follows host and port; in a user name, a password or a token, write `/` as %2F, `?` as %3F, `#` as %23, \
     `,` as %2C, `@` as %40, `%` as %25",
);
const HOST: ConnectError = ConnectError::Url(
    "a host or a port cannot be read; give nats://host:4222, with a port of 1 to 65535",
);
const ESCAPE: ConnectError = ConnectError::Url(
    "a user name, a password or a token has a `%` that begins no escape; write it as %25",
);
const MANY: ConnectError = ConnectError::Url("there are more than 32 servers");
const LOGINS: ConnectError = ConnectError::Url(
    "two servers have different users, passwords or tokens; the client has one for all, so give it once",
);

/// What the text says.
#[derive(Debug)]
pub(super) struct Given {
    /// Without user and password.
    pub(super) servers: Vec<ServerAddr>,
    pub(super) login: Option<Login>,
    /// Whether one of them asks for TLS.
    pub(super) tls: bool,
}

/// A login by something that is known.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Password { user: String, password: String },
    Token(String),
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

pub(super) fn parse(text: &str) -> Result<Given, ConnectError> {
    let mut given = Given { servers: Vec::new(), login: None, tls: false };
    for url in text.split(',').map(str::trim).filter(|url| !url.is_empty()) {
        let (server, login) = parse_one(url)?;
        given.tls |= server.tls_required();
        given.servers.push(server);
        match (&given.login, login) {
            (_, None) => {}
            (None, login) => given.login = login,
            (Some(known), Some(login)) if *known == login => {}
            _ => return Err(LOGINS),
        }
    }
    match given.servers.len() {
        0 => Err(NO_HOST),
        1..=SERVERS_MAX => Ok(given),
        _ => Err(MANY),
    }
}

fn parse_one(url: &str) -> Result<(ServerAddr, Option<Login>), ConnectError> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "nats" && scheme != "tls" {
        return Err(SCHEME);
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(AMBIGUOUS);
    }
    let (login, host) = match rest.rsplit_once('@') {
        Some((login, _)) if login.contains('@') => return Err(AMBIGUOUS),
        Some((login, host)) => (Some(parse_login(login)?), host),
        None => (None, rest),
    };
    if host.is_empty() || host.starts_with(':') {
        return Err(NO_HOST);
    }
    let server: ServerAddr = format!("{scheme}://{host}").parse().map_err(|_| HOST)?;
    Ok((server, login.flatten()))
}

fn parse_login(text: &str) -> Result<Option<Login>, ConnectError> {
    match text.split_once(':') {
        None if text.is_empty() => Ok(None),
        None => decode(text).map(Login::Token).map(Some),
        Some((user, password)) => {
            let (user, password) = (decode(user)?, decode(password)?);
            Ok(Some(Login::Password { user, password }))
        }
    }
}

fn decode(text: &str) -> Result<String, ConnectError> {
    percent_decode(text).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(ESCAPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_secrets_taken_out() {
        let given = parse("nats://ann:p%40ss%2Fw%2C%25@a:4223, tls://b,c").expect("a list");
        let servers: Vec<_> = given.servers.iter().map(ServerAddr::as_url_str).collect();
        assert_eq!(servers, ["nats://a:4223", "tls://b", "nats://c"]);
        let login = Login::Password { user: "ann".into(), password: "p@ss/w,%".into() };
        assert!(given.login == Some(login) && given.tls);
        let token = parse("nats://s3cret@[::1]:4222/").expect("a token");
        assert!(token.login == Some(Login::Token("s3cret".into())) && !token.tls);
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_never_quoted() {
        for (text, wanted) in [
            ("", "names no host"),
            ("nats://:4222", "names no host"),
            ("nats://bob:hush@", "names no host"),
            ("ws://bob:hush@h", "no ws://"),
            ("nats://bob:hu/sh@h", "write `/` as %2F"),
            ("nats://bob:hu@sh@h", "`@` as %40"),
            ("nats://bob:hush@h:hush", "port of 1 to 65535"),
            ("nats://bob:hush@h:99999", "port of 1 to 65535"),
            ("nats://bob:hush%@h", "write it as %25"),
            ("nats://bob:hush%ff@h", "write it as %25"),
            ("nats://bob:hush@a,nats://bob:other@b", "give it once"),
        ] {
            let error = parse(text).expect_err(text);
            let all = format!("{error} {error:?}");
            assert!(all.contains(wanted), "{text}: {all}");
            assert!(!all.contains("hush") && !all.contains("bob"), "{text}: {all}");
        }
        assert!(!format!("{:?}", parse("nats://bob:hush@h").expect("a URL")).contains("hush"));
    }
}
