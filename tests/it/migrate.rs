//! Migrations: once, whoever starts them, or not at all.

use gesta::error::chain;
use gesta::store::{
    MigrateError, Migration, MigrationStatus, migrate, migrate_with, migration_sql,
    migration_status,
};
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio_postgres::{Client, Config, NoTls};

use crate::support::{OwnCluster, bare_database};

/// Databases of one cluster that are migrated at the same moment.
const AT_ONCE: usize = 6;

const ALL: [&str; 14] = [
    "0001_roles",
    "0002_action",
    "0003_partitions",
    "0004_follow",
    "0005_capture",
    "0006_relay",
    "0007_access",
    "0008_secret",
    "0009_run",
    "0010_role",
    "0011_claim",
    "0012_row",
    "0013_capture",
    "0014_path",
];

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// The migrations of this program.
fn known() -> Vec<Migration> {
    migration_sql().map(|(name, sql)| Migration { version: version_of(name), name, sql }).collect()
}

/// The number that a file's name begins with.
fn version_of(name: &str) -> i32 {
    name.split('_').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The number of the last one.
fn last() -> i32 {
    version_of(ALL[ALL.len() - 1])
}

/// How many there are, as the database counts.
fn count() -> i64 {
    i64::try_from(ALL.len()).expect("few")
}

async fn number(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.expect(query).get(0)
}

/// Whether anything of Gesta stands in a database.
async fn has_schema(client: &Client) -> bool {
    number(client, "SELECT count(*) FROM pg_namespace WHERE nspname = 'gesta'").await > 0
}

#[tokio::test]
async fn fresh_database_is_migrated_and_the_second_time_nothing_is_done() {
    let db = bare_database().await;
    let mut client = db.admin().await;
    let none = MigrationStatus { applied: Vec::new(), pending: ALL.to_vec() };
    assert_eq!(migration_status(&mut client).await.expect("a status"), none);
    assert!(!has_schema(&client).await, "asking for the status changes nothing");

    assert_eq!(migrate(&mut client).await.expect("migrated"), ALL);
    let done = MigrationStatus { applied: ALL.map(str::to_owned).to_vec(), pending: Vec::new() };
    assert_eq!(migration_status(&mut client).await.expect("a status"), done);

    let before = catalog_xmin(&client).await;
    assert!(migrate(&mut client).await.expect("migrated").is_empty());
    assert_eq!(catalog_xmin(&client).await, before, "no catalog row was written again");
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^gesta_' AND rolsuper";
    assert_eq!(number(&client, roles).await, 0);
}

/// Which transactions wrote the schema's tables and functions.
async fn catalog_xmin(client: &Client) -> Vec<String> {
    let query = "SELECT relname || ' ' || xmin FROM pg_class WHERE relnamespace = 'gesta'::regnamespace
        UNION ALL SELECT proname || ' ' || xmin FROM pg_proc WHERE pronamespace = 'gesta'::regnamespace
        UNION ALL SELECT name || ' ' || applied_at FROM gesta.migration ORDER BY 1";
    client.query(query, &[]).await.expect("the catalog").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn processes_that_start_at_once_apply_each_migration_once() {
    let db = bare_database().await;
    // What the database's owner may well have set: a stale snapshot must not survive the wait for the lock.
    let serializable =
        format!("ALTER DATABASE {} SET default_transaction_isolation = serializable", db.name());
    db.admin().await.batch_execute(&serializable).await.expect("set");
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let starting = (0..AT_ONCE).map(|_| {
        let (config, barrier) = (db.config(db.superuser()), Arc::clone(&barrier));
        tokio::spawn(async move {
            let mut client = connect(&config).await;
            barrier.wait().await;
            migrate(&mut client).await.map(|applied| applied.len())
        })
    });
    let mut applied = Vec::new();
    for process in starting.collect::<Vec<_>>() {
        applied.push(process.await.expect("the process").expect("migrated"));
    }
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 0, 0, ALL.len()]);
    assert_eq!(number(&db.admin().await, "SELECT count(*) FROM gesta.migration").await, count());
}

