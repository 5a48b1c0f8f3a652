//! Migrations: forward only, checked, and safe when two processes start at once.
//!
//! The files stand in `schema/`; a released one never changes, which its checksum proves at every start. All that is
//! missing is applied in one transaction under an advisory lock: the second process waits, then finds nothing to do.

use sha2::{Digest, Sha256};
use tokio_postgres::{Client, Transaction};

/// One step of the schema.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal),+ $(,)?) => {
        [$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../schema/", $name, ".sql")),
        }),+]
    };
}

const MIGRATIONS: [Migration; 4] = migrations![
    1 "0001_roles",
    2 "0002_action",
    3 "0003_partitions",
    4 "0004_follow",
];

/// Key of the advisory lock: `gesta` in ASCII. Locks of this kind belong to one database.
const LOCK_KEY: i64 = 0x67_65_73_74_61;

const LOCK: &str = "-- store::migrate::lock
SELECT pg_advisory_xact_lock($1)";

const BEGIN_SCHEMA: &str = "-- store::migrate::begin_schema
CREATE SCHEMA IF NOT EXISTS gesta";

const OWN_SCHEMA: &str = "-- store::migrate::own_schema
ALTER SCHEMA gesta OWNER TO gesta_owner;
SET LOCAL ROLE gesta_owner;
CREATE TABLE IF NOT EXISTS gesta.migration (
    version    integer CONSTRAINT migration_pkey PRIMARY KEY,
    name       text COLLATE \"C\" NOT NULL,
    checksum   text COLLATE \"C\" NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text COLLATE \"C\" NOT NULL DEFAULT session_user
);
COMMENT ON TABLE gesta.migration IS 'Which steps of the schema have been applied.';
COMMENT ON COLUMN gesta.migration.version IS 'Number of the step; they are applied in this order.';
COMMENT ON COLUMN gesta.migration.name IS 'Name of its file.';
COMMENT ON COLUMN gesta.migration.checksum IS 'SHA-256 of its text, in hexadecimal digits.';
COMMENT ON COLUMN gesta.migration.applied_at IS 'When it was applied, by the database''s clock.';
COMMENT ON COLUMN gesta.migration.applied_by IS 'The role that applied it.';
GRANT SELECT ON gesta.migration TO gesta_app, gesta_import, gesta_auditor";

const EXISTS: &str = "-- store::migrate::exists
SELECT to_regclass('gesta.migration') IS NOT NULL";

const APPLIED: &str = "-- store::migrate::applied
SELECT version, name, checksum FROM gesta.migration ORDER BY version";

const RECORD: &str = "-- store::migrate::record
INSERT INTO gesta.migration (version, name, checksum) VALUES ($1, $2, $3)";

const MAKE_PARTITIONS: &str = "-- store::migrate::make_partitions
SELECT gesta.make_partitions()";

/// Why a database cannot be migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A released file is not what was applied.
    #[error(
        "migration {name} was applied to this database with checksum {applied}, but this program has {own}: \
         it was built from a changed schema; use a released build"
    )]
    Changed {
        /// The file.
        name: &'static str,
        /// What the database recorded.
        applied: String,
        /// What this program holds.
        own: String,
    },
    /// The database is ahead of the program.
    #[error(
        "this database is at migration {applied}, this program knows {known}: use a newer gesta"
    )]
    Newer {
        /// The last one applied.
        applied: i32,
        /// The last one known.
        known: i32,
    },
    /// A step failed; nothing of it remains.
    #[error("failed to apply migration {name}")]
    Apply {
        /// The file.
        name: &'static str,
        /// What the database said.
        source: tokio_postgres::Error,
    },
    /// Anything else that the database refused.
    #[error("failed to {what}")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What the database said.
        source: tokio_postgres::Error,
    },
}

/// What stands between a database and this program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Files that have been applied, in order.
    pub applied: Vec<String>,
    /// Files that are still to be applied, in order.
    pub pending: Vec<&'static str>,
}

fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> MigrateError {
    move |source| MigrateError::Database { what, source }
}

