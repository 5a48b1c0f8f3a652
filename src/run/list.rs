//! Reading runs: one, and who ran what.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::RunError;
use super::info::{Counts, RunInfo, RunState};
use super::runs::{Runs, begin_by_index, cell, count, query, resource};
use crate::action::ActionId;
use crate::resource::{ResourceRef, ResourceType, Tenant};

/// Runs of a page.
const PAGE_LEN_MAX: usize = 1_000;
/// Runs of a page, where nothing is said.
const PAGE_LEN: usize = 50;
/// The greatest id that there can be.
const ID_MAX: Uuid = Uuid::max();

macro_rules! run_columns {
    () => {
        "r.id, r.tenant, r.object_type, r.name, r.label, r.state, r.actor_type, r.actor_id, r.actor_name, r.reason, r.input,
    r.total, r.done, r.skipped, r.denied, r.failed, r.messages, r.created_at, r.started_at, r.ended_at, r.is_background,
    r.is_atomic, r.selection, r.retry_of, r.cancelled_by, r.error, r.waiting, r.permission"
    };
}

const RUN: &str = concat!(
    "-- run::list::run
SELECT ",
    run_columns!(),
    "
FROM gesta.run AS r
WHERE r.tenant = $1 AND r.id = $2"
);

/// Runs are walked by their ids, newest first; what is asked for besides is decided on each.
const LIST: &str = concat!(
    "-- run::list::list
SELECT ",
    run_columns!(),
    "
FROM gesta.run AS r
WHERE r.tenant = $1 AND r.id >= $2 AND r.id < $3
    AND ($5 = '' OR (r.actor_type = $5 AND r.actor_id = $6))
    AND ($7 = '' OR r.object_type = $7)
    AND ($8 = '' OR r.name = $8)
    AND (cardinality($9::text[]) = 0 OR r.state = ANY ($9))
ORDER BY r.id DESC
LIMIT $4"
);

/// Runs in which something became of an object, by the index of that object. The key only finds rows; the id decides.
const LIST_OF_OBJECT: &str = concat!(
    "-- run::list::list_of_object
SELECT ",
    run_columns!(),
    "
FROM gesta.run_item AS i
JOIN gesta.run AS r ON r.tenant = i.tenant AND r.id = i.run
WHERE i.object_key = gesta.resource_key($1, $10, $11) AND i.tenant = $1 AND i.object_id = $11 AND r.object_type = $10
    AND i.run >= $2 AND i.run < $3
    AND ($5 = '' OR (r.actor_type = $5 AND r.actor_id = $6))
    AND ($7 = '' OR r.object_type = $7)
    AND ($8 = '' OR r.name = $8)
    AND (cardinality($9::text[]) = 0 OR r.state = ANY ($9))
ORDER BY i.run DESC
LIMIT $4"
);

/// Which runs of a tenant: all conditions hold, and what is left out is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunQuery {
    /// Asked for by them.
    pub actor: Option<ResourceRef>,
    /// Of objects of this type.
    pub kind: Option<ResourceType>,
    /// Of the definition of this name.
    pub name: Option<String>,
    /// In which something became of this object.
    pub object: Option<ResourceRef>,
    /// In one of these states; empty for all.
    pub states: Vec<RunState>,
    /// Recorded at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Recorded before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Behind this run: [`RunPage::next`] of the page before.
    pub after: Option<Uuid>,
    /// How many, 1 to 1,000; 50 where nothing is said.
    pub limit: Option<usize>,
}

/// A page of runs, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunPage {
    /// The runs.
    pub items: Vec<RunInfo>,
    /// What to go on after; nothing on the last page.
    pub next: Option<Uuid>,
}

impl Runs {
    /// A run.
    ///
    /// # Errors
    /// Where the tenant has none of this id; the database's.
    pub async fn run(&self, tenant: &Tenant, id: Uuid) -> Result<RunInfo, RunError> {
        let mut client = self.client().await?;
        let tx = begin_by_index(&mut client, tenant).await?;
        find(&tx, tenant, id).await
    }

