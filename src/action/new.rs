//! What a writer says: an action that is not in the log yet.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ActionId, ActionIdError};
use crate::context::Context;
use crate::error::quote;
use crate::json::{Json, JsonError};
use crate::resource::{Named, Resource, ResourceError, Tenant};

/// Bytes of a verb: a short phrase, and it goes into subjects of messages.
pub(crate) const VERB_LEN_MAX: usize = 255;
/// Bytes of a description.
pub(crate) const DESCRIPTION_LEN_MAX: usize = 16 * 1024;
/// Bytes of `changes`, `data` and `context` together. Real payloads reach 59 KB; a log is no place for files.
pub(crate) const PAYLOAD_LEN_MAX: usize = 64 * 1024;
/// Labels of an audience.
pub(crate) const LABELS_MAX: usize = 32;
/// Bytes of a label.
pub(crate) const LABEL_LEN_MAX: usize = 255;
/// Microseconds since 1970 of the end of the year 9999, the last one that RFC 3339 can write.
const TIME_MAX: i64 = 253_402_300_800_000_000;

/// The way an action came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// One record was saved.
    Save,
    /// Many records were changed by one operation.
    Bulk,
    /// The application said so.
    #[default]
    Emit,
    /// A run of an action definition.
    Run,
    /// The HTTP API.
    Api,
    /// An import.
    Import,
    /// A trigger of the database.
    Trigger,
}

/// How the attempt ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    #[default]
    Ok,
    /// It was tried and failed.
    Failed,
    /// It was refused.
    Denied,
}

macro_rules! as_str {
    ($name:ident { $($variant:ident = $text:literal),+ }) => {
        impl $name {
            /// The word that stands in the column.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of a word of the column.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

impl Source {
    /// Every way.
    pub(crate) const ALL: [Self; 7] =
        [Self::Save, Self::Bulk, Self::Emit, Self::Run, Self::Api, Self::Import, Self::Trigger];
}

impl Outcome {
    /// Every end.
    pub(crate) const ALL: [Self; 3] = [Self::Ok, Self::Failed, Self::Denied];
}

as_str!(Source {
    Save = "save", Bulk = "bulk", Emit = "emit", Run = "run", Api = "api", Import = "import", Trigger = "trigger"
});
as_str!(Outcome { Ok = "ok", Failed = "failed", Denied = "denied" });

/// Who may see an action: readers who have one of its labels. Everybody has the label `public`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Audience(pub(crate) Vec<String>);

impl Audience {
    /// Everybody.
    #[must_use]
    pub fn public() -> Self {
        Self(vec!["public".to_owned()])
    }

    /// Nobody but auditors.
    #[must_use]
    pub fn auditors() -> Self {
        Self(Vec::new())
    }

    /// Readers with one of these labels, up to 32 of them.
    #[must_use]
    pub fn labels<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> Self {
        Self(labels.into_iter().map(Into::into).collect())
    }

    /// Whether everybody may see it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0.iter().any(|label| label == "public")
    }
}

impl Audience {
    /// Whether it can be stored.
    pub(crate) fn check(&self) -> Result<(), InvalidAction> {
        if self.0.len() > LABELS_MAX {
            let problem = format!("has {} labels; at most {LABELS_MAX} are allowed", self.0.len());
            return Err(InvalidAction::Text { field: "audience", problem });
        }
        self.0.iter().try_for_each(|label| check_text("audience", label, LABEL_LEN_MAX))
    }
}

impl Default for Audience {
    fn default() -> Self {
        Self::public()
    }
}

/// What is wrong with an action, for its writer. Each message names the field.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAction {
    /// What every action has.
    #[error("`{field}`: missing field `{field}`")]
    Missing {
        /// The field in the JSON form.
        field: &'static str,
    },
    /// A tenant, type or id.
    #[error("`{field}`: {problem}")]
    Resource {
        /// The field in the JSON form.
        field: &'static str,
        /// What is wrong.
        problem: ResourceError,
    },
    /// The id is no UUIDv7.
    #[error("`id`: {0}")]
    Id(ActionIdError),
    /// The verb is empty, too long, or holds control characters.
    #[error(
        "`verb`: {given} is refused; give 1 to {VERB_LEN_MAX} bytes without control characters"
    )]
    Verb {
        /// What was given, cut and quoted.
        given: String,
    },
    /// A time outside of 1970 to 9999.
    #[error(
        "`occurred_at`: {given} is outside of 1970-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z"
    )]
    Time {
        /// What was given.
        given: String,
    },
    /// The id says another time than `occurred_at`.
    #[error(
        "`id`: its time is {id_time}, but `occurred_at` is {occurred_at}; leave one of them out"
    )]
    IdTime {
        /// The time in the id.
        id_time: String,
        /// The time given.
        occurred_at: String,
    },
    /// `changes`, `data` or `context` cannot be stored.
    #[error("`{field}` {problem}")]
    Json {
        /// The field in the JSON form.
        field: &'static str,
        /// What is wrong.
        problem: JsonError,
    },
    /// More payload than an action may carry.
    #[error(
        "`changes`, `data` and `context` have {given} bytes together; at most {PAYLOAD_LEN_MAX} are allowed: \
         store the rest elsewhere and refer to it"
    )]
    Payload {
        /// Bytes given.
        given: usize,
    },
    /// A text with a NUL, or too long.
    #[error("`{field}`: {problem}")]
    Text {
        /// The field in the JSON form.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Not known to a strict registry.
    #[error("{0}")]
    Unregistered(String),
}

