//! Attempts at what somebody may not run.

use serde_json::json;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::RunError;
use super::runs::{RUN_REFUSE, Runs, begin, query};
use crate::action::Outcome;
use crate::definition::{Asker, Definition, Offer, Unit};
use crate::resource::ResourceType;

const INSERT: &str = "-- run::refuse::insert
INSERT INTO gesta.run (tenant, id, object_type, name, label, state, actor_type, actor_id, actor_name, reason, context,
    permission, input, is_background, is_atomic, total, ended_at, error)
VALUES ($1, $2, $3, $4, $5, 'refused', $6, $7, $8, $9, $10, $11, '{}', false, $12, 0, clock_timestamp(), $13)";

impl Runs {
    /// What to tell somebody whom the catalog does not offer this: where it is known, the attempt is recorded first, as a run
    /// of the state `refused` and as an action.
    pub(crate) async fn refuse(&self, asker: &Asker, kind: &ResourceType, name: &str) -> RunError {
        let Some(offer) = self.catalog.known_offer(kind, name) else {
            return RunError::UnknownAction { kind: kind.clone(), name: name.to_owned() };
        };
        match self.record_refusal(asker, kind, &offer).await {
            Ok(refusal) => refusal,
            Err(error) => error,
        }
    }

    async fn record_refusal(
        &self,
        asker: &Asker,
        kind: &ResourceType,
        offer: &Offer<'_>,
    ) -> Result<RunError, RunError> {
        let definition = offer.definition;
        let (ctx, run) = (&asker.context, self.run_id());
        let permission = needed(kind, definition);
        let why = match &permission {
            Some(permission) => format!("it takes {permission}"),
            None => "it is not offered to them".to_owned(),
        };
        let mut client = self.client().await?;
        let tx = begin(&mut client, &ctx.tenant).await?;
        self.write_refusal(&tx, asker, kind, offer, (run, permission.as_deref(), &why)).await?;
        let about = (kind, definition.name.as_str());
        let told = Self::told(RUN_REFUSE, ctx, (run, &offer.label), about)?;
        let told = told.outcome(Outcome::Denied).description(why);
        self.append(&tx, vec![told.data(json!({ "permission": permission }))]).await?;
        self.commit(tx, "record the refusal").await?;
        let (kind, name) = (kind.clone(), definition.name.clone());
        Ok(RunError::Forbidden { kind, name, permission, run })
    }

    async fn write_refusal(
        &self,
        tx: &deadpool_postgres::Transaction<'_>,
        asker: &Asker,
        kind: &ResourceType,
        offer: &Offer<'_>,
        (run, permission, why): (Uuid, Option<&str>, &str),
    ) -> Result<(), RunError> {
        let ctx = &asker.context;
        let (tenant, actor) = (ctx.tenant.as_str(), ctx.actor());
        let params: [&(dyn ToSql + Sync); 13] = [
            &tenant,
            &run,
            &kind.as_str(),
            &offer.definition.name,
            &offer.label,
            &actor.resource.kind.as_str(),
            &actor.resource.id.as_str(),
            &actor.name,
            &ctx.why(),
            &ctx.to_json(),
            &permission,
            &(offer.definition.unit == Unit::Run),
            &why,
        ];
        query(tx, "record the refusal", INSERT, &params).await.map(drop)
    }
}

/// The permissions of which one would do.
fn needed(kind: &ResourceType, definition: &Definition) -> Option<String> {
    let of_type = |permission: &String| permission.replace("{type}", kind.as_str());
    let any: Vec<_> = definition.permissions.iter().map(of_type).collect();
    (!any.is_empty()).then(|| any.join(" or "))
}
