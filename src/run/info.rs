//! What is told of selections, runs and their objects.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::definition::Level;
use crate::resource::{Named, ResourceRef, ResourceType, Tenant};

macro_rules! words {
    ($name:ident { $($variant:ident = $text:literal),+ }) => {
        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word, in lower case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of a word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Nobody has begun.
    Queued,
    /// Somebody is at work on it, or was until a moment ago.
    Running,
    /// All objects were done, or there was nothing to do.
    Succeeded,
    /// Some objects were done, others failed or were denied.
    Partial,
    /// No object was done.
    Failed,
    /// Somebody cancelled it; what was done before stays.
    Cancelled,
    /// Whoever asked may not run it.
    Refused,
}

words!(RunState {
    Queued = "queued", Running = "running", Succeeded = "succeeded", Partial = "partial", Failed = "failed",
    Cancelled = "cancelled", Refused = "refused"
});

impl RunState {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemOutcome {
    /// Nothing yet; of a run that has ended, nothing at all.
    Pending,
    /// It was done.
    Done,
    /// Nothing was to be done.
    Skipped,
    /// The asker may not do it to this object.
    Denied,
    /// It was tried and failed.
    Failed,
}

words!(ItemOutcome {
    Pending = "pending", Done = "done", Skipped = "skipped", Denied = "denied", Failed = "failed"
});

/// How many objects became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All objects.
    pub total: u32,
    /// Those that were done.
    pub done: u32,
    /// Those with which nothing was to be done.
    pub skipped: u32,
    /// Those that the asker may not do it to.
    pub denied: u32,
    /// Those that failed.
    pub failed: u32,
}

impl Counts {
    /// Those of which it is known what became of them.
    #[must_use]
    pub const fn settled(self) -> u32 {
        self.done + self.skipped + self.denied + self.failed
    }

    /// Those that nothing became of yet.
    #[must_use]
    pub const fn pending(self) -> u32 {
        self.total.saturating_sub(self.settled())
    }
}

/// A frozen selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionInfo {
    /// Its id: whoever made it plans and starts with it.
    pub id: Uuid,
    /// Type of its objects.
    pub kind: ResourceType,
    /// How many objects it has.
    pub total: u32,
    /// How many ids were given that are none of its objects: outside of the filter, or not there.
    pub dropped: u32,
    /// When it was made, by the database's clock.
    pub created_at: DateTime<Utc>,
    /// From when on it cannot be used.
    pub expires_at: DateTime<Utc>,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// Its id, which is the run of all its actions.
    pub id: Uuid,
    /// Its tenant.
    pub tenant: Tenant,
    /// Type of its objects.
    pub kind: ResourceType,
    /// Name of the definition.
    pub name: String,
    /// What the definition was called for so many objects.
    pub label: String,
    /// How far it is.
    pub state: RunState,
    /// Who asked for it.
    pub actor: Named,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The input, secrets masked.
    pub input: Value,
    /// What became of its objects so far.
    pub counts: Counts,
    /// How many messages there were; the first 1,000 are kept.
    pub messages: u32,
    /// When it was recorded, by the database's clock, as all its times.
    pub created_at: DateTime<Utc>,
    /// When somebody first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether a worker runs it.
    pub is_background: bool,
    /// Whether one failing object undoes all.
    pub is_atomic: bool,
    /// Its objects; none of a refused run.
    pub selection: Option<Uuid>,
    /// The run whose failed and pending objects it took up.
    pub retry_of: Option<Uuid>,
    /// Who cancelled it.
    pub cancelled_by: Option<ResourceRef>,
    /// Why it failed or was refused as a whole.
    pub error: Option<String>,
    /// What it waits for at present, for people: a worker elsewhere, that is not there.
    pub waiting: Option<String>,
    /// The permission that allowed it, or that was missing.
    pub permission: Option<String>,
}

/// An object of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemInfo {
    /// Its place in the run, from 0 on.
    pub place: u32,
    /// The object.
    pub object: ResourceRef,
    /// What it was called when it was selected.
    pub name: Option<String>,
    /// What became of it.
    pub outcome: ItemOutcome,
    /// Why it was skipped, denied or failed.
    pub note: Option<String>,
    /// When that was known.
    pub settled_at: Option<DateTime<Utc>>,
}

/// A message of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageInfo {
    /// Its number, from 1 on.
    pub number: u32,
    /// How much it matters.
    pub level: Level,
    /// The text, for people.
    pub text: String,
    /// When it was told.
    pub told_at: DateTime<Utc>,
}

/// A run that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// The run; ended, where it ran in the foreground and nobody else was at work on it.
    pub run: RunInfo,
    /// Whether this call recorded it. A request that was sent before has its run already.
    pub is_new: bool,
}
