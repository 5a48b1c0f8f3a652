//! What can be run, as JSON: also the description that a form for it can be made of.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::definition::{Mode, Offer, Places, Risk, Stage, Unit};
use crate::json::Json;

/// Something that can be run on selected objects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunnableAction)]
pub(crate) struct ActionForm {
    /// What programs call it.
    pub(crate) name: String,
    /// What people call it, for one object.
    pub(crate) label: String,
    /// What people call it, for many.
    pub(crate) plural: String,
    /// What it does.
    pub(crate) about: String,
    /// Where it is offered: `list`, `object`, or both.
    #[schema(value_type = Vec<String>)]
    pub(crate) places: Vec<&'static str>,
    /// How finished it is: `alpha`, `beta` or `stable`.
    pub(crate) stage: &'static str,
    /// Any of these permissions allows it; without any, everybody may run it who may run anything.
    pub(crate) permissions: Vec<String>,
    /// What can go wrong: `none`; `confirm`, which runs after its plan was confirmed; `danger`, which in addition cannot
    /// be taken back.
    pub(crate) risk: &'static str,
    /// `foreground`: the answer has its end; `background`: a worker takes it.
    pub(crate) mode: &'static str,
    /// What fails together: each `object` by itself, or the whole `run`.
    pub(crate) unit: &'static str,
    /// The name of the action that undoes it; null where there is none.
    #[schema(required)]
    pub(crate) undo: Option<String>,
    /// The JSON schema of its input (draft 2020-12). Fields with `"writeOnly": true` are secrets, and shown as `***`.
    #[schema(value_type = Json)]
    pub(crate) input: Value,
    /// Inputs that are valid, with `***` in place of secrets.
    #[schema(value_type = Vec<Json>)]
    pub(crate) examples: Vec<Value>,
}

impl From<&Offer<'_>> for ActionForm {
    fn from(offer: &Offer<'_>) -> Self {
        Self {
            name: offer.name().to_owned(),
            label: offer.label.clone(),
            plural: offer.plural.clone(),
            about: offer.about().to_owned(),
            places: match offer.places() {
                Places::List => vec!["list"],
                Places::Object => vec!["object"],
                Places::Both => vec!["list", "object"],
            },
            stage: match offer.stage() {
                Stage::Alpha => "alpha",
                Stage::Beta => "beta",
                Stage::Stable => "stable",
            },
            permissions: offer.permissions().to_vec(),
            risk: match offer.risk() {
                Risk::None => "none",
                Risk::Confirm => "confirm",
                Risk::Danger => "danger",
            },
            mode: match offer.mode() {
                Mode::Foreground => "foreground",
                Mode::Background => "background",
            },
            unit: match offer.unit() {
                Unit::Object => "object",
                Unit::Run => "run",
            },
            undo: offer.undo().map(str::to_owned),
            input: offer.schema().clone(),
            examples: offer.examples(),
        }
    }
}

/// An example.
pub(super) fn example() -> Value {
    json!({
        "name": "publish",
        "label": "Publish article",
        "plural": "Publish articles",
        "about": "Readers see them from then on.",
        "places": ["list", "object"],
        "stage": "stable",
        "permissions": ["article.publish"],
        "risk": "none",
        "mode": "foreground",
        "unit": "object",
        "undo": "withdraw",
        "input": {"type": "object", "properties": {"notify": {"type": "boolean"}}, "additionalProperties": false},
        "examples": [{"notify": true}],
    })
}
