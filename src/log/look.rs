//! Looks at the database: what it is, how far it has come, and rows under one snapshot.

use deadpool_postgres::Client;
use futures_util::future::join4;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::durable::{FEW, Lsn, flushed, until_durable};
use super::error::LogError;
use super::position::{Origin, Point, Position};
use super::snapshot::Snapshot;
use crate::resource::Tenant;
use crate::store::{Failure, failed};

/// The look: what the database is; the snapshot; then how far the sequence has come; then how many transaction ids from the
/// snapshot's `xmax` on have been given out, which `age` tells; and the WAL that all this is in. The sequence is read before
/// the list of results is computed, and by the function, which waits for whoever is changing it: its row says 32 more while
/// `nextval` writes the WAL for the next values. To who may not read it the function says what it says of one that has not
/// begun; so the row is named as well.
///
/// The rest is for what comes after it in its transaction: the tenant for row security; no JIT, which would cost more than it
/// runs; where the WAL is. For what is new ($2), only indexes: whatever the planner knows of a table that has just grown, a
/// plan that is made once must not read all of it.
const LOOK: &str = "-- log::look::look
SELECT pg_is_in_recovery(), row_security_active('gesta.action'::regclass) AND NOT pg_has_role('gesta_auditor', 'USAGE'),
    current_setting('gesta.origin', true), 'gesta.action'::regclass::oid, pg_current_snapshot()::text,
    coalesce(n.seq, (SELECT 0 FROM gesta.action_seq)), age(pg_snapshot_xmax(pg_current_snapshot())::xid),
    CASE WHEN NOT pg_is_in_recovery() THEN
        set_config('gesta.inserted', (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text, true)::bigint END,
    set_config('gesta.tenant', $1, true), set_config('jit', 'off', true),
    set_config('plan_cache_mode', CASE WHEN $2 THEN 'force_generic_plan' ELSE 'force_custom_plan' END, true),
    CASE WHEN $2 THEN set_config('enable_seqscan', 'off', true) END,
    CASE WHEN $2 THEN set_config('enable_bitmapscan', 'off', true) END
FROM pg_sequence_last_value('gesta.action_seq'::regclass) AS n (seq)";

/// What does not change while a connection lasts is kept in `gesta.origin`: reading the control file costs as much as a look.
const ORIGIN: &str = "-- log::look::origin
SELECT set_config('gesta.origin', concat_ws(' ', c.system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), d.oid),
    false)
FROM pg_control_system() AS c, pg_database AS d
WHERE d.datname = current_database()";

const BEGIN: &str = "-- log::look::begin
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Which rows a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// The newest, by an index.
    Newest,
    /// Perhaps all.
    All,
}

/// What the database is, and how far it has come.
pub(super) struct Now {
    pub(super) origin: Origin,
    snapshot: Snapshot,
    /// Read after the snapshot was taken.
    pub(super) seq: i64,
    next: u64,
    inserted: Lsn,
}

impl Now {
    /// # Errors
    /// On a standby, and for a role that sees one tenant when none is named.
    pub(super) async fn look(client: &Client, tenant: Option<&Tenant>) -> Result<Self, LogError> {
        let row = async {
            let look = client.prepare_cached(LOOK).await.map_err(failed("prepare"))?;
            let tenant = tenant.map_or("", Tenant::as_str);
            client.query_one(&look, &[&tenant, &true]).await.map_err(failed("tell its snapshot"))
        };
        Self::of(client, &row.await.map_err(LogError::Database)?, tenant).await
    }

    async fn of(client: &Client, row: &Row, tenant: Option<&Tenant>) -> Result<Self, LogError> {
        if row.get(0) {
            return Err(LogError::Standby);
        }
        if row.get(1) && tenant.is_none() {
            return Err(LogError::TenantMissing);
        }
        Self::read(client, row).await.map_err(LogError::Database)
    }

    async fn read(client: &Client, row: &Row) -> Result<Self, Failure> {
        let (told, table) = (row.get::<_, Option<&str>>(2), row.get(3));
        // It is empty after RESET ALL.
        let origin = if let Some(told) = told.filter(|told| !told.is_empty()) {
            origin(told, table)?
        } else {
            let told = client.query_one(ORIGIN, &[]).await.map_err(failed("tell what it is"))?;
            origin(told.get(0), table)?
        };
        let snapshot: Snapshot = row.get::<_, &str>(4).parse().map_err(strange)?;
        let next = snapshot.xmax.saturating_add(u64::try_from(row.get::<_, i32>(6)).unwrap_or(0));
        Ok(Self { origin, snapshot, seq: row.get(5), next, inserted: row.get(7) })
    }