/// Roles belong to the cluster, where no lock of one database reaches.
#[tokio::test]
async fn databases_of_one_cluster_are_migrated_at_once() {
    let cluster = OwnCluster::start().await;
    // First without any role, then with roles that somebody made before, but who are no members of each other.
    migrate_at_once(&cluster, "fresh").await;
    cluster.run(&["REVOKE gesta_app FROM gesta_user, gesta_import"]).await;
    migrate_at_once(&cluster, "later").await;
    let admin = cluster.admin("postgres").await;
    let members = "SELECT count(*) FROM pg_auth_members WHERE roleid = 'gesta_app'::regrole";
    assert_eq!(number(&admin, members).await, 2);
    drop(admin);
    cluster.stop().await;
}

async fn migrate_at_once(cluster: &OwnCluster, prefix: &str) {
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let mut starting = Vec::new();
    for n in 0..AT_ONCE {
        cluster.run(&[&format!("CREATE DATABASE {prefix}{n}")]).await;
        let mut client = cluster.admin(&format!("{prefix}{n}")).await;
        let barrier = Arc::clone(&barrier);
        starting.push(tokio::spawn(async move {
            barrier.wait().await;
            migrate(&mut client).await.map_err(|error| chain(&error))
        }));
    }
    for process in starting {
        assert_eq!(process.await.expect("the process").expect("migrated"), ALL);
    }
}

#[tokio::test]
async fn changed_migration_is_refused_by_name() {
    let db = bare_database().await;
    let mut client = db.admin().await;
    migrate(&mut client).await.expect("migrated");
    let changed = "UPDATE gesta.migration SET checksum = 'abc' WHERE version = 2";
    client.batch_execute(changed).await.expect("changed");
    let error = migrate(&mut client).await.expect_err("refused");
    assert!(matches!(error, MigrateError::Changed { name: "0002_action", .. }), "{error:?}");
    assert!(
        error.to_string().contains("0002_action was applied to this database with checksum abc")
    );
    assert!(migration_status(&mut client).await.is_err(), "the status says so too");
}

#[tokio::test]
async fn newer_database_is_refused() {
    let db = bare_database().await;
    let mut client = db.admin().await;
    migrate(&mut client).await.expect("migrated");
    let newer =
        "INSERT INTO gesta.migration (version, name, checksum) VALUES (99, '0099_later', '')";
    client.batch_execute(newer).await.expect("inserted");
    let error = migrate(&mut client).await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        format!(
            "this database is at migration 99, this program knows {}: use a newer gesta",
            last()
        )
    );
}

#[tokio::test]
async fn failing_migration_leaves_nothing() {
    let db = bare_database().await;
    let mut client = db.admin().await;
    let mut broken = known();
    let sql = "CREATE TABLE gesta.half (); SELECT 1 / 0";
    broken.push(Migration { version: last() + 1, name: "9998_broken", sql });
    let error = migrate_with(&mut client, &broken).await.expect_err("it fails");
    let text = chain(&error);
    assert!(text.starts_with("failed to apply migration 9998_broken: division by zero"), "{text}");
    assert!(!has_schema(&client).await);

    migrate(&mut client).await.expect("migrated");
    migrate_with(&mut client, &broken).await.expect_err("it fails");
    let half = "SELECT count(*) FROM pg_class WHERE relname = 'half'";
    assert_eq!(number(&client, half).await, 0);
    assert_eq!(number(&client, "SELECT count(*) FROM gesta.migration").await, count());
    assert!(migrate(&mut client).await.expect("as before").is_empty());
}

