//! What narrows a stream down. Filters are checked on the rows of the stream's index range, so a filter that matches
//! rarely in a long stream reads much of it.

use serde_json::Value;

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

/// The filter as parameters.
pub(super) struct FilterParams<'a> {
    pub(super) verbs: Vec<&'a str>,
    pub(super) object_types: Vec<&'a str>,
    pub(super) outcomes: Vec<&'static str>,
    pub(super) changed: Option<&'a str>,
    pub(super) data: Option<&'a Value>,
    pub(super) text: Option<&'a str>,
}

impl Filter {
    pub(super) fn params(&self) -> FilterParams<'_> {
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
    pub(super) fn parts(&self) -> Vec<String> {
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
