//! RSS 2.0, with the links of Atom and the creators of Dublin Core: RSS itself knows authors by e-mail address only.
//!
//! RSS does not say whether a title is text or HTML, and readers take it for either. In titles a space goes behind each `<`
//! that would begin an element of HTML, so that hostile names stay text for both; descriptions are HTML and exact.

use std::io;

use chrono::{DateTime, Utc};

use super::atom::{called, links};
use super::meta::Meta;
use super::prose;
use super::xml::Xml;
use crate::action::Action;

/// Everything before the items.
pub(super) fn head(out: &mut Vec<u8>, meta: &Meta) -> io::Result<()> {
    let mut xml = Xml::new(out);
    xml.declare()?;
    let namespaces = [
        ("xmlns:atom", "http://www.w3.org/2005/Atom"),
        ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
        ("version", "2.0"),
    ];
    xml.open("rss", &namespaces)?;
    xml.open("channel", &[])?;
    xml.text("title", &title(&meta.title))?;
    xml.text("link", meta.links.first.as_ref().unwrap_or(&meta.links.this))?;
    xml.text("description", &prose::escape(&meta.description))?;
    xml.text("language", "en-us")?;
    xml.text("lastBuildDate", &rfc822(meta.updated))?;
    xml.text("generator", "Gesta")?;
    links(&mut xml, "atom:link", meta, "application/rss+xml")
}

/// One item.
pub(super) fn item(
    out: &mut Vec<u8>,
    meta: &Meta,
    action: &Action,
    sentence: &str,
) -> io::Result<()> {
    let mut xml = Xml::new(out);
    xml.open("item", &[])?;
    xml.text("title", &title(sentence))?;
    xml.text("link", &meta.site.action(action.id))?;
    xml.text("description", &prose::html(sentence, action))?;
    xml.text("dc:creator", called(&action.actor))?;
    xml.text("category", &action.verb)?;
    xml.text("pubDate", &rfc822(action.occurred_at))?;
    xml.text_with("guid", &[("isPermaLink", "false")], &meta.site.action_tag(action.id))?;
    xml.close("item")
}

/// What follows the items.
pub(super) fn tail(out: &mut Vec<u8>) -> io::Result<()> {
    let mut xml = Xml::new(out);
    xml.close("channel")?;
    xml.close("rss")
}

/// A text that shows no element to those who read HTML in it (HTML, section 13.2.5.6, "Tag open state").
pub(super) fn title(text: &str) -> String {
    let mut title = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        title.push(c);
        let begins = |c: &char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?');
        if c == '<' && chars.peek().is_some_and(begins) {
            title.push(' ');
        }
    }
    title
}

/// A time as RFC 822 writes it, with the four digits of the year that RSS prefers.
fn rfc822(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S +0000").to_string()
}
