//! Replays the actions of one object up to a moment. Pure: actions come in, in the order of their ids, and a state comes
//! out; what is held in memory is as large as the state, however many actions there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::effect::{Effect, Fact, Pair, Set, Turn, is_null};
use super::state::{By, Field, Life, State, Value, is_redacted};
use crate::json::Json;
use crate::resource::{Named, ResourceRef};

/// A value while it is put together.
#[derive(Clone, Debug)]
enum Held {
    One(Json),
    /// Who belongs to it, and whom any change has named.
    Members {
        present: Set,
        named: Set,
    },
}

/// Where the replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the moment: actions change the state.
    Before,
    /// After it, with fields unknown: their first later change tells what they were.
    After,
    /// Nothing that comes can tell more.
    Settled,
}

/// A state in the making.
#[derive(Debug)]
pub(super) struct Replay {
    bound: Uuid,
    phase: Phase,
    name: Option<String>,
    /// None while no action has told.
    life: Option<Life>,
    created: Option<Arc<By>>,
    /// Whether the creation told the fields, so that those it did not name were null.
    is_complete: bool,
    fields: BTreeMap<String, (Held, Option<Arc<By>>)>,
    gaps: u64,
    /// Actions before the moment.
    actions: u64,
}

impl Replay {
    /// A replay of what has an id below the bound.
    pub(super) fn new(bound: Uuid) -> Self {
        Self {
            bound,
            phase: Phase::Before,
            name: None,
            life: None,
            created: None,
            is_complete: false,
            fields: BTreeMap::new(),
            gaps: 0,
            actions: 0,
        }
    }

    /// Whether an action is before the moment.
    pub(super) fn reaches(&self, fact: &Fact) -> bool {
        fact.by.action.uuid() < self.bound
    }

    /// Whether a later action could tell more.
    pub(super) fn is_settled(&self) -> bool {
        self.phase == Phase::Settled
    }

    /// How many fields are held in memory.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether nothing is known of the moment: no action came before, and none created the object.
    pub(super) fn is_too_early(&self) -> bool {
        self.actions == 0 || self.creation().is_some()
    }

    /// The later action that created the object, which was not there yet.
    pub(super) fn creation(&self) -> Option<&By> {
        match &self.life {
            Some(Life::NotYet(by)) => Some(by),
            _ => None,
        }
    }

    /// Takes the next action.
    pub(super) fn take(&mut self, fact: &Fact) {
        if self.phase == Phase::Before && !self.reaches(fact) {
            // What comes after belongs to another life, or changes what is known already.
            let is_known = self.is_complete || matches!(self.life, Some(Life::Deleted(_)));
            self.phase = if is_known { Phase::Settled } else { Phase::After };
        }
        if self.phase == Phase::Before {
            self.actions += 1;
            self.name = fact.name.clone().or(self.name.take());
        }
        match (self.phase, &fact.effect) {
            (Phase::Before, Some(effect)) => self.apply(effect, &fact.by),
            (Phase::After, Some(effect)) => self.deduce(effect, &fact.by),
            _ => {}
        }
    }

    /// What an action means for the object's life, with what is known of it.
    fn turn(&self, effect: &Effect) -> Turn {
        let goes = |(name, (held, _)): (&String, &(Held, _))| match held {
            Held::One(value) => is_null(value) || effect.fields.contains_key(name),
            Held::Members { .. } => true,
        };
        match effect.turn {
            Turn::LooksLikeBegin if self.life != Some(Life::Exists) => Turn::Begin,
            Turn::LooksLikeEnd if self.fields.iter().all(goes) => Turn::End,
            Turn::LooksLikeBegin | Turn::LooksLikeEnd => Turn::None,
            turn => turn,
        }
    }

    fn apply(&mut self, effect: &Effect, by: &Arc<By>) {
        let turn = self.turn(effect);
        match turn {
            Turn::Begin => {
                self.fields.clear();
                self.created = Some(Arc::clone(by));
                self.is_complete = !effect.fields.is_empty();
                self.life = Some(Life::Exists);
            }
            Turn::End => self.life = Some(Life::Deleted(Arc::clone(by))),
            _ if matches!(self.life, Some(Life::Deleted(_))) => {
                // Somebody made it again, and nobody recorded it.
                self.gaps += 1;
                self.fields.clear();
                self.created = None;
                self.is_complete = false;
                self.life = Some(Life::Exists);
            }
            _ => self.life = Some(Life::Exists),
        }
        for (field, pair) in effect.fields.clone() {
            match turn {
                // A deleted object is shown as it was before.
                Turn::End => self.remember(field, pair),
                _ => self.change(field, pair, by),
            }
        }
    }

