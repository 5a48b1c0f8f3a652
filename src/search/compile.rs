//! Search to SQL. Only texts of this file are put together; every value of a search is a bound parameter.
//!
//! Each condition is true or false, never null, so that `NOT` means what it means in memory ([`super::matches`] says
//! exactly the same). And each is written so that no index answers it: which index is walked, the anchors say, not the
//! planner's guess at a mixture.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::access::{Anchor, Role};
use super::key::{Key, Who};
use super::matches::{fields_of, text_of};
use super::number::Number;
use super::query::{Node, Op, Part, Scalar, Term, Value};
use super::range::spans;

/// Texts that are an address to PostgreSQL and to Rust alike; others would end the statement.
const IS_ADDRESS: &str = concat!(
    "^((::ffff:)?(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]))$",
    "|([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$|([0-9a-fA-F]{1,4}:){1,7}:$",
    "|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}$",
    "|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}$|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}$",
    "|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}$|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}$",
    "|[0-9a-fA-F]{1,4}:(:[0-9a-fA-F]{1,4}){1,6}$|:((:[0-9a-fA-F]{1,4}){1,7}|:)$)"
);

/// What a text is looked for in.
const WORDS: &str = "lower(concat_ws(E'\\n', a.verb, a.description, a.actor_type || ':' || a.actor_id, \
    a.names ->> 'actor', a.object_type || ':' || a.object_id, a.names ->> 'object', a.target_type || ':' || a.target_id, \
    a.names ->> 'target') COLLATE \"C\")";

/// A value to bind.
#[derive(Debug)]
pub(super) enum Param {
    Text(String),
    Texts(Vec<String>),
    Uuid(Uuid),
    Uuids(Vec<Uuid>),
    Time(DateTime<Utc>),
}

impl Param {
    pub(super) fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(text) => (text, Type::TEXT),
            Self::Texts(texts) => (texts, Type::TEXT_ARRAY),
            Self::Uuid(id) => (id, Type::UUID),
            Self::Uuids(ids) => (ids, Type::UUID_ARRAY),
            Self::Time(time) => (time, Type::TIMESTAMPTZ),
        }
    }
}

/// Parameters behind those that every statement has.
pub(super) struct Compiler {
    now: DateTime<Utc>,
    first: usize,
    pub(super) params: Vec<Param>,
}

impl Compiler {
    /// `first` is the number of the first parameter.
    pub(super) fn new(now: DateTime<Utc>, first: usize) -> Self {
        Self { now, first, params: Vec::new() }
    }

    fn bind(&mut self, param: Param) -> String {
        self.params.push(param);
        format!("${}", self.first + self.params.len() - 1)
    }

    /// The condition that a row's anchor is this.
    pub(super) fn anchor(&mut self, anchor: &Anchor<'_>) -> String {
        match anchor {
            // As in the streams: the key only finds rows, and the condition itself decides on them.
            Anchor::Resource(role, resource) => {
                let kind = self.bind(Param::Text(resource.kind.to_string()));
                let id = self.bind(Param::Text(resource.id.to_string()));
                format!("a.{}_key = (SELECT gesta.resource_key($1, {kind}, {id}))", role.name())
            }
            Anchor::Type(role, kind) => {
                let kind = self.bind(Param::Text((*kind).to_owned()));
                format!("a.{}_type = {kind}", role.name())
            }
            Anchor::Run(run) => {
                let run = self.bind(Param::Uuid(*run));
                format!("a.run_id = {run}")
            }
        }
    }

    /// The condition that a row satisfies a search.
    pub(super) fn node(&mut self, node: &Node, fields: &[&str]) -> String {
        match node {
            Node::And(parts) => {
                let own = fields_of(parts);
                let fields = if own.is_empty() { fields } else { &own };
                self.join(parts, fields, " AND ", "true")
            }
            Node::Or(parts) => self.join(parts, fields, " OR ", "false"),
            Node::Not(part) => format!("NOT {}", self.node(part, fields)),
            Node::Text(text) => {
                let part = self.bind(Param::Text(text.text.to_ascii_lowercase()));
                format!("(strpos({WORDS}, {part}) > 0)")
            }
            Node::Term(term) => format!("({})", self.term(term, fields)),
        }
    }

