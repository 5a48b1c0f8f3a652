//! The rows of a tick, piece by piece.

use std::sync::Arc;

use deadpool_postgres::Client;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::durable::disk;
use super::error::LogError;
use super::look::{Access, Mark, strange};
use super::position::{Point, Position, Unfinished};
use super::reader::{Chunk, Entry};
use crate::resource::Tenant;
use crate::store::Failure;
use crate::stream::row::{self, columns};

/// Values of `seq` that one statement passes over. It bounds what a chunk costs where few of them are for this reader:
/// another tenant's, rolled back, or of a large load in progress.
pub(super) const WINDOW: i64 = 50_000;

/// Transactions beyond a snapshot's `xmax` that are looked up one by one, in order; further ones, which only savepoints
/// bring about, are read as a range and sorted. A transaction has the least id of itself and its savepoints.
const SINGLY_MAX: u64 = 1_000;

/// Values of `seq`, up to the beginning of a tick, that are passed over in their order: with so few, looking for the rows of
/// each transaction that was in progress costs more.
const NEAR_MAX: i64 = 200;

/// A statement for rows of the log, with [`XID`], [`SEQ`], [`AUDIENCE`] and [`FLUSHED`] behind the columns of the action. Where
/// the tick ends with another snapshot than this transaction's, it is known to be durable.
macro_rules! told {
    ($name:literal, $until:literal, $limit:literal, $($rows:expr),+) => {
        concat!(
            $name, "\n",
            disk!("2", concat!("CASE WHEN ", $until, "::text IS NULL THEN current_setting('gesta.inserted')::bigint END")), "
SELECT ", columns!(), ", a.xid::text, a.seq, v.audience, (SELECT max(d.flushed) FROM disk AS d)
FROM (
    ", $($rows),+, "
) AS a
LEFT JOIN gesta.visibility AS v ON v.tenant = a.tenant AND v.action_id = a.id
ORDER BY a.seq
LIMIT ", $limit
        )
    };
}

/// The next rows of a tick, where the transactions in progress at its beginning can have inserted none far before it. $1 and
/// $2 are the snapshot and the `next` at its beginning, $3 is the `seq` there. $4 is the `seq` up to which the tick was read,
/// $5 the one up to which to read. $6 and $7 are the snapshot and the `next` that the tick ends with, where those are not of
/// this transaction. $8 is the tenant, $9 how many.
///
/// The rows are those of [`ROWS`]: up to $3, of transactions below `next` that the beginning did not see and the end sees;
/// beyond, of all that the end sees, and those that were restored. It begins one scan a partition where that one begins three,
/// one of them for each transaction.
const NEAR: &str = told!(
    "-- log::tick::near",
    "$6",
    "$9",
    "SELECT ",
    columns!(),
    ", a.xid, a.seq
    FROM gesta.action AS a
    WHERE a.seq > $4 AND a.seq <= $5
        AND (a.seq > $3
            OR (a.xid < $2::text::xid8 AND NOT pg_visible_in_snapshot(a.xid, (SELECT $1::text::pg_snapshot))))
        AND (pg_visible_in_snapshot(a.xid, (SELECT coalesce($6::text::pg_snapshot, pg_current_snapshot())))
            OR (a.seq > $3 AND a.xid >= (SELECT coalesce($7::text, (pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                + age(pg_snapshot_xmax(pg_current_snapshot())::xid))::text)::xid8)))
        AND ($8::text IS NULL OR a.tenant = $8)
    ORDER BY a.seq
    LIMIT $9"
);

/// The next rows of a tick. $1 are the ids of transactions in progress at its beginning; $2 up to before $3 may be others; $4
/// is the `seq` there. $5 is the `seq` up to which the tick was read, $6 the one up to which to read. $7 and $8 are the
/// snapshot and the `next` that the tick ends with, where those are not of this transaction. $9 is the tenant, $10 how many.
///
/// A row that is there has a transaction that the snapshot sees, so the last condition but one lets it through; unless it
/// was restored from a dump, with a transaction id of elsewhere. Then it comes with the tick of whoever has that id here.
///
/// A single transaction is a range of `(xid, seq)`, and `seq + 0` is what no index has: where the planner believes that
/// a transaction has many rows, it would else walk all of them in the order of `seq` to get there.
const ROWS: &str = told!(
    "-- log::tick::rows",
    "$7",
    "$10",
    "(SELECT ",
    columns!(),
    ", a.xid, a.seq
    FROM (
        SELECT given.xid::xid8 AS xid
        FROM unnest($1::text[]) AS given (xid)
        WHERE pg_visible_in_snapshot(given.xid::xid8, coalesce($7::text::pg_snapshot, pg_current_snapshot()))
    ) AS running CROSS JOIN LATERAL (
        SELECT ",
    columns!(),
    ", a.xid, a.seq
        FROM gesta.action AS a
        WHERE (a.xid, a.seq) > (running.xid, $5) AND (a.xid, a.seq) <= (running.xid, least($4::bigint, $6::bigint))
            AND ($9::text IS NULL OR a.tenant = $9)
        ORDER BY a.xid, a.seq
        LIMIT $10
    ) AS a
    ORDER BY a.seq
    LIMIT $10)
    UNION ALL
    (SELECT ",
    columns!(),
    ", a.xid, a.seq
    FROM gesta.action AS a
    WHERE a.xid >= $2::text::xid8 AND a.xid < $3::text::xid8
        AND a.seq + 0 > $5 AND a.seq + 0 <= least($4::bigint, $6::bigint)
        AND pg_visible_in_snapshot(a.xid, (SELECT coalesce($7::text::pg_snapshot, pg_current_snapshot())))
        AND ($9::text IS NULL OR a.tenant = $9)
    ORDER BY a.seq + 0
    LIMIT $10)
    UNION ALL
    (SELECT ",
    columns!(),
    ", a.xid, a.seq
    FROM gesta.action AS a
    WHERE a.seq > greatest($4::bigint, $5::bigint) AND a.seq <= $6
        AND (pg_visible_in_snapshot(a.xid, (SELECT coalesce($7::text::pg_snapshot, pg_current_snapshot())))
            OR a.xid >= (SELECT coalesce($8::text, (pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                + age(pg_snapshot_xmax(pg_current_snapshot())::xid))::text)::xid8))
        AND ($9::text IS NULL OR a.tenant = $9)
    ORDER BY a.seq
    LIMIT $10)"
);

