//! What is handed out is on disk first.
//!
//! A commit with `synchronous_commit = off` is visible at once and durable later, when the WAL writer comes round (200 ms by
//! default). A reader that publishes in between publishes what a crash undoes. So the place up to which WAL was inserted is
//! noted after the snapshot: every commit that the snapshot sees lies before it, and so does all that the sequence has given
//! out. Usually it has been flushed already, by the commits themselves. Else one waits a moment for the next commit of
//! somebody, and then commits something of one's own, whose flush takes all before it along.

use std::time::Duration;

use deadpool_postgres::Client;

use crate::store::{Failure, failed};

const FLUSHED: &str = "-- log::durable::flushed
SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint";

/// A commit without WAL would flush nothing, and neither would one of a transaction without an id. `local`: a failover is
/// another timeline, so standbys need not be waited for.
const FLUSH: &str = "-- log::durable::flush
BEGIN READ WRITE;
SET LOCAL synchronous_commit TO local;
SELECT pg_logical_emit_message(true, 'gesta', '');
COMMIT";

/// How often one looks whether somebody else's commit has flushed.
const LOOKS: u32 = 3;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);

/// A place in the WAL, in bytes.
pub(super) type Lsn = i64;

/// Returns when the WAL is on disk up to a place.
pub(super) async fn until_durable(client: &Client, lsn: Lsn) -> Result<(), Failure> {
    let look = client.prepare_cached(FLUSHED).await.map_err(failed("prepare"))?;
    for _ in 0..LOOKS {
        tokio::time::sleep(PAUSE).await;
        let row = client.query_one(&look, &[]).await.map_err(failed("tell what is durable"))?;
        if row.get::<_, Lsn>(0) >= lsn {
            return Ok(());
        }
    }
    client.batch_execute(FLUSH).await.map_err(failed("make what is visible durable"))
}
