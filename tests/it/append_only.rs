//! Actions are never changed or deleted, whoever tries, and nobody but the database says when and in which order they
//! came.

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, CopyInSink};

use crate::support::{TestDb, bare_database, check_log, database};

/// One action of 1970, of each year that has a partition, and of 9999, so that every partition holds one.
const FILL: &str = "
INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, occurred_at, source)
SELECT t.tenant, gesta.id_floor(m.moment), 'user', '1', 'close', 'issue', '7', m.moment, 'emit'
FROM unnest(ARRAY['acme', 'globex']) AS t (tenant)
CROSS JOIN (
    SELECT '1970-01-01 00:00:00+00'::timestamptz AS moment
    UNION ALL SELECT '9999-12-31 00:00:00+00'
    UNION ALL SELECT make_timestamptz(substr(relname, 9)::integer, 6, 1, 0, 0, 0, 'UTC') FROM pg_class
    WHERE relname ~ '^action_y[0-9]+$' AND relkind = 'r'
) AS m";

/// The table and all its partitions.
const TABLES: &str = "
SELECT 'gesta.action'
UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'gesta.action'::regclass ORDER BY 1";

const COLUMNS: &str = "tenant, id, actor_type, actor_id, verb, occurred_at, source";
const VALUES: &str = "'acme', '01890000-0000-7000-8000-000000000001', 'user', '1', 'open', \
                      to_timestamp(1687922147.328), 'emit'";

async fn filled() -> (TestDb, Vec<String>) {
    let db = database().await;
    let admin = db.admin().await;
    admin.batch_execute(FILL).await.expect("filled");
    let tables: Vec<String> =
        admin.query(TABLES, &[]).await.expect("the tables").iter().map(|row| row.get(0)).collect();
    assert!(tables.len() >= 6, "{tables:?}");
    for table in &tables {
        assert!(
            count(&admin, &format!("SELECT count(*) FROM {table}")).await > 0,
            "{table} is empty"
        );
    }
    (db, tables)
}

async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.expect(query).get(0)
}

/// Asserts that a statement fails, and how.
async fn refused(client: &Client, sql: &str, state: &SqlState) {
    let Err(error) = client.batch_execute(sql).await else { panic!("{sql} is not refused") };
    assert_eq!(error.code(), Some(state), "{sql}: {error:?}");
}

/// Tries every way to change what a table holds.
async fn change_is_refused(client: &Client, table: &str, state: &SqlState) {
    let row = "(tenant, id, actor_type, actor_id, verb, occurred_at, source)
        SELECT tenant, id, actor_type, actor_id, verb, occurred_at, source FROM ";
    for sql in [
        format!("UPDATE {table} SET verb = 'reopen'"),
        format!("UPDATE {table} SET tenant = 'other', id = '00000000-0000-7000-8000-000000000000'"),
        format!("DELETE FROM {table}"),
        format!("TRUNCATE {table}"),
        format!("TRUNCATE ONLY {table} RESTART IDENTITY CASCADE")
            .replace("ONLY gesta.action ", "gesta.action "),
        format!(
            "INSERT INTO {table} {row} {table} ON CONFLICT (tenant, id) DO UPDATE SET verb = 'reopen'"
        ),
        format!(
            "MERGE INTO {table} AS a USING {table} AS b ON a.id = b.id WHEN MATCHED THEN DELETE"
        ),
        format!(
            "MERGE INTO {table} AS a USING {table} AS b ON a.id = b.id WHEN MATCHED THEN UPDATE SET verb = ''"
        ),
    ] {
        refused(client, &sql, state).await;
    }
}

const BY_TRIGGER: SqlState = SqlState::INTEGRITY_CONSTRAINT_VIOLATION;
const BY_GRANTS: SqlState = SqlState::INSUFFICIENT_PRIVILEGE;

#[tokio::test]
async fn superuser_and_owner_are_refused_by_trigger_on_each_partition() {
    let (db, tables) = filled().await;
    let admin = db.admin().await;
    let rows = count(&admin, "SELECT count(*) FROM gesta.action").await;
    for session in [
        "",
        "SET session_replication_role = replica",
        "SET session_replication_role = local",
        "SET ROLE gesta_owner",
    ] {
        admin.batch_execute("RESET session_replication_role").await.expect("reset");
        admin.batch_execute(session).await.expect(session);
        for table in &tables {
            change_is_refused(&admin, table, &BY_TRIGGER).await;
        }
    }
    assert_eq!(count(&admin, "SELECT count(*) FROM gesta.action WHERE verb = 'close'").await, rows);
    check_log(&db).await;
}