/// An action to append. Its id and time are filled in by the store where they are not given.
///
/// ```
/// use gesta::{Context, NewAction, ResourceRef};
/// let (alice, issue) = (ResourceRef::new("user", "42")?, ResourceRef::new("issue", "70")?.named("Crash on save"));
/// let closed = NewAction::new("close", &Context::new(&alice)).object(&issue);
/// # Ok::<(), gesta::ResourceError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NewAction {
    pub(crate) tenant: Tenant,
    pub(crate) id: Option<ActionId>,
    pub(crate) actor: Named,
    pub(crate) verb: String,
    pub(crate) object: Option<Named>,
    pub(crate) target: Option<Named>,
    pub(crate) occurred_at: Option<DateTime<Utc>>,
    pub(crate) run: Option<Uuid>,
    pub(crate) source: Source,
    pub(crate) outcome: Outcome,
    pub(crate) description: Option<String>,
    pub(crate) changes: Option<Json>,
    pub(crate) data: Option<Json>,
    pub(crate) context: Option<Json>,
    pub(crate) audience: Audience,
}

impl NewAction {
    /// An action of the context's actor, in its tenant and run.
    #[must_use]
    pub fn new(verb: impl Into<String>, ctx: &Context) -> Self {
        Self {
            tenant: ctx.tenant.clone(),
            id: None,
            actor: ctx.actor.clone(),
            verb: verb.into(),
            object: None,
            target: None,
            occurred_at: None,
            run: ctx.run,
            source: Source::Emit,
            outcome: Outcome::Ok,
            description: None,
            changes: None,
            data: None,
            context: ctx.to_json(),
            audience: Audience::public(),
        }
    }

    /// What it is done to.
    #[must_use]
    pub fn object(mut self, object: &(impl Resource + ?Sized)) -> Self {
        self.object = Some(object.to_named());
        self
    }

    /// In, to or for what it is done.
    #[must_use]
    pub fn target(mut self, target: &(impl Resource + ?Sized)) -> Self {
        self.target = Some(target.to_named());
        self
    }

    /// When it happened, in microseconds, from 1970 to 9999; without it, now.
    #[must_use]
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// The id, for a writer who may have to repeat itself: the same id and content is stored once.
    #[must_use]
    pub fn id(mut self, id: ActionId) -> Self {
        self.id = Some(id);
        self
    }

    /// How the attempt ended.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The way it came in.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// Free text for people, up to 16 KiB.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// What changed: `{field: [old, new]}`.
    #[must_use]
    pub fn changes(mut self, changes: impl Into<Json>) -> Self {
        self.changes = Some(changes.into());
        self
    }

