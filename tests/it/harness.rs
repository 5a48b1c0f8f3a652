//! The tests' own ground: databases of their own, and nothing left behind.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{TestDb, database};

/// How long to wait for what happens within a second on an idle machine.
const WAIT_MAX: Duration = Duration::from_mins(1);

#[tokio::test]
async fn each_test_has_a_migrated_database_of_its_own() {
    let (one, other) = tokio::join!(database(), database());
    assert_ne!(one.name(), other.name());
    one.admin().await.batch_execute("CREATE TABLE mine (x int)").await.expect("a table");
    let tables = "SELECT count(*) FROM pg_class WHERE relname = 'mine'";
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'gesta'";
    assert_eq!((count(&one, tables).await, count(&other, tables).await), (1, 0));
    assert_eq!((count(&one, schemas).await, count(&other, schemas).await), (1, 1));
}

#[tokio::test]
async fn roles_connect_by_configuration_and_by_url() {
    let db = database().await;
    let admin = db.admin().await;
    let role = format!("role_{}", db.name());
    admin.batch_execute(&format!("CREATE ROLE {role} LOGIN")).await.expect("a role");
    let client = db.connect(&role).await;
    assert!(client.query_one("SELECT 1", &[]).await.is_ok());
    for config in [db.config(&role), db.url(&role).parse().expect("an URL")] {
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.expect("connected");
        tokio::spawn(connection);
        let row =
            client.query_one("SELECT current_user::text, current_database()::text", &[]).await;
        let row = row.expect("a row");
        assert_eq!((row.get(0), row.get(1)), (role.as_str(), db.name()));
    }
    admin.batch_execute(&format!("DROP ROLE {role}")).await.expect("the role is dropped");
}

#[tokio::test]
async fn database_is_dropped_at_the_end_of_a_test_although_somebody_is_connected() {
    let (db, other) = (database().await, database().await);
    let _client = db.admin().await;
    let query = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", db.name());
    assert_eq!(count(&other, &query).await, 1);
    drop(db);
    assert_eq!(count(&other, &query).await, 0);
}

const DATA: &str = "SELECT current_setting('data_directory')";

/// Run by the next test under a runner of its own.
#[tokio::test]
#[ignore = "run by a test, under a runner of its own"]
async fn says_where_its_cluster_is() {
    let db = database().await;
    let row = db.admin().await.query_one(DATA, &[]).await.expect("a row");
    println!("\ncluster {}", row.get::<_, String>(0));
}

/// Two test processes one after the other, as under nextest, and the end of their runner.
#[tokio::test]
async fn processes_of_one_runner_share_a_cluster_that_goes_when_the_runner_goes() {
    let program = std::env::current_exe().expect("this program");
    let script = r#"for test in 1 2; do
        "$0" --exact harness::says_where_its_cluster_is --ignored --nocapture
    done"#;
    let mut runner = Command::new("/bin/sh");
    runner.args(["-c", script]).arg(program).env_remove("TEST_DATABASE_URL");
    let output = runner.output().expect("a runner");
    let text = String::from_utf8_lossy(&output.stdout);
    let clusters: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("cluster ")).collect();
    assert_eq!(clusters.len(), 2, "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(clusters[0], clusters[1]);
    let dir = Path::new(clusters[0]).parent().expect("a folder");
    let began = Instant::now();
    while dir.exists() {
        assert!(began.elapsed() < WAIT_MAX, "{} is still there", dir.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn count(db: &TestDb, query: &str) -> i64 {
    db.admin().await.query_one(query, &[]).await.expect("a row").get(0)
}
