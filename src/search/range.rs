//! Times as ranges of ids, and the range that all results of a search lie in.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::key::Key;
use super::query::{Node, Op, Scalar, Term, Value};
use crate::action::ActionId;

/// From a moment on, and before another; without a bound where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) low: Option<DateTime<Utc>>,
    pub(super) high: Option<DateTime<Utc>>,
}

impl Span {
    pub(super) fn low_id(&self) -> Uuid {
        self.low.map_or(Uuid::nil(), |low| ActionId::floor(low).uuid())
    }

    pub(super) fn high_id(&self) -> Uuid {
        self.high.map_or(Uuid::max(), |high| ActionId::floor(high).uuid())
    }
}

/// The times that a value stands for, of which one must be.
pub(super) fn spans(value: &Value, now: DateTime<Utc>) -> Vec<Span> {
    let of = |scalar: &Scalar| match scalar {
        Scalar::Time(when) => Some(when.span(now)),
        _ => None,
    };
    let span = |low, high| Some(Span { low, high });
    match value {
        Value::Present => vec![Span { low: None, high: None }],
        Value::Is(list) => {
            let each = list.iter().filter_map(of);
            each.map(|(start, end)| Span { low: Some(start), high: Some(end) }).collect()
        }
        Value::Compare(op, scalar) => {
            let found = of(scalar).and_then(|(start, end)| match op {
                Op::Greater => span(Some(end), None),
                Op::GreaterOrEqual => span(Some(start), None),
                Op::Less => span(None, Some(start)),
                Op::LessOrEqual => span(None, Some(end)),
            });
            found.into_iter().collect()
        }
        Value::Range(from, to) => {
            let found = of(from).zip(of(to)).map(|(from, to)| (from.0, to.1));
            found.map(|(low, high)| Span { low: Some(low), high: Some(high) }).into_iter().collect()
        }
    }
}

/// Ids, `low <= id < high`.
pub(super) type Ids = (Uuid, Uuid);

const EVERYTHING: Ids = (Uuid::nil(), Uuid::max());

/// A range that all ids lie in that satisfy a search. Partitions outside of it are not looked into.
pub(super) fn hull(node: &Node, now: DateTime<Utc>) -> Ids {
    match node {
        Node::And(parts) => {
            let ranges = parts.iter().map(|part| hull(part, now));
            ranges.fold(EVERYTHING, |a, b| (a.0.max(b.0), a.1.min(b.1)))
        }
        Node::Or(parts) => around(parts.iter().map(|part| hull(part, now))),
        Node::Term(Term { key: Key::Occurred, value, .. }) => {
            around(spans(value, now).iter().map(|span| (span.low_id(), span.high_id())))
        }
        Node::Term(Term { key: Key::Id, value: Value::Is(list), .. }) => {
            around(list.iter().filter_map(|scalar| match scalar {
                Scalar::Uuid(id) => Some((*id, Uuid::from_u128(id.as_u128().saturating_add(1)))),
                _ => None,
            }))
        }
        Node::Not(_) | Node::Text(_) | Node::Term(_) => EVERYTHING,
    }
}

fn around(ranges: impl Iterator<Item = Ids>) -> Ids {
    ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or(EVERYTHING)
}
