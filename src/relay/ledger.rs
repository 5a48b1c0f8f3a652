//! What the relay keeps in PostgreSQL: who publishes, how far it was lately, and what is parked.
//!
//! None of it decides what is published: the stream's tail does. Who publishes only spares the others work: a relay that is
//! paused does not renew its claim, another one takes over, and the broker refuses what the paused one sends when it wakes
//! up. How far it was is needed only where the stream has dropped its last message by age.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::{Client, Pool};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::error::RelayError;
use super::message::MessageId;
use crate::action::ActionId;
use crate::log::Position;
use crate::resource::Tenant;
use crate::store::{Failure, failed};

/// How long a claim holds without being renewed: the others wait that long for a relay that was killed.
pub(super) const CLAIM: Duration = Duration::from_secs(4);
/// How often it is renewed.
pub(super) const RENEWAL: Duration = Duration::from_secs(1);
/// Parked actions that are listed.
const PARKED_MAX: i64 = 1_000;

const CLAIM_STREAM: &str = "-- relay::ledger::claim
INSERT INTO gesta.relay AS r (stream, holder, held_until)
VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (stream) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE r.holder = excluded.holder OR r.held_until < clock_timestamp()";

const RENEW: &str = "-- relay::ledger::renew
UPDATE gesta.relay
SET held_until = clock_timestamp() + $3 * interval '1 second', position = $4, sequence = $5, saved_at = clock_timestamp()
WHERE stream = $1 AND holder = $2";

const RELEASE: &str = "-- relay::ledger::release
UPDATE gesta.relay
SET held_until = clock_timestamp()
WHERE stream = $1 AND holder = $2";

const FIND: &str = "-- relay::ledger::find
SELECT r.holder,
    extract(epoch FROM greatest(r.held_until, c.now))::double precision - extract(epoch FROM c.now)::double precision,
    r.position, r.sequence, r.saved_at
FROM gesta.relay AS r
CROSS JOIN (SELECT clock_timestamp() AS now) AS c
WHERE r.stream = $1";

const FORGET: &str = "-- relay::ledger::forget
UPDATE gesta.relay
SET position = 'start', sequence = 0, saved_at = clock_timestamp()
WHERE stream = $1";

const PARK: &str = "-- relay::ledger::park
INSERT INTO gesta.parked (tenant, id, stream, position, reason)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, id, stream) DO NOTHING";

const UNPARK_ALL: &str = "-- relay::ledger::unpark_all
DELETE FROM gesta.parked
WHERE stream = $1";

const PARKED: &str = "-- relay::ledger::parked
SELECT p.tenant, p.id, p.position, p.reason, p.since
FROM gesta.parked AS p
WHERE p.stream = $1
ORDER BY p.since
LIMIT $2";

/// The rows of one stream.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pool: Pool,
    stream: String,
}

/// What the row of a stream says.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub(super) holder: String,
    /// How long its claim holds; zero where it has ended.
    pub(super) held_for: Duration,
    pub(super) place: Option<Place>,
    pub(super) saved_at: Option<DateTime<Utc>>,
}

/// How far the relay was once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: String,
    /// The stream's last message then.
    pub(super) sequence: u64,
}

/// An action that the broker does not take as a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedAction {
    /// Its tenant.
    pub tenant: Tenant,
    /// Its id; with the tenant, its key in `gesta.action`.
    pub id: ActionId,
    /// Its place in the log, as printed.
    pub position: String,
    /// Why, for people.
    pub reason: String,
    /// When it was found, by the database's clock.
    pub since: DateTime<Utc>,
}

impl Ledger {
    pub(super) fn new(pool: &Pool, stream: &str) -> Self {
        Self { pool: pool.clone(), stream: stream.to_owned() }
    }

    /// Whether this relay is now the one that publishes.
    pub(super) async fn claim(&self, holder: &str) -> Result<bool, RelayError> {
        let params: [&(dyn ToSql + Sync); 3] = [&self.stream, &holder, &CLAIM.as_secs_f64()];
        self.execute("claim the stream", CLAIM_STREAM, &params).await.map(|rows| rows == 1)
    }