fn checksum(sql: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(sql.as_bytes()).into();
    digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The text of every migration, in order, for `gesta migrate sql`.
pub fn migration_sql() -> impl Iterator<Item = (&'static str, &'static str)> {
    MIGRATIONS.iter().map(|migration| (migration.name, migration.sql))
}

/// Brings a database up to date and makes the partitions that are due; says which files it applied. For an operator's
/// connection: a superuser, or a role with CREATEROLE and CREATE on the database.
///
/// # Errors
/// When a released file was changed, the database is newer than the program, or a statement fails; then nothing of
/// this call remains.
pub async fn migrate(client: &mut Client) -> Result<Vec<&'static str>, MigrateError> {
    let tx = client.transaction().await.map_err(failed("begin the migration"))?;
    tx.query_one(LOCK, &[&LOCK_KEY]).await.map_err(failed("lock the schema"))?;
    let applied = applied(&tx).await?;
    let pending = pending(&applied)?;
    if !pending.is_empty() {
        apply(&tx, &pending).await?;
    }
    tx.query_one(MAKE_PARTITIONS, &[]).await.map_err(failed("make partitions"))?;
    tx.commit().await.map_err(failed("commit the migration"))?;
    Ok(pending.iter().map(|migration| migration.name).collect())
}

/// What has been applied and what is still to be. Changes nothing.
///
/// # Errors
/// As [`migrate`].
pub async fn migration_status(client: &mut Client) -> Result<MigrationStatus, MigrateError> {
    let tx = client.transaction().await.map_err(failed("begin to read the migrations"))?;
    let applied = applied(&tx).await?;
    let pending = pending(&applied)?.iter().map(|migration| migration.name).collect();
    Ok(MigrationStatus { applied: applied.into_iter().map(|(_, name, _)| name).collect(), pending })
}

async fn applied(tx: &Transaction<'_>) -> Result<Vec<(i32, String, String)>, MigrateError> {
    let exists = tx.query_one(EXISTS, &[]).await.map_err(failed("look for the schema"))?;
    if !exists.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let rows = tx.query(APPLIED, &[]).await.map_err(failed("read the migrations"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// Compares what was applied with what this program holds.
fn pending(applied: &[(i32, String, String)]) -> Result<Vec<&'static Migration>, MigrateError> {
    let known = MIGRATIONS.last().map_or(0, |migration| migration.version);
    if let Some((version, ..)) = applied.last().filter(|(version, ..)| *version > known) {
        return Err(MigrateError::Newer { applied: *version, known });
    }
    let mut pending = Vec::new();
    for migration in &MIGRATIONS {
        let own = checksum(migration.sql);
        match applied.iter().find(|(version, ..)| *version == migration.version) {
            None => pending.push(migration),
            Some((.., applied)) if *applied == own => {}
            Some((.., applied)) => {
                let (name, applied) = (migration.name, applied.clone());
                return Err(MigrateError::Changed { name, applied, own });
            }
        }
    }
    Ok(pending)
}

async fn apply(tx: &Transaction<'_>, pending: &[&'static Migration]) -> Result<(), MigrateError> {
    for migration in pending {
        let name = migration.name;
        let refused = |source| MigrateError::Apply { name, source };
        if migration.version == 1 {
            // The roles come first, made by whoever migrates; all the rest is made by its owner.
            tx.batch_execute(BEGIN_SCHEMA).await.map_err(refused)?;
            tx.batch_execute(migration.sql).await.map_err(refused)?;
            tx.batch_execute(OWN_SCHEMA).await.map_err(refused)?;
        } else {
            tx.batch_execute("SET LOCAL ROLE gesta_owner").await.map_err(refused)?;
            tx.batch_execute(migration.sql).await.map_err(refused)?;
        }
        let checksum = checksum(migration.sql);
        tx.execute(RECORD, &[&migration.version, &name, &checksum]).await.map_err(refused)?;
    }
    tx.batch_execute("RESET ROLE").await.map_err(failed("take back the role"))
}
