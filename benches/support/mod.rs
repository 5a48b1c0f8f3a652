//! What every bench needs: a durable server, a migrated database, an identical table for the raw limit, medians.
#![allow(dead_code, reason = "each bench needs a part")]

pub(crate) mod client;
pub(crate) mod fill;
pub(crate) mod load;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use gesta::Store;
use gesta::local::{Home, Options, SUPERUSER, Search, Server};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// Whether the command line names a part of the bench, by a word that is in its name.
pub(crate) fn named(part: &str) -> bool {
    words().any(|word| part.contains(&word))
}

/// Whether the command line names this part, or none.
pub(crate) fn wanted(part: &str) -> bool {
    words().next().is_none() || named(part)
}

fn words() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|arg| !arg.starts_with('-'))
}

/// A database of this run, on a private and durable server, or on the one that `GESTA_BENCH_URL` names (as a superuser).
pub(crate) struct Bench {
    config: Config,
    name: String,
    private: Option<(Server, tempfile::TempDir)>,
}

/// The limit is measured on a table that differs in its name only: same columns, constraints, indexes, partitions.
const RAW_TABLE: &str = "
CREATE SCHEMA raw;
GRANT USAGE ON SCHEMA raw TO gesta_app, gesta_import;
CREATE TABLE raw.action (LIKE gesta.action INCLUDING ALL) PARTITION BY RANGE (id);
DO $$
DECLARE part record;
BEGIN
    FOR part IN
        SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'gesta.action'::regclass
    LOOP
        EXECUTE format('CREATE TABLE raw.%I PARTITION OF raw.action %s', part.relname, part.bound);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON raw.action TO gesta_app, gesta_import;";

impl Bench {
    /// Makes the database.
    pub(crate) async fn start() -> Self {
        let (mut config, private) = match std::env::var_os("GESTA_BENCH_URL") {
            Some(url) => (url.to_string_lossy().parse().expect("a URL of PostgreSQL"), None),
            None => private().await,
        };
        let name = format!("gesta_bench_{}", std::process::id());
        let server = connect(&config).await;
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let row = server.query_one("SELECT current_setting($1)", &[&setting]).await;
            let value: String = row.expect("a setting").get(0);
            assert_eq!(value, "on", "{setting} must be on, or the figures say nothing");
        }
        server.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a new database");
        config.dbname(&name);
        let mut admin = connect(&config).await;
        gesta::store::migrate(&mut admin).await.expect("the schema");
        Self { config, name, private }
    }

    /// A connection of the superuser.
    pub(crate) async fn admin(&self) -> Client {
        connect(&self.config).await
    }

    /// A connection of a role.
    pub(crate) async fn client(&self, role: &str) -> Client {
        connect(self.config.clone().user(role)).await
    }

    /// The URL of a role, for a process of its own.
    pub(crate) fn url(&self, role: &str) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Unix(path)) => path.to_string_lossy().into_owned(),
            Some(Host::Tcp(name)) => name.clone(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        format!("postgresql:///{}?host={host}&port={port}&user={role}", self.name)
    }

    /// A pool of a role.
    pub(crate) fn pool(&self, role: &str, size: usize) -> Pool {
        pool(self.config.clone().user(role), size)
    }

    /// A store of the superuser, for what an operator does.
    pub(crate) fn operator(&self) -> Store {
        Store::new(pool(&self.config, 1))
    }

    /// A store of a role.
    pub(crate) fn store(&self, role: &str, size: usize) -> Store {
        Store::new(self.pool(role, size))
    }

    /// Empties both tables, so that every figure starts alike.
    pub(crate) async fn reset(&self) {
        let admin = self.admin().await;
        admin.batch_execute("DROP SCHEMA IF EXISTS raw CASCADE").await.expect("no raw table");
        admin.batch_execute("DROP SCHEMA gesta CASCADE").await.expect("no schema");
        let mut admin = self.admin().await;
        gesta::store::migrate(&mut admin).await.expect("the schema");
        admin.batch_execute(RAW_TABLE).await.expect("the raw table");
        admin.batch_execute("CHECKPOINT").await.expect("a checkpoint");
    }

    /// Drops the database.
    pub(crate) async fn end(mut self) {
        let name = std::mem::take(&mut self.name);
        let server = connect(self.config.dbname("postgres")).await;
        server.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("dropped");
        if let Some((server, _dir)) = self.private.take() {
            server.stop().await.expect("stopped");
        }
    }
}

/// A server with PostgreSQL's own settings but for `shared_buffers`, in a folder on disk.
async fn private() -> (Config, Option<(Server, tempfile::TempDir)>) {
    let dir = tempfile::tempdir().expect("a folder");
    let search = Search::new(None, std::env::var_os("PATH").unwrap_or_default());
    let options =
        Options::new(search).setting("shared_buffers", "1GB").setting("max_wal_size", "4GB");
    let home = Home::at(dir.path().join("home"));
    let server = Server::start(&home, &options).await.expect("a private server");
    (server.config(SUPERUSER, "postgres"), Some((server, dir)))
}

fn pool(config: &Config, size: usize) -> Pool {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config.clone(), NoTls, recycling);
    Pool::builder(manager).max_size(size).build().expect("a pool")
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// The middle one; of an even number the upper one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