#[tokio::test]
async fn every_role_of_ours_is_refused_by_its_grants() {
    let (db, tables) = filled().await;
    for role in ["gesta_app", "gesta_import", "gesta_auditor", "gesta_user"] {
        let client = db.connect(role).await;
        client.batch_execute("SET gesta.tenant = 'acme'").await.expect("set");
        for table in &tables {
            change_is_refused(&client, table, &BY_GRANTS).await;
        }
        // A partition of its own has no row security: only the table itself is for reading and writing.
        for partition in tables.iter().filter(|table| *table != "gesta.action") {
            refused(&client, &format!("SELECT FROM {partition}"), &BY_GRANTS).await;
            let insert = format!("INSERT INTO {partition} ({COLUMNS}) VALUES ({VALUES})");
            refused(&client, &insert, &BY_GRANTS).await;
        }
    }
    check_log(&db).await;
}

#[tokio::test]
async fn application_is_neither_superuser_nor_owner_and_cannot_become_it() {
    let (db, _) = filled().await;
    let client = db.connect("gesta_app").await;
    let powers = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^gesta_' AND (rolsuper OR rolcreaterole OR rolcreatedb
        OR rolreplication OR (rolbypassrls AND rolname NOT IN ('gesta_import', 'gesta_capture'))
        OR (rolname <> 'gesta_owner' AND pg_has_role(oid, 'gesta_owner', 'MEMBER')))";
    assert_eq!(count(&client, powers).await, 0);
    for sql in [
        "SET ROLE gesta_owner",
        "SET session_replication_role = replica",
        "ALTER TABLE gesta.action DISABLE TRIGGER ALL",
        "ALTER TABLE gesta.action DISABLE TRIGGER action_append_only",
        "ALTER TABLE gesta.action DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE gesta.action ADD COLUMN x integer",
        "ALTER TABLE gesta.action DETACH PARTITION gesta.action_past",
        "ALTER SEQUENCE gesta.action_seq RESTART",
        "SELECT setval('gesta.action_seq', 1)",
        "DROP TABLE gesta.action",
        "DROP TRIGGER action_append_only ON gesta.action",
        "DROP SCHEMA gesta CASCADE",
        "CREATE TABLE gesta.mine ()",
        "CREATE FUNCTION gesta.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE TRIGGER t BEFORE INSERT ON gesta.action FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE POLICY p ON gesta.action USING (true)",
        "CREATE INDEX ON gesta.action (verb)",
        "CREATE OR REPLACE FUNCTION gesta.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
        "SELECT gesta.guard_partition('gesta.action_past')",
        "UPDATE gesta.migration SET checksum = ''",
        "INSERT INTO gesta.migration (version, name, checksum) VALUES (99, '', '')",
        "SET row_security = off; SELECT FROM gesta.action",
    ] {
        refused(&client, sql, &BY_GRANTS).await;
        client.batch_execute("RESET row_security").await.expect("reset");
    }
}

#[tokio::test]
async fn only_the_database_gives_xid_seq_and_recorded_at() {
    let db = database().await;
    for role in ["gesta_app", "gesta_import", "gesta_user"] {
        let client = db.connect(role).await;
        client.batch_execute("SET gesta.tenant = 'acme'").await.expect("set");
        for (column, value) in [("xid", "'7'"), ("seq", "7"), ("recorded_at", "'2000-01-01'")] {
            let insert = format!(
                "INSERT INTO gesta.action ({COLUMNS}, {column}) VALUES ({VALUES}, {value})"
            );
            refused(&client, &insert, &BY_GRANTS).await;
        }
        let copy = format!("COPY gesta.action ({COLUMNS}, seq) FROM STDIN");
        refused(&client, &copy, &BY_GRANTS).await;
    }
    let client = db.connect("gesta_app").await;
    let insert = format!(
        "BEGIN; SET LOCAL gesta.tenant = 'acme'; INSERT INTO gesta.action ({COLUMNS}) VALUES ({VALUES});
         DO $$ BEGIN ASSERT (SELECT xid = pg_current_xact_id() AND seq > 0
             AND recorded_at BETWEEN now() AND clock_timestamp() FROM gesta.action); END $$; COMMIT"
    );
    client.batch_execute(&insert).await.expect("the database gives them");
    check_log(&db).await;
}

#[tokio::test]
async fn application_sees_and_writes_its_tenant_alone_and_without_one_nothing() {
    let (db, _) = filled().await;
    let client = db.connect("gesta_app").await;
    let insert = format!("INSERT INTO gesta.action ({COLUMNS}) VALUES ({VALUES})");
    assert_eq!(count(&client, "SELECT count(*) FROM gesta.action").await, 0);
    refused(&client, &insert, &BY_GRANTS).await;
    client.batch_execute("SET gesta.tenant = 'globex'").await.expect("set");
    assert!(count(&client, "SELECT count(*) FROM gesta.action").await > 0);
    assert_eq!(
        count(&client, "SELECT count(*) FROM gesta.action WHERE tenant <> 'globex'").await,
        0
    );
    refused(&client, &insert, &BY_GRANTS).await;
}

