//! Actions as columns: what `unnest` takes, one array a column.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::action::{ActionId, NewAction};
use crate::json::Json;
use crate::resource::Named;

/// How actor, object and target were called: the column `names`.
#[derive(Serialize)]
pub(crate) struct Names<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}

/// The column `names` of an action; null where nothing has a name.
pub(crate) fn names(action: &NewAction) -> Option<Json> {
    fn name(named: Option<&Named>) -> Option<&str> {
        named.and_then(|named| named.name.as_deref())
    }
    let names = Names {
        actor: name(Some(&action.actor)),
        object: name(action.object.as_ref()),
        target: name(action.target.as_ref()),
    };
    if names.actor.is_none() && names.object.is_none() && names.target.is_none() {
        return None;
    }
    Json::of(&names).ok()
}

/// A batch of one tenant's actions, column by column.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    id: Vec<Uuid>,
    actor_type: Vec<&'a str>,
    actor_id: Vec<&'a str>,
    verb: Vec<&'a str>,
    object_type: Vec<Option<&'a str>>,
    object_id: Vec<Option<&'a str>>,
    target_type: Vec<Option<&'a str>>,
    target_id: Vec<Option<&'a str>>,
    occurred_at: Vec<DateTime<Utc>>,
    run_id: Vec<Option<Uuid>>,
    source: Vec<&'static str>,
    outcome: Vec<&'static str>,
    description: Vec<Option<&'a str>>,
    changes: Vec<Option<&'a Json>>,
    data: Vec<Option<&'a Json>>,
    names: Vec<Option<Json>>,
    context: Vec<Option<&'a Json>>,
    audience: Vec<String>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(actions: impl Iterator<Item = &'a Stamped>) -> Self {
        let mut columns = Self::default();
        actions.for_each(|stamped| columns.push(stamped));
        columns
    }

    fn push(&mut self, Stamped { id, occurred_at, action }: &'a Stamped) {
        let kind = |named: &'a Named| named.resource.kind.as_str();
        let key = |named: &'a Named| named.resource.id.as_str();
        self.id.push(id.uuid());
        self.actor_type.push(kind(&action.actor));
        self.actor_id.push(key(&action.actor));
        self.verb.push(&action.verb);
        self.object_type.push(action.object.as_ref().map(kind));
        self.object_id.push(action.object.as_ref().map(key));
        self.target_type.push(action.target.as_ref().map(kind));
        self.target_id.push(action.target.as_ref().map(key));
        self.occurred_at.push(*occurred_at);
        self.run_id.push(action.run);
        self.source.push(action.source.as_str());
        self.outcome.push(action.outcome.as_str());
        self.description.push(action.description.as_deref());
        self.changes.push(action.changes.as_ref());
        self.data.push(action.data.as_ref());
        self.names.push(names(action));
        self.context.push(action.context.as_ref());
        self.audience.push(array_literal(&action.audience.0));
    }

    /// The parameters after the tenant, in the order of the INSERT.
    pub(crate) fn params(&self) -> [&(dyn ToSql + Sync); 18] {
        [
            &self.id,
            &self.actor_type,
            &self.actor_id,
            &self.verb,
            &self.object_type,
            &self.object_id,
            &self.target_type,
            &self.target_id,
            &self.occurred_at,
            &self.run_id,
            &self.source,
            &self.outcome,
            &self.description,
            &self.changes,
            &self.data,
            &self.names,
            &self.context,
            &self.audience,
        ]
    }

    /// The parameters after the tenant where only ids, times, ids and names of objects, and changes differ: these as arrays,
    /// the others once. None where anything else differs.
    pub(crate) fn alike(&self) -> Option<[&(dyn ToSql + Sync); 18]> {
        Some([
            &self.id,
            &self.object_id,
            &self.occurred_at,
            &self.changes,
            &self.names,
            one(&self.actor_type)?,
            one(&self.actor_id)?,
            one(&self.verb)?,
            one(&self.object_type)?,
            one(&self.target_type)?,
            one(&self.target_id)?,
            one(&self.run_id)?,
            one(&self.source)?,
            one(&self.outcome)?,
            one(&self.description)?,
            // As values, numbers that differ beyond a double would be the same.
            one_by(&self.data, |json| json.map(Json::get))?,
            one_by(&self.context, |json| json.map(Json::get))?,
            one(&self.audience)?,
        ])
    }
}

/// The value of a column, where all rows have the same.
fn one<T: PartialEq>(column: &[T]) -> Option<&T> {
    one_by(column, |value| value)
}

/// The same, by something of the values.
fn one_by<'c, T, K: PartialEq>(column: &'c [T], of: impl Fn(&'c T) -> K) -> Option<&'c T> {
    let is_one = column.windows(2).all(|pair| of(&pair[0]) == of(&pair[1]));
    column.first().filter(|_| is_one)
}

/// An action with the id and time that it is stored under.
#[derive(Clone, Debug)]
pub(crate) struct Stamped {
    pub(crate) id: ActionId,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) action: NewAction,
}

/// The text form of an array of texts (PostgreSQL, "Array Input and Output Syntax"): `unnest` would flatten an array of
/// arrays, so audiences travel as one text a row.
fn array_literal(labels: &[String]) -> String {
    let mut text = String::from("{");
    for (n, label) in labels.iter().enumerate() {
        text.push_str(if n == 0 { "\"" } else { ",\"" });
        for c in label.chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text + "}"
}

#[cfg(test)]
mod tests {
    use super::array_literal;

    #[test]
    fn labels_are_quoted() {
        let labels = ["public", "a,b", "\"}\\", "NULL"].map(str::to_owned);
        assert_eq!(array_literal(&labels), r#"{"public","a,b","\"}\\","NULL"}"#);
        assert_eq!(array_literal(&[]), "{}");
    }
}
