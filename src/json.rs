//! Exact JSON: the text of a value as it was given, known to be what PostgreSQL's `jsonb` can hold.
//!
//! A `serde_json::Value` would turn `12345678901234567890.5` into the nearest double. The log must not: numbers travel
//! as text and become `numeric`. What `jsonb` does change is documented by PostgreSQL ("JSON Types"): white space and
//! key order go, and of a repeated key the last stays.

use std::fmt;

use bytes::{BufMut, BytesMut};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::error::quote;

/// Digits behind the decimal point that PostgreSQL's `numeric`, and so a number of `jsonb`, can have.
const SCALE_MAX: i64 = 16_383;

/// A JSON value as text. Made from text by [`Json::parse`], or from a `serde_json::Value`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

/// Why a JSON text is refused.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct JsonError {
    problem: String,
}

impl Json {
    /// Takes a JSON text, for a payload that comes from outside.
    ///
    /// # Errors
    /// What `jsonb` cannot store exactly is refused: text that is not JSON, `\u0000`, lone surrogates, numbers beyond a
    /// double's range or with more than 16,383 digits behind the point, more than 127 levels of nesting.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let raw: Box<RawValue> =
            serde_json::from_str(text).map_err(|error| JsonError::from(&error))?;
        let json = Self(raw);
        json.check()?;
        Ok(json)
    }

    /// The value of anything that serialises to JSON.
    ///
    /// # Errors
    /// As [`Json::parse`], and when the value's own `Serialize` fails.
    pub fn of(value: &impl Serialize) -> Result<Self, JsonError> {
        let json = Self::written(value)?;
        json.check()?;
        Ok(json)
    }

    /// The same, unchecked: whether `jsonb` can hold it is checked when it is appended.
    ///
    /// # Errors
    /// When the value's own `Serialize` fails.
    pub(crate) fn written(value: &impl Serialize) -> Result<Self, JsonError> {
        let raw = serde_json::value::to_raw_value(value);
        raw.map(Self).map_err(|error| JsonError::from(&error))
    }

    /// Text that is known to be JSON (null stands for the impossible); whether `jsonb` can hold it is checked when it is appended.
    pub(crate) fn from_text(text: String) -> Self {
        Self(RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The value, for reading; numbers beyond `i64`, `u64` and `f64` are rounded to the nearest double.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(self.get()).unwrap_or_default()
    }

    /// Walks through the text, which is JSON already, in search of what `jsonb` refuses.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub fn check(&self) -> Result<(), JsonError> {
        let mut reader = serde_json::Deserializer::from_str(self.get());
        Storable.deserialize(&mut reader).map_err(|error| JsonError::from(&error))?;
        check_numbers(self.get().as_bytes())
    }

    /// Whether the text is an object whose values are all arrays of two: `{field: [old, new]}`.
    ///
    /// # Errors
    /// Says what was found instead.
    pub fn check_changes(&self) -> Result<(), JsonError> {
        type Fields<'a> = std::collections::HashMap<String, (&'a RawValue, &'a RawValue)>;
        serde_json::from_str::<Fields<'_>>(self.get()).map(drop).map_err(|error| JsonError {
            problem: format!("is not of the form {{\"field\": [old, new]}}: {error}"),
        })
    }
}

impl JsonError {
    /// `serde_json`'s message names line and column of the text that was walked through; ours names the field.
    fn from(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let problem = if error.is_data() {
            strip_position(&text)
        } else if text.starts_with("recursion limit") {
            "is nested more than 127 levels deep".to_owned()
        } else if text.contains("surrogate") || text.contains("end of hex escape") {
            "contains a surrogate (\\ud800 to \\udfff) without its other half".to_owned()
        } else if text.starts_with("number out of range") {
            // The text was read before, as a part of a larger one: a position in it helps nobody.
            "contains a number out of range: at most 1.8e308, as a double holds, is allowed"
                .to_owned()
        } else {
            format!("is not storable JSON: {text}")
        };
        Self { problem }
    }
}

/// A double rounds `1e-20000` to zero, so `serde_json` lets it pass; PostgreSQL would end the transaction over it.
fn check_numbers(mut json: &[u8]) -> Result<(), JsonError> {
    while let Some(start) = json.iter().position(|byte| matches!(byte, b'"' | b'0'..=b'9')) {
        json = &json[start..];
        let len = if json[0] == b'"' { string_len(json) } else { number_len(json) };
        if json[0] != b'"' && !is_storable_number(&json[..len]) {
            let given = quote(&String::from_utf8_lossy(&json[..len]));
            return Err(JsonError {
                problem: format!(
                    "contains the number {given}; at most {SCALE_MAX} digits behind the decimal point are allowed"
                ),
            });
        }
        json = &json[len..];
    }
    Ok(())
}

