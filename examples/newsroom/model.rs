//! What the newsroom has: people, desks, articles, events; and what changes of them mean.

use gesta::hook::Rule;
use gesta::session::Relation;
use gesta::{Change, Emitter, Hook, Model, Registry, Resource, ResourceRef, Verb};
use serde::{Deserialize, Serialize};

pub(crate) const DRAFTED: Verb = Verb::new("article", "draft").summary("{actor} drafted {object}");
pub(crate) const PUBLISHED: Verb =
    Verb::new("article", "publish").summary("{actor} published {object}");
pub(crate) const EDITED: Verb = Verb::new("article", "update").summary("{actor} edited {object}");
pub(crate) const BOOKED: Verb =
    Verb::new("event", "book").summary("{actor} booked {object} at {target}");
pub(crate) const JOINED: Verb =
    Verb::new("person", "join").summary("{object} joined {target}, says {actor}");

/// The sentences that the streams are told in.
///
/// # Errors
/// When two verbs have the same name.
pub(crate) fn registry() -> Result<Registry, gesta::registry::RegistryError> {
    let types = [("article", "articles"), ("event", "events"), ("person", "people")];
    let registry = types
        .into_iter()
        .fold(Registry::builder(), |registry, (one, many)| registry.resource(one, one, many));
    let verbs = [DRAFTED, PUBLISHED, EDITED, BOOKED, JOINED];
    verbs.into_iter().fold(registry, gesta::registry::RegistryBuilder::verb).build()
}

/// A reference to something of ours, whose keys fit into ids.
#[expect(clippy::expect_used, reason = "our keys are short and not empty")]
fn reference(kind: &str, id: &str) -> ResourceRef {
    ResourceRef::new(kind, id).expect("our keys are short and not empty")
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Resource for Person {
    fn resource(&self) -> ResourceRef {
        reference("person", &self.id)
    }
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Model for Person {
    const TABLE: &'static str = "newsroom.person";
    const KEY: &'static str = "id";
}

impl Hook for Person {} // create, update and delete, with the diff

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Desk {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Who works at a desk.
pub(crate) const MEMBERS: Relation =
    Relation::new("newsroom.desk_member", "desk", "person", "members");

impl Resource for Desk {
    fn resource(&self) -> ResourceRef {
        reference("desk", &self.id)
    }
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Model for Desk {
    const TABLE: &'static str = "newsroom.desk";
    const KEY: &'static str = "id";
}

impl Hook for Desk {}

/// An article. A new one has no id yet: the database makes it, and a token to edit it by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Article {
    pub(crate) id: Option<i64>,
    pub(crate) title: String,
    pub(crate) state: String,
}

impl Resource for Article {
    fn resource(&self) -> ResourceRef {
        reference("article", &self.id.unwrap_or_default().to_string())
    }
    fn name(&self) -> Option<String> {
        Some(self.title.clone())
    }
}

impl Model for Article {
    const TABLE: &'static str = "newsroom.article";
    const KEY: &'static str = "id";
    const RULES: &'static [Rule] = &[Rule::Mask("edit_token")];
}

impl Hook for Article {
    fn on_save(change: Change<'_, Self>, emit: &mut Emitter<'_>) {
        match change {
            Change::Created(article) => emit.action(DRAFTED, article),
            Change::Updated { before, after }
                if before.state == "draft" && after.state == "public" =>
            {
                emit.action(PUBLISHED, after);
            }
            Change::Deleted(article) if article.state == "public" => {
                emit.refuse("what is public stays public");
            }
            other => emit.record(other),
        }
    }
}

/// Something to report from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) place: Option<String>,
    pub(crate) status: String,
}

impl Resource for Event {
    fn resource(&self) -> ResourceRef {
        reference("event", &self.id)
    }
    fn name(&self) -> Option<String> {
        Some(self.title.clone())
    }
}

impl Model for Event {
    const TABLE: &'static str = "newsroom.event";
    const KEY: &'static str = "id";
}

impl Hook for Event {
    /// An event that gets a place has been booked there: the place is the target, and has a stream of its own.
    fn on_save(change: Change<'_, Self>, emit: &mut Emitter<'_>) {
        match (change, change.model().place.as_deref()) {
            (Change::Updated { before, after }, Some(place)) if before.place.is_none() => {
                let place = reference("place", place).named(place);
                emit.add(emit.draft(BOOKED, after).target(&place));
            }
            (other, _) => emit.record(other),
        }
    }
}
