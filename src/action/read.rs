//! What stands in the log.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ActionId, Audience, Outcome, Source};
use crate::json::Json;
use crate::resource::{Named, Tenant};

/// An action of the log, as it was stored. Serialises to the documented JSON form ([`super::form`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The tenant it belongs to.
    pub tenant: Tenant,
    /// Its id, and its place in every stream.
    pub id: ActionId,
    /// Who, and what they were called then.
    pub actor: Named,
    /// What.
    pub verb: String,
    /// Done to what.
    pub object: Option<Named>,
    /// In, to or for what.
    pub target: Option<Named>,
    /// When it happened, by the writer's clock.
    pub occurred_at: DateTime<Utc>,
    /// When it was stored, by the database's clock.
    pub recorded_at: DateTime<Utc>,
    /// The run or bulk operation that it belongs to.
    pub run: Option<Uuid>,
    /// The way it came in.
    pub source: Source,
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Free text.
    pub description: Option<String>,
    /// `{field: [old, new]}`.
    pub changes: Option<Json>,
    /// Free payload.
    pub data: Option<Json>,
    /// Request id, IP, user agent, trace, on behalf of, reason.
    pub context: Option<Json>,
    /// Who may see it, as it was appended.
    pub audience: Audience,
}

impl Action {
    /// Bytes of what is free in it.
    pub(crate) fn payload_len(&self) -> usize {
        let parts = [&self.changes, &self.data, &self.context].into_iter().flatten();
        parts.map(|json| json.get().len()).sum()
    }
}
