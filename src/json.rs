//! Exact JSON: the text of a value as it was given, known to be what PostgreSQL's `jsonb` can hold.
//!
//! A `serde_json::Value` would turn `12345678901234567890.5` into the nearest double. The log must not: numbers travel
//! as text and become `numeric`. What `jsonb` does change is documented by PostgreSQL ("JSON Types"): white space and
//! key order go. Of a repeated key it would keep the last, and so lose what was given: that is refused.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use bytes::{BufMut, BytesMut};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::error::quote;

pub(crate) mod object;

/// Digits behind the decimal point that PostgreSQL's `numeric`, and so a number of `jsonb`, can have.
const SCALE_MAX: i64 = 16_383;

/// Keys of an object that are compared one by one; of more, a set is faster.
const FEW: usize = 16;

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
    /// double's range or with more than 16,383 digits behind the point, more than 127 levels of nesting, a key twice in an
    /// object.
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
        Storable(&mut Vec::new())
            .deserialize(&mut reader)
            .map_err(|error| JsonError::from(&error))?;
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

/// Visits a value without keeping it but for the keys of the objects that it is in, which share one list. `serde_json` itself
/// refuses lone surrogates, numbers out of range and deep nesting.
struct Storable<'a, 'de>(&'a mut Vec<Cow<'de, str>>);

impl<'de> DeserializeSeed<'de> for Storable<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Storable<'_, 'de> {
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
        check_text(text)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Storable(&mut *self.0))?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let keys = self.0;
        let (start, mut many) = (keys.len(), HashSet::new());
        while let Some(key) = entries.next_key_seed(StorableKey)? {
            let own = &keys[start..];
            if many.is_empty() && own.len() == FEW {
                many.extend(own.iter().cloned());
            }
            let is_repeated =
                if many.is_empty() { own.contains(&key) } else { !many.insert(key.clone()) };
            if is_repeated {
                let problem = format!("contains the key {} twice in an object", quote(&key));
                return Err(de::Error::custom(problem));
            }
            if many.is_empty() {
                keys.push(key);
            }
            entries.next_value_seed(Storable(&mut *keys))?;
        }
        keys.truncate(start);
        Ok(())
    }
}

/// Reads a key, of the text itself where nothing in it is escaped.
struct StorableKey;

impl<'de> DeserializeSeed<'de> for StorableKey {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for StorableKey {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        check_text(text).map(|()| text.into())
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        check_text(text).map(|()| text.to_owned().into())
    }
}

fn check_text<E: de::Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') {
        return Err(E::custom("contains the character \\u0000, which PostgreSQL cannot store"));
    }
    Ok(())
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
    fn key_that_is_there_twice_is_refused_at_any_depth() {
        let many = |last: usize| {
            let keys = (0..=FEW * 2).map(|n| format!(r#""k{n}":{{"k":1}}"#)).collect::<Vec<_>>();
            format!(r#"{{{},"k{last}":2}}"#, keys.join(","))
        };
        for text in [
            r#"{"status":[1,2],"status":[3,4]}"#,
            r#"[{"a":{"b":1,"c":2,"b":3}}]"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"y":1},"":0,"":0}"#,
            &many(0),
            &many(FEW),
            &many(FEW * 2),
        ] {
            let error = Json::parse(text).expect_err(text).to_string();
            assert!(error.contains("twice in an object") && !error.contains(" line "), "{error}");
        }
        for text in [
            r#"{"a":{"a":{"a":1,"b":1},"b":1},"b":[{"a":1},{"a":1}]}"#,
            r#"{"a":1,"A":2,"á":3,"a\u0301":4}"#,
            &many(FEW * 2 + 1),
        ] {
            assert!(Json::parse(text).is_ok(), "{text}");
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
