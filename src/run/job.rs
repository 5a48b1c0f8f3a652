//! A run that somebody holds, with all that is needed to work on it.

use deadpool_postgres::Transaction;
use futures_util::future::join3;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::error::{RunError, database};
use super::runs::{Runs, begin, begin_by_index, cell, count, query, resource};
use crate::context::Context;
use crate::definition::{Asker, Definition, Item, Rights};
use crate::resource::{ResourceRef, ResourceType, Tenant};

const LOAD: &str = "-- run::job::load
SELECT r.object_type, r.name, r.label, r.actor_type, r.actor_id, r.actor_name, r.context, r.rights,
    coalesce(r.secret_input, r.input) AS input, r.is_atomic, r.selection, r.attempts
FROM gesta.run AS r
WHERE r.tenant = $1 AND r.id = $2 AND r.holder = $3 AND r.state = 'running'";

/// The next objects that nothing became of. A subquery and not a join: the planner, who takes the table for empty, would look
/// through all rows of the run for each object.
const PENDING: &str = "-- run::job::pending
SELECT s.place, s.object_id, s.name
FROM gesta.selected AS s
WHERE s.tenant = $1 AND s.selection = $3 AND s.place > $4
    AND (SELECT i.place FROM gesta.run_item AS i WHERE i.tenant = $1 AND i.run = $2 AND i.place = s.place) IS NULL
ORDER BY s.place
LIMIT $5";

/// A plan that was made before the run's first piece would read all objects for each of them. The operation's own statements
/// are planned as they are.
const BY_INDEX: &str = "-- run::job::by_index
SET LOCAL enable_seqscan = off";

const AS_EVER: &str = "-- run::job::as_ever
SET LOCAL enable_seqscan TO DEFAULT";

/// The last object that something became of: of a run whose pieces are done in order, all before it are settled.
const REACHED: &str = "-- run::job::reached
SELECT coalesce(max(i.place), -1) AS place
FROM gesta.run_item AS i
WHERE i.tenant = $1 AND i.run = $2";

const HELD: &str = "-- run::job::held
SELECT FROM gesta.run AS r
WHERE r.tenant = $1 AND r.id = $2 AND r.holder = $3 AND r.state = 'running'";

/// A run, and who holds it.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) tenant: Tenant,
    pub(super) id: Uuid,
    pub(super) holder: Uuid,
}

/// A run that is being worked on.
pub(super) struct Task<'r> {
    pub(super) runs: &'r Runs,
    pub(super) job: Job,
    pub(super) kind: ResourceType,
    pub(super) label: String,
    /// Who asked, and what they might do; the context has the run.
    pub(super) asker: Asker,
    pub(super) definition: &'r Definition,
    /// With its secrets.
    pub(super) input: Value,
    pub(super) is_atomic: bool,
    pub(super) selection: Uuid,
    pub(super) attempts: u32,
}

impl<'r> Task<'r> {
    /// Loads a run; nothing where it is no longer this holder's.
    pub(super) async fn load(runs: &'r Runs, job: Job) -> Result<Option<Self>, RunError> {
        let mut client = runs.client().await?;
        let tx = begin(&mut client, &job.tenant).await?;
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&job.tenant.as_str(), &job.id, &job.holder];
        let rows = query(&tx, "read the run", LOAD, &params).await?;
        rows.first().map(|row| Self::read(runs, &job, row)).transpose()
    }

    fn read(runs: &'r Runs, job: &Job, row: &Row) -> Result<Self, RunError> {
        let kind: &str = cell(row, "object_type")?;
        let kind = ResourceType::new(kind).map_err(|_| RunError::Row("a type"))?;
        let name: String = cell(row, "name")?;
        let unknown = || RunError::UnknownAction { kind: kind.clone(), name: name.clone() };
        let definition = runs.catalog.known(&kind, &name).ok_or_else(unknown)?;
        let actor =
            resource(cell(row, "actor_type")?, cell(row, "actor_id")?, cell(row, "actor_name")?)?;
        let context = Context::stored(job.tenant.clone(), actor, cell(row, "context")?);
        let context = context.map_err(|_| RunError::Row("a context"))?.run(job.id);
        let rights = Rights::new(cell::<Vec<String>>(row, "rights")?);
        Ok(Self {
            runs,
            job: job.clone(),
            label: cell(row, "label")?,
            asker: Asker { context, rights },
            definition,
            input: cell(row, "input")?,
            is_atomic: cell(row, "is_atomic")?,
            selection: cell::<Option<Uuid>>(row, "selection")?.ok_or(RunError::Row("a run"))?,
            attempts: count(row, "attempts")?,
            kind,
        })
    }

    /// The next pending objects behind a place, -1 for the first ones.
    pub(super) async fn pending(
        &self,
        tx: &Transaction<'_>,
        behind: i32,
        len: usize,
    ) -> Result<Vec<Item>, RunError> {
        let (tenant, len) = (self.job.tenant.as_str(), i64::try_from(len).unwrap_or(i64::MAX));
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&tenant, &self.job.id, &self.selection, &behind, &len];
        let statement = tx.prepare_cached(PENDING).await.map_err(database("read the objects"))?;
        let (before, rows, after) = join3(
            tx.batch_execute(BY_INDEX),
            tx.query(&statement, &params),
            tx.batch_execute(AS_EVER),
        )
        .await;
        // The first failure is the cause of the others.
        let rows = before.and(rows).map_err(database("read the objects"))?;
        after.map_err(database("read the objects"))?;
        rows.iter().map(|row| item(&self.kind, row)).collect()
    }

    /// The place behind which all objects are pending, where pieces are done in order.
    pub(super) async fn reached(&self) -> Result<i32, RunError> {
        let mut client = self.runs.client().await?;
        let tx = begin_by_index(&mut client, &self.job.tenant).await?;
        let (tenant, id) = (self.job.tenant.as_str(), self.job.id);
        let rows = query(&tx, "read the objects", REACHED, &[&tenant, &id]).await?;
        cell(rows.first().ok_or(RunError::Row("a place"))?, "place")
    }

    /// Whether the run is still this holder's, and goes on.
    pub(super) async fn is_held(&self, tx: &Transaction<'_>) -> Result<bool, RunError> {
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&self.job.tenant.as_str(), &self.job.id, &self.job.holder];
        Ok(!query(tx, "read the run", HELD, &params).await?.is_empty())
    }

    /// A transaction of the run's tenant.
    pub(super) async fn begin<'c>(
        &self,
        client: &'c mut deadpool_postgres::Client,
    ) -> Result<Transaction<'c>, RunError> {
        begin(client, &self.job.tenant).await
    }
}

/// An object of a selection.
pub(super) fn item(kind: &ResourceType, row: &Row) -> Result<Item, RunError> {
    let id: String = cell(row, "object_id")?;
    let object = ResourceRef::new(kind.as_str(), id).map_err(|_| RunError::Row("an object"))?;
    Ok(Item { place: count(row, "place")?, object, name: cell(row, "name")? })
}

/// The place of an object as the database has it.
pub(super) fn place(item: &Item) -> i32 {
    i32::try_from(item.place).unwrap_or(i32::MAX)
}
