//! How far a consumer has come, in the consumer's own database.

use tokio_postgres::{Client, Transaction};

use crate::log::{Position, PositionError};
use crate::store::{Failure, failed};

/// The table that a ledger keeps positions in. [`Ledger::open`] makes it, and so may a migration of the application: in any
/// PostgreSQL database, in a schema of the consumer's `search_path`.
pub const LEDGER_TABLE: &str = "-- subscription::LEDGER_TABLE
CREATE TABLE IF NOT EXISTS gesta_position (
    name text PRIMARY KEY,
    position text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
)";

const EXISTS: &str = "-- subscription::exists
SELECT to_regclass('gesta_position') IS NOT NULL";

/// Two consumers that create the table at once would be in each other's way.
const ONE_AT_A_TIME: &str = "-- subscription::one_at_a_time
SELECT pg_advisory_xact_lock(hashtext('gesta_position'))";

const POSITION: &str = "-- subscription::position
SELECT p.position
FROM gesta_position AS p
WHERE p.name = $1";

const ENTER: &str = "-- subscription::enter
INSERT INTO gesta_position (name, position)
VALUES ($1, $2)
ON CONFLICT (name) DO NOTHING";

const LOCK: &str = "-- subscription::lock
SELECT p.position
FROM gesta_position AS p
WHERE p.name = $1
FOR UPDATE";

const STORE: &str = "-- subscription::store
UPDATE gesta_position
SET position = $2, updated_at = now()
WHERE name = $1";

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The database did not do something.
    #[error("failed to use the table `gesta_position`")]
    Database(#[source] Failure),
    /// The row holds something else.
    #[error(
        "the position of `{name}` in the table `gesta_position` cannot be read; set it to a printed one, or to `start`"
    )]
    Position {
        /// The consumer.
        name: String,
        /// What is wrong with it.
        #[source]
        source: PositionError,
    },
}

/// The position of one consumer, by its name, in the consumer's own database: a row of the table `gesta_position`
/// ([`LEDGER_TABLE`]) that is changed in the transactions of its effects.
#[derive(Clone, Debug)]
pub struct Ledger {
    name: String,
}

impl Ledger {
    /// The ledger of a consumer; makes the table where there is none.
    ///
    /// # Errors
    /// When the database refuses: a role that may not create tables needs [`LEDGER_TABLE`] made for it, with SELECT, INSERT
    /// and UPDATE.
    pub async fn open(client: &mut Client, name: impl Into<String>) -> Result<Self, LedgerError> {
        let make = async {
            if client.query_one(EXISTS, &[]).await.map_err(failed("look for the table"))?.get(0) {
                return Ok(());
            }
            let tx = client.transaction().await.map_err(failed("begin"))?;
            tx.batch_execute(ONE_AT_A_TIME).await.map_err(failed("lock"))?;
            tx.batch_execute(LEDGER_TABLE).await.map_err(failed("create the table"))?;
            tx.commit().await.map_err(failed("commit"))
        };
        make.await.map_err(LedgerError::Database)?;
        Ok(Self { name: name.into() })
    }

    /// How far the consumer has come; before everything, if it never began.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn position(&self, client: &Client) -> Result<Position, LedgerError> {
        let rows = client.query(POSITION, &[&self.name]).await;
        let rows = rows.map_err(failed("read the position")).map_err(LedgerError::Database)?;
        rows.first().map_or_else(|| Ok(Position::start()), |row| self.parse(row.get(0)))
    }

    /// Locks the row until the transaction ends, and reads it; makes it with `begin` where there is none.
    pub(super) async fn lock(
        &self,
        tx: &Transaction<'_>,
        begin: &Position,
    ) -> Result<Position, LedgerError> {
        let lock = async {
            if let Some(row) = tx.query_opt(LOCK, &[&self.name]).await? {
                return Ok(row);
            }
            tx.execute(ENTER, &[&self.name, &begin.to_string()]).await?;
            tx.query_one(LOCK, &[&self.name]).await
        };
        let row = lock.await.map_err(failed("lock the position")).map_err(LedgerError::Database)?;
        self.parse(row.get(0))
    }

    pub(super) async fn store(
        &self,
        tx: &Transaction<'_>,
        position: &Position,
    ) -> Result<(), LedgerError> {
        let stored = tx.execute(STORE, &[&self.name, &position.to_string()]).await;
        stored.map(drop).map_err(failed("store the position")).map_err(LedgerError::Database)
    }

    fn parse(&self, text: &str) -> Result<Position, LedgerError> {
        let name = || self.name.clone();
        text.parse().map_err(|source| LedgerError::Position { name: name(), source })
    }
}
