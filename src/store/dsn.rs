//! The text of a database URL, taken apart as libpq does it: URLs and `keyword=value` pairs.
//!
//! Pure. tokio-postgres reads such texts too, but knows neither certificates nor `verify-full`,
//! finds an `@` of the query where the password should be, and quotes what it cannot read.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

use super::connect_error::ConnectError::{self, InvalidValue, Malformed, UnknownParameter};

/// Each known parameter, with what it may be.
const KNOWN: &[(&str, &str)] = &[
    ("application_name", "a name"),
    ("channel_binding", "disable, prefer, require"),
    ("connect_timeout", "seconds"),
    ("dbname", "a name"),
    ("gssencmode", "disable, prefer (Gesta never uses GSSAPI)"),
    ("host", "names, addresses or socket directories, with commas between"),
    ("hostaddr", "as many IP addresses as hosts, with commas between"),
    ("keepalives", "0, 1"),
    ("keepalives_count", "a number"),
    ("keepalives_idle", "seconds"),
    ("keepalives_interval", "seconds"),
    ("load_balance_hosts", "disable, random"),
    ("options", "options of the server, as -c name=value"),
    ("password", "any text"),
    ("port", "one number from 1 to 65535, or as many as hosts, with commas between"),
    ("sslcert", "a PEM file, together with sslkey"),
    ("sslkey", "a PEM file, together with sslcert"),
    ("sslmode", "disable, allow, prefer, require, verify-ca, verify-full"),
    ("sslnegotiation", "postgres; direct, if sslmode is require or more"),
    ("sslrootcert", "a PEM file; `system`, if sslmode is verify-full"),
    ("target_session_attrs", "any, read-write, read-only"),
    ("tcp_user_timeout", "milliseconds"),
    ("user", "a name"),
];

const NOT_A_DSN: ConnectError =
    Malformed("give postgresql://user:password@host:5432/database, or host=… dbname=… user=…");
const NO_HOST: ConnectError = Malformed(
    "it names no host; give postgresql://localhost/database, or for a socket \
     postgresql:///database?host=/var/run/postgresql",
);
const AMBIGUOUS: ConnectError = Malformed(
    "in a user name, a password or a parameter, write `@` as %40, `/` as %2F, `?` as %3F",
);

/// A server that vanished is noticed within 60 + 3 × 10 s, not after the two hours of the defaults.
const KEEPALIVE: [(&str, &str); 4] = [
    ("keepalives_idle", "60"),
    ("keepalives_interval", "10"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "90000"),
];

/// Reads a database URL: what tokio-postgres is told, and what TLS must do.
pub(super) fn parse(text: &str) -> Result<(Config, TlsSettings), ConnectError> {
    let mut given = Parameters::parse(text)?;
    let (tls, mode) = TlsSettings::take(&mut given)?;
    for (name, value) in KEEPALIVE {
        given.0.entry(name).or_insert_with(|| value.to_owned());
    }
    if let Some(other) = given.take("gssencmode").filter(|m| m != "disable" && m != "prefer") {
        return Err(invalid("gssencmode", &other));
    }
    // libpq counts milliseconds here, tokio-postgres seconds.
    let patience = given.take("tcp_user_timeout").unwrap_or_default();
    let patience: u64 = patience.parse().map_err(|_| invalid("tcp_user_timeout", &patience))?;
    let mut config = given.config()?;
    if patience > 0 {
        config.tcp_user_timeout(Duration::from_millis(patience));
    }
    let sockets = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    // As libpq: a socket directory is local, and its server never offers TLS there.
    config.ssl_mode(if sockets { SslMode::Disable } else { mode });
    config.ssl_negotiation(tls.negotiation);
    Ok((config, tls))
}

