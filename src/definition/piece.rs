//! A part of a selection that is worked on in one transaction.

use super::asker::Rights;
use super::catalog::Catalog;
use super::level::Level;
use crate::resource::{ResourceRef, ResourceType};
use crate::session::Session;

/// An object of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place in the selection, from 0 on.
    pub place: u32,
    /// The object.
    pub object: ResourceRef,
    /// What it was called when it was selected.
    pub name: Option<String>,
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It was done.
    Done,
    /// Nothing was to be done, and why.
    Skipped(String),
    /// The asker may not do it to this object, and why.
    Denied(String),
    /// It was tried and failed, and why.
    Failed(String),
}

/// The words that [`Fate::of`] knows, as errors name them.
#[cfg(feature = "cli")]
pub(super) const OUTCOMES: &str = "`done`, `skipped`, `denied`, `failed`";

impl Fate {
    /// What a word says, and why; nothing where it is none of [`OUTCOMES`].
    #[cfg(feature = "cli")]
    pub(super) fn of(outcome: &str, why: String) -> Option<Self> {
        match outcome {
            "done" => Some(Self::Done),
            "skipped" => Some(Self::Skipped(why)),
            "denied" => Some(Self::Denied(why)),
            "failed" => Some(Self::Failed(why)),
            _ => None,
        }
    }

    /// Its word, and why.
    pub(crate) fn told(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Done => ("done", None),
            Self::Skipped(why) => ("skipped", Some(why)),
            Self::Denied(why) => ("denied", Some(why)),
            Self::Failed(why) => ("failed", Some(why)),
        }
    }
}

/// What an operation says to whoever runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How much it matters.
    pub level: Level,
    /// The text, for people.
    pub text: String,
}

/// Why an operation cannot go on with a piece. The transaction of the piece is rolled back, and its objects are tried in
/// smaller pieces until it is known which of them fail.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    pub(crate) text: String,
    #[source]
    pub(crate) source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A part of a selection, and the session in which it is worked on. What is done in the session, the fates of the objects
/// and the actions of both are one transaction.
pub struct Piece<'p, 'c> {
    pub(crate) session: &'p mut Session<'c>,
    pub(crate) catalog: &'p Catalog,
    pub(crate) rights: &'p Rights,
    pub(crate) kind: &'p ResourceType,
    pub(crate) items: &'p [Item],
    pub(crate) fates: Vec<Option<Fate>>,
    pub(crate) messages: Vec<Message>,
}

impl Fault {
    /// A text for people.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: None }
    }

    /// A text for people, and what it came from.
    pub fn caused(
        text: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self { text: text.into(), source: Some(Box::new(source)) }
    }
}

impl From<crate::session::SessionError> for Fault {
    fn from(error: crate::session::SessionError) -> Self {
        Self::caused(error.to_string(), error)
    }
}

impl<'p, 'c> Piece<'p, 'c> {
    /// Objects of one type, to be worked on in a session whose context is the asker's, with the asker's rights.
    #[must_use]
    pub fn new(
        session: &'p mut Session<'c>,
        catalog: &'p Catalog,
        rights: &'p Rights,
        kind: &'p ResourceType,
        items: &'p [Item],
    ) -> Self {
        let fates = items.iter().map(|_| None).collect();
        Self { session, catalog, rights, kind, items, fates, messages: Vec::new() }
    }

    /// What became of each object, in their order, and what was said.
    #[must_use]
    pub fn told(self) -> (Vec<Fate>, Vec<Message>) {
        let fates = self.fates.into_iter().map(|fate| fate.unwrap_or(Fate::Done));
        (fates.collect(), self.messages)
    }

    /// The session, whose context has the asker and the run.
    pub fn session(&mut self) -> &mut Session<'c> {
        self.session
    }

    /// All types, and where their objects are.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        self.catalog
    }

    /// Whether the asker has a permission.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.rights.have(permission)
    }

    /// The type of all the objects.
    #[must_use]
    pub fn kind(&self) -> &ResourceType {
        self.kind
    }

    /// The objects.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        self.items
    }

    /// The ids of the objects that nothing has been said of yet.
    #[must_use]
    pub fn open_ids(&self) -> Vec<&str> {
        let open = self.items.iter().zip(&self.fates).filter(|(_, fate)| fate.is_none());
        open.map(|(item, _)| item.object.id.as_str()).collect()
    }

    /// Says what became of an object, by its index in [`Piece::items`]. Those of which nothing is said are done.
    pub fn settle(&mut self, index: usize, fate: Fate) {
        if let Some(open) = self.fates.get_mut(index) {
            *open = Some(fate);
        }
    }

    /// Says of the objects that are not there, by their indexes, that they were skipped.
    pub(super) fn skip_gone(&mut self, is_there: Vec<bool>) {
        for (index, is_there) in is_there.into_iter().enumerate() {
            if !is_there {
                self.settle(index, Fate::Skipped("it is no longer there".to_owned()));
            }
        }
    }

    /// Says something to whoever runs it.
    pub fn tell(&mut self, level: Level, text: impl Into<String>) {
        self.messages.push(Message { level, text: text.into() });
    }
}
