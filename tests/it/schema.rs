//! The schema as it stands after all migrations: written down, commented, named.
//!
//! `schema/current.sql` is what `pg_dump` makes of it. After a change of the schema write it anew and look at the diff:
//! `BLESS=1 cargo test --test it schema_is_the_one_that_is_written_down`

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::support::{TestDb, database};

#[tokio::test]
async fn schema_is_the_one_that_is_written_down() {
    let db = database().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/current.sql");
    let now = dump(&db);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).expect("schema/current.sql is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(now.lines()).find(|(a, b)| a != b);
    assert!(
        written == now,
        "schema/current.sql is not what the migrations make; the first difference: {differs:#?}\n\
         write it anew with: BLESS=1 cargo test --test it schema_is_the_one_that_is_written_down"
    );
}

/// The schema without the partitions, whose names are years, and without what depends on the version of PostgreSQL.
fn dump(db: &TestDb) -> String {
    let mut pg_dump = Command::new(db.program("pg_dump"));
    pg_dump.args([
        "--schema-only",
        "--schema=gesta",
        "--exclude-table=gesta.action_(past|y*|future)",
    ]);
    let output =
        pg_dump.arg("--dbname").arg(db.url(db.superuser())).output().expect("pg_dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let noise = ["--", "\\restrict", "\\unrestrict", "SET ", "SELECT pg_catalog.set_config"];
    let mut kept = String::from(
        "-- What the migrations make, without partitions. Written by a test: tests/it/schema.rs\n",
    );
    for line in text.lines().filter(|line| !noise.iter().any(|noise| line.starts_with(noise))) {
        // Since PostgreSQL 17 a sequence is called one here.
        let line = line
            .replace("ALTER TABLE gesta.action_seq OWNER", "ALTER SEQUENCE gesta.action_seq OWNER");
        if !(line.is_empty() && kept.ends_with("\n\n")) {
            writeln!(kept, "{line}").expect("a string");
        }
    }
    kept
}

/// What `gesta doctor` looks at, and what it expects to find.
const GUARDS: &str = include_str!("../../src/cli/doctor/guards.sql");

#[tokio::test]
async fn guards_are_those_that_the_doctor_expects() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/doctor/guards.txt");
    let db = database().await;
    let admin = db.admin().await;
    admin.batch_execute("SET search_path = pg_catalog").await.expect("set");
    let rows = admin.query(GUARDS, &[]).await.expect("the guards");
    let line = |row: &tokio_postgres::Row| {
        format!("{}: {}\n", row.get::<_, &str>("label"), row.get::<_, &str>("definition"))
    };
    let mut lines: Vec<_> = rows.iter().map(line).collect();
    lines.dedup();
    let now = lines.concat();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).expect("guards.txt is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "{} is not what the migrations make; write it anew with:\n\
         BLESS=1 cargo test --test it guards_are_those_that_the_doctor_expects\n{now}",
        path.display()
    );
}

/// Rows hold them, so they are the same in every release and on every server.
#[tokio::test]
async fn keys_of_resources_never_change() {
    let db = database().await;
    let admin = db.admin().await;
    for (tenant, kind, id, key) in [
        ("default", "issue", "70", 1_760_497_613_583_848_186_i64),
        ("default", "user", "70", -3_024_402_197_270_979_436),
        ("other", "issue", "70", -4_355_309_719_737_420_622),
        ("default", "issue", "Z\u{fc}rich \u{1f389}", 1_673_537_612_100_258_170),
    ] {
        let sql = "SELECT gesta.resource_key($1, $2, $3)";
        let row = admin.query_one(sql, &[&tenant, &kind, &id]).await.expect("a key");
        assert_eq!(row.get::<_, i64>(0), key, "{tenant} {kind}:{id}");
    }
}

/// What a query finds must not be there.
async fn assert_none(what: &str, query: &str) {
    let db = database().await;
    let rows = db.admin().await.query(query, &[]).await.expect(query);
    let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[tokio::test]
async fn every_table_column_and_function_has_a_comment() {
    let query = "
        SELECT c.relname::text FROM pg_class AS c
        WHERE c.relnamespace = 'gesta'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
            AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT c.relname || '.' || a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'gesta'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
            AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
        WHERE p.pronamespace = 'gesta'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
        UNION ALL
        SELECT nspname::text FROM pg_namespace AS n
        WHERE nspname = 'gesta' AND obj_description(n.oid, 'pg_namespace') IS NULL";
    assert_none("without a comment", query).await;
}

/// PostgreSQL makes up `_check`, `_key`, `_fkey` and `_excl`; a NOT NULL has a name only since PostgreSQL 18.
#[tokio::test]
async fn every_constraint_has_a_name_that_somebody_chose() {
    let query = "
        SELECT conname::text FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
        WHERE k.connamespace = 'gesta'::regnamespace AND NOT c.relispartition AND k.contype <> 'n'
            AND (k.conname ~ '_(check|key|fkey|excl)[0-9]*$' OR NOT starts_with(k.conname, c.relname || '_'))";
    assert_none("named by PostgreSQL", query).await;
}

/// Else a schema of the caller's could come first, or the caller's temporary tables. A body that is no text was understood
/// when it was made.
#[tokio::test]
async fn every_function_has_a_search_path_of_its_own() {
    let query = "
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
        WHERE p.pronamespace = 'gesta'::regnamespace AND p.prosqlbody IS NULL
            AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)";
    assert_none("without a search path", query).await;
}

/// Tenants can be distributed over servers only while nothing is unique across them. Migrations are the database's, how far
/// a relay is belongs to its stream, which has all tenants, a secret is that of all servers, and a request names its key
/// before its tenant is known: such small tables are copied to each server.
#[tokio::test]
async fn tenant_is_the_first_column_of_every_key_and_is_kept_apart_by_row_security() {
    let query = "
        SELECT i.indexrelid::regclass::text FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        JOIN pg_class AS c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'gesta'::regnamespace AND c.relname NOT IN ('migration', 'relay', 'key', 'secret') AND i.indisunique
            AND a.attname <> 'tenant'
        UNION ALL
        SELECT c.relname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant'
        WHERE c.relnamespace = 'gesta'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND NOT c.relrowsecurity";
    assert_none("not kept apart by tenant", query).await;
}
