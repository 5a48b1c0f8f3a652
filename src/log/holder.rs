//! Who holds a transaction open that may still store actions.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::error::LogError;
use super::reader::Log;
use crate::store::failed;

/// Only transactions with an id have written anything. The text of a query may hold anybody's data, so it is left out.
const HOLDERS: &str = "-- log::holder::holders
SELECT a.pid, NULL, a.backend_xid::text, a.usename::text, a.application_name, a.xact_start, a.query_start, a.state,
    extract(epoch FROM now() - a.xact_start)::double precision
FROM pg_stat_activity AS a
WHERE a.backend_xid IS NOT NULL AND a.datname = current_database() AND a.pid <> pg_backend_pid()
UNION ALL
SELECT NULL, p.gid, p.transaction::text, p.owner::text, NULL, p.prepared, NULL, NULL,
    extract(epoch FROM now() - p.prepared)::double precision
FROM pg_prepared_xacts AS p
WHERE p.database = current_database()
ORDER BY 6 NULLS LAST, 3";

/// What holds a transaction open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writing {
    /// A connection, by the process id of its backend.
    Session {
        /// For `pg_terminate_backend`.
        pid: i32,
    },
    /// A prepared transaction, which belongs to no connection and survives a restart.
    Prepared {
        /// For `COMMIT PREPARED` or `ROLLBACK PREPARED`.
        gid: String,
    },
}

/// A transaction in progress that has written, perhaps actions: whoever follows the log gets its actions when it commits,
/// and everybody else's at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// What holds it.
    pub writing: Writing,
    /// The lower 32 bits of its id, as PostgreSQL's own views show it.
    pub xid: u32,
    /// The role.
    pub user: String,
    /// What the connection calls itself.
    pub application: String,
    /// When it began, or was prepared. None where the role may not know: `pg_read_all_stats` may.
    pub since: Option<DateTime<Utc>>,
    /// How long that is ago, by the database's clock.
    pub age: Option<Duration>,
    /// When its latest statement began; only with `since`.
    pub query_started: Option<DateTime<Utc>>,
    /// `active`, `idle in transaction`, …; only with `since`.
    pub state: Option<String>,
}

impl Log {
    /// The transactions of this database that have written something and are in progress, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn holders(&self) -> Result<Vec<Holder>, LogError> {
        let client = self.client().await?;
        let rows = list(&client).await.map_err(failed("list transactions in progress"));
        rows.map_err(LogError::Database)
    }
}

/// The same on any connection.
pub(crate) async fn list(
    client: &tokio_postgres::Client,
) -> Result<Vec<Holder>, tokio_postgres::Error> {
    Ok(client.query(HOLDERS, &[]).await?.iter().map(holder).collect())
}

fn holder(row: &tokio_postgres::Row) -> Holder {
    let writing = match row.get::<_, Option<String>>(1) {
        Some(gid) => Writing::Prepared { gid },
        None => Writing::Session { pid: row.get::<_, Option<i32>>(0).unwrap_or_default() },
    };
    Holder {
        writing,
        xid: row.get::<_, &str>(2).parse().unwrap_or_default(),
        user: row.get::<_, Option<String>>(3).unwrap_or_default(),
        application: row.get::<_, Option<String>>(4).unwrap_or_default(),
        since: row.get(5),
        age: row.get::<_, Option<f64>>(8).and_then(|age| Duration::try_from_secs_f64(age).ok()),
        query_started: row.get(6),
        state: row.get(7),
    }
}
