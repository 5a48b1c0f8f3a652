//! What one action does to its object, out of its verb, outcome, changes and data.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::By;
use crate::action::{Action, Outcome};
use crate::json::Json;

/// Verbs of the actions with which an object comes and goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lives {
    pub(super) begin: Vec<String>,
    pub(super) end: Vec<String>,
}

impl Default for Lives {
    fn default() -> Self {
        Self { begin: vec!["create".to_owned()], end: vec!["delete".to_owned()] }
    }
}

/// What an action means for the life of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Begin,
    End,
    /// By its diff alone: so it is if the object is not known to be there.
    LooksLikeBegin,
    /// By its diff alone: so it is if nothing of the object is left.
    LooksLikeEnd,
    None,
}

impl Lives {
    fn turn(&self, action: &Action) -> Turn {
        if self.begin.contains(&action.verb) {
            Turn::Begin
        } else if self.end.contains(&action.verb) {
            Turn::End
        } else {
            Turn::None
        }
    }
}

/// Members of a relation by their JSON texts.
pub(super) type Set = BTreeMap<String, Json>;

/// What an action says of one field.
#[derive(Clone, Debug)]
pub(super) enum Pair {
    One { old: Json, new: Json },
    Members { removed: Set, added: Set },
}

impl Pair {
    fn one(&self) -> Option<(&Json, &Json)> {
        match self {
            Self::One { old, new } => Some((old, new)),
            Self::Members { .. } => None,
        }
    }
}

/// An action as a history needs it.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) by: Arc<By>,
    /// What the object was called.
    pub(super) name: Option<String>,
    pub(super) effect: Option<Effect>,
}

impl Fact {
    pub(super) fn of(action: &Action, lives: &Lives) -> Self {
        let name = action.object.as_ref().and_then(|object| object.name.clone());
        Self { by: Arc::new(By::from(action)), name, effect: Effect::of(action, lives) }
    }
}

/// What an action does to its object.
#[derive(Debug)]
pub(super) struct Effect {
    pub(super) turn: Turn,
    pub(super) fields: BTreeMap<String, Pair>,
}

impl Effect {
    /// Nothing where the action failed, or neither changes a field nor begins or ends the object's life.
    fn of(action: &Action, lives: &Lives) -> Option<Self> {
        if action.outcome != Outcome::Ok {
            return None;
        }
        let fields = fields(action);
        let id = action.object.as_ref().map_or("", |object| object.resource.id.as_str());
        let turn = match lives.turn(action) {
            Turn::None => shape(&fields, id),
            turn => turn,
        };
        (turn != Turn::None || !fields.is_empty()).then_some(Self { turn, fields })
    }
}

/// The field that is the key of most tables. A key is never null, so a change of it from null is a creation.
const KEY: &str = "id";

/// A hook may call a creation whatever it likes, but the diff shows it: everything comes out of nothing, or goes, and with
/// it the key. Another field could be any nullable one that happens to hold the same text.
fn shape(fields: &BTreeMap<String, Pair>, id: &str) -> Turn {
    let ones = || fields.values().filter_map(Pair::one);
    let Some((old, new)) = fields.get(KEY).and_then(Pair::one) else { return Turn::None };
    if is_text(new, id) && ones().all(|(old, _)| is_null(old)) {
        return Turn::LooksLikeBegin;
    }
    if is_text(old, id) && ones().all(|(_, new)| is_null(new)) {
        return Turn::LooksLikeEnd;
    }
    Turn::None
}

pub(super) fn is_null(json: &Json) -> bool {
    json.get() == "null"
}

/// Whether a value is this text, or the number that it tells.
fn is_text(json: &Json, text: &str) -> bool {
    json.get() == text || serde_json::from_str::<String>(json.get()).is_ok_and(|own| own == text)
}

/// The changes. What is of another form than pairs was not written by this crate, and says nothing of any field.
fn fields(action: &Action) -> BTreeMap<String, Pair> {
    type Changes = BTreeMap<String, (Json, Json)>;
    let changes = action.changes.as_ref();
    let changes = changes.and_then(|json| serde_json::from_str::<Changes>(json.get()).ok());
    let relations = relations(action);
    let pair = |(field, (old, new)): (String, (Json, Json))| {
        let sets = relations.contains(&field).then(|| Some((set(&old)?, set(&new)?))).flatten();
        let pair = match sets {
            Some((removed, added)) => Pair::Members { removed, added },
            None => Pair::One { old, new },
        };
        (field, pair)
    };
    changes.unwrap_or_default().into_iter().map(pair).collect()
}

/// The fields that are relations, which the session names in `data`.
fn relations(action: &Action) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Data {
        relations: Vec<String>,
    }
    let data = action.data.as_ref();
    let data = data.and_then(|json| serde_json::from_str::<Data>(json.get()).ok());
    data.map(|data| data.relations).unwrap_or_default()
}

fn set(json: &Json) -> Option<Set> {
    let members: Vec<Json> = serde_json::from_str(json.get()).ok()?;
    Some(members.into_iter().map(|member| (member.get().to_owned(), member)).collect())
}
