//! A selection as JSON.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::action::form::time;
use crate::run::SelectionInfo;

/// Objects that were selected, and stay so.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Selection)]
pub(crate) struct SelectionForm {
    /// Its id, which plans and runs take.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: Uuid,
    /// The type of its objects.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// How many they are.
    pub(crate) total: u32,
    /// How many ids were left out: they are not there, or outside of the filter.
    pub(crate) dropped: u32,
    /// When it was made.
    pub(crate) created_at: String,
    /// Until when it can be used.
    pub(crate) expires_at: String,
}

impl From<SelectionInfo> for SelectionForm {
    fn from(info: SelectionInfo) -> Self {
        Self {
            id: info.id,
            kind: info.kind.to_string(),
            total: info.total,
            dropped: info.dropped,
            created_at: time(info.created_at),
            expires_at: time(info.expires_at),
        }
    }
}

/// An example.
pub(in crate::server::api) fn example() -> Value {
    json!({
        "id": "0199f3c1-7a52-4b1e-9c54-0e4a5d1f2b3c",
        "type": "article",
        "total": 43,
        "dropped": 0,
        "created_at": "2026-11-20T14:03:20.123456Z",
        "expires_at": "2026-11-20T15:03:20.123456Z",
    })
}
