//! What narrows a stream down. Filters are checked on the rows of the stream's index range, so a filter that matches
//! rarely in a long stream reads much of it.

use serde_json::Value;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::reader::Reader;
use crate::action::Outcome;
use crate::resource::ResourceType;

/// Conditions that all must hold. The default lets everything through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// One of these verbs, exactly.
    pub verbs: Vec<String>,
    /// An object of one of these types.
    pub object_types: Vec<ResourceType>,
    /// One of these outcomes.
    pub outcomes: Vec<Outcome>,
    /// This field stands in `changes`.
    pub changed: Option<String>,
    /// `data` contains this, as `@>` of jsonb means it.
    pub data: Option<Value>,
    /// This text stands in verb, description, ids or names, upper and lower case alike.
    pub text: Option<String>,
}

/// Parameters 1 to 12, which the conditions of every stream and count take: range, visibility, filter.
pub(crate) struct Conditions<'a> {
    tenant: &'a str,
    low: Uuid,
    high: Uuid,
    limit: i64,
    everything: bool,
    labels: &'a [String],
    filter: FilterParams<'a>,
}

impl<'a> Conditions<'a> {
    pub(crate) fn new(
        reader: &'a Reader,
        (low, high): (Uuid, Uuid),
        limit: i64,
        filter: &'a Filter,
    ) -> Self {
        let (everything, labels) = reader.sight();
        let (tenant, filter) = (reader.tenant().as_str(), filter.params());
        Self { tenant, low, high, limit, everything, labels, filter }
    }

    pub(crate) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.tenant,
            &self.low,
            &self.high,
            &self.limit,
            &self.everything,
            &self.labels,
            &self.filter.verbs,
            &self.filter.object_types,
            &self.filter.outcomes,
            &self.filter.changed,
            &self.filter.data,
            &self.filter.text,
        ]
    }
}

/// The filter as parameters.
struct FilterParams<'a> {
    verbs: Vec<&'a str>,
    object_types: Vec<&'a str>,
    outcomes: Vec<&'static str>,
    changed: Option<&'a str>,
    data: Option<&'a Value>,
    text: Option<&'a str>,
}

impl Filter {
    fn params(&self) -> FilterParams<'_> {
        FilterParams {
            verbs: self.verbs.iter().map(String::as_str).collect(),
            object_types: self.object_types.iter().map(ResourceType::as_str).collect(),
            outcomes: self.outcomes.iter().map(|outcome| outcome.as_str()).collect(),
            changed: self.changed.as_deref(),
            data: self.data.as_ref(),
            text: self.text.as_deref(),
        }
    }

    /// The parts of a query's fingerprint.
    pub(crate) fn parts(&self) -> Vec<String> {
        let list = |words: Vec<&str>| serde_json::json!(words).to_string();
        let params = self.params();
        vec![
            list(params.verbs),
            list(params.object_types),
            list(params.outcomes),
            serde_json::json!([params.changed, params.data, params.text]).to_string(),
        ]
    }
}
