//! Retrying a run: what failed, and what nothing became of.

use std::future::pending;

use deadpool_postgres::Transaction;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::begun::Begun;
use super::error::RunError;
use super::info::{RunInfo, RunState, SelectionInfo, Started};
use super::open;
use super::record::{self, Key, NewRun, Recorded};
use super::runs::{Runs, begin, query};
use super::select::SELECTION_LIFE;
use super::token::Request;
use crate::definition::{Asker, Mode, Offer};

/// What is left of a run, in its order: objects that failed have a row, pending ones have none.
const COPY: &str = "-- run::retry::copy
INSERT INTO gesta.selected (tenant, selection, place, object_id, name)
SELECT $1, $4, row_number() OVER (ORDER BY l.place) - 1, l.object_id, l.name
FROM (
    SELECT i.place, i.object_id, i.name
    FROM gesta.run_item AS i
    WHERE i.tenant = $1 AND i.run = $2 AND i.outcome = 'failed'
    UNION ALL
    SELECT s.place, s.object_id, s.name
    FROM gesta.selected AS s
    WHERE s.tenant = $1 AND s.selection = $3
        AND (SELECT i.place FROM gesta.run_item AS i WHERE i.tenant = $1 AND i.run = $2 AND i.place = s.place) IS NULL
) AS l
ORDER BY l.place";

/// `gesta.archive_runs` skips what is locked. What it takes away meanwhile would look like objects that are pending.
const LOCK: &str = "-- run::retry::lock
SELECT FROM gesta.run AS r
WHERE r.tenant = $1 AND r.id = $2
FOR KEY SHARE";

const KEEP: &str = "-- run::retry::keep
INSERT INTO gesta.selection (tenant, id, object_type, maker_type, maker_id, rule, total, dropped, expires_at)
SELECT $1, $2, $3, $4, $5, jsonb_build_object('retry_of', $6::uuid), count(*), 0, clock_timestamp() + $7 * interval '1 second'
FROM gesta.selected AS s
WHERE s.tenant = $1 AND s.selection = $2";

impl Runs {
    /// Runs it again over the objects of a run that failed, and those that nothing became of because it was cancelled or has
    /// failed as a whole; never over one that was done. The new run names the old one, and a run is retried once: a second
    /// call finds the run of the first one. What that leaves is retried by retrying it.
    ///
    /// # Errors
    /// Where there is no such run, it has not ended, nothing is left of it, or its input had secrets, which are gone; where
    /// the asker may not (which is recorded); the database's.
    pub async fn retry(&self, asker: &Asker, id: Uuid) -> Result<Started, RunError> {
        self.begin_retry(asker, id).await?.finish(pending()).await
    }

    /// The same as far as the run is recorded.
    pub(crate) async fn begin_retry(&self, asker: &Asker, id: Uuid) -> Result<Begun, RunError> {
        let old = self.run(&asker.context.tenant, id).await?;
        let Some(offer) = self.catalog.find(asker, &old.kind, &old.name) else {
            return Err(self.refuse(asker, &old.kind, &old.name).await);
        };
        let recorded = self.record_retry(asker, &old, &offer).await?;
        Ok(Begun::new(self, &old.tenant, recorded))
    }

    async fn record_retry(
        &self,
        asker: &Asker,
        old: &RunInfo,
        offer: &Offer<'_>,
    ) -> Result<Recorded, RunError> {
        let mut client = self.client().await?;
        let tx = begin(&mut client, &asker.context.tenant).await?;
        if let Some(found) = record::find_retry(&tx, asker, old.id).await? {
            return Ok(found);
        }
        check(old)?;
        let params: [&(dyn ToSql + Sync); 2] = [&asker.context.tenant.as_str(), &old.id];
        if query(&tx, "lock the run", LOCK, &params).await?.is_empty() {
            return Err(RunError::NotFound(old.id));
        }
        let selection = copy(&tx, asker, old).await?;
        let input = &old.input;
        let request =
            Request::new(&asker.context, &old.kind, offer.definition, selection.id, input);
        let new = NewRun {
            asker,
            offer,
            kind: &old.kind,
            selection: &selection,
            input,
            mode: if old.is_background { Mode::Background } else { Mode::Foreground },
            retry_of: Some(old.id),
        };
        let recorded = self.insert(&tx, &new, &Key { name: None, token: None }, &request).await?;
        if recorded.is_new {
            self.commit(tx, "record the run").await?;
        }
        Ok(recorded)
    }
}

fn check(old: &RunInfo) -> Result<(), RunError> {
    let problem = if !old.state.is_ended() {
        "it has not ended; cancel it, or wait"
    } else if old.state == RunState::Refused || old.counts.failed + old.counts.pending() == 0 {
        "no object failed or is pending"
    } else if has_secrets(&old.input) {
        "its input had secrets, which are gone; select what is left, and start a new one"
    } else {
        return Ok(());
    };
    Err(RunError::NotRetryable { id: old.id, problem })
}

/// Whether something of an input is masked.
fn has_secrets(input: &Value) -> bool {
    match input {
        Value::String(text) => text == "***",
        Value::Array(elements) => elements.iter().any(has_secrets),
        Value::Object(fields) => fields.values().any(has_secrets),
        _ => false,
    }
}

/// Makes a selection of what is left.
async fn copy(
    tx: &Transaction<'_>,
    asker: &Asker,
    old: &RunInfo,
) -> Result<SelectionInfo, RunError> {
    const WHAT: &str = "select what is left of the run";
    let id = open::random_id()?;
    let (tenant, maker) = (asker.context.tenant.as_str(), &asker.context.actor().resource);
    query(tx, WHAT, COPY, &[&tenant, &old.id, &old.selection, &id]).await?;
    let life = SELECTION_LIFE.as_secs_f64();
    let params: [&(dyn ToSql + Sync); 7] = [
        &tenant,
        &id,
        &old.kind.as_str(),
        &maker.kind.as_str(),
        &maker.id.as_str(),
        &old.id,
        &life,
    ];
    query(tx, WHAT, KEEP, &params).await?;
    Ok(open::find(tx, asker, id).await?.info)
}
