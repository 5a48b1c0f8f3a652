//! XML 1.0, written piece by piece: elements with text and attributes, whatever characters they hold.

use std::borrow::Cow;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// Pieces of a document at the end of some bytes.
pub(super) struct Xml<'a>(Writer<&'a mut Vec<u8>>);

impl<'a> Xml<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self(Writer::new(out))
    }

    /// What a document begins with.
    pub(super) fn declare(&mut self) -> io::Result<()> {
        self.0.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
        self.line()
    }

    /// Opens an element; each on a line of its own.
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.0.write_event(Event::Start(start(name, attributes)))?;
        self.line()
    }

    pub(super) fn close(&mut self, name: &str) -> io::Result<()> {
        self.0.write_event(Event::End(BytesEnd::new(name)))?;
        self.line()
    }

    /// An element that holds nothing but its attributes.
    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        self.0.write_event(Event::Empty(start(name, attributes)))?;
        self.line()
    }

    /// An element that holds a text.
    pub(super) fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.text_with(name, &[], text)
    }

    pub(super) fn text_with(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        text: &str,
    ) -> io::Result<()> {
        self.0.write_event(Event::Start(start(name, attributes)))?;
        self.0.write_event(Event::Text(BytesText::new(&allowed(text))))?;
        self.0.write_event(Event::End(BytesEnd::new(name)))?;
        self.line()
    }

    fn line(&mut self) -> io::Result<()> {
        self.0.write_event(Event::Text(BytesText::from_escaped("\n")))
    }
}

fn start<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (name, value) in attributes {
        start.push_attribute((*name, allowed(value).as_ref()));
    }
    start
}

/// A text with U+FFFD for each character that XML 1.0 cannot hold, not even escaped (section 2.2).
pub(super) fn allowed(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| {
        (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(forbidden) { text.replace(forbidden, "\u{fffd}").into() } else { text.into() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::escape::unescape;

    /// An element of a document that was read.
    #[derive(Default)]
    pub(in crate::format) struct Element {
        pub(in crate::format) name: String,
        pub(in crate::format) attributes: Vec<String>,
        pub(in crate::format) text: String,
    }

    /// The elements of a document that is well-formed, in the order of their ends.
    pub(in crate::format) fn elements(document: &str) -> Vec<Element> {
        assert_eq!(allowed(document), document);
        let mut reader = Reader::from_str(document);
        let (mut open, mut elements) = (Vec::<Element>::new(), Vec::new());
        loop {
            let event = reader.read_event().expect("well-formed");
            let (text, reference) = match &event {
                Event::Text(text) => (text.to_string(), false),
                Event::GeneralRef(name) => (format!("&{};", &**name), true),
                _ => (String::new(), false),
            };
            let text = if reference { unescape(&text).expect("known").into_owned() } else { text };
            if let Some(last) = open.last_mut() {
                last.text.push_str(&text);
            }
            match event {
                Event::Start(start) => {
                    let values = start.attributes().map(|it| it.expect("well-formed").value);
                    let values = values.map(|it| unescape(&it).expect("escaped").into_owned());
                    let name = start.name().as_ref().to_owned();
                    let attributes = values.collect();
                    open.push(Element { name, attributes, ..Element::default() });
                }
                Event::End(_) => elements.push(open.pop().expect("an open element")),
                Event::Eof => break,
                _ => {}
            }
        }
        assert!(open.is_empty());
        elements
    }

    proptest! {
        #[test]
        fn any_text_comes_back_but_for_what_xml_cannot_hold(text in "[\\x00-\\x{10ffff}]{0,40}") {
            let mut out = Vec::new();
            Xml::new(&mut out).text_with("a", &[("b", &text)], &text).expect("written");
            let elements = elements(&String::from_utf8(out).expect("UTF-8"));
            prop_assert_eq!(elements.len(), 1);
            prop_assert_eq!(&elements[0].attributes[0], &allowed(&text));
            prop_assert_eq!(&elements[0].text, &allowed(&text));
        }
    }
}