    pub(super) fn admits(&self, position: &Position) -> Result<(), LogError> {
        let Some(origin) = position.from.origin else { return Ok(()) };
        if origin != self.origin {
            return Err(LogError::OtherOrigin { position: origin, database: self.origin });
        }
        let known = position.tick.as_ref().map_or(&position.from, |tick| &tick.until).seq;
        if known > self.seq {
            return Err(LogError::SetBack { position: known, database: self.seq });
        }
        Ok(())
    }

    /// Whether nothing was inserted after the position's snapshot, and nothing that was in progress there has ended.
    pub(super) fn has_nothing_after(&self, position: &Position) -> bool {
        let Point { snapshot, next, seq, .. } = &*position.from;
        let mut running = snapshot.running.iter().copied().chain(snapshot.xmax..*next);
        position.tick.is_none() && self.seq == *seq && !running.any(|xid| self.snapshot.sees(xid))
    }
}

/// What [`ORIGIN`] says, of this table.
fn origin(told: &str, table: u32) -> Result<Origin, Failure> {
    let mut parts = told.split(' ');
    let mut part = || parts.next().unwrap_or_default();
    let system = part().parse::<i64>().map_err(strange)?.cast_unsigned();
    let timeline = u32::from_str_radix(part(), 16).map_err(strange)?;
    let database = part().parse().map_err(strange)?;
    Ok(Origin { system, timeline, database, table })
}

/// A snapshot that rows were read under.
pub(super) struct Mark {
    pub(super) now: Now,
    /// Up to where the WAL was on disk later; 0 where nobody has looked.
    pub(super) flushed: Lsn,
}

impl Mark {
    /// A snapshot without rows.
    pub(super) async fn look(client: &Client, tenant: Option<&Tenant>) -> Result<Self, LogError> {
        let now = Now::look(client, tenant).await?;
        Ok(Self { now, flushed: 0 })
    }

    /// A snapshot, and what a statement reads under it.
    pub(super) async fn with_rows(
        client: &Client,
        tenant: Option<&Tenant>,
        access: Access,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(Self, Vec<Row>), LogError> {
        let read = flight(client, tenant, access, sql, params).await;
        let (look, rows) = read.map_err(LogError::Database)?;
        // On a standby the rows have failed.
        let now = Now::of(client, &look, tenant).await?;
        Ok((Self { now, flushed: 0 }, rows.map_err(LogError::Database)?))
    }

    /// Returns when all that the snapshot sees is durable.
    pub(super) async fn settle(&self, client: &Client) -> Result<(), LogError> {
        if self.flushed >= self.now.inserted {
            return Ok(());
        }
        until_durable(client, self.now.inserted).await.map_err(LogError::Database)
    }

    /// Whether all that it sees is durable, now or in a moment.
    pub(super) async fn is_durable(&mut self, client: &Client) -> Result<bool, LogError> {
        self.flushed = flushed(client, FEW, self.now.inserted).await.map_err(LogError::Database)?;
        Ok(self.flushed >= self.now.inserted)
    }

    pub(super) fn point(&self) -> Point {
        let Now { origin, seq, next, .. } = self.now;
        Point { origin: Some(origin), snapshot: self.now.snapshot.clone(), next, seq, floor: 0 }
    }
}

/// A transaction: the look, and the rows of a statement. All four messages leave in one flight, and the first poll sends them,
/// so a future that is dropped leaves no transaction open behind it.
async fn flight(
    client: &Client,
    tenant: Option<&Tenant>,
    access: Access,
    sql: &'static str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<(Row, Result<Vec<Row>, Failure>), Failure> {
    let (tenant, newest) = (tenant.map_or("", Tenant::as_str), access == Access::Newest);
    let look = client.prepare_cached(LOOK).await.map_err(failed("prepare"))?;
    let rows = client.prepare_cached(sql).await.map_err(failed("prepare"))?;
    let (begun, look, rows, ended) = join4(
        client.batch_execute(BEGIN),
        client.query_one(&look, &[&tenant, &newest]),
        client.query(&rows, params),
        client.batch_execute("COMMIT"),
    )
    .await;
    begun.map_err(failed("begin"))?;
    let look = look.map_err(failed("tell its snapshot"))?;
    let rows = rows.map_err(failed("read committed actions"));
    // Where one of them has failed it is a rollback, which succeeds.
    ended.map_err(failed("end the transaction"))?;
    Ok((look, rows))
}

/// A row that no version of this program wrote.
pub(super) fn strange(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Row(error.into())
}
