//! Who is believed, with headers of all kinds.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).expect("a value");
    given.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}

fn rights(scopes: &[Scope], labels: &[&str]) -> Rights {
    let labels = labels.iter().map(|&label| label.to_owned()).collect();
    Rights { scopes: scopes.to_vec(), sight: Sight::Labels(labels) }
}

fn trust() -> ProxyTrust {
    let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
    let audit = Rights { sight: Sight::Everything, ..rights(&[Scope::EventsExport], &[]) };
    ProxyTrust::new(networks, ResourceType::new("user").expect("a type"))
        .everybody(rights(&[Scope::EventsRead], &["public"]))
        .group("staff", rights(&[Scope::FeedsManage, Scope::EventsRead], &["staff"]))
        .group("audit", audit)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn behind(given: &[(&'static str, &str)]) -> Result<Option<Identity>, AccessError> {
    trust().identity(ip("10.1.2.3"), &headers(given))
}

#[test]
fn proxy_names_somebody_and_the_table_says_what_they_may() {
    let ann = behind(&[("x-gesta-user", "ann@example.com"), ("x-gesta-name", "Änn")]);
    let ann = ann.expect("believed").expect("somebody");
    assert_eq!(ann.who.resource.to_string(), "user:ann@example.com");
    assert_eq!(ann.who.name.as_deref(), Some("Änn"));
    assert_eq!((ann.tenant, ann.is_actor, ann.via), (Some(Tenant::default()), true, Via::Proxy));
    assert_eq!(ann.scopes, [Scope::EventsRead]);
    let in_groups = |groups| {
        let who = behind(&[("x-gesta-user", "ann"), ("x-gesta-groups", groups)]);
        let who = who.expect("believed").expect("somebody");
        (who.scopes, who.sight)
    };
    let sees = |labels: &[&str]| rights(&[], labels).sight;
    assert_eq!(in_groups("Staff, other,"), (vec![Scope::EventsRead], sees(&["public"])));
    assert_eq!(
        in_groups("other , staff"),
        (vec![Scope::EventsRead, Scope::FeedsManage], sees(&["public", "staff"]))
    );
    assert_eq!(
        in_groups("audit"),
        (vec![Scope::EventsRead, Scope::EventsExport], Sight::Everything)
    );
    assert!(matches!(behind(&[]), Ok(None)));
}

#[test]
fn groups_are_roles_only_where_that_is_said() {
    let plain = || {
        let networks = ["10.0.0.0/8".parse().expect("a network")];
        ProxyTrust::new(networks, ResourceType::new("user").expect("a type"))
    };
    let groups = "editor, night desk ,,a\u{200b}b, staff,editor";
    let given = headers(&[("x-gesta-user", "ann"), ("x-gesta-groups", groups)]);
    let roles = |trust: ProxyTrust| {
        let who = trust.identity(ip("10.1.2.3"), &given).expect("believed").expect("somebody");
        (who.groups, who.scopes)
    };
    assert_eq!(roles(plain()).0, Vec::<String>::new());
    assert_eq!(roles(trust()).0, Vec::<String>::new(), "rights by group are no roles");
    let named = ["editor", "night desk", "staff", "editor"];
    assert_eq!(roles(plain().roles_of_groups()).0, named);
    let both = roles(trust().roles_of_groups());
    assert_eq!(
        both,
        (named.map(str::to_owned).to_vec(), vec![Scope::EventsRead, Scope::FeedsManage])
    );
    // Once they count, nobody else may send them.
    let forged = headers(&[("x-gesta-groups", "administrator")]);
    assert!(plain().identity(ip("192.0.2.1"), &forged).expect("ignored").is_none());
    let error = plain().roles_of_groups().identity(ip("192.0.2.1"), &forged).expect_err("refused");
    assert!(matches!(error, AccessError::Untrusted { .. }), "{error:?}");
}

#[test]
fn nobody_else_is_believed() {
    for peer in ["192.0.2.1", "::1", "127.0.0.1", "::ffff:192.0.2.1", "fe80::1"] {
        for name in ["x-gesta-user", "x-gesta-name", "x-gesta-groups"] {
            let mut given = headers(&[(name, "ann"), ("x-forwarded-for", "10.0.0.1")]);
            let error = trust().identity(ip(peer), &given).expect_err("refused");
            let text = error.to_string();
            assert!(matches!(error, AccessError::Untrusted { .. }), "{error:?}");
            assert!(text.contains(name) && !text.contains("ann"), "{text}");
            given.remove(name);
            assert!(matches!(trust().identity(ip(peer), &given), Ok(None)));
        }
    }
    for peer in ["10.0.0.1", "::ffff:10.0.0.1", "fd00::1"] {
        let given = headers(&[("x-gesta-user", "ann")]);
        assert!(matches!(trust().identity(ip(peer), &given), Ok(Some(_))));
    }
}

#[test]
fn headers_that_cannot_be_told_are_refused() {
    let many = vec!["g"; GROUPS_MAX + 1].join(",");
    let long = "x".repeat(3_000);
    for given in [
        &[("x-gesta-user", "ann"), ("x-gesta-user", "bob")][..],
        &[("x-gesta-user", "")],
        &[("x-gesta-user", &long)],
        &[("x-gesta-user", "a\tb")],
        &[("x-gesta-user", "ann"), ("x-gesta-name", "a"), ("x-gesta-name", "b")],
        &[("x-gesta-user", "ann"), ("x-gesta-groups", "staff"), ("x-gesta-groups", "audit")],
        &[("x-gesta-user", "ann"), ("x-gesta-groups", &many)],
    ] {
        let error = behind(given).expect_err("refused");
        assert!(matches!(error, AccessError::Header { .. }), "{error:?}");
    }
    let latin = HeaderValue::from_bytes(b"\xe4nn").expect("a value");
    let latin = HeaderMap::from_iter([(HeaderName::from_static("x-gesta-user"), latin)]);
    assert!(trust().identity(ip("10.0.0.1"), &latin).is_err());
}

#[test]
fn tenant_is_read_only_where_a_header_is_named() {
    let given = headers(&[("x-gesta-user", "ann"), ("x-gesta-tenant", "other")]);
    let tenant = |trust: ProxyTrust, headers: &HeaderMap| {
        let found = trust.identity(ip("10.0.0.1"), headers);
        found.map(|who| who.and_then(|who| who.tenant).map(|tenant| tenant.to_string()))
    };
    let header = || trust().tenant_header(HeaderName::from_static("x-gesta-tenant"));
    assert_eq!(tenant(trust(), &given).expect("believed").as_deref(), Some("default"));
    assert_eq!(tenant(header(), &given).expect("believed").as_deref(), Some("other"));
    assert!(tenant(header(), &headers(&[("x-gesta-user", "ann")])).is_err());
}

proptest! {
    #[test]
    fn nothing_that_a_stranger_sends_makes_somebody(
        peer: u32,
        given in prop::collection::vec((0..4_usize, "[ -~]{0,20}"), 0..6),
    ) {
        let names = ["x-gesta-user", "x-gesta-name", "x-gesta-groups", "x-forwarded-for"];
        let given: Vec<_> = given.iter().map(|(n, text)| (names[*n], text.as_str())).collect();
        let peer = IpAddr::from(std::net::Ipv4Addr::from(peer));
        let is_proxy = peer.to_string().starts_with("10.");
        let found = trust().identity(peer, &headers(&given));
        prop_assert!(is_proxy || !matches!(found, Ok(Some(_))));
    }
}