/// The variables of libpq that say what a parameter says; the others have none.
const VARIABLES: &[(&str, &str)] = &[
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("gssencmode", "PGGSSENCMODE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("options", "PGOPTIONS"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("user", "PGUSER"),
];

/// The variables of libpq that stand for a database URL, for `psql`: what is given on a command line, everybody on the
/// machine can read.
///
/// # Errors
/// When the URL cannot be read.
pub fn libpq_variables(text: &str) -> Result<Vec<(&'static str, String)>, ConnectError> {
    let mut given = Parameters::parse(text)?;
    let variable = |&(name, variable): &(&str, &'static str)| Some((variable, given.take(name)?));
    Ok(VARIABLES.iter().filter_map(variable).collect())
}

/// What the certificate of the server must prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    Nothing,
    Chain,
    ChainAndHost,
}

/// The certificates and the checks of TLS, as the URL asks for them.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "read only to do TLS"))]
pub(super) struct TlsSettings {
    /// As given, for error texts.
    pub(super) sslmode: &'static str,
    pub(super) verify: Verify,
    /// A file, or `system`.
    pub(super) root: Option<String>,
    /// Files of certificate and key.
    pub(super) identity: Option<(String, String)>,
    pub(super) negotiation: SslNegotiation,
}

impl TlsSettings {
    pub(super) const NONE: Self = Self {
        sslmode: "disable",
        verify: Verify::Nothing,
        root: None,
        identity: None,
        negotiation: SslNegotiation::Postgres,
    };

    /// Takes the parameters of TLS out of `given`: tokio-postgres knows few of them.
    fn take(given: &mut Parameters) -> Result<(Self, SslMode), ConnectError> {
        let root = given.take("sslrootcert");
        let system = root.as_deref() == Some("system");
        let asked = given.take("sslmode");
        let default = if system { "verify-full" } else { "prefer" };
        let (sslmode, mode) = match asked.as_deref().unwrap_or(default) {
            "disable" => ("disable", SslMode::Disable),
            "allow" | "prefer" => ("prefer", SslMode::Prefer),
            "require" => ("require", SslMode::Require),
            "verify-ca" => ("verify-ca", SslMode::Require),
            "verify-full" => ("verify-full", SslMode::Require),
            other => return Err(invalid("sslmode", other)),
        };
        // Anyone gets a certificate from a public authority: without the host name it proves nothing.
        if system && sslmode != "verify-full" {
            return Err(invalid("sslrootcert", "system"));
        }
        let verify = match (sslmode, &root) {
            ("verify-full", _) => Verify::ChainAndHost,
            ("verify-ca", None) => return Err(invalid("sslrootcert", "")),
            (_, Some(_)) => Verify::Chain,
            (_, None) => Verify::Nothing,
        };
        let identity = match (given.take("sslcert"), given.take("sslkey")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(invalid("sslkey", "")),
            (None, Some(_)) => return Err(invalid("sslcert", "")),
        };
        let negotiation = match given.take("sslnegotiation").as_deref() {
            None | Some("postgres") => SslNegotiation::Postgres,
            Some("direct") if mode == SslMode::Require => SslNegotiation::Direct,
            Some(other) => return Err(invalid("sslnegotiation", other)),
        };
        Ok((Self { sslmode, verify, root, identity, negotiation }, mode))
    }
}

/// The parameters of a database URL, by name; the last of a name wins, empty ones are left out.
#[derive(Default)]
struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    /// Reads a URL, or libpq's `keyword=value` pairs.
    fn parse(text: &str) -> Result<Self, ConnectError> {
        let (text, mut found) = (text.trim(), Self::default());
        match text.split_once("://") {
            Some(("postgresql" | "postgres", rest)) => found.read_url(rest)?,
            Some((scheme, _)) if !scheme.contains('=') => {
                return Err(Malformed("it must begin with postgresql:// or postgres://"));
            }
            _ if text.is_empty() => return Err(NOT_A_DSN),
            _ => found.read_pairs(text)?,
        }
        Ok(found)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// The configuration of tokio-postgres; each pair is tried alone first, to name the wrong one.
    fn config(&self) -> Result<Config, ConnectError> {
        let mut text = String::new();
        for (&name, value) in &self.0 {
            let escaped = value.replace('\\', r"\\").replace('\'', r"\'");
            let theirs = if name == "keepalives_count" { "keepalives_retries" } else { name };
            let pair = format!("{theirs}='{escaped}' ");
            pair.parse::<Config>().map_err(|_| invalid(name, value))?;
            text.push_str(&pair);
        }
        let config = text.parse().map_err(|_| NOT_A_DSN)?;
        with_hosts(config)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), ConnectError> {
        match KNOWN.iter().find(|(known, _)| *known == name) {
            Some(_) if value.contains('\0') => Err(Malformed("it holds a zero byte")),
            Some((known, _)) => {
                self.0.remove(known);
                self.0.extend((!value.is_empty()).then_some((*known, value)));
                Ok(())
            }
            None => Err(UnknownParameter { name: name.to_owned(), near: near(name) }),
        }
    }

    fn read_url(&mut self, rest: &str) -> Result<(), ConnectError> {
        let rest = self.read_login(rest)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, dbname) = place.split_once('/').unwrap_or((place, ""));
        self.read_hosts(hosts)?;
        self.set("dbname", decode(dbname)?)?;
        let mut before = String::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                .ok_or(Malformed("a parameter after the `?` has no `=`, or a `&` is not %26"))?;
            let (name, value) = (decode(name)?, decode(value)?);
            match (name.as_str(), value.as_str()) {
                ("ssl", "true") => self.set("sslmode", "require".to_owned())?,
                _ => self.set_after(&before, &name, value)?,
            }
            before = name;
        }
        Ok(())
    }

    /// Takes `user:password@` off. Exactly one bare `@` may stand in a URL: with a second one, or
    /// after a `/`, host or database would be a part of the password, and errors would print it.
    fn read_login<'a>(&mut self, rest: &'a str) -> Result<&'a str, ConnectError> {
        let Some((login, rest)) = rest.split_once('@') else { return Ok(rest) };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        if rest.contains('@') || login.contains('/') || user.contains('?') {
            return Err(AMBIGUOUS);
        }
        self.set("user", decode(user)?)?;
        self.set("password", decode(password)?)?;
        Ok(rest)
    }

    fn read_hosts(&mut self, text: &str) -> Result<(), ConnectError> {
        let places = text.split(',').map(host_and_port).collect::<Result<Vec<_>, _>>()?;
        let given = |part: &&str| !part.is_empty();
        let join = |parts: Vec<&str>| {
            if parts.iter().any(given) { parts.join(",") } else { String::new() }
        };
        self.set("host", decode(&join(places.iter().map(|place| place.0).collect()))?)?;
        self.set("port", decode(&join(places.iter().map(|place| place.1).collect()))?)
    }

    fn read_pairs(&mut self, mut rest: &str) -> Result<(), ConnectError> {
        let mut before = "";
        while !rest.is_empty() {
            let (name, text) = rest.split_once('=').ok_or(NOT_A_DSN)?;
            let name = name.trim_end();
            if name.contains(char::is_whitespace) {
                return Err(Malformed("a word has no `=`; quote values with blanks as 'a b'"));
            }
            let (value, text) = value(text.trim_start())?;
            self.set_after(before, name, value)?;
            (before, rest) = (name, text.trim_start());
        }
        Ok(())
    }

    /// As `set`, but what follows a password may be the rest of it, and is not named.
    fn set_after(&mut self, before: &str, name: &str, value: String) -> Result<(), ConnectError> {
        self.set(name, value).map_err(|error| match error {
            UnknownParameter { .. } if before == "password" => {
                Malformed("what follows the password is no parameter; quote or percent-encode it")
            }
            error => error,
        })
    }
}

