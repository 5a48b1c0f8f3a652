//! Looks at the database: what it is, how far it has come, and rows under one snapshot.

use deadpool_postgres::Client;
use futures_util::future::join5;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::durable::{FEW, FLUSHED, Lsn, until_durable};
use super::error::LogError;
use super::position::{Origin, Point, Position};
use super::snapshot::Snapshot;
use crate::resource::Tenant;
use crate::store::{Failure, failed};

/// The look: what the database is; the snapshot; then how far the sequence has come; then how many transaction ids from the
/// snapshot's `xmax` on have been given out, which `age` tells; and the WAL that all this is in. The row of the sequence is
/// read before the list of results is computed. What does not change while a connection lasts is kept in `gesta.origin`;
/// reading the control file costs as much as the rest.
///
/// The rest is for what comes after it in its transaction: the tenant for row security; no JIT, which would cost more than it
/// runs; where the WAL is, for [`FLUSHED`]. For what is new ($2), only indexes: whatever the planner knows of a table that has
/// just grown, a plan that is made once must not read all of it.
const LOOK: &str = "-- log::look::look
SELECT pg_is_in_recovery(), row_security_active('gesta.action') AND NOT pg_has_role('gesta_auditor', 'USAGE'),
    CASE WHEN NOT pg_is_in_recovery() THEN coalesce(nullif(current_setting('gesta.origin', true), ''), (
        SELECT set_config('gesta.origin', concat_ws(' ', c.system_identifier,
            substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), d.oid), false)
        FROM pg_control_system() AS c, pg_database AS d
        WHERE d.datname = current_database())) END,
    'gesta.action'::regclass::oid, pg_current_snapshot()::text, CASE WHEN s.is_called THEN s.last_value ELSE 0 END,
    age(pg_snapshot_xmax(pg_current_snapshot())::xid),
    CASE WHEN NOT pg_is_in_recovery() THEN
        set_config('gesta.inserted', (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text, true)::bigint END,
    set_config('gesta.tenant', $1, true), set_config('jit', 'off', true),
    set_config('plan_cache_mode', CASE WHEN $2 THEN 'force_generic_plan' ELSE 'force_custom_plan' END, true),
    CASE WHEN $2 THEN set_config('enable_seqscan', 'off', true) END,
    CASE WHEN $2 THEN set_config('enable_bitmapscan', 'off', true) END
FROM gesta.action_seq AS s";

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
        Self::of(&row.await.map_err(LogError::Database)?, tenant)
    }

    fn of(row: &Row, tenant: Option<&Tenant>) -> Result<Self, LogError> {
        if row.get(0) {
            return Err(LogError::Standby);
        }
        if row.get(1) && tenant.is_none() {
            return Err(LogError::TenantMissing);
        }
        Self::read(row).map_err(LogError::Database)
    }

    fn read(row: &Row) -> Result<Self, Failure> {
        let mut parts = row.get::<_, &str>(2).split(' ');
        let mut part = || parts.next().unwrap_or_default();
        let system = part().parse::<i64>().map_err(strange)?.cast_unsigned();
        let timeline = u32::from_str_radix(part(), 16).map_err(strange)?;
        let database = part().parse().map_err(strange)?;
        let origin = Origin { system, timeline, database, table: row.get(3) };
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

/// A snapshot that rows were read under.
pub(super) struct Mark {
    pub(super) now: Now,
    /// Up to where the WAL was on disk when all else had been read; 0 where nobody has looked.
    flushed: Lsn,
}

impl Mark {
    /// A snapshot without rows.
    pub(super) async fn look(client: &Client, tenant: Option<&Tenant>) -> Result<Self, LogError> {
        let now = Now::look(client, tenant).await?;
        Ok(Self { now, flushed: 0 })
    }

    /// A snapshot, what a statement reads under it, and then what is on disk.
    pub(super) async fn with_rows(
        client: &Client,
        tenant: Option<&Tenant>,
        access: Access,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(Self, Vec<Row>), LogError> {
        let read = flight(client, tenant, access, sql, params).await;
        let (look, rows, flushed) = read.map_err(LogError::Database)?;
        // On a standby the others have failed.
        let now = Now::of(&look, tenant)?;
        let (rows, flushed) =
            rows.and_then(|rows| Ok((rows, flushed?))).map_err(LogError::Database)?;
        Ok((Self { now, flushed }, rows))
    }

    /// Returns when all that the snapshot sees is durable.
    pub(super) async fn settle(&self, client: &Client) -> Result<(), LogError> {
        if self.is_durable() {
            return Ok(());
        }
        until_durable(client, self.now.inserted).await.map_err(LogError::Database)
    }

    pub(super) fn is_durable(&self) -> bool {
        self.flushed >= self.now.inserted
    }

    pub(super) fn point(&self) -> Point {
        let Now { origin, seq, next, .. } = self.now;
        Point { origin: Some(origin), snapshot: self.now.snapshot.clone(), next, seq, floor: 0 }
    }
}

/// A transaction: the look, the rows of a statement, what is on disk. All five messages leave in one flight, and the first
/// poll sends them, so a future that is dropped leaves no transaction open behind it.
async fn flight(
    client: &Client,
    tenant: Option<&Tenant>,
    access: Access,
    sql: &'static str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<(Row, Result<Vec<Row>, Failure>, Result<Lsn, Failure>), Failure> {
    let (tenant, newest) = (tenant.map_or("", Tenant::as_str), access == Access::Newest);
    let look = client.prepare_cached(LOOK).await.map_err(failed("prepare"))?;
    let rows = client.prepare_cached(sql).await.map_err(failed("prepare"))?;
    let disk = client.prepare_cached(FLUSHED).await.map_err(failed("prepare"))?;
    let (begun, look, rows, flushed, ended) = join5(
        client.batch_execute(BEGIN),
        client.query_one(&look, &[&tenant, &newest]),
        client.query(&rows, params),
        client.query_one(&disk, &[&FEW, &None::<Lsn>]),
        client.batch_execute("COMMIT"),
    )
    .await;
    begun.map_err(failed("begin"))?;
    let look = look.map_err(failed("tell its snapshot"))?;
    let rows = rows.map_err(failed("read committed actions"));
    let flushed = flushed.map(|row| row.get(0)).map_err(failed("tell what is durable"));
    // Where one of them has failed it is a rollback, which succeeds.
    ended.map_err(failed("end the transaction"))?;
    Ok((look, rows, flushed))
}

/// A row that no version of this program wrote.
pub(super) fn strange(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Row(error.into())
}
