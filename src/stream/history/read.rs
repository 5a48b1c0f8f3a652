//! Reading a history: the object's stream from its oldest action on, page by page.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::compare::{Comparison, Steps};
use super::effect::{Fact, Lives};
use super::replay::Replay;
use super::state::State;
use crate::action::ActionId;
use crate::action::form::time;
use crate::resource::{Resource, ResourceRef};
use crate::stream::page::after;
use crate::stream::{QueryError, Reader, StreamQuery};

/// Actions that are held in memory at once; payloads are up to 64 KiB each.
const PAGE_LEN: usize = 250;
/// Fields of one object. A table has at most 1,600 columns; a state is held in memory as a whole.
const FIELDS_MAX: usize = 10_000;

/// A moment in the life of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before its first action.
    Beginning,
    /// A time, with everything that occurred at that microsecond.
    At(DateTime<Utc>),
    /// Right after an action, of this object or of another.
    After(ActionId),
    /// Now: after all of its actions.
    Now,
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No action that the reader may see was done to the object.
    #[error("nothing is known of {object}: no visible action was done to it")]
    Unknown {
        /// Which object.
        object: ResourceRef,
    },
    /// The moment is before the object's first action, or before the one that created it.
    #[error("nothing is known of {object} then: its history begins at {}", time(*first))]
    TooEarly {
        /// Which object.
        object: ResourceRef,
        /// When it was created, or else when the first action was done to it.
        first: DateTime<Utc>,
    },
    /// The first moment is after the second.
    #[error("the first moment is after the second; give the earlier one first")]
    Backwards,
    /// A moment after an action that does not exist, or that the reader may not see.
    #[error("there is no action {0}, after which the moment would be")]
    NoAction(ActionId),
    /// More fields than a state holds.
    #[error("{object} has more than {FIELDS_MAX} fields, which are too many for a state")]
    Fields {
        /// Which object.
        object: ResourceRef,
    },
    /// The actions cannot be read.
    #[error("failed to read the history")]
    Read(#[source] QueryError),
}

/// The history of one object, out of its actions.
///
/// ```no_run
/// # async fn example(reader: gesta::Reader, issue: gesta::ResourceRef) -> Result<(), Box<dyn std::error::Error>> {
/// use gesta::stream::{History, Moment};
/// let history = History::of(&issue);
/// let then = history.state(Moment::At("2026-11-20T14:00:00Z".parse()?), &reader).await?;
/// if let Some(status) = then.field("status") {
///     println!("{:?}, by {:?}", status.value, status.by.as_ref().map(|by| &by.actor));
/// }
/// let since_then = history.compare(Moment::At("2026-11-20T14:00:00Z".parse()?), Moment::Now, &reader).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    object: ResourceRef,
    lives: Lives,
}

impl History {
    /// The history of an object. It is created by actions with the verb `create` and deleted by those with `delete`, and
    /// whatever the verb, by actions with which all fields come or go, among them `id` with the object's id.
    #[must_use]
    pub fn of(object: &(impl Resource + ?Sized)) -> Self {
        Self { object: object.resource(), lives: Lives::default() }
    }

    /// Other verbs with which an object of this type is created, for actions that carry no diff, and for tables whose key
    /// is not called `id`.
    #[must_use]
    pub fn created_by<S: Into<String>>(mut self, verbs: impl IntoIterator<Item = S>) -> Self {
        self.lives.begin.extend(verbs.into_iter().map(Into::into));
        self
    }

    /// Other verbs with which an object of this type is deleted, for actions that carry no diff, and for tables whose key
    /// is not called `id`.
    #[must_use]
    pub fn deleted_by<S: Into<String>>(mut self, verbs: impl IntoIterator<Item = S>) -> Self {
        self.lives.end.extend(verbs.into_iter().map(Into::into));
        self
    }

