//! Who the client is, with headers of all kinds.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
    let value = |line: &&str| HeaderValue::from_bytes(line.as_bytes()).expect("a value");
    lines.iter().map(|line| (name.clone(), value(line))).collect()
}

fn proxies(header: ProxyHeader) -> Proxies {
    let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
    Proxies::new(header, networks)
}

/// The client of a request that comes from a trusted proxy.
fn behind(header: ProxyHeader, lines: &[&str]) -> Option<String> {
    let name = match header {
        ProxyHeader::XForwardedFor => X_FORWARDED_FOR,
        ProxyHeader::Forwarded => FORWARDED,
    };
    let peer = "10.0.0.1".parse().expect("an address");
    proxies(header).client(peer, &headers(&name, lines)).map(|ip| ip.to_string())
}

#[test]
fn only_trusted_proxies_are_believed() {
    let spoofed = headers(&X_FORWARDED_FOR, &["192.0.2.66"]);
    let proxies = proxies(ProxyHeader::XForwardedFor);
    let client = |peer: &str| {
        let client = proxies.client(peer.parse().expect("an address"), &spoofed);
        client.map(|ip| ip.to_string())
    };
    assert_eq!(client("198.51.100.7").as_deref(), Some("198.51.100.7"));
    assert_eq!(client("::ffff:198.51.100.7").as_deref(), Some("198.51.100.7"));
    assert_eq!(client("10.1.2.3").as_deref(), Some("192.0.2.66"));
    assert_eq!(client("::ffff:10.1.2.3").as_deref(), Some("192.0.2.66"));
    assert_eq!(client("fd00::1").as_deref(), Some("192.0.2.66"));
    let peer = "10.0.0.1".parse().expect("an address");
    assert_eq!(Proxies::none().client(peer, &spoofed), Some(peer));
    // The other header is the client's own.
    let other = headers(&FORWARDED, &["for=192.0.2.66"]);
    assert_eq!(proxies.client(peer, &other), Some(peer));
}

#[test]
fn list_is_read_from_its_end_to_the_first_that_is_not_trusted() {
    let x = |lines: &[&str]| behind(ProxyHeader::XForwardedFor, lines);
    for (lines, client) in [
        (&["192.0.2.1"][..], Some("192.0.2.1")),
        (&["203.0.113.9, 192.0.2.1"], Some("192.0.2.1")),
        (&["203.0.113.9, 192.0.2.1, 10.9.9.9,fd00::7"], Some("192.0.2.1")),
        (&["203.0.113.9", "192.0.2.1", "10.9.9.9"], Some("192.0.2.1")),
        (&["192.0.2.1:4711"], Some("192.0.2.1")),
        (&["[2001:db8::1]:4711"], Some("2001:db8::1")),
        (&["2001:db8::1"], Some("2001:db8::1")),
        (&["10.9.9.9"], Some("10.9.9.9")),
        (&[], Some("10.0.0.1")),
        (&["192.0.2.1, unknown"], None),
        (&["192.0.2.1, "], None),
        (&[""], None),
        (&["garbage, 192.0.2.1"], Some("192.0.2.1")),
        (&["é, 192.0.2.1"], Some("192.0.2.1")),
    ] {
        assert_eq!(x(lines).as_deref(), client, "{lines:?}");
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_says() {
    let f = |lines: &[&str]| behind(ProxyHeader::Forwarded, lines);
    for (lines, client) in [
        (&["for=192.0.2.60;proto=http;by=203.0.113.43"][..], Some("192.0.2.60")),
        (&["For=\"[2001:db8:cafe::17]:4711\""], Some("2001:db8:cafe::17")),
        (&["for=192.0.2.43, for=\"[2001:db8:cafe::17]\""], Some("2001:db8:cafe::17")),
        (&["proto=https ; FOR=\"192.0.2.4:_hidden\""], Some("192.0.2.4")),
        (&["for=203.0.113.9", "for=192.0.2.1;by=_x, for=10.0.0.7"], Some("192.0.2.1")),
        (&["for=192.0.2.1;host=\"a,b;for=203.0.113.9\""], Some("192.0.2.1")),
        (&["host=\"a\\\"b\";for=192.0.2.1"], Some("192.0.2.1")),
        (&["for=_gazonk"], None),
        (&["for=unknown"], None),
        (&["for=192.0.2.1, by=203.0.113.43"], None),
        (&["for=192.0.2.1;for=192.0.2.2"], None),
        (&["host=\"\\\", for=203.0.113.9;x=\\\\\";for=192.0.2.1"], Some("192.0.2.1")),
        // What a client leaves open swallows nothing of what the proxy appends.
        (&["for=203.0.113.9;x=\", for=192.0.2.1"], Some("192.0.2.1")),
        (&["for=203.0.113.9;x=\", for=\"[2001:db8::1]:4711\""], Some("2001:db8::1")),
        (&["\\\"\\, for=192.0.2.1"], Some("192.0.2.1")),
        (&["for=192.0.2.1 203.0.113.9"], None),
        (&["for"], None),
        (&["for="], None),
    ] {
        assert_eq!(f(lines).as_deref(), client, "{lines:?}");
    }
}

#[test]
fn long_lists_cost_nothing_and_name_nobody() {
    let trusted = vec!["10.0.0.9"; 1000].join(", ");
    assert_eq!(behind(ProxyHeader::XForwardedFor, &[&trusted]), None);
    let list = format!("{trusted}, 192.0.2.1, 10.0.0.9");
    assert_eq!(behind(ProxyHeader::XForwardedFor, &[&list]).as_deref(), Some("192.0.2.1"));
    let elements = vec!["for=10.0.0.9"; 1000].join(", ");
    assert_eq!(behind(ProxyHeader::Forwarded, &[&elements]), None);
    let lines = vec!["10.0.0.9"; 1000];
    assert_eq!(behind(ProxyHeader::XForwardedFor, &lines), None);
    let most = vec!["10.0.0.9"; HOPS_MAX - 1].join(",");
    let most = format!("192.0.2.1,{most}");
    assert_eq!(behind(ProxyHeader::XForwardedFor, &[&most]).as_deref(), Some("192.0.2.1"));
}

proptest! {
    /// Whatever a client sends before it, what a trusted proxy appends is what counts.
    #[test]
    fn nobody_outside_can_choose_or_hide_an_address(claim in "[ -~]{0,40}", header: bool) {
        let (header, appended) = if header {
            (ProxyHeader::Forwarded, "for=192.0.2.1")
        } else {
            (ProxyHeader::XForwardedFor, "192.0.2.1")
        };
        let line = format!("{claim}, {appended}");
        let found = behind(header, &[&line]);
        prop_assert_eq!(found.as_deref(), Some("192.0.2.1"));
    }
}
