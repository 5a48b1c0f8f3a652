//! Who may see the actions of the log now: the log keeps the audiences that they were stored with.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::LogError;
use super::look::{Access, Mark};
use super::reader::{Entry, Log};
use crate::action::Audience;

/// The table holds the exceptions only.
const CHANGED: &str = "-- log::audience::changed
SELECT v.tenant, v.action_id, v.audience
FROM unnest($1::text[], $2::uuid[]) AS given (tenant, id)
JOIN gesta.visibility AS v ON v.tenant = given.tenant AND v.action_id = given.id";

impl Log {
    /// Gives actions the audience that holds now, where it was changed after they were stored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn update_audiences(&self, entries: &mut [Entry]) -> Result<(), LogError> {
        if entries.is_empty() {
            return Ok(());
        }
        let tenants: Vec<_> = entries.iter().map(|entry| entry.action.tenant.as_str()).collect();
        let ids: Vec<_> = entries.iter().map(|entry| entry.action.id.uuid()).collect();
        let client = self.client().await?;
        let params: [&(dyn ToSql + Sync); 2] = [&tenants, &ids];
        let read = Mark::with_rows(&client, self.own_tenant(), Access::All, CHANGED, &params).await;
        let (_, rows) = read.map_err(LogError::Database)?;
        let changed: HashMap<(&str, Uuid), _> = rows
            .iter()
            .map(|row| ((row.get(0), row.get(1)), row.get::<_, Vec<String>>(2)))
            .collect();
        for Entry { action, .. } in entries {
            if let Some(audience) = changed.get(&(action.tenant.as_str(), action.id.uuid())) {
                action.audience = Audience(audience.clone());
            }
        }
        Ok(())
    }
}