    fn join(&mut self, parts: &[Node], fields: &[&str], between: &str, of_none: &str) -> String {
        let parts: Vec<_> = parts.iter().map(|part| self.node(part, fields)).collect();
        if parts.is_empty() { of_none.to_owned() } else { format!("({})", parts.join(between)) }
    }

    fn term(&mut self, term: &Term, fields: &[&str]) -> String {
        let value = &term.value;
        match &term.key {
            Key::Whole(who) => self.each_role(*who, |this, role| this.party(role, value)),
            Key::Type(who) => self.each_role(*who, |this, role| {
                let kind = format!("a.{}_type", role.name());
                this.equal(&kind, value)
            }),
            Key::Name(who) => self.each_role(*who, |this, role| {
                let name = format!("(a.names ->> '{}')", role.name());
                this.contain(&name, value)
            }),
            Key::Verb => self.verb(value),
            Key::Occurred => self.occurred(value),
            Key::Recorded => self.recorded(value),
            Key::Changed => self.changed(value),
            Key::From => self.pair("{0}", value, fields),
            Key::To => self.pair("{1}", value, fields),
            Key::Has => has(value),
            Key::Run => self.uuid("a.run_id", value),
            Key::Id => self.uuid("a.id", value),
            Key::Source => self.word("a.source", value),
            Key::Outcome => self.word("a.outcome", value),
            Key::Request => self.equal(&circumstance("request_id"), value),
            Key::Trace => self.contain(&circumstance("trace"), value),
            Key::Agent => self.contain(&circumstance("user_agent"), value),
            Key::Reason => self.contain(&circumstance("reason"), value),
            Key::Ip => self.ip(value),
            Key::Audience => self.audience(value),
            Key::Data(path) => self.json("a.data", path, value),
            Key::Context(path) => self.json("a.context", path, value),
        }
    }

    fn each_role(&mut self, who: Who, condition: impl Fn(&mut Self, Role) -> String) -> String {
        let roles: Vec<_> = Role::of(who).iter().map(|&role| condition(self, role)).collect();
        roles.join(" OR ")
    }

    fn party(&mut self, role: Role, value: &Value) -> String {
        let name = role.name();
        let Value::Is(list) = value else { return format!("a.{name}_id IS NOT NULL") };
        let mut ways = Vec::new();
        for scalar in list {
            if let Scalar::Resource(resource) = scalar {
                let kind = self.bind(Param::Text(resource.kind.to_string()));
                let id = self.bind(Param::Text(resource.id.to_string()));
                ways.push(format!(
                    "(a.{name}_type, a.{name}_id) IS NOT DISTINCT FROM ({kind}, {id})"
                ));
            }
        }
        let loose: Vec<_> = list.iter().filter_map(text_of).collect();
        if !loose.is_empty() {
            let ids = self.bind(Param::Texts(loose.iter().map(ToString::to_string).collect()));
            let names = self
                .bind(Param::Texts(loose.iter().map(|text| text.to_ascii_lowercase()).collect()));
            ways.push(format!(
                "coalesce(a.{name}_id = ANY ({ids}), false) \
                 OR coalesce(lower((a.names ->> '{name}') COLLATE \"C\") = ANY ({names}), false)"
            ));
        }
        ways.join(" OR ")
    }

    /// A text is one of these.
    fn equal(&mut self, text: &str, value: &Value) -> String {
        if *value == Value::Present {
            return format!("{text} IS NOT NULL");
        }
        format!("coalesce({text} = ANY ({}), false)", self.bind(texts(value)))
    }

