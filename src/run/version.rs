//! Whether rows are what they were when they were selected, or planned.
//!
//! A version is a hash of the row's text. It depends on how the session prints times and numbers, so these settings are the
//! same wherever one is computed.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::error::{RunError, database, failed};
use super::open::Opened;
use super::runs::query;
use crate::definition::TypeSpec;
use crate::error::quote;
use crate::resource::{ResourceRef, ResourceType, Tenant};
use crate::store::Store;
use crate::store::table::{Table, TableError, quoted};

/// Objects that are named as changed.
const NAMED_MAX: usize = 20;
/// Milliseconds that a statement over a whole selection may take.
const TIMEOUT: &str = "60000";

/// How values are printed, and how long statements may take, until the end of the transaction.
const SETTINGS: &str = "-- run::version::settings
SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, MDY', true),
    set_config('IntervalStyle', 'postgres', true), set_config('extra_float_digits', '1', true),
    set_config('bytea_output', 'hex', true), set_config('lc_monetary', 'C', true),
    set_config('statement_timeout', $1, true), set_config('jit', 'off', true)";

const RAISE: &str = "-- run::version::raise
UPDATE gesta.selection
SET revision = $3
WHERE tenant = $1 AND id = $2";

/// A type's table as it goes into statements.
pub(super) struct Names {
    pub(super) table: String,
    pub(super) key: String,
    /// The key's type.
    pub(super) key_kind: String,
    /// What the database says of it.
    pub(super) known: Arc<Table>,
}

/// Sets what versions depend on.
pub(super) async fn settings(tx: &Transaction<'_>) -> Result<(), RunError> {
    query(tx, "prepare the statement", SETTINGS, &[&TIMEOUT]).await.map(drop)
}

impl Names {
    /// The table of a type that has one, with its schema and key as the database has them.
    pub(super) async fn find(
        store: &Store,
        tx: &Transaction<'_>,
        kind: &ResourceType,
        spec: &TypeSpec,
    ) -> Result<Option<Self>, RunError> {
        let Some((table, key)) = spec.table_and_key() else { return Ok(None) };
        let wrong = |problem: String| RunError::Table { kind: kind.clone(), problem };
        let known = store.table(tx, table).await.map_err(|error| match error {
            TableError::Database(source) => failed("read the catalog of the database")(source),
            TableError::Name(problem) => wrong(problem.to_string()),
            TableError::Missing => {
                wrong(format!("there is no table {}, or this role does not see it", quote(table)))
            }
        })?;
        let Some(column) = known.column(key) else {
            store.forget_table(table);
            let problem = format!("its key {} is no column of {}", quote(key), quote(table));
            return Err(wrong(problem));
        };
        let quoted_key = quoted(&column.name).map_err(|error| wrong(error.to_string()))?;
        let key_kind = column.kind.clone();
        Ok(Some(Self { table: known.sql.clone(), key: quoted_key, key_kind, known }))
    }

    /// The objects of a selection, their rows as they are now, and how these differ from what is known.
    fn changed(&self) -> String {
        let Self { table, key, key_kind, .. } = self;
        format!(
            "FROM gesta.selected AS s
LEFT JOIN {table} AS t ON t.{key} = s.object_id::{key_kind}
CROSS JOIN LATERAL (
    SELECT CASE WHEN t.{key} IS NOT NULL THEN hashtextextended(t::text, 0) END AS version
) AS now
WHERE s.tenant = $1 AND s.selection = $2"
        )
    }
}

/// Refuses objects that are not what they were in this revision of the selection.
pub(super) async fn compare(
    store: &Store,
    tx: &Transaction<'_>,
    tenant: &Tenant,
    spec: &TypeSpec,
    opened: &Opened,
    revision: i32,
) -> Result<(), RunError> {
    let kind = &opened.info.kind;
    let Some(names) = Names::find(store, tx, kind, spec).await? else { return Ok(()) };
    settings(tx).await?;
    let sql = format!(
        "-- run::version::compare
SELECT s.object_id
{} AND (s.revision > $3 OR s.version IS DISTINCT FROM now.version)
ORDER BY s.place
LIMIT {}",
        names.changed(),
        NAMED_MAX + 1
    );
    let rows = tx.query(&sql, &[&tenant.as_str(), &opened.info.id, &revision]).await;
    let rows = rows.map_err(|error| told(kind, error))?;
    if rows.is_empty() {
        return Ok(());
    }
    let ids = rows.iter().take(NAMED_MAX).map(|row| row.get(0)).collect();
    Err(RunError::Changed { objects: objects(kind, ids)?, are_more: rows.len() > NAMED_MAX })
}

/// Takes over what rows are like now, for a plan, and names those that were different, up to 20.
pub(super) async fn refresh(
    store: &Store,
    tx: &Transaction<'_>,
    tenant: &Tenant,
    spec: &TypeSpec,
    opened: &mut Opened,
) -> Result<Vec<ResourceRef>, RunError> {
    let kind = &opened.info.kind;
    let Some(names) = Names::find(store, tx, kind, spec).await? else { return Ok(Vec::new()) };
    settings(tx).await?;
    let sql = format!(
        "-- run::version::refresh
WITH found AS MATERIALIZED (
SELECT s.place, now.version
{} AND s.version IS DISTINCT FROM now.version
), updated AS (
    UPDATE gesta.selected AS u
    SET version = f.version, revision = $3
    FROM found AS f
    WHERE u.tenant = $1 AND u.selection = $2 AND u.place = f.place
    RETURNING u.place, u.object_id
)
SELECT u.object_id
FROM updated AS u
ORDER BY u.place
LIMIT {NAMED_MAX}",
        names.changed()
    );
    let tenant = tenant.as_str();
    let (id, next) = (opened.info.id, opened.revision + 1);
    let rows = tx.query(&sql, &[&tenant, &id, &next]).await;
    let rows = rows.map_err(|error| told(kind, error))?;
    if !rows.is_empty() {
        query(tx, "keep the plan", RAISE, &[&tenant, &id, &next]).await?;
        opened.revision = next;
    }
    objects(kind, rows.iter().map(|row| row.get(0)).collect())
}

fn objects(kind: &ResourceType, ids: Vec<String>) -> Result<Vec<ResourceRef>, RunError> {
    let object = |id: String| ResourceRef::new(kind.as_str(), id);
    ids.into_iter().map(object).collect::<Result<_, _>>().map_err(|_| RunError::Row("an object"))
}

/// An error of a statement over a type's table: where it is about names or rights, the catalog does not fit the database.
pub(super) fn told(kind: &ResourceType, error: tokio_postgres::Error) -> RunError {
    match error.code() {
        Some(code) if code.code().starts_with("42") => RunError::Table {
            kind: kind.clone(),
            problem: error.as_db_error().map_or_else(String::new, |db| db.message().to_owned()),
        },
        Some(code) if *code == SqlState::QUERY_CANCELED => RunError::Table {
            kind: kind.clone(),
            problem: format!("it took longer than {} ms", quote(TIMEOUT)),
        },
        _ => database("read the objects")(error),
    }
}
