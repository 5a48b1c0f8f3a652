//! A row as JSON text, taken apart once and copied nowhere.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A row's columns and the texts of their values, in the order that they came in.
pub(crate) struct RawRow<'a> {
    fields: Vec<(Name<'a>, &'a RawValue)>,
}

/// Borrowed where nothing in it is escaped.
#[derive(Clone, serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> RawRow<'a> {
    /// Takes an object apart.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// This row, with the values of another for the columns that it does not have.
    pub(crate) fn over(&self, other: &Self) -> Self {
        let own = |(place, (name, value)): (usize, &(Name<'a>, &'a RawValue))| {
            (name.clone(), self.raw(&name.0, place).unwrap_or(value))
        };
        Self { fields: other.fields.iter().enumerate().map(own).collect() }
    }

    /// The row as one text again.
    pub(crate) fn to_text(&self) -> String {
        let len = |(name, value): &(Name<'_>, &RawValue)| name.0.len() + value.get().len() + 4;
        let mut text = String::with_capacity(2 + self.fields.iter().map(len).sum::<usize>());
        for (name, value) in self.fields() {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(&serde_json::Value::from(name).to_string());
            text.push(':');
            text.push_str(value);
        }
        if text.is_empty() {
            text.push('{');
        }
        text + "}"
    }

    /// Names and values.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.fields.iter().map(|(name, value)| (name.0.as_ref(), value.get()))
    }

    /// The text of a value; rows of one table have their columns in the same places.
    pub(crate) fn value(&self, name: &str, place: usize) -> Option<&'a str> {
        self.raw(name, place).map(RawValue::get)
    }

    fn raw(&self, name: &str, place: usize) -> Option<&'a RawValue> {
        let there = self.fields.get(place).filter(|(found, _)| found.0 == name);
        let field = there.or_else(|| self.fields.iter().find(|(found, _)| found.0 == name))?;
        Some(field.1)
    }

    /// The column whose value holds a byte of the text that the row was parsed from.
    pub(crate) fn column_at(&self, text: &str, byte: usize) -> Option<&str> {
        let start = |value: &RawValue| value.get().as_ptr() as usize - text.as_ptr() as usize;
        let field = self
            .fields
            .iter()
            .find(|(_, value)| (start(value)..=start(value) + value.get().len()).contains(&byte));
        field.map(|(name, _)| name.0.as_ref())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawRow<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(Name<'de>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Fields).map(|fields| Self { fields })
    }
}

/// The text of a key's value: a string without its quotes, anything else as it is written.
pub(crate) fn plain(value: &str) -> Cow<'_, str> {
    if !value.starts_with('"') {
        return value.into();
    }
    serde_json::from_str::<Name<'_>>(value).map_or_else(|_| value.into(), |name| name.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_text_and_are_found_in_any_place() {
        let text = r#"{"a":1.50,"b\n":"x\"y","c":{"d":[1, 2]}}"#;
        let row = RawRow::parse(text).expect("an object");
        assert_eq!(row.value("a", 0), Some("1.50"));
        assert_eq!(row.value("b\n", 0), Some(r#""x\"y""#));
        assert_eq!(row.value("c", 9), Some(r#"{"d":[1, 2]}"#));
        assert_eq!(row.value("d", 0), None);
        assert_eq!(row.column_at(text, 7), Some("a"));
        assert!(RawRow::parse("[]").is_err());
    }

    #[test]
    fn what_a_row_does_not_have_comes_from_the_other() {
        let over = |own: &str, other: &str| {
            let [own, other] = [own, other].map(|text| RawRow::parse(text).expect("an object"));
            own.over(&other).to_text()
        };
        let other = r#"{"a":1.50,"b\n":null,"c":[2]}"#;
        assert_eq!(over(r#"{"b\n":"x"}"#, other), r#"{"a":1.50,"b\n":"x","c":[2]}"#);
        assert_eq!(over(r#"{"c":0,"b\n":{},"a":"y"}"#, other), r#"{"a":"y","b\n":{},"c":0}"#);
        assert_eq!((over("{}", other), over("{}", "{}")), (other.to_owned(), "{}".to_owned()));
    }

    #[test]
    fn keys_are_plain_texts() {
        assert_eq!((plain("42"), plain(r#""a\"b""#)), ("42".into(), r#"a"b"#.into()));
    }
}
