//! A key as JSON.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::KeyInfo;
use crate::action::form::time;
use crate::resource::Tenant;

/// What is known of a key. The secret is not.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyForm {
    /// The part that is no secret.
    pub(crate) id: String,
    /// The tenant that it is for; null for all.
    #[schema(required)]
    pub(crate) tenant: Option<String>,
    /// What people call it.
    pub(crate) name: String,
    /// `valid`, `expired` or `revoked`.
    pub(crate) state: &'static str,
    /// What it may do.
    #[schema(value_type = Vec<String>)]
    pub(crate) scopes: Vec<&'static str>,
    /// It sees actions with one of these labels; null for all actions.
    #[schema(required)]
    pub(crate) labels: Option<Vec<String>>,
    /// Whom its requests are recorded as, `TYPE:ID`.
    pub(crate) actor: String,
    /// Whether that is the actor of everything that it appends.
    pub(crate) is_actor: bool,
    /// Requests a minute; null for what the server allows.
    #[schema(required, value_type = Option<u32>)]
    pub(crate) rate_per_minute: Option<NonZeroU32>,
    /// When it was made.
    pub(crate) created_at: String,
    /// Who made it, `TYPE:ID`.
    pub(crate) created_by: String,
    /// From when on it is refused; null for never.
    #[schema(required)]
    pub(crate) expires_at: Option<String>,
    /// When it was revoked; null while it is not.
    #[schema(required)]
    pub(crate) revoked_at: Option<String>,
    /// When it was last used, to the minute or so; null before the first use.
    #[schema(required)]
    pub(crate) last_used_at: Option<String>,
}

impl KeyForm {
    /// The form of a key at a time.
    pub(crate) fn of(key: &KeyInfo, now: DateTime<Utc>) -> Self {
        Self {
            id: key.id.clone(),
            tenant: key.tenant.as_ref().map(Tenant::to_string),
            name: key.name.clone(),
            state: state(key, now),
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            labels: key.sight.labels().map(<[_]>::to_vec),
            actor: key.who.resource.to_string(),
            is_actor: key.is_actor,
            rate_per_minute: key.quota,
            created_at: time(key.created_at),
            created_by: key.created_by.clone(),
            expires_at: key.expires_at.map(time),
            revoked_at: key.revoked_at.map(time),
            last_used_at: key.last_used_at.map(time),
        }
    }
}

fn state(key: &KeyInfo, now: DateTime<Utc>) -> &'static str {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        _ => "valid",
    }
}

/// An example.
pub(super) fn example() -> serde_json::Value {
    serde_json::json!({
        "id": "4f0k2m9x7a1c",
        "tenant": "default",
        "name": "shop",
        "state": "valid",
        "scopes": ["events:write"],
        "labels": ["public"],
        "actor": "service:shop",
        "is_actor": false,
        "rate_per_minute": null,
        "created_at": "2026-11-20T14:03:22.123456Z",
        "created_by": "user:ann",
        "expires_at": null,
        "revoked_at": null,
        "last_used_at": null,
    })
}
