//! A search as a tree, its normalised text and its JSON form.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use ipnet::IpNet;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::error::{ParseError, Span};
use super::key::{Key, Who};
use super::parse;
use super::when::When;
use crate::action::{Outcome, Source};
use crate::resource::{Resource, ResourceRef, ResourceType};

/// A search that was understood. `Display` gives its normalised text, which is read as the same search; `Serialize` the
/// tree: `{"and": […]}`, `{"or": […]}`, `{"not": …}`, `{"text": {text, offset, len}}` or `{"term": {key, op, values,
/// offset, len}}`, where `op` is `present`, `is`, `gt`, `ge`, `lt`, `le` or `range`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Query {
    pub(super) root: Node,
}

/// A part of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// All hold; of none, everything.
    And(Vec<Node>),
    /// One holds.
    Or(Vec<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// A text is found.
    Text(Text),
    /// A key has a value.
    Term(Term),
}

/// A text to look for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Where it stands.
    #[serde(flatten)]
    pub span: Span,
}

/// A key and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What it looks at.
    pub key: Key,
    /// What that must be.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
}

/// What something must be. `!=` and `""` are the negation of `Is` and `Present`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Anything.
    Present,
    /// One of these.
    Is(Vec<Scalar>),
    /// Greater or smaller.
    Compare(Op, Scalar),
    /// Between two, both included.
    Range(Scalar, Scalar),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Op {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Op {
    /// As it is written, in a search as in SQL.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }
}

/// A value of the kind that its key takes.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Scalar {
    Text(String),
    Resource(ResourceRef),
    Time(When),
    Uuid(Uuid),
    Network(IpNet),
    Source(Source),
    Outcome(Outcome),
    Part(Part),
}

/// A part that an action may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Part {
    Changes,
    Data,
    Context,
    Object,
    Target,
    Run,
    Description,
}

impl Part {
    pub(super) const ALL: [Self; 7] = [
        Self::Changes,
        Self::Data,
        Self::Context,
        Self::Object,
        Self::Target,
        Self::Run,
        Self::Description,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Data => "data",
            Self::Context => "context",
            Self::Object => "object",
            Self::Target => "target",
            Self::Run => "run",
            Self::Description => "description",
        }
    }
}

impl Query {
    /// Understands a text. An empty one asks for everything.
    ///
    /// # Errors
    /// All problems of the text, up to 20, each with its place.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::parse(text).map(|root| Self { root })
    }

    /// Everything, as an empty text asks for it.
    #[must_use]
    pub fn everything() -> Self {
        Self { root: Node::And(Vec::new()) }
    }

    /// Everything that a resource has to do with: `about:TYPE:ID`.
    #[must_use]
    pub fn about(resource: &(impl Resource + ?Sized)) -> Self {
        Self::of(Who::About, resource)
    }

    /// Everything that a resource stands in, in a role or any: `actor:TYPE:ID`.
    #[must_use]
    pub fn of(who: Who, resource: &(impl Resource + ?Sized)) -> Self {
        Self::term(Key::Whole(who), Scalar::Resource(resource.resource()))
    }

    /// Everything that resources of a type stand in, in a role or any: `actor.type:TYPE`.
    #[must_use]
    pub fn of_type(who: Who, kind: &ResourceType) -> Self {
        Self::term(Key::Type(who), Scalar::Text(kind.to_string()))
    }

    /// What a run or bulk operation did: `run:ID`.
    #[must_use]
    pub fn run(run: Uuid) -> Self {
        Self::term(Key::Run, Scalar::Uuid(run))
    }

    fn term(key: Key, scalar: Scalar) -> Self {
        let (value, span) = (Value::Is(vec![scalar]), Span::default());
        Self { root: Node::Term(Term { key, value, span }) }
    }

    /// What satisfies both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let is_everything =
            |query: &Self| matches!(&query.root, Node::And(parts) if parts.is_empty());
        match (is_everything(&self), is_everything(&other)) {
            (true, _) => other,
            (_, true) => self,
            _ => Self { root: Node::And(vec![self.root, other.root]) },
        }
    }

    /// The tree.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Whether it means other moments a second later.
    pub(super) fn is_relative(&self) -> bool {
        self.root.is_relative()
    }
}