    /// Free payload. `changes`, `data` and `context` have up to 64 KiB together.
    #[must_use]
    pub fn data(mut self, data: impl Into<Json>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Who may see it; without it, everybody.
    #[must_use]
    pub fn audience(mut self, audience: Audience) -> Self {
        self.audience = audience;
        self
    }

    /// Whether it can be stored.
    ///
    /// # Errors
    /// Names the first field that cannot, what was given and what is allowed.
    pub fn check(&self) -> Result<(), InvalidAction> {
        if !is_verb(&self.verb) {
            return Err(InvalidAction::Verb { given: quote(&self.verb) });
        }
        self.check_time()?;
        self.check_payload()?;
        self.check_texts()
    }

    fn check_time(&self) -> Result<(), InvalidAction> {
        let Some(time) = self.occurred_at else { return Ok(()) };
        if !(0..TIME_MAX).contains(&time.timestamp_micros()) {
            return Err(InvalidAction::Time { given: time.to_rfc3339() });
        }
        match self.id.map(ActionId::time) {
            Some(id_time) if id_time.timestamp_millis() != time.timestamp_millis() => {
                let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
                Err(InvalidAction::IdTime { id_time: text(id_time), occurred_at: text(time) })
            }
            _ => Ok(()),
        }
    }

    fn check_payload(&self) -> Result<(), InvalidAction> {
        let parts = [("changes", &self.changes), ("data", &self.data), ("context", &self.context)];
        let given =
            parts.iter().filter_map(|(_, part)| part.as_ref()).map(|json| json.get().len()).sum();
        if given > PAYLOAD_LEN_MAX {
            return Err(InvalidAction::Payload { given });
        }
        for (field, part) in parts {
            if let Some(json) = part {
                json.check().map_err(|problem| InvalidAction::Json { field, problem })?;
            }
        }
        match &self.changes {
            Some(changes) => changes
                .check_changes()
                .map_err(|problem| InvalidAction::Json { field: "changes", problem }),
            None => Ok(()),
        }
    }

    fn check_texts(&self) -> Result<(), InvalidAction> {
        fn name(named: Option<&Named>) -> Option<&str> {
            named.and_then(|named| named.name.as_deref())
        }
        for (field, text, max) in [
            ("description", self.description.as_deref(), DESCRIPTION_LEN_MAX),
            ("actor.name", name(Some(&self.actor)), crate::resource::NAME_LEN_MAX),
            ("object.name", name(self.object.as_ref()), crate::resource::NAME_LEN_MAX),
            ("target.name", name(self.target.as_ref()), crate::resource::NAME_LEN_MAX),
        ] {
            check_text(field, text.unwrap_or_default(), max)?;
        }
        self.audience.check()
    }
}

/// Whether a text can be a verb.
pub(crate) fn is_verb(text: &str) -> bool {
    !text.is_empty() && text.len() <= VERB_LEN_MAX && !text.chars().any(char::is_control)
}

fn check_text(field: &'static str, text: &str, max: usize) -> Result<(), InvalidAction> {
    let problem = if text.len() > max {
        format!("has {} bytes; at most {max} are allowed", text.len())
    } else if text.contains('\0') {
        format!("{} contains a NUL, which PostgreSQL cannot store", quote(text))
    } else {
        return Ok(());
    };
    Err(InvalidAction::Text { field, problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceRef;
    use serde_json::json;

    fn action() -> NewAction {
        NewAction::new("close", &Context::new(&ResourceRef::new("user", "1").expect("valid")))
    }

    fn refusal(action: &NewAction) -> String {
        action.check().expect_err("must be refused").to_string()
    }

    #[test]
    fn hostile_fields_are_refused_by_name() {
        let mut verb = action();
        verb.verb = "close\nissue".to_owned();
        assert_eq!(
            refusal(&verb),
            "`verb`: `close\\nissue` is refused; give 1 to 255 bytes without control characters"
        );
        assert!(
            refusal(&action().data(json!({ "a": "\0" })))
                .starts_with("`data` contains the character")
        );
        assert!(
            refusal(&action().data(json!("x".repeat(2_000_000))))
                .contains("have 2000002 bytes together")
        );
        assert!(
            refusal(&action().changes(json!({ "a": 1 })))
                .starts_with("`changes` is not of the form")
        );
        assert!(
            refusal(&action().description("\0"))
                .starts_with("`description`: `\\u{0}` contains a NUL")
        );
        assert!(
            refusal(&action().audience(Audience::labels(vec!["x"; 33]))).contains("has 33 labels")
        );
    }

    #[test]
    fn years_0_and_10000_are_refused_and_9999_is_taken() {
        let at = |text: &str| action().at(text.parse().expect("time"));
        assert!(refusal(&at("0000-01-01T00:00:00Z")).starts_with("`occurred_at`: 0000-01-01"));
        assert!(refusal(&at("+10000-01-01T00:00:00Z")).starts_with("`occurred_at`: +10000"));
        assert!(at("9999-12-31T23:59:59.999999Z").check().is_ok());
    }

    #[test]
    fn id_and_time_must_agree() {
        let time = DateTime::from_timestamp_millis(1_000_000).expect("valid");
        let id = ActionId::new(time, 7);
        assert!(action().id(id).at(time).check().is_ok());
        assert!(
            refusal(&action().id(id).at(DateTime::UNIX_EPOCH)).contains("leave one of them out")
        );
    }
}