/// Checks that there are hosts, and as many ports and addresses as tokio-postgres wants.
fn with_hosts(mut config: Config) -> Result<Config, ConnectError> {
    let addresses = config.get_hostaddrs().to_vec();
    if config.get_hosts().is_empty() {
        // tokio-postgres wants a name for TLS, even where the certificate is not verified.
        for address in &addresses {
            config.host(address.to_string());
        }
    }
    let hosts = config.get_hosts();
    if hosts.is_empty() || hosts.contains(&Host::Tcp(String::new())) {
        return Err(NO_HOST);
    }
    if config.get_ports().len() > 1 && config.get_ports().len() != hosts.len() {
        return Err(invalid("port", ""));
    }
    if !addresses.is_empty() && addresses.len() != hosts.len() {
        return Err(invalid("hostaddr", &format!("{} addresses", addresses.len())));
    }
    Ok(config)
}

/// The error for a parameter whose value cannot be.
fn invalid(name: &'static str, given: &str) -> ConnectError {
    // `user:secret` without a host reads as a host and a port.
    let given = if name == "port" { "…" } else { given }.to_owned();
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    InvalidValue { name, given, allowed: known.map_or("", |(_, allowed)| allowed) }
}

fn host_and_port(place: &str) -> Result<(&str, &str), ConnectError> {
    const IPV6: ConnectError = Malformed("write an IPv6 address in brackets, as [::1]:5432");
    let (host, port) = match place.strip_prefix('[') {
        Some(inner) => match inner.split_once(']').ok_or(IPV6)? {
            (host, "") => (host, ""),
            (host, port) => (host, port.strip_prefix(':').ok_or(IPV6)?),
        },
        None => place.split_once(':').unwrap_or((place, "")),
    };
    if port.contains(':') { Err(IPV6) } else { Ok((host, port)) }
}

/// One value of a `keyword=value` text, and what follows it; `\` takes the next sign as it is.
fn value(text: &str) -> Result<(String, &str), ConnectError> {
    const OPEN: ConnectError = Malformed("a quote `'` is not closed");
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |text| (true, text));
    let (mut value, mut signs) = (String::new(), text.char_indices());
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            _ if !quoted && sign.is_whitespace() => return Ok((value, &text[at..])),
            '\\' => value.extend(signs.next().map(|(_, next)| next)),
            _ => value.push(sign),
        }
    }
    if quoted { Err(OPEN) } else { Ok((value, "")) }
}

fn decode(text: &str) -> Result<String, ConnectError> {
    let bytes = percent_decode(text)
        .ok_or(Malformed("a `%` is not followed by two hex digits; write it as %25"))?;
    String::from_utf8(bytes).map_err(|_| Malformed("a percent-encoded part is not UTF-8"))
}

/// Percent-decoding (RFC 3986, section 2.1); nothing where a `%` is not followed by two hex digits.
pub(crate) fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut decoded) = (text.bytes(), Vec::with_capacity(text.len()));
    while let Some(byte) = bytes.next() {
        let mut hex = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        decoded.push(match byte {
            b'%' => u8::try_from(hex()? * 16 + hex()?).ok()?,
            byte => byte,
        });
    }
    Some(decoded)
}

/// The known names that look like `name`, or all.
fn near(name: &str) -> String {
    let name = &name.to_lowercase();
    let names = || KNOWN.iter().map(|(known, _)| *known);
    let alike = |known: &&str| {
        distance(known, name) <= 2 || (name.len() > 2 && known.contains(name.as_str()))
    };
    let alike: Vec<_> = names().filter(alike).collect();
    match alike.as_slice() {
        [] => format!("known are {}", names().collect::<Vec<_>>().join(", ")),
        alike => format!("did you mean `{}`?", alike.join("` or `")),
    }
}

/// How many letters to add, drop or change to come from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}