#[tokio::test]
async fn auditor_reads_all_tenants_and_writes_nothing() {
    let (db, _) = filled().await;
    let client = db.connect("gesta_auditor").await;
    assert_eq!(count(&client, "SELECT count(DISTINCT tenant) FROM gesta.action").await, 2);
    assert_eq!(count(&client, "SELECT count(*) FROM gesta.follow, gesta.visibility").await, 0);
    let edge = "INSERT INTO gesta.follow (tenant, id, follower_type, follower_id, followed_type, followed_id)
        VALUES ('acme', '01890000-0000-8000-8000-000000000001', 'user', '1', 'user', '2')";
    for sql in [
        &format!("INSERT INTO gesta.action ({COLUMNS}) VALUES ({VALUES})"),
        edge,
        "UPDATE gesta.follow SET muted = true",
        "DELETE FROM gesta.follow",
        "INSERT INTO gesta.visibility VALUES ('acme', gen_random_uuid(), '{}', gen_random_uuid())",
        "UPDATE gesta.visibility SET audience = '{}'",
        "SELECT nextval('gesta.action_seq')",
        "SELECT gesta.make_partitions(3000)",
        "CREATE SCHEMA mine",
        "SET ROLE gesta_app",
    ] {
        refused(&client, sql, &BY_GRANTS).await;
    }
}

#[tokio::test]
async fn people_at_psql_make_tables_of_their_own_and_own_nothing_of_ours() {
    // Rights on a database are not copied with it, so this one is migrated.
    let db = bare_database().await;
    gesta::store::migrate(&mut db.admin().await).await.expect("migrated");
    let client = db.connect("gesta_user").await;
    let own = "CREATE SCHEMA lab; CREATE TABLE lab.note (id integer PRIMARY KEY, text text);
        INSERT INTO lab.note VALUES (1, 'a'); UPDATE lab.note SET text = 'b'; DROP TABLE lab.note; DROP SCHEMA lab;
        CREATE TEMPORARY TABLE scratch (n integer)";
    client.batch_execute(own).await.expect("a schema of one's own");
    for sql in
        ["CREATE TABLE gesta.mine ()", "CREATE TABLE public.mine ()", "DROP TABLE gesta.follow"]
    {
        refused(&client, sql, &BY_GRANTS).await;
    }
    let owned = "SELECT count(*) FROM pg_class WHERE relnamespace = 'gesta'::regnamespace
        AND relowner <> 'gesta_owner'::regrole";
    assert_eq!(count(&client, owned).await, 0);
    let append = format!(
        "BEGIN; SET LOCAL gesta.tenant = 'acme'; INSERT INTO gesta.action ({COLUMNS}) VALUES ({VALUES}); COMMIT"
    );
    client.batch_execute(&append).await.expect("an ordinary application's rights");
    check_log(&db).await;
}

#[tokio::test]
async fn import_copies_where_row_security_can_be_bypassed_and_inserts_where_not() {
    let db = database().await;
    let copy = format!("COPY gesta.action ({COLUMNS}) FROM STDIN");
    let line = "acme\t01890000-0000-7000-8000-000000000001\tuser\t1\topen\t2023-06-28 03:15:47.328+00\timport\n";
    let client = db.connect("gesta_import").await;
    let bypass = "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolbypassrls";
    assert_eq!(count(&client, bypass).await, 1);
    let sink: CopyInSink<Bytes> = client.copy_in(&copy).await.expect("a COPY");
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from_static(line.as_bytes())).await.expect("sent");
    assert_eq!(sink.finish().await.expect("copied"), 1);

    // A server that does not hand out BYPASSRLS: the same rights without the attribute, which is not inherited.
    let role = format!("plain_{}", db.name());
    let admin = db.admin().await;
    let create = format!("CREATE ROLE {role} LOGIN IN ROLE gesta_import");
    admin.batch_execute(&create).await.expect("a role");
    let plain = db.connect(&role).await;
    plain.batch_execute("SET gesta.tenant = 'acme'").await.expect("set");
    refused(&plain, &copy, &SqlState::FEATURE_NOT_SUPPORTED).await;
    let staged = format!(
        "CREATE TEMPORARY TABLE staged AS SELECT {COLUMNS} FROM gesta.action;
         INSERT INTO gesta.action ({COLUMNS}) SELECT {COLUMNS} FROM staged ON CONFLICT (tenant, id) DO NOTHING;
         UPDATE staged SET id = '01890000-0000-7000-8000-000000000002';
         INSERT INTO gesta.action ({COLUMNS}) SELECT {COLUMNS} FROM staged ON CONFLICT (tenant, id) DO NOTHING"
    );
    plain.batch_execute(&staged).await.expect("staged and inserted");
    assert_eq!(count(&admin, "SELECT count(*) FROM gesta.action").await, 2);
    drop(plain);
    check_log(&db).await;
    admin.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.expect("dropped");
}
