//! A selection that is used again, and what belongs to confirming it.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use uuid::Uuid;

use super::error::RunError;
use super::info::SelectionInfo;
use super::runs::{cell, count, query};
use crate::definition::{Asker, Definition, Places};
use crate::resource::ResourceType;

/// Locked, so that of two plans of a selection one sees what the other has found to be different.
const FIND: &str = "-- run::open::find
SELECT s.id, s.object_type, s.total, s.dropped, s.revision, s.created_at, s.expires_at, clock_timestamp() AS now
FROM gesta.selection AS s
WHERE s.tenant = $1 AND s.id = $2 AND s.maker_type = $3 AND s.maker_id = $4 AND s.expires_at > clock_timestamp()
FOR UPDATE";

const SECRET: &str = "-- run::open::secret
SELECT s.secret
FROM gesta.secret AS s
WHERE s.name = 'confirm'";

/// A selection in use.
pub(super) struct Opened {
    pub(super) info: SelectionInfo,
    pub(super) revision: i32,
    /// The database's time.
    pub(super) now: DateTime<Utc>,
}

/// A selection of the asker's that has not expired.
pub(super) async fn find(
    tx: &Transaction<'_>,
    asker: &Asker,
    id: Uuid,
) -> Result<Opened, RunError> {
    let (tenant, actor) = (asker.context.tenant.as_str(), &asker.context.actor().resource);
    let (kind, actor_id) = (actor.kind.as_str(), actor.id.as_str());
    let rows = query(tx, "read the selection", FIND, &[&tenant, &id, &kind, &actor_id]).await?;
    read(rows.first().ok_or(RunError::SelectionGone(id))?)
}

/// The same, of objects of this type.
async fn of_kind(
    tx: &Transaction<'_>,
    asker: &Asker,
    id: Uuid,
    kind: &ResourceType,
) -> Result<Opened, RunError> {
    let opened = find(tx, asker, id).await?;
    if opened.info.kind == *kind { Ok(opened) } else { Err(RunError::SelectionGone(id)) }
}

/// The same, of as many objects as a definition is offered for.
pub(super) async fn for_run(
    tx: &Transaction<'_>,
    asker: &Asker,
    id: Uuid,
    (kind, definition): (&ResourceType, &Definition),
) -> Result<Opened, RunError> {
    let opened = of_kind(tx, asker, id, kind).await?;
    let given = opened.info.total;
    if definition.places == Places::Object && given != 1 {
        return Err(RunError::NotSingle { name: definition.name.clone(), given });
    }
    Ok(opened)
}

fn read(row: &Row) -> Result<Opened, RunError> {
    let kind: &str = cell(row, "object_type")?;
    let info = SelectionInfo {
        id: cell(row, "id")?,
        kind: ResourceType::new(kind).map_err(|_| RunError::Row("a type"))?,
        total: count(row, "total")?,
        dropped: count(row, "dropped")?,
        created_at: cell(row, "created_at")?,
        expires_at: cell(row, "expires_at")?,
    };
    Ok(Opened { info, revision: cell(row, "revision")?, now: cell(row, "now")? })
}

/// The secret that confirmations are signed with.
pub(super) async fn secret(tx: &Transaction<'_>) -> Result<Vec<u8>, RunError> {
    let rows = query(tx, "read the secret", SECRET, &[]).await?;
    cell(rows.first().ok_or(RunError::Row("the secret of confirmations"))?, "secret")
}

/// An id that nobody guesses.
pub(super) fn random_id() -> Result<Uuid, RunError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| RunError::Row("random bytes"))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
