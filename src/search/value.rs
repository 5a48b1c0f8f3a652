//! Values as they are written, made into what their key takes.

use std::fmt::Display;
use std::net::IpAddr;

use ipnet::IpNet;
use uuid::Uuid;

use super::error::{Code, Span};
use super::key::{Key, Kind};
use super::number::Number;
use super::query::{Op, Part, Scalar, Term, Value};
use crate::action::{Outcome, Source};
use crate::error::quote;
use crate::resource::{ResourceRef, ResourceType};

/// What is wrong with a value.
pub(super) struct Wrong {
    pub(super) code: Code,
    pub(super) detail: String,
    pub(super) suggestion: Option<String>,
}

impl Wrong {
    fn value(detail: impl Into<String>) -> Self {
        Self { code: Code::BadValue, detail: detail.into(), suggestion: None }
    }
}

/// The value of a key.
pub(super) fn scalar(key: &Key, text: String) -> Result<Scalar, Wrong> {
    if text.is_empty() {
        return Err(Wrong::value(format!(
            "an empty value; `{key}:\"\"` alone means that there is none"
        )));
    }
    match key.kind() {
        Kind::Resource => Ok(resource(text)),
        Kind::Type => ResourceType::new(text)
            .map(|kind| Scalar::Text(kind.into()))
            .map_err(|error| Wrong::value(error.to_string())),
        Kind::Text => Ok(Scalar::Text(text)),
        Kind::Verb => {
            let verb = text.trim_end_matches(".*");
            if verb.is_empty() {
                return Err(Wrong::value("`.*` without a verb before it; `verb:*` is any"));
            }
            Ok(Scalar::Text(verb.to_ascii_lowercase()))
        }
        Kind::Time => text.parse().map(Scalar::Time).map_err(Wrong::value),
        Kind::Uuid => Uuid::parse_str(&text)
            .map(Scalar::Uuid)
            .map_err(|_| Wrong::value(format!("{} is not a UUID", quote(&text)))),
        Kind::Network => network(&text).map(Scalar::Network),
        Kind::Source => word(&text, Source::ALL, Source::as_str).map(Scalar::Source),
        Kind::Outcome => {
            let text = match text.to_ascii_lowercase().as_str() {
                "success" => "ok".to_owned(),
                "failure" => "failed".to_owned(),
                _ => text,
            };
            word(&text, Outcome::ALL, Outcome::as_str).map(Scalar::Outcome)
        }
        Kind::Part => word(&text, Part::ALL, Part::as_str).map(Scalar::Part),
        Kind::Json => json(text),
    }
}

/// `type:id`, or else an id or a name.
fn resource(text: String) -> Scalar {
    match text.parse::<ResourceRef>() {
        Ok(resource) => Scalar::Resource(resource),
        Err(_) => Scalar::Text(text),
    }
}

fn network(text: &str) -> Result<IpNet, Wrong> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| net.trunc()).map_err(|_| {
        Wrong::value(format!(
            "{} is no address and no network; give one such as 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32",
            quote(text)
        ))
    })
}

/// One of some words, in any case.
fn word<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, Wrong> {
    let lower = text.to_ascii_lowercase();
    all.into_iter().find(|&one| name(one) == lower).ok_or_else(|| {
        let names = all.map(name);
        let like = names.iter().find(|name| strsim::damerau_levenshtein(name, &lower) <= 2);
        Wrong {
            code: Code::BadValue,
            detail: format!("{} is none of: {}", quote(text), names.join(", ")),
            suggestion: like.map(ToString::to_string),
        }
    })
}

fn json(text: String) -> Result<Scalar, Wrong> {
    if Number::parse(&text).is_some() && !Number::is_taken(&text) {
        return Err(Wrong::value(format!("{} is too long or too large a number", quote(&text))));
    }
    Ok(Scalar::Text(text))
}

/// Checks what a value as a whole must be.
pub(super) fn check(key: &Key, value: Value) -> Result<Value, Wrong> {
    match &value {
        Value::Is(list) if list.iter().any(is_moment) => Err(Wrong {
            code: Code::BadValue,
            detail: "nothing happens at a single moment; compare with it, or give a day or a range"
                .to_owned(),
            suggestion: list.first().map(|first| format!("{key}:>{first}")),
        }),
        Value::Range(from, to) if is_number(from) != is_number(to) && key.kind() == Kind::Json => {
            Err(mixed(from, to))
        }
        Value::Range(from, to) if is_reversed(from, to) => Err(Wrong {
            code: Code::BadValue,
            detail: "nothing is in a range that ends before it begins; the earlier or smaller value stands first"
                .to_owned(),
            suggestion: Some(range(key, to, from)),
        }),
        _ => Ok(value),
    }
}

fn range(key: &Key, from: &Scalar, to: &Scalar) -> String {
    let value = Value::Range(from.clone(), to.clone());
    Term { key: key.clone(), value, span: Span::default() }.to_string()
}

/// What any value is.
pub(super) fn present(key: &Key) -> Value {
    match key {
        // An action has many things without having a part.
        Key::Has => Value::Is(Part::ALL.map(Scalar::Part).to_vec()),
        _ => Value::Present,
    }
}

/// Whether nothing can be between both.
fn is_reversed(from: &Scalar, to: &Scalar) -> bool {
    match (from, to) {
        (Scalar::Time(from), Scalar::Time(to)) => from.is_always_after(*to),
        (Scalar::Text(from), Scalar::Text(to)) => match (Number::parse(from), Number::parse(to)) {
            (Some(from), Some(to)) => from > to,
            _ => from > to,
        },
        _ => false,
    }
}

fn mixed(from: &impl Display, to: &impl Display) -> Wrong {
    let (from, to) = (quote(&from.to_string()), quote(&to.to_string()));
    Wrong::value(format!("of {from} and {to}, one is a number and one a text"))
}

fn is_moment(scalar: &Scalar) -> bool {
    matches!(scalar, Scalar::Time(when) if when.is_moment())
}

fn is_number(scalar: &Scalar) -> bool {
    matches!(scalar, Scalar::Text(text) if Number::parse(text).is_some())
}

/// The operator that a value begins with, and its length; none for `!=`.
pub(super) fn op(text: &str) -> Option<(Option<Op>, usize)> {
    let all = [
        (">=", Some(Op::GreaterOrEqual)),
        ("<=", Some(Op::LessOrEqual)),
        ("!=", None),
        (">", Some(Op::Greater)),
        ("<", Some(Op::Less)),
    ];
    all.into_iter().find(|(sign, _)| text.starts_with(sign)).map(|(sign, op)| (op, sign.len()))
}