    /// Keeps the claim and notes how far it is; whether the claim still holds.
    pub(super) async fn renew(
        &self,
        holder: &str,
        position: &Position,
        sequence: u64,
    ) -> Result<bool, RelayError> {
        let (position, sequence) = (position.to_string(), sequence.cast_signed());
        let params: [&(dyn ToSql + Sync); 5] =
            [&self.stream, &holder, &CLAIM.as_secs_f64(), &position, &sequence];
        self.execute("renew the claim", RENEW, &params).await.map(|rows| rows == 1)
    }

    /// Lets the others go on at once.
    pub(super) async fn release(&self, holder: &str) -> Result<(), RelayError> {
        self.execute("release the claim", RELEASE, &[&self.stream, &holder]).await.map(drop)
    }

    pub(super) async fn find(&self) -> Result<Option<Noted>, RelayError> {
        let rows = self.query("look for the relay", FIND, &[&self.stream]).await?;
        let place = |row: &Row| {
            let (position, sequence): (Option<_>, Option<i64>) = (row.get(2), row.get(3));
            Some(Place { position: position?, sequence: sequence?.cast_unsigned() })
        };
        Ok(rows.first().map(|row| Noted {
            holder: row.get(0),
            held_for: Duration::try_from_secs_f64(row.get(1)).unwrap_or(Duration::MAX),
            place: place(row),
            saved_at: row.get(4),
        }))
    }

    /// For a stream that was made anew.
    pub(super) async fn forget(&self) -> Result<(), RelayError> {
        self.execute("forget the position", FORGET, &[&self.stream]).await?;
        self.execute("forget what is parked", UNPARK_ALL, &[&self.stream]).await.map(drop)
    }

    pub(super) async fn park(
        &self,
        MessageId { tenant, id }: &MessageId,
        position: &str,
        reason: &str,
    ) -> Result<(), RelayError> {
        let (tenant, id) = (tenant.as_str(), id.uuid());
        let params: [&(dyn ToSql + Sync); 5] = [&tenant, &id, &self.stream, &position, &reason];
        self.execute("park an action", PARK, &params).await.map(drop)
    }

    pub(super) async fn parked(&self) -> Result<Vec<ParkedAction>, RelayError> {
        let rows = self.query("list what is parked", PARKED, &[&self.stream, &PARKED_MAX]).await?;
        rows.iter().map(parked).collect::<Result<_, _>>().map_err(RelayError::Database)
    }

    pub(super) async fn client(&self) -> Result<Client, RelayError> {
        let client = self.pool.get().await.map_err(Failure::Connection);
        client.map_err(RelayError::Database)
    }

    pub(super) async fn query(
        &self,
        what: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, RelayError> {
        let client = self.client().await?;
        let rows = async {
            let statement = client.prepare_cached(sql).await.map_err(failed("prepare"))?;
            client.query(&statement, params).await.map_err(failed(what))
        };
        rows.await.map_err(RelayError::Database)
    }

    async fn execute(
        &self,
        what: &'static str,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, RelayError> {
        let client = self.client().await?;
        let rows = async {
            let statement = client.prepare_cached(sql).await.map_err(failed("prepare"))?;
            client.execute(&statement, params).await.map_err(failed(what))
        };
        rows.await.map_err(RelayError::Database)
    }
}

fn parked(row: &Row) -> Result<ParkedAction, Failure> {
    let tenant = Tenant::new(row.get::<_, String>(0));
    let id = ActionId::try_from(row.get::<_, uuid::Uuid>(1));
    Ok(ParkedAction {
        tenant: tenant.map_err(|error| Failure::Row(error.into()))?,
        id: id.map_err(|error| Failure::Row(error.into()))?,
        position: row.get(2),
        reason: row.get(3),
        since: row.get(4),
    })
}