impl FromStr for Query {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl Node {
    fn is_relative(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::is_relative),
            Self::Not(part) => part.is_relative(),
            Self::Text(_) => false,
            Self::Term(term) => term
                .scalars()
                .iter()
                .any(|scalar| matches!(scalar, Scalar::Time(when) if when.is_relative())),
        }
    }
}

impl Term {
    fn scalars(&self) -> Vec<&Scalar> {
        match &self.value {
            Value::Present => Vec::new(),
            Value::Is(list) => list.iter().collect(),
            Value::Compare(_, scalar) => vec![scalar],
            Value::Range(from, to) => vec![from, to],
        }
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Node::And(parts) => join(parts, " ", f),
            Node::Or(parts) => join(parts, " OR ", f),
            node => node.fmt(f),
        }
    }
}

/// As a part of a larger one.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) | Self::Or(parts) => {
                f.write_char('(')?;
                join(parts, if matches!(self, Self::Or(_)) { " OR " } else { " " }, f)?;
                f.write_char(')')
            }
            Self::Not(part) => write!(f, "-{part}"),
            Self::Text(text) => {
                let text = text.text.as_str();
                let is_other = matches!(text, "OR" | "AND" | "NOT")
                    || text.starts_with('-')
                    || text.contains(':');
                if is_other { write_quoted(text, f) } else { write_scalar(text, f) }
            }
            Self::Term(term) => term.fmt(f),
        }
    }
}

fn join(parts: &[Node], between: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        write!(f, "{}{part}", if at == 0 { "" } else { between })?;
    }
    Ok(())
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.key)?;
        match &self.value {
            Value::Present => f.write_char('*'),
            Value::Is(list) => {
                for (at, scalar) in list.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    write_scalar(&scalar.to_string(), f)?;
                }
                Ok(())
            }
            Value::Compare(op, scalar) => {
                f.write_str(op.sign())?;
                write_scalar(&scalar.to_string(), f)
            }
            Value::Range(from, to) => {
                write_scalar(&from.to_string(), f)?;
                f.write_str("..")?;
                write_scalar(&to.to_string(), f)
            }
        }
    }
}

/// As it is, where it reads as what it is.
fn write_scalar(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_special = |c: char| c.is_whitespace() || c.is_control() || "\"()*,\\".contains(c);
    let is_plain = !text.is_empty() && !text.contains(is_special) && !text.contains("..");
    if is_plain && !text.starts_with(['<', '>', '!', '.']) && !text.ends_with('.') {
        f.write_str(text)
    } else {
        write_quoted(text, f)
    }
}

fn write_quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Resource(resource) => resource.fmt(f),
            Self::Time(when) => when.fmt(f),
            Self::Uuid(id) => id.fmt(f),
            Self::Network(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Network(net) => net.fmt(f),
            Self::Source(source) => f.write_str(source.as_str()),
            Self::Outcome(outcome) => f.write_str(outcome.as_str()),
            Self::Part(part) => f.write_str(part.as_str()),
        }
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let op = match &self.value {
            Value::Present => "present",
            Value::Is(_) => "is",
            Value::Compare(Op::Greater, _) => "gt",
            Value::Compare(Op::GreaterOrEqual, _) => "ge",
            Value::Compare(Op::Less, _) => "lt",
            Value::Compare(Op::LessOrEqual, _) => "le",
            Value::Range(..) => "range",
        };
        let values: Vec<_> = self.scalars().into_iter().map(ToString::to_string).collect();
        let mut form = serializer.serialize_struct("Term", 5)?;
        form.serialize_field("key", &self.key.to_string())?;
        form.serialize_field("op", op)?;
        form.serialize_field("values", &values)?;
        form.serialize_field("offset", &self.span.offset)?;
        form.serialize_field("len", &self.span.len)?;
        form.end()
    }
}
