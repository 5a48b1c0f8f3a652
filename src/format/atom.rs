//! Atom (RFC 4287) in pages (RFC 5005, section 3), with tag URIs as ids (RFC 4151).

use std::io;

use super::meta::Meta;
use super::prose;
use super::xml::Xml;
use crate::action::Action;
use crate::action::form::time;
use crate::resource::Named;

/// Everything before the entries.
pub(super) fn head(out: &mut Vec<u8>, meta: &Meta) -> io::Result<()> {
    let mut xml = Xml::new(out);
    xml.declare()?;
    xml.open("feed", &[("xmlns", "http://www.w3.org/2005/Atom"), ("xml:lang", "en-us")])?;
    xml.text("id", &meta.site.feed_tag(&meta.subject))?;
    xml.text_with("title", &[("type", "text")], &meta.title)?;
    xml.text_with("subtitle", &[("type", "text")], &meta.description)?;
    xml.text("updated", &time(meta.updated))?;
    xml.open("author", &[])?;
    xml.text("name", &meta.author)?;
    xml.text("uri", meta.site.base())?;
    xml.close("author")?;
    self::links(&mut xml, "link", meta, "application/atom+xml")?;
    xml.text("generator", "Gesta")
}

/// The page itself and those around it.
pub(super) fn links(xml: &mut Xml<'_>, element: &str, meta: &Meta, kind: &str) -> io::Result<()> {
    let links = &meta.links;
    let all = [
        ("self", Some(&links.this)),
        ("first", links.first.as_ref()),
        ("next", links.next.as_ref()),
        ("previous", links.prev.as_ref()),
    ];
    for (rel, url) in all {
        if let Some(url) = url {
            xml.empty(element, &[("rel", rel), ("type", kind), ("href", url)])?;
        }
    }
    Ok(())
}

/// One entry.
pub(super) fn item(
    out: &mut Vec<u8>,
    meta: &Meta,
    action: &Action,
    sentence: &str,
) -> io::Result<()> {
    let mut xml = Xml::new(out);
    let updated = action.recorded_at.max(action.occurred_at);
    xml.open("entry", &[])?;
    xml.text("id", &meta.site.action_tag(action.id))?;
    xml.text_with("title", &[("type", "text")], sentence)?;
    xml.text("updated", &time(updated))?;
    xml.text("published", &time(action.occurred_at))?;
    xml.open("author", &[])?;
    xml.text("name", called(&action.actor))?;
    xml.text("uri", &meta.site.resource(&action.actor.resource))?;
    xml.close("author")?;
    // No media type: what is found there is negotiated, and some readers follow nothing that is said to be no HTML.
    xml.empty("link", &[("rel", "alternate"), ("href", &meta.site.action(action.id))])?;
    xml.empty("category", &[("term", &action.verb)])?;
    xml.text_with("content", &[("type", "html")], &prose::html(sentence, action))?;
    xml.close("entry")
}

/// What follows the entries.
pub(super) fn tail(out: &mut Vec<u8>) -> io::Result<()> {
    Xml::new(out).close("feed")
}

/// The name; the id where there is none that can be seen.
pub(super) fn called(named: &Named) -> &str {
    let name = named.name.as_deref().filter(|name| !name.trim().is_empty());
    name.unwrap_or(named.resource.id.as_str())
}
