//! Which index a search walks.
//!
//! A search that asks for a resource, a run or a type has *anchors*: ranges of an index of which every result lies in
//! one. A page merges them, newest first; whatever else is asked for is checked on their rows. Without an anchor the
//! primary key is walked, in the range of ids that the times of the search allow.

use super::key::{Key, Who};
use super::matches::text_of;
use super::query::{Node, Query, Scalar, Term, Value};
use crate::resource::ResourceRef;
use uuid::Uuid;

/// Ranges that are merged: each is a branch of the statement.
pub(super) const BRANCHES_MAX: usize = 12;

/// A column's part of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Actor,
    Object,
    Target,
}

impl Role {
    pub(super) fn of(who: Who) -> &'static [Self] {
        match who {
            Who::Actor => &[Self::Actor],
            Who::Object => &[Self::Object],
            Who::Target => &[Self::Target],
            Who::About => &[Self::Actor, Self::Object, Self::Target],
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Object => "object",
            Self::Target => "target",
        }
    }
}

/// A range of an index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor<'a> {
    Resource(Role, &'a ResourceRef),
    Type(Role, &'a str),
    Run(Uuid),
}

impl Anchor<'_> {
    fn index(&self) -> &'static str {
        match self {
            Self::Resource(Role::Actor, _) => "action_actor_idx",
            Self::Resource(Role::Object, _) => "action_object_idx",
            Self::Resource(Role::Target, _) => "action_target_idx",
            Self::Type(Role::Actor, _) => "action_actor_type_idx",
            Self::Type(Role::Object, _) => "action_object_type_idx",
            Self::Type(Role::Target, _) => "action_target_type_idx",
            Self::Run(_) => "action_run_idx",
        }
    }
}

impl Query {
    /// The indexes that its pages walk.
    #[must_use]
    pub fn indexes(&self) -> Vec<&'static str> {
        let mut indexes = Vec::new();
        for anchor in anchors(&self.root) {
            if !indexes.contains(&anchor.index()) {
                indexes.push(anchor.index());
            }
        }
        if indexes.is_empty() { vec!["action_pkey"] } else { indexes }
    }
}

/// The anchors of a search; none where the primary key is walked.
pub(super) fn anchors(node: &Node) -> Vec<Anchor<'_>> {
    find(node).unwrap_or_default()
}

fn find(node: &Node) -> Option<Vec<Anchor<'_>>> {
    let found = match node {
        Node::And(parts) => parts.iter().filter_map(find).min_by_key(|anchors| {
            // A resource has fewer actions than a type, mostly.
            let types = anchors.iter().filter(|anchor| matches!(anchor, Anchor::Type(..))).count();
            (types, anchors.len())
        })?,
        Node::Or(parts) => {
            let all: Option<Vec<_>> = parts.iter().map(find).collect();
            let mut merged: Vec<Anchor<'_>> = Vec::new();
            for anchor in all?.into_iter().flatten() {
                if !merged.contains(&anchor) {
                    merged.push(anchor);
                }
            }
            merged
        }
        Node::Term(Term { key, value: Value::Is(list), .. }) => of_term(key, list)?,
        Node::Not(_) | Node::Text(_) | Node::Term(_) => return None,
    };
    (1..=BRANCHES_MAX).contains(&found.len()).then_some(found)
}

fn of_term<'a>(key: &Key, list: &'a [Scalar]) -> Option<Vec<Anchor<'a>>> {
    let mut anchors = Vec::new();
    for scalar in list {
        match (key, scalar) {
            (Key::Whole(who), Scalar::Resource(resource)) => {
                anchors.extend(Role::of(*who).iter().map(|&role| Anchor::Resource(role, resource)));
            }
            (Key::Type(who), scalar) => {
                let kind = text_of(scalar)?;
                anchors.extend(Role::of(*who).iter().map(|&role| Anchor::Type(role, kind)));
            }
            (Key::Run, Scalar::Uuid(run)) => anchors.push(Anchor::Run(*run)),
            _ => return None,
        }
    }
    Some(anchors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rarest_condition_that_every_result_satisfies_is_walked() {
        for (text, indexes) in [
            ("", &["action_pkey"][..]),
            ("crash", &["action_pkey"]),
            ("actor:alice", &["action_pkey"]),
            ("-actor:user:1", &["action_pkey"]),
            ("actor:user:1 crash verb:x", &["action_actor_idx"]),
            ("actor.type:user object:issue:1", &["action_object_idx"]),
            ("object:a:1,a:2", &["action_object_idx"]),
            ("about:a:1", &["action_actor_idx", "action_object_idx", "action_target_idx"]),
            (
                "object:a:1 OR run:0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f",
                &["action_object_idx", "action_run_idx"],
            ),
            ("object:a:1 OR crash", &["action_pkey"]),
            ("target.type:org (object:a:1 OR crash)", &["action_target_type_idx"]),
            ("object:a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13", &["action_pkey"]),
        ] {
            assert_eq!(Query::parse(text).expect(text).indexes(), indexes, "{text}");
        }
    }
}