    /// One of these stands in a text.
    fn contain(&mut self, text: &str, value: &Value) -> String {
        let Value::Is(list) = value else { return format!("{text} IS NOT NULL") };
        let parts: Vec<_> = list
            .iter()
            .filter_map(text_of)
            .map(|part| {
                let part = self.bind(Param::Text(part.to_ascii_lowercase()));
                format!("coalesce(strpos(lower({text} COLLATE \"C\"), {part}) > 0, false)")
            })
            .collect();
        parts.join(" OR ")
    }

    fn verb(&mut self, value: &Value) -> String {
        let Value::Is(list) = value else { return "true".to_owned() };
        let verbs = self.bind(texts(value));
        let mut text = format!("lower(a.verb) = ANY ({verbs})");
        for verb in list.iter().filter_map(text_of) {
            let category = self.bind(Param::Text(format!("{verb}.")));
            let _ = write!(text, " OR starts_with(lower(a.verb), {category})");
        }
        text
    }

    fn occurred(&mut self, value: &Value) -> String {
        let ranges: Vec<_> = spans(value, self.now)
            .into_iter()
            .map(|span| {
                let (low, high) = span.ids();
                let (low, high) = (self.bind(Param::Uuid(low)), self.bind(Param::Uuid(high)));
                format!("coalesce(a.id >= {low} AND a.id < {high}, false)")
            })
            .collect();
        ranges.join(" OR ")
    }

    fn recorded(&mut self, value: &Value) -> String {
        let mut ranges = Vec::new();
        for span in spans(value, self.now) {
            let mut bounds = vec!["true".to_owned()];
            for (sign, bound) in [(">=", span.since), ("<", span.until)] {
                if let Some(bound) = bound {
                    let bound = self.bind(Param::Time(bound));
                    bounds.push(format!("a.recorded_at {sign} {bound}"));
                }
            }
            ranges.push(format!("({})", bounds.join(" AND ")));
        }
        ranges.join(" OR ")
    }

    fn uuid(&mut self, column: &str, value: &Value) -> String {
        let Value::Is(list) = value else { return format!("{column} IS NOT NULL") };
        let ids = list.iter().filter_map(|scalar| match scalar {
            Scalar::Uuid(id) => Some(*id),
            _ => None,
        });
        let ids = self.bind(Param::Uuids(ids.collect()));
        format!("coalesce({column} = ANY ({ids}), false)")
    }

    fn word(&mut self, column: &str, value: &Value) -> String {
        let Value::Is(list) = value else { return "true".to_owned() };
        let words = self.bind(Param::Texts(list.iter().map(ToString::to_string).collect()));
        format!("{column} = ANY ({words})")
    }

    fn ip(&mut self, value: &Value) -> String {
        let text = circumstance("ip");
        let Value::Is(list) = value else { return format!("{text} IS NOT NULL") };
        let nets = self.bind(Param::Texts(list.iter().map(ToString::to_string).collect()));
        format!(
            "coalesce(CASE WHEN {text} ~ '{IS_ADDRESS}' THEN ({text})::inet <<= ANY ({nets}::text[]::inet[]) END, false)"
        )
    }

    fn changed(&mut self, value: &Value) -> String {
        let is = if *value == Value::Present {
            "a.changes <> '{}'".to_owned()
        } else {
            format!("a.changes ?| {}", self.bind(texts(value)))
        };
        format!("coalesce(jsonb_typeof(a.changes) = 'object' AND {is}, false)")
    }

    fn audience(&mut self, value: &Value) -> String {
        if *value == Value::Present {
            return "cardinality(a.audience) > 0".to_owned();
        }
        format!("a.audience && {}", self.bind(texts(value)))
    }

    /// An old or a new value of a changed field.
    fn pair(&mut self, place: &str, value: &Value, fields: &[&str]) -> String {
        let of_fields = if fields.is_empty() {
            String::new()
        } else {
            let fields = Param::Texts(fields.iter().map(ToString::to_string).collect());
            format!("c.field = ANY ({}) AND ", self.bind(fields))
        };
        let is = self.value(&format!("(c.pair #> '{place}')"), value);
        format!(
            "EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(a.changes) WHEN 'object' THEN a.changes END) AS c (field, pair) \
             WHERE {of_fields}{is})"
        )
    }

