//! What a run would do: done for real, and rolled back.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::error::{RunError, database};
use super::info::{Counts, SelectionInfo};
use super::runs::{Runs, begin};
use super::sample::Sample;
use super::token::{Confirmation, Request};
use super::version;
use super::{open, record};
use crate::definition::{Asker, Consequences, Fate, Message, Risk};
use crate::json::Json;
use crate::resource::{Named, ResourceRef, ResourceType};

/// Objects that a plan is tried with; with more of them, a plan is a sample.
pub const PLAN_LEN_MAX: usize = 1_000;
/// How long a confirmation can be used: as long as somebody may think about it.
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(15);

/// What a run would do, and the token that confirms it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The objects.
    pub selection: SelectionInfo,
    /// What the definition is called for so many objects.
    pub label: String,
    /// What became of the objects that it was tried with; `total` is how many these were. All are zero where it cannot be
    /// tried, since it is done elsewhere.
    pub tried: Counts,
    /// Some of these objects, and what was done to them.
    pub sample: Vec<Planned>,
    /// What the operation said.
    pub messages: Vec<Message>,
    /// What else would happen, of the objects that it was tried with.
    pub consequences: Consequences,
    /// Objects that have changed since they were selected or last planned, up to 20.
    pub changed: Vec<ResourceRef>,
    /// Whether it only runs with the token.
    pub needs_confirmation: bool,
    /// Confirms this plan: for this asker, selection, input and definition, and the rows as they are now. It starts one run.
    pub token: String,
    /// From when on the token is refused.
    pub expires_at: DateTime<Utc>,
}

/// An object, and what the run would do to it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The object.
    pub object: Named,
    /// What would become of it.
    pub fate: Fate,
    /// What would be recorded of it.
    pub actions: Vec<PlannedAction>,
}

/// An action that would be recorded.
#[derive(Clone, Debug)]
pub struct PlannedAction {
    /// Its verb.
    pub verb: String,
    /// What would be different, `{field: [old, new]}`.
    pub changes: Option<Json>,
}

impl Runs {
    /// Plans a run: does it with the first 1,000 objects, in a transaction that is rolled back, and tells what became of
    /// them. What is done elsewhere is not tried.
    ///
    /// # Errors
    /// What the asker may not run (which is recorded), a selection that is gone, an input that does not fit, and the
    /// database's.
    pub async fn plan(
        &self,
        asker: &Asker,
        kind: &ResourceType,
        name: &str,
        selection: Uuid,
        input: Value,
    ) -> Result<Plan, RunError> {
        let Some(offer) = self.catalog.find(asker, kind, name) else {
            return Err(self.refuse(asker, kind, name).await);
        };
        let definition = offer.definition;
        definition.check(&input).map_err(RunError::Input)?;
        let mut client = self.client().await?;
        let tx = begin(&mut client, &asker.context.tenant).await?;
        let mut opened = open::for_run(&tx, asker, selection, (kind, definition)).await?;
        let changed = match self.catalog.resource(kind) {
            Some(spec) => {
                let tenant = &asker.context.tenant;
                version::refresh(&self.store, &tx, tenant, spec, &mut opened).await?
            }
            None => Vec::new(),
        };
        let secret = open::secret(&tx).await?;
        tx.commit().await.map_err(database("keep the plan"))?;
        let sample = Sample { runs: self, asker, kind, definition, input: &input };
        let sample = Box::pin(sample.take(&mut client, &opened)).await?;
        let request = Request::new(&asker.context, kind, definition, selection, &input);
        let expires_at = opened.now + TOKEN_LIFE;
        let id = open::random_id()?;
        let confirmation =
            Confirmation { id, expires_at: expires_at.timestamp(), revision: opened.revision };
        let token = confirmation.sign(&secret, &request).ok_or(RunError::Row("a secret"))?;
        Ok(Plan {
            label: record::label(&offer, opened.info.total).to_owned(),
            selection: opened.info,
            tried: sample.counts,
            sample: sample.planned,
            messages: sample.messages,
            consequences: sample.consequences,
            changed,
            needs_confirmation: definition.risk > Risk::None,
            token,
            expires_at,
        })
    }
}
