//! One thing that can be run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::download::Download;
use super::effect::{Effect, Operation, Remote};
use super::input::{Input, InputFault};
use crate::action::Audience;

/// Where a definition is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Places {
    /// In lists, for what is selected there.
    #[default]
    List,
    /// At a single object.
    Object,
    /// In both.
    Both,
}

/// Where somebody looks for what can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// At a list.
    List,
    /// At a single object.
    Object,
}

impl Places {
    /// Whether a place is one of them.
    #[must_use]
    pub const fn include(self, place: Place) -> bool {
        matches!(
            (self, place),
            (Self::Both, _) | (Self::List, Place::List) | (Self::Object, Place::Object)
        )
    }
}

/// How finished it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It is being tried.
    Alpha,
    /// It works, and may still change.
    Beta,
    /// It stays as it is.
    #[default]
    Stable,
}

/// What can go wrong for whoever runs it by mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// It runs at once.
    #[default]
    None,
    /// It runs after its plan was confirmed.
    Confirm,
    /// It cannot be taken back; it runs after its plan was confirmed.
    Danger,
}

/// When it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Whoever asks waits for it.
    #[default]
    Foreground,
    /// A worker takes it.
    Background,
}

/// What fails together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Each object by itself.
    #[default]
    Object,
    /// All of them: one that fails undoes the run.
    Run,
}

/// Something that can be run on selected objects.
#[derive(Clone, Debug)]
pub struct Definition {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) plural: Option<String>,
    pub(crate) about: String,
    pub(crate) places: Places,
    pub(crate) stage: Stage,
    pub(crate) permissions: Vec<String>,
    pub(crate) input: Input,
    pub(crate) risk: Risk,
    pub(crate) mode: Mode,
    pub(crate) unit: Unit,
    pub(crate) undo: Option<String>,
    pub(crate) examples: Vec<Value>,
    pub(crate) effect: Effect,
    pub(crate) download: Option<Arc<dyn Download>>,
    pub(crate) needs_table: bool,
    pub(crate) audience: Audience,
}

impl Definition {
    /// What a program does in the database's transaction. The label may have `{name}` and `{plural}` for what the type is
    /// called, as in `Publish {name}`; an empty one is made of the name, `make_published` is then `Make published`.
    pub fn new<O: Operation>(name: &str, label: &str, operation: O) -> Self {
        Self::with(name, label, Input::of::<O::Input>(), Effect::Local(Arc::new(operation)))
    }

    /// What is done elsewhere.
    pub fn remote(name: &str, label: &str, input: Input, remote: impl Remote) -> Self {
        Self::with(name, label, input, Effect::Remote(Arc::new(remote)))
    }

    fn with(name: &str, label: &str, input: Input, effect: Effect) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            plural: None,
            about: String::new(),
            places: Places::default(),
            stage: Stage::default(),
            permissions: Vec::new(),
            input,
            risk: Risk::default(),
            mode: Mode::default(),
            unit: Unit::default(),
            undo: None,
            examples: Vec::new(),
            effect,
            download: None,
            needs_table: false,
            audience: Audience::auditors(),
        }
    }

    /// The label for many objects; without it, the other one is for both.
    #[must_use]
    pub fn plural(self, label: &str) -> Self {
        Self { plural: Some(label.to_owned()), ..self }
    }

    /// What it does, for people.
    #[must_use]
    pub fn about(self, text: &str) -> Self {
        Self { about: text.to_owned(), ..self }
    }

    /// Where it is offered.
    #[must_use]
    pub fn offered(self, places: Places) -> Self {
        Self { places, ..self }
    }

    /// How finished it is.
    #[must_use]
    pub fn stage(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// Any of these permissions allows it, `TYPE.WORD`; `{type}.WORD` stands for the type that it is offered for. Without
    /// any, everybody may run it who may run anything.
    #[must_use]
    pub fn permissions(self, any: &[&str]) -> Self {
        Self { permissions: any.iter().map(|it| (*it).to_owned()).collect(), ..self }
    }

    /// What can go wrong.
    #[must_use]
    pub fn risk(self, risk: Risk) -> Self {
        Self { risk, ..self }
    }

    /// A worker runs it.
    #[must_use]
    pub fn background(self) -> Self {
        Self { mode: Mode::Background, ..self }
    }

    /// One object that fails undoes the run.
    #[must_use]
    pub fn atomic(self) -> Self {
        Self { unit: Unit::Run, ..self }
    }

    /// The definition of the same type that undoes it.
    #[must_use]
    pub fn undo(self, name: &str) -> Self {
        Self { undo: Some(name.to_owned()), ..self }
    }

    /// It works on rows: as a site-wide one, only types that have a table have it.
    #[must_use]
    pub fn on_rows(self) -> Self {
        Self { needs_table: true, ..self }
    }

    /// Who sees that it was run: that a run was started, has ended or was cancelled, with its input (secrets masked), its
    /// reason and counts; and that an object was done, where the operation tells nothing of it. Auditors alone by default. What
    /// was refused, denied or failed is for auditors whatever is said here; what the operation records has an audience of
    /// its own.
    #[must_use]
    pub fn audience(self, audience: Audience) -> Self {
        Self { audience, ..self }
    }

    /// When a run has ended, its asker may take bytes of the done objects away.
    #[must_use]
    pub fn download(self, download: impl Download) -> Self {
        Self { download: Some(Arc::new(download)), ..self }
    }

    /// An input that is valid; each is checked against the schema when the catalog is built.
    #[must_use]
    pub fn example(mut self, input: Value) -> Self {
        self.examples.push(input);
        self
    }

    /// Its name, which is unique in its type.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is given besides the objects.
    #[must_use]
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// What it does: for tests that run a piece by hand.
    #[doc(hidden)]
    #[must_use]
    pub fn effect(&self) -> &Effect {
        &self.effect
    }

    /// Whether it can be given an input: whether that fits the schema, and whether a program can read it.
    ///
    /// # Errors
    /// What is wrong, and where. No text holds a value.
    pub fn check(&self, input: &Value) -> Result<(), Vec<InputFault>> {
        self.input.check(input)?;
        match &self.effect {
            Effect::Local(operation) if !operation.reads(input) => Err(vec![InputFault::unread()]),
            _ => Ok(()),
        }
    }
}
