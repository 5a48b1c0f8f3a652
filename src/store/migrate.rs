//! Migrations: forward only, checked, and safe when two processes start at once.
//!
//! The files stand in `schema/`; a released one never changes, which its checksum proves at every start. All that is
//! missing is applied in one transaction under an advisory lock: the second process waits, then finds nothing to do.
//! Roles belong to the whole cluster, where that lock does not reach: whoever meets another database's run there starts
//! again.

use sha2::{Digest, Sha256};
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::migrate_error::MigrateError;
use super::path::GUARD;

/// One step of the schema: a file of `schema/`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number; steps are applied in this order.
    pub version: i32,
    /// The name of the file, without `.sql`.
    pub name: &'static str,
    /// The text of the file.
    pub sql: &'static str,
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

const MIGRATIONS: [Migration; 14] = migrations![
    1 "0001_roles",
    2 "0002_action",
    3 "0003_partitions",
    4 "0004_follow",
    5 "0005_capture",
    6 "0006_relay",
    7 "0007_access",
    8 "0008_secret",
    9 "0009_run",
    10 "0010_role",
    11 "0011_claim",
    12 "0012_row",
    13 "0013_capture",
    14 "0014_path",
];

/// Key of the advisory lock: `gesta` in ASCII. Locks of this kind belong to one database.
const LOCK_KEY: i64 = 0x67_65_73_74_61;

/// How often a run starts again that met another database's. Each time the other one has got on, and it has few
/// statements that touch what is shared.
const RACES_MAX: u32 = 20;

const LOCK: &str = "-- store::migrate::lock
SELECT pg_advisory_xact_lock($1)";

/// What there is, and what the connection's role may do. It may become the owner by SET, which before PostgreSQL 16 every
/// member may; whoever could make the owner a member of itself can become it too.
const STANDING: &str = "-- store::migrate::standing
SELECT quote_ident(me.rolname) AS role,
    quote_ident(current_database()) AS database,
    m.oid IS NOT NULL AS is_begun,
    coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(m.oid, 'SELECT'), false) AS may_read,
    has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
    me.rolsuper OR me.rolcreaterole AS may_create_roles,
    (SELECT count(*) FROM pg_catalog.pg_roles
        WHERE rolname IN ('gesta_owner', 'gesta_app', 'gesta_import', 'gesta_auditor', 'gesta_capture', 'gesta_relay',
            'gesta_user')) = 7 AS has_roles,
    o.oid IS NOT NULL AS has_owner,
    coalesce(pg_has_role(o.oid, v.member), false) AS is_owner,
    coalesce(pg_has_role(o.oid, 'MEMBER WITH ADMIN OPTION'), false) OR (me.rolcreaterole AND v.member = 'MEMBER')
        AS may_grant_owner
FROM pg_catalog.pg_roles AS me
CROSS JOIN (
    SELECT CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END
) AS v (member)
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'gesta'
LEFT JOIN pg_catalog.pg_class AS m ON m.relnamespace = n.oid AND m.relname = 'migration'
LEFT JOIN pg_catalog.pg_roles AS o ON o.rolname = 'gesta_owner'
WHERE me.rolname = current_user";

const BEGIN_SCHEMA: &str = "-- store::migrate::begin_schema
CREATE SCHEMA IF NOT EXISTS gesta;
COMMENT ON SCHEMA gesta IS 'Activity streams and audit events: who did what, to which object, when and why.'";

const BECOME_OWNER: &str = "-- store::migrate::become_owner
SET LOCAL ROLE gesta_owner";

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

const APPLIED: &str = "-- store::migrate::applied
SELECT version, name, checksum FROM gesta.migration ORDER BY version";

const RECORD: &str = "-- store::migrate::record
INSERT INTO gesta.migration (version, name, checksum) VALUES ($1, $2, $3)";

const MAKE_PARTITIONS: &str = "-- store::migrate::make_partitions
SELECT gesta.make_partitions()";

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
/// connection: a superuser, or a role with CREATEROLE and CREATE on the database. Give it CREATE with grant option, or
/// people at psql (`gesta_user`) cannot make schemas of their own. The connection's search path is not looked at, and is the
/// same afterwards.
///
/// # Errors
/// When the role lacks a right, a released file was changed, the database is newer than the program, or a statement
/// fails; then nothing of this call remains.
///
/// # Cancel safety
/// Dropped, nothing of it remains.
pub async fn migrate(client: &mut Client) -> Result<Vec<&'static str>, MigrateError> {
    migrate_with(client, &MIGRATIONS).await
}

/// [`migrate`] with other files, for tests of what goes wrong.
#[doc(hidden)]
pub async fn migrate_with(
    client: &mut Client,
    migrations: &[Migration],
) -> Result<Vec<&'static str>, MigrateError> {
    let mut races = 0;
    loop {
        match try_migrate(client, migrations).await {
            Err(error) if races < RACES_MAX && error.is_race() => races += 1,
            result => return result,
        }
    }
}

