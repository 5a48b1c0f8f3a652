//! What is handed out is on disk first.
//!
//! A commit with `synchronous_commit = off` is visible at once and durable later, when the WAL writer comes round (200 ms by
//! default). A reader that publishes in between publishes what a crash undoes. So the place up to which WAL was inserted is
//! noted after the snapshot: every commit that the snapshot sees lies before it, and so does all that the sequence has given
//! out. Under writers it is a little beyond what is flushed, since it has what transactions in progress have inserted so far.
//! So what is on disk is looked at later, with the rows, when it has often come that far. Else one waits a moment for the next
//! commit of somebody: the server does, which wakes up in time, while the runtime's clock goes by milliseconds, and one of them
//! takes up to three. At last one commits something of one's own, whose flush takes all before it along.

use deadpool_postgres::Client;

use crate::store::{Failure, failed};

/// `disk`, whose greatest `flushed` is up to where the WAL is on disk; after pauses, so many at most, where that is not yet as far
/// as a place. The server rounds a pause up to a millisecond; a whole one would become two. It names `looks` so that it is called
/// anew for each.
macro_rules! disk {
    ($pauses:literal, $place:expr) => {
        concat!(
            "WITH RECURSIVE disk (looks, flushed) AS (
    SELECT 0, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint
    UNION ALL
    SELECT d.looks + 1, (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint
    FROM disk AS d CROSS JOIN LATERAL pg_sleep(0.0005 * sign(d.looks + 1))
    WHERE d.looks < ",
            $pauses,
            " AND d.flushed < ",
            $place,
            "
)"
        )
    };
}
pub(super) use disk;

/// $1 pauses until it is as far as $2.
const FLUSHED: &str = concat!(
    "-- log::durable::flushed\n",
    disk!("$1::integer", "$2::bigint"),
    "\nSELECT max(d.flushed) FROM disk AS d"
);

/// A commit without WAL would flush nothing, and neither would one of a transaction without an id. `local`: a failover is
/// another timeline, so standbys need not be waited for.
const FLUSH: &str = "-- log::durable::flush
BEGIN READ WRITE;
SET LOCAL synchronous_commit TO local;
SELECT pg_logical_emit_message(true, 'gesta', '');
COMMIT";

/// Pauses of a reader who has found nothing, for which nobody waits.
pub(super) const FEW: i32 = 2;
/// Pauses until one commits something.
const ALL: i32 = 5;

/// A place in the WAL, in bytes.
pub(super) type Lsn = i64;

/// Up to where the WAL is on disk; after so many pauses at most, where that is not as far as a place.
pub(super) async fn flushed(client: &Client, pauses: i32, lsn: Lsn) -> Result<Lsn, Failure> {
    let look = client.prepare_cached(FLUSHED).await.map_err(failed("prepare"))?;
    let row = client.query_one(&look, &[&pauses, &lsn]).await;
    row.map(|row| row.get(0)).map_err(failed("tell what is durable"))
}

/// Returns when the WAL is on disk up to a place.
pub(super) async fn until_durable(client: &Client, lsn: Lsn) -> Result<(), Failure> {
    if flushed(client, ALL, lsn).await? >= lsn {
        return Ok(());
    }
    client.batch_execute(FLUSH).await.map_err(failed("make what is visible durable"))
}
