//! A definition as somebody is offered it for a type.

use serde_json::Value;

use super::catalog::Entry;
use super::input::Input;
use super::model::{Definition, Mode, Place, Places, Risk, Stage, Unit};

/// What somebody may run on objects of a type. Its methods are all that documents, lists and pages tell of it.
#[derive(Clone, Debug)]
pub struct Offer<'c> {
    /// What is run.
    pub definition: &'c Definition,
    /// What it is called at a single object, with the type's names.
    pub label: String,
    /// What it is called in lists, with the type's names.
    pub plural: String,
    permissions: &'c [String],
}

impl<'c> Offer<'c> {
    pub(super) fn of(entry: &'c Entry) -> Self {
        Self {
            definition: &entry.definition,
            label: entry.label.clone(),
            plural: entry.plural.clone(),
            permissions: &entry.permissions,
        }
    }

    /// What it is called at a place.
    #[must_use]
    pub fn label_at(&self, place: Place) -> &str {
        match place {
            Place::List => &self.plural,
            Place::Object => &self.label,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'c str {
        &self.definition.name
    }

    /// What it does, for people; empty where nothing was said.
    #[must_use]
    pub fn about(&self) -> &'c str {
        &self.definition.about
    }

    /// Where it is offered.
    #[must_use]
    pub fn places(&self) -> Places {
        self.definition.places
    }

    /// How finished it is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.definition.stage
    }

    /// Any of these allows it; none means that no permission is asked for. The type stands in them.
    #[must_use]
    pub fn permissions(&self) -> &'c [String] {
        self.permissions
    }

    /// What can go wrong.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.definition.risk
    }

    /// When it runs, unless somebody asks for another way.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.definition.mode
    }

    /// What fails together.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.definition.unit
    }

    /// What undoes it, by its name.
    #[must_use]
    pub fn undo(&self) -> Option<&'c str> {
        self.definition.undo.as_deref()
    }

    /// What it is given besides the objects.
    #[must_use]
    pub fn input(&self) -> &'c Input {
        &self.definition.input
    }

    /// The JSON schema of its input.
    #[must_use]
    pub fn schema(&self) -> &'c Value {
        self.definition.input.as_schema()
    }

    /// Inputs that are valid, with their secrets masked.
    #[must_use]
    pub fn examples(&self) -> Vec<Value> {
        self.definition.examples.iter().map(|example| self.input().masked(example)).collect()
    }
}
