//! States against a model that is told every change as it is made.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use gesta::stream::history::{Life, Value};
use gesta::stream::{Comparison, History, HistoryError, Moment, State};
use gesta::{Context, NewAction, Outcome, Reader, ResourceRef, Store};
use proptest::prelude::*;
use serde_json::{Value as Text, json};

use crate::support::{append_all, check_log, database, day, holds, public, resource, runtime};

const FIELDS: [&str; 4] = ["a", "b", "c", "d"];
const VALUES: std::ops::Range<i64> = 0..4;
/// The most that a case appends.
const STEPS: usize = 12;

/// What somebody tries. What makes no sense at that moment is left out.
#[derive(Clone, Debug)]
enum Try {
    Create(BTreeMap<&'static str, i64>),
    Set(BTreeMap<&'static str, Option<i64>>),
    Fail(&'static str, i64),
    View,
    Delete,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let field = || proptest::sample::select(FIELDS.to_vec());
    let one = prop_oneof![
        2 => proptest::collection::btree_map(field(), VALUES, 0..4).prop_map(Try::Create),
        6 => proptest::collection::btree_map(field(), proptest::option::weighted(0.8, VALUES), 1..3)
            .prop_map(Try::Set),
        1 => (field(), VALUES).prop_map(|(field, value)| Try::Fail(field, value)),
        1 => Just(Try::View),
        1 => Just(Try::Delete),
    ];
    proptest::collection::vec(one, 1..STEPS)
}

/// The object as it really is.
#[derive(Clone, Debug, Default)]
struct Real {
    is_there: bool,
    values: BTreeMap<&'static str, i64>,
    /// Which life it is: a later one says nothing of the fields of an earlier one.
    life: usize,
    /// Whether the beginning of this life was recorded.
    is_recorded: bool,
}

/// A moment of the story: what was appended, and what was real then.
#[derive(Clone, Debug)]
struct Told {
    verb: &'static str,
    outcome: Outcome,
    changes: BTreeMap<&'static str, (Option<i64>, Option<i64>)>,
    real: Real,
}

/// Tells the story, from an object that nobody has recorded, or from none.
fn tell(start: Option<BTreeMap<&'static str, i64>>, tries: &[Try]) -> Vec<Told> {
    let mut real = Real { is_there: start.is_some(), ..Real::default() };
    real.values = start.unwrap_or_default();
    let mut story = Vec::new();
    for step in tries {
        let (mut outcome, mut changes) = (Outcome::Ok, BTreeMap::new());
        let verb = match step {
            Try::Create(values) if !real.is_there => {
                changes.extend(values.iter().map(|(&field, &value)| (field, (None, Some(value)))));
                let life = real.life + 1;
                real = Real { is_there: true, values: values.clone(), life, is_recorded: true };
                "create"
            }
            Try::Set(values) if real.is_there => {
                for (&field, &new) in values {
                    let old = real.values.get(field).copied();
                    match new {
                        Some(new) => real.values.insert(field, new),
                        None => real.values.remove(field),
                    };
                    if old != new {
                        changes.insert(field, (old, new));
                    }
                }
                "update"
            }
            Try::Fail(field, value) if real.is_there => {
                outcome = Outcome::Failed;
                changes.insert(field, (real.values.get(field).copied(), Some(*value)));
                "update"
            }
            Try::View => "view",
            Try::Delete if real.is_there => {
                changes.extend(real.values.iter().map(|(&f, &value)| (f, (Some(value), None))));
                real.is_there = false;
                "delete"
            }
            _ => continue,
        };
        story.push(Told { verb, outcome, changes, real: real.clone() });
    }
    // Of what was only looked at nobody can tell whether it was there.
    story.retain(|told| told.verb != "view" || real.is_there || real.life > 0);
    story
}

fn moment(step: usize) -> DateTime<Utc> {
    day(0) + TimeDelta::microseconds(i64::try_from(step).expect("few") * 2)
}

async fn append_story(store: &Store, object: &ResourceRef, story: &[Told]) {
    let ctx = |step| Context::new(&resource(&format!("user:{step}")));
    let action = |(step, told): (usize, &Told)| {
        let action = NewAction::new(told.verb, &ctx(step)).object(object).at(moment(step));
        let action = action.outcome(told.outcome);
        if told.changes.is_empty() { action } else { action.changes(json!(told.changes)) }
    };
    append_all(store, story.iter().enumerate().map(action).collect()).await;
}

/// The fields that the actions of the same life tell of.
fn told_of(story: &[Told], life: usize) -> BTreeSet<&'static str> {
    let same = story.iter().filter(|told| told.real.life == life && told.outcome == Outcome::Ok);
    same.flat_map(|told| told.changes.keys().copied()).collect()
}

/// Who last changed a field up to a step of the story.
fn changed_by(story: &[Told], step: usize, field: &str) -> Option<String> {
    let life = story[step].real.life;
    let changes = |told: &Told| {
        let is_effective = told.outcome == Outcome::Ok && told.verb != "delete";
        is_effective && told.real.life == life && told.changes.contains_key(field)
    };
    (0..=step).rev().find(|&n| changes(&story[n])).map(|n| n.to_string())
}

fn check_state(story: &[Told], step: usize, found: &State) {
    let real = &story[step].real;
    assert_eq!(found.life == Life::Exists, real.is_there, "at {step}");
    assert_eq!((found.created.is_some(), found.gaps), (real.is_recorded, 0), "at {step}");
    let known = told_of(story, real.life);
    assert!(found.fields.keys().all(|field| known.contains(field.as_str())), "at {step}");
    for field in known {
        let wanted = real.values.get(field).map_or(Text::Null, |&value| json!(value));
        let value = match found.fields.get(field).map(|field| &field.value) {
            Some(Value::Plain(json)) => json.value(),
            Some(other) => panic!("{other:?}"),
            // What a creation does not name is null.
            None if real.is_recorded => Text::Null,
            None => panic!("`{field}` is not known at {step}"),
        };
        assert_eq!(value, wanted, "`{field}` at {step}");
        let by = found.fields.get(field).and_then(|field| field.by.as_ref());
        let by = by.map(|by| by.actor.resource.id.to_string());
        assert_eq!(by, changed_by(story, step, field), "who changed `{field}` at {step}");
    }
}

/// The values of an object that is there.
fn values(state: &State) -> BTreeMap<&str, &Value> {
    let fields = state.fields.keys();
    fields.filter_map(|name| Some((name.as_str(), &state.field(name)?.value))).collect()
}

fn check_difference(found: &Comparison) {
    let mut patched = values(&found.from);
    for (field, difference) in &found.fields {
        assert_eq!(patched.get(field.as_str()).copied(), difference.old.as_ref());
        match &difference.new {
            Some(new) => patched.insert(field, new),
            None => patched.remove(field.as_str()),
        };
    }
    assert_eq!(patched, values(&found.to));
}

async fn check_story(reader: &Reader, object: &ResourceRef, story: &[Told]) {
    let history = History::of(object);
    for step in 0..story.len() {
        for at in [moment(step), moment(step) + TimeDelta::microseconds(1)] {
            match history.state(Moment::At(at), reader).await {
                Ok(found) => check_state(story, step, &found),
                // Somebody looked at it before it was created.
                Err(HistoryError::TooEarly { first, .. }) => assert!(first > at),
                Err(error) => panic!("{error}"),
            }
        }
        let from = Moment::At(moment(step / 2));
        let to = Moment::At(moment(step));
        let found = history.compare(from, to, reader).await.expect("a comparison");
        check_difference(&found);
        let effective = |told: &&Told| {
            told.outcome == Outcome::Ok
                && (told.verb != "view" && told.verb != "update" || !told.changes.is_empty())
        };
        assert_eq!(found.steps.len(), story[step / 2 + 1..=step].iter().filter(effective).count());
    }
    let all = history.compare(Moment::Beginning, Moment::Now, reader).await;
    check_difference(&all.expect("a comparison"));
}

#[test]
fn state_at_every_moment_is_the_models_and_a_difference_leads_from_one_to_the_other() {
    let runtime = runtime();
    let db = runtime.block_on(database());
    let store = runtime.block_on(db.store());
    let case = std::cell::Cell::new(0);
    let start = proptest::option::of(proptest::collection::btree_map(
        proptest::sample::select(FIELDS.to_vec()),
        VALUES,
        0..4,
    ));
    holds(60, &(start, tries()), |(start, tries)| {
        case.set(case.get() + 1);
        let object = resource(&format!("doc:{}", case.get()));
        let story = tell(start, &tries);
        if story.is_empty() {
            return;
        }
        runtime.block_on(async {
            append_story(&store, &object, &story).await;
            check_story(&public(&store).auditor(), &object, &story).await;
        });
    });
    runtime.block_on(check_log(&db));
}
