//! What is different between two moments of an object, and the actions that made it so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::effect::Fact;
use super::state::{By, Field, Life, State, Value};

/// Actions that a comparison names; of more, the latest.
pub const STEPS_MAX: usize = 1_000;

/// A field whose value is not what it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The value at the first moment; none where the field or the object was not there, or nothing is known of it.
    pub old: Option<Value>,
    /// The value at the second moment; none likewise.
    pub new: Option<Value>,
    /// The last action that changed it.
    pub by: Option<Arc<By>>,
}

/// An action between the two moments that changed, created or deleted the object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Which action.
    pub by: Arc<By>,
    /// The fields that it changed.
    pub fields: Vec<String>,
}

/// The difference between two moments of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The object at the first moment.
    pub from: State,
    /// The object at the second moment.
    pub to: State,
    /// What is different, by field. Of a deleted object every field goes; one that was changed and changed back is not
    /// here. A masked field that was changed is, although both values are shown alike.
    pub fields: BTreeMap<String, Difference>,
    /// The actions in between, oldest first; of more than [`STEPS_MAX`] the latest.
    pub steps: Vec<Step>,
    /// How many actions in between there are.
    pub steps_total: u64,
}

/// The latest steps of any number of them.
#[derive(Debug, Default)]
pub(super) struct Steps {
    latest: VecDeque<Step>,
    total: u64,
}

impl Steps {
    pub(super) fn push(&mut self, fact: &Fact) {
        let Some(effect) = &fact.effect else { return };
        if self.latest.len() == STEPS_MAX {
            self.latest.pop_front();
        }
        let fields = effect.fields.keys().cloned().collect();
        self.latest.push_back(Step { by: Arc::clone(&fact.by), fields });
        self.total += 1;
    }
}

impl Comparison {
    pub(super) fn new(from: State, to: State, steps: Steps) -> Self {
        let names: BTreeSet<_> = from.fields.keys().chain(to.fields.keys()).collect();
        let difference = |name: &String| {
            let (old, new) = (from.field(name), to.field(name));
            is_different(old, new).then(|| {
                let by = match &to.life {
                    Life::Deleted(by) => Some(by),
                    Life::Exists | Life::NotYet(_) => new.and_then(|field| field.by.as_ref()),
                };
                let by = by.cloned();
                let value = |field: Option<&Field>| field.map(|field| field.value.clone());
                (name.clone(), Difference { old: value(old), new: value(new), by })
            })
        };
        let fields = names.into_iter().filter_map(difference).collect();
        Self { from, to, fields, steps: steps.latest.into(), steps_total: steps.total }
    }
}

fn is_different(old: Option<&Field>, new: Option<&Field>) -> bool {
    match (old, new) {
        // All that is told of a masked value is when it was changed.
        (Some(old), Some(new)) if old.value == Value::Masked && new.value == Value::Masked => {
            old.by != new.by
        }
        (Some(old), Some(new)) => !old.value.is_same(&new.value),
        (old, new) => old.is_some() != new.is_some(),
    }
}
