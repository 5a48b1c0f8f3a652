//! The client's address: the connection's other end, or behind trusted proxies what they say.
//!
//! A proxy appends the address that it was asked from, so the list is read from its end: each address counts as long as
//! the one that named it is trusted. The first one that is not trusted is the client; what stands before it is the
//! client's own claim, and is not read. Where a trusted proxy names no address (`unknown`, a hidden one, garbage), none is
//! recorded: an address in an audit log is never a guess.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Proxies in a row that are followed. Real chains have two or three; a longer one is a claim of somebody who sits inside
/// of a trusted network.
pub const HOPS_MAX: usize = 16;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header that the application's proxies write addresses into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: addresses with commas in between, as most proxies write it.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Networks whose machines are believed.
#[derive(Clone, Debug)]
pub(crate) struct Networks(Vec<IpNet>);

impl Networks {
    pub(crate) fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// A socket for both families shows `10.0.0.1` as `::ffff:10.0.0.1`.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Whom to believe, and what they write.
#[derive(Debug)]
pub(super) struct Proxies {
    header: ProxyHeader,
    networks: Networks,
}

impl Proxies {
    pub(super) fn none() -> Self {
        Self { header: ProxyHeader::XForwardedFor, networks: Networks::new([]) }
    }

    pub(super) fn new(header: ProxyHeader, networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { header, networks: Networks::new(networks) }
    }

    /// The client of a request whose connection comes from this address.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer.to_canonical();
        if !self.networks.contain(client) {
            return Some(client);
        }
        let name = match self.header {
            ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
            ProxyHeader::Forwarded => FORWARDED,
        };
        // Lines of one name are one list (RFC 9110, section 5.3).
        let mut hops = 0;
        for line in headers.get_all(name).iter().rev() {
            for element in self.last_first(&String::from_utf8_lossy(line.as_bytes())) {
                client = element?.to_canonical();
                hops += 1;
                if !self.networks.contain(client) {
                    return Some(client);
                }
                if hops == HOPS_MAX {
                    return None;
                }
            }
        }
        // Nobody is before the first proxy: it is the client itself.
        Some(client)
    }

    /// The addresses of a line, the last first; none for one that cannot be told.
    fn last_first<'a>(&self, line: &'a str) -> Box<dyn Iterator<Item = Option<IpAddr>> + 'a> {
        match self.header {
            ProxyHeader::XForwardedFor => {
                Box::new(line.rsplit(',').map(|text| address(text.trim())))
            }
            ProxyHeader::Forwarded => Box::new(Elements(Some(line)).map(forwarded)),
        }
    }
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    bare.unwrap_or(text).parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

/// The elements of a list, the last first. A comma in quotes does not divide; read from the end, a quotation mark that a
/// client leaves open cannot swallow what a proxy appends.
struct Elements<'a>(Option<&'a str>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let line = self.0?;
        let mut is_quoted = false;
        for (at, byte) in line.bytes().enumerate().rev() {
            match byte {
                b'"' if is_quoted => is_quoted = is_escaped(&line[..at]),
                b'"' => is_quoted = true,
                b',' if !is_quoted => {
                    self.0 = Some(&line[..at]);
                    return Some(&line[at + 1..]);
                }
                _ => {}
            }
        }
        self.0.take()
    }
}

/// Whether a character after this text is escaped in a quoted text: by a backslash that is not escaped itself.
fn is_escaped(before: &str) -> bool {
    before.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// The `for` of an element (RFC 7239, section 4); nothing where there is none, or the element is malformed.
fn forwarded(element: &str) -> Option<IpAddr> {
    let (mut client, mut rest) = (None, element.trim());
    loop {
        let (name, after) = rest.split_once('=')?;
        let (text, after) = value_of(after)?;
        // Twice in one element is once too often.
        if name.trim().eq_ignore_ascii_case("for") && client.replace(text).is_some() {
            return None;
        }
        match after.trim_start().strip_prefix(';') {
            Some(after) => rest = after,
            None if after.trim_start().is_empty() => return node(&client?),
            None => return None,
        }
    }
}

/// A token or a quoted text (RFC 9110, section 5.6), and what comes after it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let token = &text[..end];
        return (!token.is_empty() && !token.contains('"'))
            .then(|| (token.to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// An address, its port left out; nothing for `unknown` and for hidden names, which begin with `_` (section 6).
fn node(text: &str) -> Option<IpAddr> {
    address(text).or_else(|| {
        // A port may be hidden as well.
        let (host, port) = text.rsplit_once(':')?;
        port.starts_with('_').then(|| address(host)).flatten()
    })
}

#[cfg(test)]
mod tests;