    /// The value at a path, or an element of the array there.
    fn json(&mut self, column: &str, path: &[String], value: &Value) -> String {
        let path = self.bind(Param::Texts(path.to_vec()));
        let found = format!("({column} #> {path})");
        if *value == Value::Present {
            return self.value(&found, value);
        }
        let is = self.value("e.value", value);
        format!(
            "EXISTS (SELECT FROM jsonb_array_elements(CASE jsonb_typeof{found} WHEN 'array' THEN {found} \
             ELSE jsonb_build_array({found}) END) AS e (value) WHERE {is})"
        )
    }

    /// A single JSON value.
    fn value(&mut self, json: &str, value: &Value) -> String {
        match value {
            Value::Present => format!("coalesce(jsonb_typeof({json}) <> 'null', false)"),
            Value::Is(list) => {
                let numbers = list.iter().filter_map(text_of).filter(|text| Number::is_taken(text));
                let numbers = self.bind(Param::Texts(numbers.map(str::to_owned).collect()));
                let texts = self.bind(texts(value));
                format!(
                    "CASE jsonb_typeof({json}) WHEN 'number' THEN ({json})::numeric = ANY ({numbers}::text[]::numeric[]) \
                     WHEN 'string' THEN ({json} #>> '{{}}') = ANY ({texts}) \
                     WHEN 'boolean' THEN ({json} #>> '{{}}') = ANY ({texts}) ELSE false END"
                )
            }
            Value::Compare(op, scalar) => self.compare(json, *op, scalar),
            Value::Range(from, to) => {
                let from = self.compare(json, Op::GreaterOrEqual, from);
                let to = self.compare(json, Op::LessOrEqual, to);
                format!("{from} AND {to}")
            }
        }
    }

    fn compare(&mut self, json: &str, op: Op, scalar: &Scalar) -> String {
        let (text, sign) = (scalar.to_string(), op.sign());
        let is_number = Number::is_taken(&text);
        let bound = self.bind(Param::Text(text));
        if is_number {
            format!(
                "CASE jsonb_typeof({json}) WHEN 'number' THEN ({json})::numeric {sign} {bound}::text::numeric ELSE false END"
            )
        } else {
            format!(
                "CASE jsonb_typeof({json}) WHEN 'string' THEN ({json} #>> '{{}}') COLLATE \"C\" {sign} {bound} ELSE false END"
            )
        }
    }
}

/// A text of the context; null where there is none, or something else than a text.
fn circumstance(name: &'static str) -> String {
    format!(
        "(CASE jsonb_typeof(a.context -> '{name}') WHEN 'string' THEN a.context ->> '{name}' END)"
    )
}

fn texts(value: &Value) -> Param {
    let Value::Is(list) = value else { return Param::Texts(Vec::new()) };
    Param::Texts(list.iter().filter_map(text_of).map(str::to_owned).collect())
}

fn has(value: &Value) -> String {
    let Value::Is(list) = value else { return "false".to_owned() };
    let column = |scalar: &Scalar| match scalar {
        Scalar::Part(Part::Changes) => "a.changes IS NOT NULL",
        Scalar::Part(Part::Data) => "a.data IS NOT NULL",
        Scalar::Part(Part::Context) => "a.context IS NOT NULL",
        Scalar::Part(Part::Object) => "a.object_id IS NOT NULL",
        Scalar::Part(Part::Target) => "a.target_id IS NOT NULL",
        Scalar::Part(Part::Run) => "(a.run_id IS NULL) IS FALSE",
        Scalar::Part(Part::Description) => "a.description IS NOT NULL",
        _ => "false",
    };
    list.iter().map(column).collect::<Vec<_>>().join(" OR ")
}
