//! The form of a file.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::super::model::{Places, Risk, Stage};

/// A text and where it stands.
pub(super) type Text = Spanned<String>;

/// All of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whole {
    #[serde(default)]
    pub(super) disable: Vec<Text>,
    #[serde(default)]
    pub(super) types: BTreeMap<Text, Type>,
    #[serde(default)]
    pub(super) actions: Vec<Spanned<Action>>,
}

/// `[types.NAME]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Type {
    pub(super) table: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) singular: String,
    pub(super) plural: String,
    pub(super) filters: Option<Vec<String>>,
    #[serde(default)]
    pub(super) hidden: Vec<String>,
    #[serde(default)]
    pub(super) permissions: Vec<String>,
    #[serde(default)]
    pub(super) enable: Vec<Text>,
    #[serde(default)]
    pub(super) none: bool,
}

/// `[[actions]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Action {
    #[serde(rename = "type")]
    pub(super) kind: Option<Text>,
    pub(super) name: Text,
    #[serde(default)]
    pub(super) label: Option<Text>,
    pub(super) plural: Option<Text>,
    #[serde(default)]
    pub(super) about: String,
    pub(super) permissions: Option<Spanned<Vec<String>>>,
    pub(super) input: Option<Spanned<toml::Table>>,
    pub(super) examples: Option<Spanned<Vec<toml::Table>>>,
    #[serde(default)]
    pub(super) risk: Risk,
    #[serde(default)]
    pub(super) background: bool,
    #[serde(default)]
    pub(super) atomic: bool,
    #[serde(default)]
    pub(super) places: Places,
    #[serde(default)]
    pub(super) stage: Stage,
    pub(super) undo: Option<Text>,
    pub(super) audience: Option<Spanned<Vec<String>>>,
    pub(super) sql: Option<Text>,
    pub(super) http: Option<Spanned<Http>>,
    pub(super) nats: Option<Spanned<Work>>,
}

/// `http = {…}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    pub(super) url: Text,
    pub(super) secret_env: Text,
    pub(super) batch: Option<Spanned<u32>>,
    pub(super) timeout_s: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) allow: Vec<String>,
}

/// `nats = {…}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    pub(super) subject: Text,
    pub(super) batch: Option<Spanned<u32>>,
    pub(super) silence_s: Option<Spanned<u32>>,
}