/// Columns after those of the action.
const XID: usize = 20;
const SEQ: usize = 21;
/// The audience that holds now, where it is another than the action was stored with; there are few.
const AUDIENCE: usize = 22;
/// Up to where the WAL is on disk, perhaps after a moment.
const FLUSHED: usize = 23;

/// Values of `seq` that a statement looks at.
pub(super) struct Range {
    /// Up to here the tick was read.
    done: i64,
    /// And up to here it will be.
    last: i64,
}

impl Range {
    pub(super) fn new(after: &Position) -> Self {
        let done = after.tick.as_ref().map_or(0, |tick| tick.seq).max(after.from.floor);
        let windowed = done.max(after.from.seq).saturating_add(WINDOW);
        let last = after.tick.as_ref().map_or(windowed, |tick| tick.until.seq.min(windowed));
        Self { done, last }
    }

    /// The next rows after a position, up to one more than `limit`, which tells whether the tick goes on.
    pub(super) async fn rows(
        &self,
        client: &Client,
        after: &Position,
        tenant: Option<&Tenant>,
        limit: usize,
    ) -> Result<(Mark, Vec<Row>), LogError> {
        let Point { snapshot, next, seq, .. } = &*after.from;
        let Self { done, last } = self;
        let until = after.tick.as_ref().map(|tick| tick.until.snapshot.to_string());
        let beyond = after.tick.as_ref().map(|tick| tick.until.next.to_string());
        let name = tenant.map(Tenant::as_str);
        let len = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        if seq.saturating_sub(*done) <= NEAR_MAX {
            let (seen, next) = (snapshot.to_string(), next.to_string());
            let params: [&(dyn ToSql + Sync); 9] =
                [&seen, &next, seq, done, last, &until, &beyond, &name, &len];
            return Self::told(client, tenant, NEAR, &params).await;
        }
        let singly = snapshot.xmax.saturating_add(SINGLY_MAX).min(*next);
        let running = snapshot.running.iter().copied().chain(snapshot.xmax..singly);
        let running: Vec<_> = running.map(|xid| xid.to_string()).collect();
        let (singly, next) = (singly.to_string(), next.to_string());
        let params: [&(dyn ToSql + Sync); 10] =
            [&running, &singly, &next, seq, done, last, &until, &beyond, &name, &len];
        Self::told(client, tenant, ROWS, &params).await
    }

    async fn told(
        client: &Client,
        tenant: Option<&Tenant>,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<(Mark, Vec<Row>), LogError> {
        let newest = Access::Newest;
        let (mut mark, rows) = Mark::with_rows(client, tenant, newest, sql, params).await?;
        if let Some(row) = rows.first() {
            mark.flushed = row.get(FLUSHED);
        }
        Ok((mark, rows))
    }

    /// The rows as entries, each with the position after it; the tick ends with `until`.
    pub(super) fn chunk(
        &self,
        after: &Position,
        until: &Arc<Point>,
        rows: &[Row],
        limit: usize,
    ) -> Result<Chunk, Failure> {
        // The start has no origin; a tick that begins there has.
        let from = match after.from.origin {
            Some(_) => Arc::clone(&after.from),
            None => Arc::new(Point { origin: until.origin, ..(*after.from).clone() }),
        };
        let inside = |seq| {
            let (from, until) = (Arc::clone(&from), Arc::clone(until));
            Position { from, tick: Some(Unfinished { until, seq }) }
        };
        let mut entries = Vec::with_capacity(rows.len().min(limit));
        for row in rows.iter().take(limit) {
            let seq = row.get(SEQ);
            let mut action = row::action(row).map_err(Failure::Row)?;
            if let Some(audience) = row::audience(row, AUDIENCE) {
                action.audience = audience;
            }
            let xid = row.get::<_, &str>(XID).parse().map_err(strange)?;
            entries.push(Entry { position: inside(seq), action, xid, seq });
        }
        let end = match entries.last() {
            Some(last) if rows.len() > limit => last.position.clone(),
            _ if self.last < until.seq => inside(self.last),
            _ => Position { from: Arc::clone(until), tick: None },
        };
        let more = end.tick.is_some();
        if let (Some(last), false) = (entries.last_mut(), more) {
            // The tick ends with it.
            last.position = end.clone();
        }
        Ok(Chunk { entries, end, more })
    }
}
