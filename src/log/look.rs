//! Looks at the database: what it is, how far it has come, and rows under one snapshot.

use deadpool_postgres::Client;
use futures_util::future::join5;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::durable::{Lsn, until_durable};
use super::error::LogError;
use super::position::{Origin, Point, Position};
use super::snapshot::Snapshot;
use crate::resource::Tenant;
use crate::store::{Failure, failed};

/// Identity of the log, the snapshot, and how far the sequence has come, which is read after the snapshot was taken.
const PROBE: &str = "-- log::look::probe
SELECT pg_is_in_recovery(), row_security_active('gesta.action') AND NOT pg_has_role('gesta_auditor', 'USAGE'),
    c.system_identifier, CASE WHEN pg_is_in_recovery() THEN '0' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
    d.oid, 'gesta.action'::regclass::oid, pg_current_snapshot()::text, CASE WHEN s.is_called THEN s.last_value ELSE 0 END
FROM gesta.action_seq AS s, pg_control_system() AS c, pg_database AS d
WHERE d.datname = current_database()";

const BEGIN: &str = "-- log::look::begin
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The tenant for row security; no JIT, which would cost more than it runs. For what is new, only indexes: whatever the
/// planner knows of a table that has just grown, a plan that is made once must not read all of it.
const SCOPE: &str = "-- log::look::scope
SELECT set_config('gesta.tenant', $1, true), set_config('jit', 'off', true),
    set_config('plan_cache_mode', CASE WHEN $2 THEN 'force_generic_plan' ELSE 'force_custom_plan' END, true),
    CASE WHEN $2 THEN set_config('enable_seqscan', 'off', true) END,
    CASE WHEN $2 THEN set_config('enable_bitmapscan', 'off', true) END";

/// The snapshot of this transaction; then how far the sequence has come; then how many transaction ids from the snapshot's
/// `xmax` on have been given out, which `age` tells; and the WAL that all this is in, and what of it is on disk. The row of
/// the sequence is read before the list of results is computed.
const MARK: &str = "-- log::look::mark
SELECT pg_current_snapshot()::text, CASE WHEN s.is_called THEN s.last_value ELSE 0 END,
    age(pg_snapshot_xmax(pg_current_snapshot())::xid),
    (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint
FROM gesta.action_seq AS s";

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
}

impl Now {
    /// # Errors
    /// On a standby, and for a role that sees one tenant when none is named.
    pub(super) async fn look(client: &Client, tenant: Option<&Tenant>) -> Result<Self, LogError> {
        let row = async {
            let probe = client.prepare_cached(PROBE).await.map_err(failed("prepare"))?;
            client.query_one(&probe, &[]).await.map_err(failed("tell its snapshot"))
        };
        let row = row.await.map_err(LogError::Database)?;
        if row.get(0) {
            return Err(LogError::Standby);
        }
        if row.get(1) && tenant.is_none() {
            return Err(LogError::TenantMissing);
        }
        Self::of(&row).map_err(LogError::Database)
    }

    fn of(row: &Row) -> Result<Self, Failure> {
        let timeline = u32::from_str_radix(row.get(3), 16).map_err(strange)?;
        let system = row.get::<_, i64>(2).cast_unsigned();
        let origin = Origin { system, timeline, database: row.get(4), table: row.get(5) };
        let snapshot = row.get::<_, &str>(6).parse().map_err(strange)?;
        Ok(Self { origin, snapshot, seq: row.get(7) })
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
    snapshot: Snapshot,
    seq: i64,
    next: u64,
    inserted: Lsn,
    flushed: Lsn,
}

impl Mark {
    /// A snapshot without rows.
    pub(super) async fn look(client: &Client) -> Result<Self, Failure> {
        let mark = client.prepare_cached(MARK).await.map_err(failed("prepare"))?;
        Self::of(&client.query_one(&mark, &[]).await.map_err(failed("tell its snapshot"))?)
    }

    /// A snapshot, and what a statement reads under it. All five messages leave in one flight, and the first poll sends
    /// them, so a future that is dropped leaves no transaction open behind it.
    pub(super) async fn with_rows(
        client: &Client,
        tenant: Option<&Tenant>,
        access: Access,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(Self, Vec<Row>), Failure> {
        let (tenant, newest) = (tenant.map_or("", Tenant::as_str), access == Access::Newest);
        let scope = client.prepare_cached(SCOPE).await.map_err(failed("prepare"))?;
        let mark = client.prepare_cached(MARK).await.map_err(failed("prepare"))?;
        let rows = client.prepare_cached(sql).await.map_err(failed("prepare"))?;
        let (begun, scoped, mark, rows, ended) = join5(
            client.batch_execute(BEGIN),
            client.query_one(&scope, &[&tenant, &newest]),
            client.query_one(&mark, &[]),
            client.query(&rows, params),
            client.batch_execute("COMMIT"),
        )
        .await;
        begun.map_err(failed("begin"))?;
        scoped.map_err(failed("set the tenant"))?;
        let mark = Self::of(&mark.map_err(failed("tell its snapshot"))?)?;
        let rows = rows.map_err(failed("read committed actions"))?;
        ended.map_err(failed("end the transaction"))?;
        Ok((mark, rows))
    }

    fn of(row: &Row) -> Result<Self, Failure> {
        let snapshot: Snapshot = row.get::<_, &str>(0).parse().map_err(strange)?;
        let next = snapshot.xmax.saturating_add(u64::try_from(row.get::<_, i32>(2)).unwrap_or(0));
        Ok(Self { snapshot, seq: row.get(1), next, inserted: row.get(3), flushed: row.get(4) })
    }

    /// Returns when all that the snapshot sees is durable.
    pub(super) async fn settle(&self, client: &Client) -> Result<(), Failure> {
        if self.is_durable() { Ok(()) } else { until_durable(client, self.inserted).await }
    }

    pub(super) fn is_durable(&self) -> bool {
        self.flushed >= self.inserted
    }

    pub(super) fn point(&self, origin: Origin) -> Point {
        let Self { seq, next, .. } = *self;
        Point { origin: Some(origin), snapshot: self.snapshot.clone(), next, seq, floor: 0 }
    }
}

/// A row that no version of this program wrote.
pub(super) fn strange(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Row(error.into())
}
