//! Edges as JSON.

use serde::Serialize;

use crate::action::form::time;
use crate::resource::ResourceRef;
use crate::stream::Edge;

/// An edge: `{follower: {type, id}, followed: {type, id}, flag, roles, verbs, since, muted, created_at}`.
#[derive(Debug, Serialize)]
pub(super) struct EdgeForm {
    follower: ResourceRef,
    followed: ResourceRef,
    flag: String,
    roles: Vec<&'static str>,
    verbs: Vec<String>,
    since: Option<String>,
    muted: bool,
    created_at: String,
}

impl From<Edge> for EdgeForm {
    fn from(edge: Edge) -> Self {
        Self {
            follower: edge.follower,
            followed: edge.followed,
            flag: edge.flag,
            roles: edge.roles.into_iter().map(|role| role.as_str()).collect(),
            verbs: edge.verbs,
            since: edge.since.map(time),
            muted: edge.muted,
            created_at: time(edge.created_at),
        }
    }
}
