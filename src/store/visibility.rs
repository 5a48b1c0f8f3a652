//! Who may see an action, changed after the fact. The action itself never changes: the new audience stands beside the
//! log, and the change is an action in it.

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::{AppendError, Failure, Receipt, Store, scope};
use crate::action::{ActionId, Audience, InvalidAction, NewAction};
use crate::context::Context;
use crate::resource::{ResourceError, ResourceRef};

/// Locks nothing: two changes at once are ordered by the row of `visibility` that they both write.
const CURRENT: &str = "-- store::visibility::current
SELECT coalesce((SELECT v.audience FROM gesta.visibility AS v WHERE v.tenant = $1 AND v.action_id = $2), a.audience)
FROM gesta.action AS a
WHERE a.tenant = $1 AND a.id = $2";

const CHANGE: &str = "-- store::visibility::change
INSERT INTO gesta.visibility (tenant, action_id, audience, changed_by)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, action_id) DO UPDATE SET audience = excluded.audience, changed_by = excluded.changed_by";

/// What the database was asked to do, for a failure.
const CHANGING: &str = "change the audience";

/// The verb of the action that tells of the change; its object is `action:ID`.
pub const AUDIENCE_CHANGED: &str = "changed audience";

/// Why an audience is not changed.
#[derive(Debug, thiserror::Error)]
pub enum AudienceError {
    /// There is no such action in the tenant.
    #[error("there is no action {0} in this tenant")]
    NotFound(ActionId),
    /// The audience cannot be stored.
    #[error("the audience is refused: {0}")]
    Invalid(InvalidAction),
    /// The action that tells of the change was refused.
    #[error("failed to record the change of the audience")]
    Record(#[source] AppendError),
    /// The action's id could not be named.
    #[error("failed to name the action: {0}")]
    Name(ResourceError),
    /// The database did not do it. The transaction has to be rolled back.
    #[error("failed to change the audience")]
    Database(#[source] Failure),
}

impl Store {
    /// Changes who may see an action from now on, in the caller's transaction; gives the receipt of the action that
    /// tells of it, which only auditors see.
    ///
    /// # Errors
    /// When there is no such action, the audience cannot be stored, or the database fails.
    ///
    /// # Cancel safety
    /// Dropped, part of it may have run: roll `tx` back.
    pub async fn set_audience(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        id: ActionId,
        audience: &Audience,
    ) -> Result<Receipt, AudienceError> {
        audience.check().map_err(AudienceError::Invalid)?;
        let tenant = ctx.tenant.as_str();
        scope::enter(tx, tenant).await.map_err(AudienceError::Database)?;
        let current = scope::query(tx, CHANGING, CURRENT, &[&tenant, &id.uuid()]).await;
        let current = current.map_err(AudienceError::Database)?;
        let Some(row) = current.first() else { return Err(AudienceError::NotFound(id)) };
        // What is no list of labels was for auditors alone.
        let current: Vec<String> = row.try_get(0).unwrap_or_default();
        let changes = serde_json::json!({ "audience": [current, audience] });
        let object = ResourceRef::new("action", id.to_string()).map_err(AudienceError::Name)?;
        let told = NewAction::new(AUDIENCE_CHANGED, ctx)
            .object(&object)
            .changes(changes)
            .audience(Audience::auditors());
        let receipt = self.append(tx, told).await.map_err(AudienceError::Record)?;
        let params: [&(dyn ToSql + Sync); 4] =
            [&tenant, &id.uuid(), &audience.0, &receipt.id().uuid()];
        scope::query(tx, CHANGING, CHANGE, &params).await.map_err(AudienceError::Database)?;
        Ok(receipt)
    }
}
