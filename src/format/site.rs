//! Names that last, for what stands in documents: URLs of actions and resources, and tag URIs (RFC 4151).

use chrono::NaiveDate;

use super::percent;
use crate::action::ActionId;
use crate::error::quote;
use crate::resource::{ResourceRef, Tenant};

/// Where a tenant's actions and resources are found, and what they are called for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    base: String,
    tenant: Tenant,
    authority: String,
}

/// A text that no URL can begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given} cannot be the base of URLs; give one such as `https://example.com/api/v1`, without `?` and `#`"
)]
pub struct InvalidBase {
    given: String,
}

impl Site {
    /// What stands below a base such as `https://example.com/api/v1`, for a tenant. Where one server has several tenants,
    /// give each a base of its own, or their resources are called alike.
    ///
    /// `since` is a day on which the host name was yours. With the host it makes the tag URIs, by which readers of syndication
    /// feeds know what they have seen; it must never change.
    ///
    /// # Errors
    /// When the base is no absolute URL of HTTP.
    pub fn new(base: &str, tenant: Tenant, since: NaiveDate) -> Result<Self, InvalidBase> {
        let invalid = || InvalidBase { given: quote(base) };
        let lower = base.get(..8).unwrap_or(base).to_ascii_lowercase();
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| lower.starts_with(scheme).then(|| &base[scheme.len()..]));
        let rest = rest.ok_or_else(invalid)?;
        let is_url =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/[]".contains(&byte);
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() || host.contains('@') || !rest.bytes().all(is_url) {
            return Err(invalid());
        }
        let authority = format!("{},{}", domain(host), since.format("%Y-%m-%d"));
        Ok(Self { base: base.trim_end_matches('/').to_owned(), tenant, authority })
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The base, without a slash at the end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where an action is: `BASE/events/ID`.
    #[must_use]
    pub fn action(&self, id: ActionId) -> String {
        format!("{}/events/{id}", self.base)
    }

    /// Where a resource is, in whatever role it stands: its stream `BASE/any/TYPE/ID/events`, escaped.
    #[must_use]
    pub fn resource(&self, resource: &ResourceRef) -> String {
        let (kind, id) = (segment(resource.kind.as_str()), segment(resource.id.as_str()));
        format!("{}/any/{kind}/{id}/events", self.base)
    }

    /// The tag URI of an action: `tag:HOST,DAY:TENANT/events/ID`.
    #[must_use]
    pub fn action_tag(&self, id: ActionId) -> String {
        format!("tag:{}:{}/events/{id}", self.authority, segment(self.tenant.as_str()))
    }

    /// The tag URI of a feed by what selects its actions: a path below the base, with parameters or without.
    #[must_use]
    pub fn feed_tag(&self, subject: &str) -> String {
        let is_plain = |byte| is_unreserved(byte) || b"/?%:@!$&'()*+,;=".contains(&byte);
        let subject = percent::encode(subject.trim_start_matches('/'), is_plain);
        format!("tag:{}:{}/{subject}", self.authority, segment(self.tenant.as_str()))
    }
}

/// The host without its port, as a tag URI can hold it; `localhost` for what is no name, such as an address of IPv6.
fn domain(host: &str) -> String {
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let part = |part: &str| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(is_name)
    };
    if name.split('.').all(part) { name } else { "localhost".to_owned() }
}

/// A text as one segment of a path. `.` and `..` would be taken for steps, so their dots are escaped.
fn segment(text: &str) -> String {
    if matches!(text, "." | "..") {
        return text.replace('.', "%2E");
    }
    percent::encode(text, is_unreserved)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(base: &str) -> Result<Site, InvalidBase> {
        let since = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
        Site::new(base, Tenant::new("a b").expect("valid"), since)
    }

    #[test]
    fn names_are_made_of_base_tenant_and_day() {
        let site = site("HTTPS://Example.com:8443/api/v1/").expect("valid");
        let id: ActionId = "01a1f944-dc8b-774c-8000-000000000007".parse().expect("an id");
        let file = ResourceRef::new("file", "docs/ä?#.md").expect("valid");
        let base = "HTTPS://Example.com:8443/api/v1";
        assert_eq!(site.action(id), format!("{base}/events/{id}"));
        assert_eq!(site.resource(&file), format!("{base}/any/file/docs%2F%C3%A4%3F%23.md/events"));
        assert_eq!(site.action_tag(id), format!("tag:example.com,2026-01-01:a%20b/events/{id}"));
        let feed = site.feed_tag("/feeds/user/ä?flag=x y");
        assert_eq!(feed, "tag:example.com,2026-01-01:a%20b/feeds/user/%C3%A4?flag=x%20y");
        let up = ResourceRef::new("file", "..").expect("valid");
        assert!(site.resource(&up).ends_with("/file/%2E%2E/events"));
    }

    #[test]
    fn base_that_is_no_url_is_refused() {
        for base in [
            "",
            "https://",
            "ftp://x",
            "example.com",
            "https://x y",
            "https://a@b",
            "http://x?q",
            "https://é",
        ] {
            let error = site(base).expect_err(base).to_string();
            assert!(error.contains("cannot be the base of URLs"), "{error}");
        }
        let tag = site("http://[::1]:8080").expect("valid").feed_tag("/x");
        assert_eq!(tag, "tag:localhost,2026-01-01:a%20b/x");
    }
}