    fn change(&mut self, field: String, pair: Pair, by: &Arc<By>) {
        let by = Some(Arc::clone(by));
        match (self.fields.get_mut(&field), pair) {
            (Some((Held::Members { present, named }, last)), Pair::Members { removed, added }) => {
                present.retain(|member, _| !removed.contains_key(member));
                present.extend(added.clone());
                named.extend(removed.into_iter().chain(added));
                *last = by;
            }
            (_, Pair::Members { removed, added }) => {
                let named = removed.into_iter().chain(added.clone()).collect();
                self.fields.insert(field, (Held::Members { present: added, named }, by));
            }
            (held, Pair::One { old, new }) => {
                let fits = match held {
                    // A hook may tell the same change by two actions.
                    Some((held, _)) => held.fits(&old) || held.fits(&new),
                    // What a complete creation did not name was null.
                    None => !self.is_complete || is_null(&old) || is_redacted(&old),
                };
                self.gaps += u64::from(!fits);
                self.fields.insert(field, (Held::One(new), by));
            }
        }
    }

    /// What a deletion says of a field: its last value, which stays.
    fn remember(&mut self, field: String, pair: Pair) {
        match (self.fields.get_mut(&field), pair) {
            (Some((held @ Held::One(_), _)), Pair::One { old, .. }) => {
                self.gaps += u64::from(!held.fits(&old));
                *held = Held::One(old);
            }
            (_, pair) => self.deduce_field(field, pair),
        }
    }

    fn deduce(&mut self, effect: &Effect, by: &Arc<By>) {
        let turn = self.turn(effect);
        if turn == Turn::Begin {
            self.life.get_or_insert(Life::NotYet(Arc::clone(by)));
            self.phase = Phase::Settled;
            return;
        }
        self.life.get_or_insert(Life::Exists);
        for (field, pair) in effect.fields.clone() {
            self.deduce_field(field, pair);
        }
        if turn == Turn::End {
            self.phase = Phase::Settled;
        }
    }

    /// The first later change of a field tells what it was before. Of a relation: whoever is removed first was a member.
    fn deduce_field(&mut self, field: String, pair: Pair) {
        match pair {
            Pair::One { old, .. } => {
                self.fields.entry(field).or_insert((Held::One(old), None));
            }
            Pair::Members { removed, added } => {
                let none = || Held::Members { present: Set::new(), named: Set::new() };
                let (held, _) = self.fields.entry(field).or_insert_with(|| (none(), None));
                let Held::Members { present, named } = held else { return };
                let before = removed.clone().into_iter();
                present.extend(before.filter(|(member, _)| !named.contains_key(member)));
                named.extend(removed.into_iter().chain(added));
            }
        }
    }

    /// What is known now.
    pub(super) fn finish(self, object: &ResourceRef, sees_everything: bool) -> State {
        let fields = self.fields.into_iter();
        let fields = fields.map(|(name, (held, by))| (name, Field { value: held.value(), by }));
        State {
            object: Named { resource: object.clone(), name: self.name },
            life: self.life.unwrap_or(Life::Exists),
            created: self.created,
            is_complete: self.is_complete,
            fields: fields.collect(),
            gaps: self.gaps,
            sees_everything,
        }
    }
}

impl Held {
    /// Whether a change from this `old` goes on from what is known. A redacted value fits to everything: redaction may
    /// have been switched on or off.
    fn fits(&self, old: &Json) -> bool {
        match self {
            Self::Members { .. } => true,
            Self::One(known) => known.get() == old.get() || is_redacted(known) || is_redacted(old),
        }
    }

    fn value(self) -> Value {
        match self {
            Self::One(json) => Value::from(json),
            Self::Members { present, .. } => Value::Members(present.into_values().collect()),
        }
    }
}
