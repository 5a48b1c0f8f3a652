//! The parameters of an URL, read strictly: each is known, there once, and UTF-8.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::problem::{Fault, Problem};
use super::status::Kind;
use crate::error::quote;

/// Parameters of an URL; more is no honest request.
const PARAMETERS_MAX: usize = 64;

/// The parameters that an operation takes.
///
/// ```
/// use gesta::server::{Pairs, Parameters};
///
/// struct Page { limit: Option<u32>, cursor: Option<String> }
///
/// impl Parameters for Page {
///     const NAMES: &'static [&'static str] = &["limit", "cursor"];
///
///     fn read(pairs: &mut Pairs) -> Self {
///         Self { limit: pairs.parse("limit"), cursor: pairs.cursor() }
///     }
/// }
/// ```
pub trait Parameters: Sized {
    /// Their names; every other one is refused.
    const NAMES: &'static [&'static str];

    /// Takes them. What is wrong is noted in `pairs`, and refuses the request afterwards.
    fn read(pairs: &mut Pairs) -> Self;
}

/// For operations that take none.
impl Parameters for () {
    const NAMES: &'static [&'static str] = &[];

    fn read(_: &mut Pairs) -> Self {}
}

/// The parameters of a request.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// Names and values as they were given, decoded.
#[derive(Debug)]
pub struct Pairs {
    pairs: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Pairs {
    /// The value of a parameter, as it is.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.pairs.iter().position(|(given, _)| given == name)?;
        Some(self.pairs.swap_remove(at).1)
    }

    /// The cursor of a page; an empty one is that of the first page.
    pub fn cursor(&mut self) -> Option<String> {
        self.take("cursor").filter(|cursor| !cursor.is_empty())
    }

    /// How many, from 1 to as many as a page may have.
    pub(super) fn limit(&mut self, max: usize) -> Option<usize> {
        self.read("limit", |text| match text.parse::<usize>() {
            Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
            _ => Err(format!("{} is none of 1 to {max}", quote(text))),
        })
    }

    /// The value of a parameter, read as its type, whose error says what is allowed.
    pub fn parse<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        self.read(name, |text| {
            text.parse().map_err(|error: T::Err| format!("{}: {error}", quote(text)))
        })
    }

    /// `true` or `false`, and false where it is not there.
    pub fn flag(&mut self, name: &str) -> bool {
        let read = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("{} is neither `true` nor `false`", quote(text))),
        };
        self.read(name, read).unwrap_or_default()
    }

    /// The value of a parameter, read by a function whose error says what is wrong with it and what is allowed.
    pub fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.take(name)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                let detail = format!("the parameter `{name}` is refused: {problem}");
                self.faults.push(Fault::parameter(name, "invalid-value", detail));
                None
            }
        }
    }

    /// Refuses the request, for more than a text can say.
    pub(super) fn refuse(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
    }

    fn of(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut found = Self { pairs: Vec::new(), faults: Vec::new() };
        let mut offset = 0;
        for part in query.split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name, offset)?;
            let value = decode(value, offset + part.find('=').map_or(part.len(), |at| at + 1))?;
            offset += part.len() + 1;
            if !part.is_empty() {
                found.add(name, value, known);
            }
            if found.pairs.len() + found.faults.len() > PARAMETERS_MAX {
                let detail = format!("the URL has more than {PARAMETERS_MAX} parameters");
                return Err(Problem::new(Kind::Parameter, detail));
            }
        }
        Ok(found)
    }

    fn add(&mut self, name: String, value: String, known: &[&str]) {
        let fault = if !known.contains(&name.as_str()) {
            let detail =
                format!("the parameter {} is not known here; {}", quote(&name), list(known));
            Fault::parameter(shown(&name), "unknown", detail).meant(&name, known.iter().copied())
        } else if self.pairs.iter().any(|(given, _)| *given == name) {
            let detail = format!("the parameter `{name}` is given twice; give it once");
            Fault::parameter(name, "repeated", detail)
        } else {
            return self.pairs.push((name, value));
        };
        self.faults.push(fault);
    }
}

/// A name as it may stand in an answer: somebody's input, cut.
fn shown(name: &str) -> String {
    quote(name).trim_matches('`').to_owned()
}

fn list(known: &[&str]) -> String {
    if known.is_empty() {
        return "this operation takes none".to_owned();
    }
    format!("known are {}", known.join(", "))
}

/// `application/x-www-form-urlencoded`, as browsers write it: `+` is a space. What is no percent encoding of UTF-8 is
/// refused: a lenient reader would look for something else than was meant.
fn decode(text: &str, offset: usize) -> Result<String, Problem> {
    let wrong = |at: usize, what: &str| {
        let detail = format!("byte {} of the query is {what}", offset + at);
        Problem::fault(Kind::Malformed, Fault::offset(offset + at, "percent-encoding", detail))
    };
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let digits =
                    text.get(at + 1..at + 3).filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                decoded
                    .push(byte.ok_or_else(|| wrong(at, "a `%` without two hexadecimal digits"))?);
                at += 3;
                continue;
            }
            b'+' => decoded.push(b' '),
            byte => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).map_err(|_| wrong(0, "the beginning of a text that is no UTF-8"))
}

impl<S: Sync, T: Parameters> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut pairs = Pairs::of(parts.uri.query().unwrap_or_default(), T::NAMES)?;
        let read = T::read(&mut pairs);
        debug_assert!(pairs.pairs.is_empty() || !pairs.faults.is_empty(), "every name is taken");
        if pairs.faults.is_empty() {
            Ok(Self(read))
        } else {
            Err(Problem::faults(Kind::Parameter, pairs.faults))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        Pairs::of(query, &["a", "b", "é"]).expect("readable").pairs
    }

    #[test]
    fn values_are_decoded() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(pairs("a=1&b=x%20y+z"), [pair("a", "1"), pair("b", "x y z")]);
        assert_eq!(pairs("%C3%A9=%c3%a9%3D&&a"), [pair("é", "é="), pair("a", "")]);
    }

    #[test]
    fn what_is_no_encoding_of_utf_8_is_refused_where_it_stands() {
        for (query, detail) in [
            ("a=%", "byte 2 of the query is a `%`"),
            ("a=1&b=x%4", "byte 7 of"),
            ("a=%+1", "byte 2"),
            ("b=é%zz", "byte 4"),
            ("a=%ff", "byte 2 of the query is the beginning of a text that is no UTF-8"),
        ] {
            let problem = format!("{:?}", Pairs::of(query, &["a", "b"]).expect_err(query));
            assert!(problem.contains(detail), "{problem}");
        }
    }

    #[test]
    fn endless_queries_end() {
        assert!(Pairs::of(&"x&".repeat(100_000), &[]).is_err());
    }

    proptest! {
        #[test]
        fn no_query_panics(query in ".*") {
            let _ = Pairs::of(&query, &["a"]);
        }
    }
}
