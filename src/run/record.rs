//! The row of a run: written before anything else happens, and found by whoever sends the same request again.

use deadpool_postgres::Transaction;
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::RunError;
use super::info::SelectionInfo;
use super::open::random_id;
use super::runs::{RUN_START, Runs, cell, query};
use super::token::Request;
use crate::action::InvalidAction;
use crate::definition::{Asker, InputFault, Mode, Offer, Unit};
use crate::json::Json;
use crate::resource::ResourceType;

const FIND_KEY: &str = "-- run::record::find_key
SELECT r.id, r.request_hash
FROM gesta.run AS r
WHERE r.tenant = $1 AND r.actor_type = $2 AND r.actor_id = $3 AND r.idempotency_key = $4";

const FIND_TOKEN: &str = "-- run::record::find_token
SELECT r.id
FROM gesta.run AS r
WHERE r.tenant = $1 AND r.token_id = $2";

const FIND_RETRY: &str = "-- run::record::find_retry
SELECT r.id
FROM gesta.run AS r
WHERE r.tenant = $1 AND r.retry_of = $2";

/// Where another request with the same key, token or run to retry is being recorded at this moment, this waits for it, and
/// inserts nothing where it was committed.
const INSERT: &str = "-- run::record::insert
INSERT INTO gesta.run (tenant, id, object_type, name, label, state, actor_type, actor_id, actor_name, reason, context,
    permission, rights, input, secret_input, is_background, is_atomic, selection, retry_of, total, idempotency_key,
    request_hash, token_id, holder, held_until, started_at)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $22::uuid IS NULL THEN 'queued' ELSE 'running' END, $6, $7, $8, $9, $10, $11, $12, $13,
    $14, $22::uuid IS NULL, $15, $16, $17, $18, $19, $20, $21, $22, clock_timestamp() + $23 * interval '1 second',
    CASE WHEN $22::uuid IS NOT NULL THEN clock_timestamp() END)
ON CONFLICT DO NOTHING
RETURNING created_at";

/// By what a request that is sent again is known.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) token: Option<Uuid>,
}

/// A run that is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    pub(super) run: Uuid,
    /// Who is to work on it now; nobody, where it is queued or was recorded before.
    pub(super) holder: Option<Uuid>,
    pub(super) is_new: bool,
}

/// A run to record.
pub(super) struct NewRun<'a> {
    pub(super) asker: &'a Asker,
    pub(super) offer: &'a Offer<'a>,
    pub(super) kind: &'a ResourceType,
    pub(super) selection: &'a SelectionInfo,
    pub(super) input: &'a Value,
    pub(super) mode: Mode,
    pub(super) retry_of: Option<Uuid>,
}

/// What a definition is called for so many objects.
pub(super) fn label<'o>(offer: &'o Offer<'_>, total: u32) -> &'o str {
    if total == 1 { &offer.label } else { &offer.plural }
}

/// The run that this request has started already.
pub(super) async fn find(
    tx: &Transaction<'_>,
    asker: &Asker,
    key: &Key<'_>,
    request: &Request,
) -> Result<Option<Recorded>, RunError> {
    const WHAT: &str = "find the run of the request";
    let tenant = asker.context.tenant.as_str();
    let old = |run| Recorded { run, holder: None, is_new: false };
    if let Some(name) = key.name
        && let Some(run) = find_by_key(tx, asker, name, request.digest()).await?
    {
        return Ok(Some(old(run)));
    }
    if let Some(token) = key.token {
        let rows = query(tx, WHAT, FIND_TOKEN, &[&tenant, &token]).await?;
        if let Some(row) = rows.first() {
            return Ok(Some(old(cell(row, "id")?)));
        }
    }
    Ok(None)
}