/// Bytes of the string that begins here, with its quotes.
fn string_len(json: &[u8]) -> usize {
    let mut escaped = false;
    let end = json[1..].iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 2)
}

/// Bytes of the number that begins here.
fn number_len(json: &[u8]) -> usize {
    let goes_on = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    json.iter().position(|byte| !goes_on(byte)).unwrap_or(json.len())
}

/// Digits before the point are few, because `serde_json` has checked that it is in a double's range.
fn is_storable_number(number: &[u8]) -> bool {
    let end = number.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(number.len());
    let point = number[..end].iter().position(|&byte| byte == b'.');
    let fraction = point.map_or(0, |point| end - point - 1);
    let exponent = match number.get(end + 1..).map(std::str::from_utf8) {
        None => Ok(0),
        Some(digits) => digits.unwrap_or_default().parse::<i64>(),
    };
    match (i64::try_from(fraction), exponent) {
        (Ok(fraction), Ok(exponent)) => {
            exponent.unsigned_abs() <= SCALE_MAX.unsigned_abs() && fraction - exponent <= SCALE_MAX
        }
        _ => false,
    }
}

fn strip_position(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(message, _)| message).to_owned()
}

impl From<serde_json::Value> for Json {
    /// Exact for every `Value`; what `jsonb` cannot hold (a NUL in a string) is refused when it is appended.
    fn from(value: serde_json::Value) -> Self {
        // The keys of a `Value` are strings, so it always serialises; null stands for the impossible.
        Self::written(&value).unwrap_or_else(|_| Self(RawValue::NULL.to_owned()))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

/// Equal as values; numbers are compared as doubles. The database compares exactly.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get() || self.value() == other.value()
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The binary form of `jsonb`: a version byte, then the text.
impl ToSql for Json {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_u8(1);
        out.put_slice(self.get().as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Json {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let text = match raw {
            [1, text @ ..] => std::str::from_utf8(text)?,
            _ => return Err("unknown version of jsonb's binary form".into()),
        };
        Ok(Self(RawValue::from_string(text.to_owned())?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }
}

/// Visits a value without keeping it. `serde_json` itself refuses lone surrogates, numbers out of range and deep nesting.
struct Storable;

impl<'de> DeserializeSeed<'de> for Storable {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Storable {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(E::custom("contains the character \\u0000, which PostgreSQL cannot store"));
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Storable)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_key_seed(Storable)?.is_some() {
            entries.next_value_seed(Storable)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_to_the_last_digit() {
        for text in ["123456789012345678901234567890.125", r#"{"a":[1,2.50,"é\n"]}"#, "null"] {
            assert_eq!(Json::parse(text).expect("storable").get(), text);
        }
    }

    #[test]
    fn numbers_are_looked_at_and_strings_are_not() {
        for text in
            [r#"["1e-20000","\\","\"",1e-16383,0.5E+2]"#, r#"{"1e-20000\"":[0e0,-1.50e-16381]}"#]
        {
            assert!(Json::parse(text).is_ok(), "{text}");
        }
        for text in [r#"["\\",1e-16384]"#, "1.5e-16383", "0e-20000", "-0.0E99999999999999999999"] {
            let error = Json::parse(text).expect_err(text).to_string();
            assert!(error.contains("16383 digits behind the decimal point"), "{error}");
        }
    }

    #[test]
    fn what_jsonb_refuses_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (text, problem) in [
            (r#"{"a":"\u0000"}"#, "\\u0000"),
            (r#"{"\u0000":1}"#, "\\u0000"),
            (r#"["\ud800"]"#, "surrogate"),
            ("1e999", "number out of range"),
            (deep.as_str(), "nested more than 127"),
            ("{", "EOF"),
        ] {
            let error = Json::parse(text).expect_err(problem).to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn changes_are_pairs() {
        assert!(Json::parse(r#"{"a":[1,null]}"#).expect("json").check_changes().is_ok());
        for text in [r#"{"a":1}"#, r#"{"a":[1]}"#, "[1,2]", r#"{"a":[1,2,3]}"#] {
            assert!(Json::parse(text).expect("json").check_changes().is_err(), "{text}");
        }
    }
}
