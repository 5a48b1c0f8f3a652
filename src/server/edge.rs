//! Edges as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use super::query::Pairs;
use crate::action::form::time;
use crate::error::quote;
use crate::resource::ResourceRef;
use crate::stream::follow::FLAG_LEN_MAX;
use crate::stream::{Edge, Role};

/// An edge: `{follower: {type, id}, followed: {type, id}, flag, roles, verbs, since, muted, created_at}`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Edge)]
pub(super) struct EdgeForm {
    follower: ResourceRef,
    followed: ResourceRef,
    flag: String,
    #[schema(value_type = Vec<String>)]
    roles: Vec<&'static str>,
    verbs: Vec<String>,
    #[schema(required)]
    since: Option<String>,
    muted: bool,
    created_at: String,
}

/// The kind of a follow that an URL names; empty where it names none.
pub(super) fn flag(pairs: &mut Pairs) -> String {
    let flag = pairs.read("flag", |text| {
        if text.len() > FLAG_LEN_MAX || text.chars().any(char::is_control) {
            let allowed = format!("give up to {FLAG_LEN_MAX} bytes without control characters");
            return Err(format!("{}; {allowed}", quote(text)));
        }
        Ok(text.to_owned())
    });
    flag.unwrap_or_default()
}

impl EdgeForm {
    pub(super) fn example() -> serde_json::Value {
        serde_json::json!({
            "follower": {"type": "user", "id": "ann"},
            "followed": {"type": "issue", "id": "70"},
            "flag": "",
            "roles": ["object"],
            "verbs": [],
            "since": null,
            "muted": false,
            "created_at": "2026-11-20T14:03:22.123456Z",
        })
    }
}

impl From<Edge> for EdgeForm {
    fn from(edge: Edge) -> Self {
        Self {
            follower: edge.follower,
            followed: edge.followed,
            flag: edge.flag,
            roles: edge.roles.into_iter().map(Role::as_str).collect(),
            verbs: edge.verbs,
            since: edge.since.map(time),
            muted: edge.muted,
            created_at: time(edge.created_at),
        }
    }
}