/// The run that a request of this name and digest has started already.
pub(super) async fn find_by_key(
    tx: &Transaction<'_>,
    asker: &Asker,
    name: &str,
    digest: &[u8],
) -> Result<Option<Uuid>, RunError> {
    const WHAT: &str = "find the run of the request";
    let (tenant, actor) = (asker.context.tenant.as_str(), &asker.context.actor().resource);
    let (kind, id) = (actor.kind.as_str(), actor.id.as_str());
    let rows = query(tx, WHAT, FIND_KEY, &[&tenant, &kind, &id, &name]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let hash: Option<&[u8]> = cell(row, "request_hash")?;
    if hash != Some(digest) {
        return Err(RunError::KeyReused(name.to_owned()));
    }
    cell(row, "id").map(Some)
}

/// The run that has taken up what another one left.
pub(super) async fn find_retry(
    tx: &Transaction<'_>,
    asker: &Asker,
    of: Uuid,
) -> Result<Option<Recorded>, RunError> {
    let tenant = asker.context.tenant.as_str();
    let rows = query(tx, "find the retry of the run", FIND_RETRY, &[&tenant, &of]).await?;
    let run = rows.first().map(|row| cell(row, "id")).transpose()?;
    Ok(run.map(|run| Recorded { run, holder: None, is_new: false }))
}

impl Runs {
    /// Records a run with its `run.start`, or finds the one that was recorded at the same moment.
    pub(super) async fn insert(
        &self,
        tx: &Transaction<'_>,
        new: &NewRun<'_>,
        key: &Key<'_>,
        request: &Request,
    ) -> Result<Recorded, RunError> {
        let id = self.run_id();
        let holder = match new.mode {
            Mode::Foreground => Some(random_id()?),
            Mode::Background => None,
        };
        let masked = new.offer.definition.input.masked(new.input);
        if !self.write(tx, new, key, request, (id, holder), &masked).await? {
            let found = match new.retry_of {
                Some(of) => find_retry(tx, new.asker, of).await?,
                None => find(tx, new.asker, key, request).await?,
            };
            return found.ok_or(RunError::Row("a run that is in the way of another"));
        }
        let is_background = holder.is_none();
        let data = json!({
            "total": new.selection.total,
            "selection": new.selection.id,
            "input": masked,
            "background": is_background,
            "retry_of": new.retry_of,
        });
        let label = label(new.offer, new.selection.total);
        let about = (new.kind, new.offer.name());
        let told = Self::told(RUN_START, &new.asker.context, (id, label), about)?.data(data);
        let audience = new.offer.definition.audience.clone();
        self.append(tx, vec![told.audience(audience)]).await?;
        Ok(Recorded { run: id, holder, is_new: true })
    }

    /// Writes the row; false where another one is in its way.
    async fn write(
        &self,
        tx: &Transaction<'_>,
        new: &NewRun<'_>,
        key: &Key<'_>,
        request: &Request,
        (id, holder): (Uuid, Option<Uuid>),
        masked: &Value,
    ) -> Result<bool, RunError> {
        let (ctx, definition) = (&new.asker.context, new.offer.definition);
        let (tenant, actor) = (ctx.tenant.as_str(), ctx.actor());
        let label = label(new.offer, new.selection.total);
        let context = ctx.to_json();
        if let Some(context) = &context {
            let refused = |problem| InvalidAction::Json { field: "context", problem };
            context.check().map_err(|problem| RunError::Record(refused(problem)))?;
        }
        let shown = storable(masked)?;
        let secret = (masked != new.input).then(|| storable(new.input)).transpose()?;
        let have = |permission: &&String| new.asker.rights.have(permission);
        let permission = new.offer.permissions().iter().find(have);
        let rights: Vec<_> = new.asker.rights.iter().collect();
        let lease = holder.map(|_| self.lease.as_secs_f64());
        let total = i32::try_from(new.selection.total).map_err(|_| RunError::TooMany)?;
        let params: [&(dyn ToSql + Sync); 23] = [
            &tenant,
            &id,
            &new.kind.as_str(),
            &definition.name,
            &label,
            &actor.resource.kind.as_str(),
            &actor.resource.id.as_str(),
            &actor.name,
            &ctx.why(),
            &context,
            &permission,
            &rights,
            &shown,
            &secret,
            &(definition.unit == Unit::Run),
            &new.selection.id,
            &new.retry_of,
            &total,
            &key.name,
            &request.digest(),
            &key.token,
            &holder,
            &lease,
        ];
        Ok(!query(tx, "record the run", INSERT, &params).await?.is_empty())
    }
}

/// An input as `jsonb` holds it.
fn storable(input: &Value) -> Result<Json, RunError> {
    Json::of(input).map_err(|error| {
        RunError::Input(vec![InputFault { pointer: String::new(), text: error.to_string() }])
    })
}