    /// Runs of a tenant, newest first: who ran what is one query.
    ///
    /// # Errors
    /// The database's. A limit out of range is brought into it.
    pub async fn list(&self, tenant: &Tenant, wanted: &RunQuery) -> Result<RunPage, RunError> {
        let limit = wanted.limit.unwrap_or(PAGE_LEN).clamp(1, PAGE_LEN_MAX);
        let rows_max = i64::try_from(limit).unwrap_or_default() + 1;
        let floor = |time| ActionId::floor(time).uuid();
        let low = wanted.since.map_or(Uuid::nil(), floor);
        let until = wanted.until.map_or(ID_MAX, floor);
        let high = wanted.after.unwrap_or(ID_MAX).min(until);
        let (tenant_name, actor) = (tenant.as_str(), wanted.actor.as_ref());
        let actor_type = actor.map_or("", |actor| actor.kind.as_str());
        let actor_id = actor.map_or("", |actor| actor.id.as_str());
        let kind = wanted.kind.as_ref().map_or("", ResourceType::as_str);
        let name = wanted.name.as_deref().unwrap_or_default();
        let states: Vec<_> = wanted.states.iter().map(|state| state.as_str()).collect();
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![
            &tenant_name,
            &low,
            &high,
            &rows_max,
            &actor_type,
            &actor_id,
            &kind,
            &name,
            &states,
        ];
        let object = wanted.object.as_ref().map(|it| (it.kind.as_str(), it.id.as_str()));
        let sql = match &object {
            Some((kind, id)) => {
                params.extend([kind as &(dyn ToSql + Sync), id]);
                LIST_OF_OBJECT
            }
            None => LIST,
        };
        let mut client = self.client().await?;
        let tx = begin_by_index(&mut client, tenant).await?;
        let rows = query(&tx, "read the runs", sql, &params).await?;
        let items = rows.iter().take(limit).map(read).collect::<Result<Vec<_>, _>>()?;
        let next = items.last().filter(|_| rows.len() > limit).map(|run| run.id);
        Ok(RunPage { items, next })
    }
}

/// A run, in a transaction that only reads.
pub(super) async fn find(
    tx: &Transaction<'_>,
    tenant: &Tenant,
    id: Uuid,
) -> Result<RunInfo, RunError> {
    let rows = query(tx, "read the run", RUN, &[&tenant.as_str(), &id]).await?;
    read(rows.first().ok_or(RunError::NotFound(id))?)
}

/// A run from its columns.
fn read(row: &Row) -> Result<RunInfo, RunError> {
    let state: &str = cell(row, "state")?;
    let kind: &str = cell(row, "object_type")?;
    let tenant: &str = cell(row, "tenant")?;
    let cancelled_by: Option<&str> = cell(row, "cancelled_by")?;
    let strange = RunError::Row;
    Ok(RunInfo {
        id: cell(row, "id")?,
        tenant: Tenant::new(tenant).map_err(|_| strange("a tenant"))?,
        kind: ResourceType::new(kind).map_err(|_| strange("a type"))?,
        name: cell(row, "name")?,
        label: cell(row, "label")?,
        state: RunState::from_word(state).ok_or(strange("a state"))?,
        actor: resource(
            cell(row, "actor_type")?,
            cell(row, "actor_id")?,
            cell(row, "actor_name")?,
        )?,
        reason: cell(row, "reason")?,
        input: cell(row, "input")?,
        counts: counts(row)?,
        messages: count(row, "messages")?,
        created_at: cell(row, "created_at")?,
        started_at: cell(row, "started_at")?,
        ended_at: cell(row, "ended_at")?,
        is_background: cell(row, "is_background")?,
        is_atomic: cell(row, "is_atomic")?,
        selection: cell(row, "selection")?,
        retry_of: cell(row, "retry_of")?,
        cancelled_by: cancelled_by
            .map(|text| text.parse().map_err(|_| strange("a resource")))
            .transpose()?,
        error: cell(row, "error")?,
        waiting: cell(row, "waiting")?,
        permission: cell(row, "permission")?,
    })
}

/// The counts of a run.
pub(super) fn counts(row: &Row) -> Result<Counts, RunError> {
    Ok(Counts {
        total: count(row, "total")?,
        done: count(row, "done")?,
        skipped: count(row, "skipped")?,
        denied: count(row, "denied")?,
        failed: count(row, "failed")?,
    })
}
