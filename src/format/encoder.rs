//! Documents, written piece by piece: head, items, tail. No more than one item is in memory.

use std::io;

use super::compact::compact;
use super::csv::Sheet;
use super::event::CloudEvent;
use super::kind::Format;
use super::meta::Meta;
use super::{Item, as2, atom, prose, rss};
use crate::registry::Registry;

/// Writes a document of actions at the end of some bytes, which the caller sends and clears whenever it likes.
///
/// Call [`Encoder::head`] once, [`Encoder::item`] for each action, and [`Encoder::tail`] once; without the tail, a document
/// of most formats cannot be read, by which a reader sees that it was broken off.
#[derive(Clone, Debug)]
pub struct Encoder {
    format: Format,
    meta: Meta,
    sheet: Sheet,
    items: u64,
}

impl Encoder {
    /// A document in a format.
    #[must_use]
    pub fn new(format: Format, meta: Meta) -> Self {
        Self { format, meta, sheet: Sheet::default(), items: 0 }
    }

    /// How it becomes CSV, where the format is that.
    #[must_use]
    pub fn sheet(mut self, sheet: Sheet) -> Self {
        self.sheet = sheet;
        self
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many items were written.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Writes what comes before the items.
    ///
    /// # Errors
    /// When something cannot be written as JSON or XML; none is known.
    pub fn head(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.format {
            Format::Json => out.extend(b"{\"items\":[\n"),
            Format::CloudEventsBatch => out.extend(b"[\n"),
            Format::Ndjson => {}
            Format::Csv => self.sheet.head(out)?,
            Format::ActivityStreams => as2::head(out, &self.meta)?,
            Format::Atom => atom::head(out, &self.meta)?,
            Format::Rss => rss::head(out, &self.meta)?,
        }
        Ok(())
    }

    /// Writes an item: whole, or in the case of an error nothing.
    ///
    /// # Errors
    /// When something cannot be written as JSON or XML; none is known.
    pub fn item<'a>(
        &mut self,
        out: &mut Vec<u8>,
        item: impl Into<Item<'a>>,
        registry: &Registry,
    ) -> io::Result<()> {
        let start = out.len();
        let written = self.write(out, &item.into(), registry);
        match &written {
            Ok(()) => self.items += 1,
            Err(_) => out.truncate(start),
        }
        written
    }

    fn write(&self, out: &mut Vec<u8>, item: &Item<'_>, registry: &Registry) -> io::Result<()> {
        let (meta, action) = (&self.meta, item.action);
        let sentence = || prose::sentence(registry, action);
        match self.format {
            Format::Json => {
                self.separate(out);
                serde_json::to_writer(out, item)?;
            }
            Format::Ndjson => {
                out.extend(line(&serde_json::to_string(item)?).as_bytes());
                out.push(b'\n');
            }
            Format::CloudEventsBatch => {
                self.separate(out);
                serde_json::to_writer(out, &CloudEvent::of(action, &meta.source))?;
            }
            Format::ActivityStreams => {
                self.separate(out);
                as2::item(out, meta, action, &sentence())?;
            }
            Format::Csv => self.sheet.item(out, item)?,
            Format::Atom => atom::item(out, meta, action, &sentence())?,
            Format::Rss => rss::item(out, meta, action, &sentence())?,
        }
        Ok(())
    }

    /// What stands between the values of an array.
    fn separate(&self, out: &mut Vec<u8>) {
        if self.items > 0 {
            out.extend(b",\n");
        }
    }

    /// Writes what comes after the items.
    ///
    /// # Errors
    /// When something cannot be written as JSON or XML; none is known.
    pub fn tail(&self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.format {
            Format::Json => {
                let links = &self.meta.links;
                let [next, prev, query] = [&links.next, &links.prev, &self.meta.query]
                    .map(|text| serde_json::json!(text));
                let end = format!("\n],\"next\":{next},\"prev\":{prev},\"query\":{query}}}\n");
                out.extend(end.as_bytes());
            }
            Format::CloudEventsBatch => out.extend(b"\n]\n"),
            Format::Ndjson | Format::Csv => {}
            Format::ActivityStreams => as2::tail(out, &self.meta, self.items),
            Format::Atom => atom::tail(out)?,
            Format::Rss => rss::tail(out)?,
        }
        Ok(())
    }
}

/// JSON on one line. PostgreSQL breaks none, but payloads that come from elsewhere may hold line breaks between tokens.
fn line(json: &str) -> std::borrow::Cow<'_, str> {
    if json.contains(['\n', '\r']) { compact(json) } else { json.into() }
}

#[cfg(test)]
mod tests;