async fn try_migrate(
    client: &mut Client,
    migrations: &[Migration],
) -> Result<Vec<&'static str>, MigrateError> {
    let tx = begin(client).await?;
    tx.query_one(LOCK, &[&LOCK_KEY]).await.map_err(failed("lock the schema"))?;
    let standing = Standing::read(&tx).await?;
    let pending = pending(migrations, &applied(&tx, &standing).await?)?;
    if !pending.is_empty() {
        standing.check_may_apply()?;
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
    let tx = begin(client).await?;
    let standing = Standing::read(&tx).await?;
    let applied = applied(&tx, &standing).await?;
    let pending = pending(&MIGRATIONS, &applied)?.iter().map(|migration| migration.name).collect();
    Ok(MigrationStatus { applied: applied.into_iter().map(|(_, name, _)| name).collect(), pending })
}

/// Read committed, whatever the database's default is: what is read after the lock was waited for must be what its last
/// holder left. The search path is ours until the transaction ends, and the operator's again then.
async fn begin(client: &mut Client) -> Result<Transaction<'_>, MigrateError> {
    let tx = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted);
    let tx = tx.read_only(false).start().await.map_err(failed("begin the migration"))?;
    tx.batch_execute(GUARD).await.map_err(failed("set the search path"))?;
    Ok(tx)
}

/// How a database and the connection's role stand to each other.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "answers of the catalog, each to one question")]
struct Standing {
    role: String,
    database: String,
    is_begun: bool,
    may_read: bool,
    may_create_schema: bool,
    may_create_roles: bool,
    has_roles: bool,
    has_owner: bool,
    is_owner: bool,
    may_grant_owner: bool,
}

impl Standing {
    async fn read(tx: &Transaction<'_>) -> Result<Self, MigrateError> {
        let row = tx.query_one(STANDING, &[]).await.map_err(failed("look for the schema"))?;
        Ok(Self {
            role: row.get("role"),
            database: row.get("database"),
            is_begun: row.get("is_begun"),
            may_read: row.get("may_read"),
            may_create_schema: row.get("may_create_schema"),
            may_create_roles: row.get("may_create_roles"),
            has_roles: row.get("has_roles"),
            has_owner: row.get("has_owner"),
            is_owner: row.get("is_owner"),
            may_grant_owner: row.get("may_grant_owner"),
        })
    }

    fn check_may_apply(&self) -> Result<(), MigrateError> {
        let Self { role, database, .. } = self;
        let mut grants = Vec::new();
        if !self.is_begun && !self.may_create_schema {
            grants
                .push(format!("GRANT CREATE ON DATABASE {database} TO {role} WITH GRANT OPTION;"));
        }
        if !self.has_roles && !self.may_create_roles {
            grants.push(format!("ALTER ROLE {role} CREATEROLE;"));
        }
        if self.has_owner && !self.is_owner && (self.is_begun || !self.may_grant_owner) {
            grants.push(format!("GRANT gesta_owner TO {role};"));
        }
        if grants.is_empty() { Ok(()) } else { Err(self.refused(grants.join(" "))) }
    }

    fn refused(&self, grants: String) -> MigrateError {
        let (role, database) = (self.role.clone(), self.database.clone());
        MigrateError::Rights { role, database, grants }
    }
}

/// Reads as the owner where that is possible: a role may be a member of it without inheriting its rights.
async fn applied(
    tx: &Transaction<'_>,
    standing: &Standing,
) -> Result<Vec<(i32, String, String)>, MigrateError> {
    if !standing.is_begun {
        return Ok(Vec::new());
    }
    if standing.is_owner {
        tx.batch_execute(BECOME_OWNER).await.map_err(failed("become gesta_owner"))?;
    } else if !standing.may_read {
        return Err(standing.refused(format!("GRANT gesta_owner TO {};", standing.role)));
    }
    let rows = tx.query(APPLIED, &[]).await.map_err(failed("read the migrations"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// Compares what was applied with what this program holds.
fn pending<'a>(
    migrations: &'a [Migration],
    applied: &[(i32, String, String)],
) -> Result<Vec<&'a Migration>, MigrateError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    if let Some((version, ..)) = applied.last().filter(|(version, ..)| *version > known) {
        return Err(MigrateError::Newer { applied: *version, known });
    }
    let mut pending = Vec::new();
    for migration in migrations {
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

async fn apply(tx: &Transaction<'_>, pending: &[&Migration]) -> Result<(), MigrateError> {
    for migration in pending {
        let name = migration.name;
        let refused = |source| MigrateError::Apply { name, source };
        if migration.version == 1 {
            // The roles come first, made by whoever migrates; all the rest is made by its owner.
            tx.batch_execute(BEGIN_SCHEMA).await.map_err(refused)?;
            tx.batch_execute(migration.sql).await.map_err(refused)?;
            tx.batch_execute(OWN_SCHEMA).await.map_err(refused)?;
        } else {
            tx.batch_execute(migration.sql).await.map_err(refused)?;
        }
        let checksum = checksum(migration.sql);
        tx.execute(RECORD, &[&migration.version, &name, &checksum]).await.map_err(refused)?;
    }
    Ok(())
}
