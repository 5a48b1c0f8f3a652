//! Times as ranges of ids, and the range that all results of a search lie in.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::key::Key;
use super::query::{Node, Op, Scalar, Term, Value};
use crate::stream::Window;

/// The times that a value stands for, of which one must be.
pub(super) fn spans(value: &Value, now: DateTime<Utc>) -> Vec<Window> {
    let of = |scalar: &Scalar| match scalar {
        Scalar::Time(when) => Some(when.span(now)),
        _ => None,
    };
    let window = |since, until| Window { since, until };
    match value {
        Value::Present => vec![Window::default()],
        Value::Is(list) => {
            let each = list.iter().filter_map(of);
            each.map(|(start, end)| window(Some(start), Some(end))).collect()
        }
        Value::Compare(op, scalar) => {
            let found = of(scalar).map(|(start, end)| match op {
                Op::Greater => window(Some(end), None),
                Op::GreaterOrEqual => window(Some(start), None),
                Op::Less => window(None, Some(start)),
                Op::LessOrEqual => window(None, Some(end)),
            });
            found.into_iter().collect()
        }
        Value::Range(from, to) => {
            let found = of(from).zip(of(to)).map(|(from, to)| (from.0, to.1));
            found.map(|(from, to)| window(Some(from), Some(to))).into_iter().collect()
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
            around(spans(value, now).into_iter().map(Window::ids))
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
