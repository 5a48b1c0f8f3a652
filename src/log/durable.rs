//! What is handed out is on disk first.
//!
//! A commit with `synchronous_commit = off` is visible at once and durable later, when the WAL writer comes round (200 ms by
//! default). A reader that publishes in between publishes what a crash undoes. So the place up to which WAL was inserted is
//! noted after the snapshot: every commit that the snapshot sees lies before it, and so does all that the sequence has given
//! out. Under writers it is a little beyond what is flushed, since it has what transactions in progress have inserted so far.
//! So what is on disk is looked at as late as possible, after the rows have been read, when it has often come that far.
//! Else one waits a moment for the next commit of somebody, and then commits something of one's own, whose flush takes all
//! before it along.

use std::time::Duration;

use deadpool_postgres::Client;

use crate::store::{Failure, failed};

/// The server pauses, since it wakes up in time; the runtime's clock goes by milliseconds, and one of them takes up to three.
/// The function is called before the list of results is computed.
pub(super) const FLUSHED: &str = "-- log::durable::flushed
SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint
FROM pg_sleep($1)";

/// A commit without WAL would flush nothing, and neither would one of a transaction without an id. `local`: a failover is
/// another timeline, so standbys need not be waited for.
const FLUSH: &str = "-- log::durable::flush
BEGIN READ WRITE;
SET LOCAL synchronous_commit TO local;
SELECT pg_logical_emit_message(true, 'gesta', '');
COMMIT";

/// How often one looks whether somebody else's commit has flushed.
const LOOKS: u32 = 5;
/// Before each look. The server rounds it up to a millisecond; a whole one would become two.
const PAUSE: Duration = Duration::from_micros(500);

/// A place in the WAL, in bytes.
pub(super) type Lsn = i64;

/// Up to where the WAL is on disk, after a pause.
pub(super) async fn flushed(client: &Client, pause: Duration) -> Result<Lsn, Failure> {
    let look = client.prepare_cached(FLUSHED).await.map_err(failed("prepare"))?;
    let row = client.query_one(&look, &[&pause.as_secs_f64()]).await;
    Ok(row.map_err(failed("tell what is durable"))?.get(0))
}

/// Returns when the WAL is on disk up to a place; it has just been looked at, so a pause comes first.
pub(super) async fn until_durable(client: &Client, lsn: Lsn) -> Result<(), Failure> {
    for _ in 0..LOOKS {
        if flushed(client, PAUSE).await? >= lsn {
            return Ok(());
        }
    }
    client.batch_execute(FLUSH).await.map_err(failed("make what is visible durable"))
}