    /// What the object was at a moment, and who last changed each field. The stream is read from its oldest action up to
    /// the moment, and to its end where no creation is recorded: a later change tells what a field was before.
    ///
    /// Each page is a transaction of its own, so an action that is committed meanwhile with a time in the past may be seen
    /// or not.
    ///
    /// # Errors
    /// When nothing is known of the object or of that moment, or the database does not answer.
    pub async fn state(&self, at: Moment, reader: &Reader) -> Result<State, HistoryError> {
        let mut replay = Replay::new(bound(at, reader).await?);
        let first = self.walk(reader, |fact| {
            replay.take(fact);
            self.check(&replay).map(|()| !replay.is_settled() && !replay.is_too_early())
        });
        let first = first.await?;
        if replay.is_too_early() {
            let first = replay.creation().map_or(first, |by| by.at);
            return Err(HistoryError::TooEarly { object: self.object.clone(), first });
        }
        Ok(replay.finish(&self.object, reader.sight().0))
    }

    /// What is different between two moments, and the actions in between.
    ///
    /// # Errors
    /// When the first moment is after the second, nothing is known of the object, or the database does not answer.
    pub async fn compare(
        &self,
        from: Moment,
        to: Moment,
        reader: &Reader,
    ) -> Result<Comparison, HistoryError> {
        let (low, high) = (bound(from, reader).await?, bound(to, reader).await?);
        if low > high {
            return Err(HistoryError::Backwards);
        }
        let (mut before, mut after) = (Replay::new(low), Replay::new(high));
        let mut steps = Steps::default();
        self.walk(reader, |fact| {
            if !before.reaches(fact) && after.reaches(fact) {
                steps.push(fact);
            }
            before.take(fact);
            after.take(fact);
            self.check(&before).and(self.check(&after))?;
            Ok(!before.is_settled() || !after.is_settled())
        })
        .await?;
        let sees_everything = reader.sight().0;
        let state = |replay: Replay| replay.finish(&self.object, sees_everything);
        Ok(Comparison::new(state(before), state(after), steps))
    }

    /// Hands over the actions, oldest first, until enough is known. Gives the time of the first one.
    async fn walk(
        &self,
        reader: &Reader,
        mut goes_on: impl FnMut(&Fact) -> Result<bool, HistoryError>,
    ) -> Result<DateTime<Utc>, HistoryError> {
        let stream = StreamQuery::object(&self.object).limit(PAGE_LEN);
        let mut cursor = Some(stream.beginning(reader));
        let mut first = None;
        loop {
            let page = stream.clone().from(cursor).page(reader).await;
            let page = page.map_err(HistoryError::Read)?;
            for action in page.items.iter().rev() {
                let first = *first.get_or_insert(action.occurred_at);
                if !goes_on(&Fact::of(action, &self.lives))? {
                    return Ok(first);
                }
            }
            if page.items.len() < PAGE_LEN {
                break;
            }
            cursor = page.newer;
        }
        first.ok_or_else(|| HistoryError::Unknown { object: self.object.clone() })
    }

    fn check(&self, replay: &Replay) -> Result<(), HistoryError> {
        if replay.len() > FIELDS_MAX {
            return Err(HistoryError::Fields { object: self.object.clone() });
        }
        Ok(())
    }
}

/// The least id that is not before the moment any more.
async fn bound(moment: Moment, reader: &Reader) -> Result<Uuid, HistoryError> {
    match moment {
        Moment::Beginning => Ok(Uuid::nil()),
        Moment::At(time) => Ok(time
            .checked_add_signed(TimeDelta::microseconds(1))
            .map_or(Uuid::max(), |next| ActionId::floor(next).uuid())),
        Moment::After(id) => match reader.action(id).await.map_err(HistoryError::Read)? {
            Some(_) => Ok(after(id.uuid())),
            None => Err(HistoryError::NoAction(id)),
        },
        Moment::Now => Ok(Uuid::max()),
    }
}
