//! The state of an object: fields with their values and who last changed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::action::{Action, ActionId, Source};
use crate::json::Json;
use crate::resource::Named;

/// Which action it was, by whom and when.
#[derive(Clone, Debug, PartialEq)]
pub struct By {
    /// The action.
    pub action: ActionId,
    /// What was done.
    pub verb: String,
    /// Who did it, and what they were called then.
    pub actor: Named,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The way it came in.
    pub source: Source,
    /// The run or bulk operation that it belongs to.
    pub run: Option<Uuid>,
}

impl From<&Action> for By {
    fn from(action: &Action) -> Self {
        Self {
            action: action.id,
            verb: action.verb.clone(),
            actor: action.actor.clone(),
            at: action.occurred_at,
            source: action.source,
            run: action.run,
        }
    }
}

/// A value as far as the log tells it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The value itself, to its last digit.
    Plain(Json),
    /// It is not told. A text of exactly `***` cannot be told from it.
    Masked,
    /// Not the value but its hash, `sha256:…`: equal values have equal hashes.
    Hashed(String),
    /// The members of a relation, such as the tags of an article, in the order of their JSON texts.
    Members(Vec<Json>),
}

/// What stands in the place of a masked value.
const MASKED: &str = "\"***\"";

/// The hash that stands in the place of a value: `sha256:` and 64 hexadecimal digits.
fn hashed(recorded: &Json) -> Option<&str> {
    let text = recorded.get().strip_prefix('"')?.strip_suffix('"')?;
    let digits = text.strip_prefix("sha256:")?;
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

/// Whether a recorded value is a mark of redaction.
pub(super) fn is_redacted(recorded: &Json) -> bool {
    recorded.get() == MASKED || hashed(recorded).is_some()
}

impl From<Json> for Value {
    fn from(recorded: Json) -> Self {
        match hashed(&recorded) {
            Some(hash) => Self::Hashed(hash.to_owned()),
            None if recorded.get() == MASKED => Self::Masked,
            None => Self::Plain(recorded),
        }
    }
}

impl Value {
    /// Whether the log keeps the value to itself.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        matches!(self, Self::Masked | Self::Hashed(_))
    }

    /// Whether two values are told alike, to the last digit; [`Json`] itself compares numbers as doubles.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(a), Self::Plain(b)) => a.get() == b.get(),
            (Self::Members(a), Self::Members(b)) => {
                a.iter().map(Json::get).eq(b.iter().map(Json::get))
            }
            _ => self == other,
        }
    }
}

/// A field of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its value then.
    pub value: Value,
    /// The action that gave it this value; none where it was not changed since the recording began, so that the value
    /// is known from a later change only.
    pub by: Option<Arc<By>>,
}

/// Whether the object was there.
#[derive(Clone, Debug, PartialEq)]
pub enum Life {
    /// It was.
    Exists,
    /// It had been deleted; the fields are those before.
    Deleted(Arc<By>),
    /// It was created by this action, later; there are no fields. Only in a [`Comparison`](super::Comparison).
    NotYet(Arc<By>),
}

/// What an object was at a moment, as far as its actions tell.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Which object, and what it was called then.
    pub object: Named,
    /// Whether it was there.
    pub life: Life,
    /// The action that created it. Without one the recording began later.
    pub created: Option<Arc<By>>,
    /// Whether that action told the fields, so that a field that is not here was null. Otherwise only fields that have
    /// ever been changed are known.
    pub is_complete: bool,
    /// Its fields.
    pub fields: BTreeMap<String, Field>,
    /// Changes whose `old` was not the value known before: something else had changed the field, which was not recorded,
    /// or which this reader may not see.
    pub gaps: u64,
    /// Whether the reader sees all actions of the tenant. Otherwise this is the state as far as visible.
    pub sees_everything: bool,
}

impl State {
    /// Whether nothing suggests that something is missing: complete, without gaps, seen by a reader who sees everything.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_complete && self.gaps == 0 && self.sees_everything
    }

    /// The action that had deleted it, where one had.
    #[must_use]
    pub fn deleted(&self) -> Option<&By> {
        match &self.life {
            Life::Deleted(by) => Some(by),
            Life::Exists | Life::NotYet(_) => None,
        }
    }

    /// A field of an object that is there; nothing of a deleted one.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name).filter(|_| self.life == Life::Exists)
    }
}