#[tokio::test]
async fn later_migration_is_applied_by_a_member_of_the_owner_alone() {
    let cluster = OwnCluster::start().await;
    cluster.run(&["CREATE ROLE dba LOGIN NOINHERIT", "CREATE ROLE stranger LOGIN"]).await;
    migrate(&mut cluster.admin("postgres").await).await.expect("migrated");
    let mut later = known();
    let sql = "CREATE TABLE gesta.later ()";
    later.push(Migration { version: last() + 1, name: "9998_later", sql });

    let mut stranger = cluster.connect("stranger", "postgres").await;
    let error = migrate(&mut stranger).await.expect_err("refused");
    let refusal = "role stranger may not migrate database postgres; as a superuser run: GRANT gesta_owner TO stranger;";
    assert_eq!(error.to_string(), refusal);
    let mut app = cluster.connect("gesta_app", "postgres").await;
    assert!(migrate(&mut app).await.expect("nothing to do").is_empty());
    let error = migrate_with(&mut app, &later).await.expect_err("refused");
    assert!(error.to_string().ends_with("GRANT gesta_owner TO gesta_app;"), "{error}");

    cluster.run(&["GRANT gesta_owner TO dba"]).await;
    let mut dba = cluster.connect("dba", "postgres").await;
    assert_eq!(migrate_with(&mut dba, &later).await.expect("migrated"), ["9998_later"]);
    let by = "SELECT count(*) FROM gesta.migration WHERE applied_by = 'dba'
        AND (SELECT tableowner FROM pg_tables WHERE tablename = 'later') = 'gesta_owner'";
    assert_eq!(number(&cluster.admin("postgres").await, by).await, 1);
    drop((stranger, app, dba));
    cluster.stop().await;
}

#[tokio::test]
async fn ordinary_role_is_told_what_it_lacks_and_then_migrates() {
    let cluster = OwnCluster::start().await;
    cluster.run(&["CREATE ROLE \"Operator 1\" LOGIN", "CREATE DATABASE app"]).await;
    let mut operator = cluster.connect("Operator 1", "app").await;
    let refused = migrate(&mut operator).await.expect_err("refused").to_string();
    let (_, grants) = refused.split_once("as a superuser run: ").expect("it says what to run");
    let grants: Vec<_> = grants.split_inclusive("; ").collect();
    assert_eq!(
        grants,
        [
            "GRANT CREATE ON DATABASE app TO \"Operator 1\" WITH GRANT OPTION; ",
            "ALTER ROLE \"Operator 1\" CREATEROLE;"
        ]
    );
    cluster.run(&grants).await;
    assert_eq!(migrate(&mut operator).await.map_err(|error| chain(&error)).expect("migrated"), ALL);
    assert!(migrate(&mut operator).await.expect("nothing to do").is_empty());

    let admin = cluster.admin("app").await;
    let owner = "SELECT count(*) FROM pg_class WHERE relnamespace = 'gesta'::regnamespace AND relowner <> 'gesta_owner'::regrole";
    assert_eq!(number(&admin, owner).await, 0);
    let user = "SELECT has_database_privilege('gesta_user', 'app', 'CREATE')::int::bigint";
    assert_eq!(number(&admin, user).await, 1, "people at psql can make schemas");
    let bypass = "SELECT count(*) FROM pg_roles WHERE rolname = 'gesta_import' AND rolbypassrls";
    assert_eq!(number(&admin, bypass).await, 0, "nobody can hand out what he has not");

    // A second operator, for whom the roles were made by somebody else.
    cluster
        .run(&[
            "CREATE DATABASE other",
            "CREATE ROLE second LOGIN",
            "GRANT CREATE ON DATABASE other TO second",
        ])
        .await;
    let mut second = cluster.connect("second", "other").await;
    let refused = migrate(&mut second).await.expect_err("refused").to_string();
    assert!(refused.ends_with("as a superuser run: GRANT gesta_owner TO second;"), "{refused}");
    cluster.run(&["GRANT gesta_owner TO second"]).await;
    assert_eq!(migrate(&mut second).await.map_err(|error| chain(&error)).expect("migrated"), ALL);
    drop((operator, second, admin));
    cluster.stop().await;
}
