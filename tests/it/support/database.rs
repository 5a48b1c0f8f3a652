//! A database of its own for each test.

use std::fmt::Write;
use std::path::PathBuf;

use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config};

use super::cluster::{Cluster, Strategy, cluster, connect, run};

/// A copy of the migrated template, dropped at the end of the test.
pub(crate) struct TestDb {
    cluster: &'static Cluster,
    name: String,
}

/// Makes a database for one test.
pub(crate) async fn database() -> TestDb {
    let cluster = cluster().await;
    let strategy = match cluster.strategy {
        Strategy::FileCopy => "file_copy",
        Strategy::WalLog => "wal_log",
    };
    create(cluster, &format!("TEMPLATE {} STRATEGY {strategy}", cluster.template)).await
}

/// Makes a database that nobody has migrated.
pub(crate) async fn bare_database() -> TestDb {
    create(cluster().await, "TEMPLATE template0").await
}

/// Makes a copy of a test's database, to which nobody may be connected.
#[cfg(feature = "nats")]
pub(crate) async fn copy(db: &TestDb) -> TestDb {
    create(db.cluster, &format!("TEMPLATE {}", db.name)).await
}

async fn create(cluster: &'static Cluster, how: &str) -> TestDb {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("random bytes");
    let name = format!("gesta_test_{:016x}", u64::from_ne_bytes(bytes));
    let client = cluster.admin("postgres").await;
    run(&client, &format!("CREATE DATABASE {name} {how}")).await;
    TestDb { cluster, name }
}

impl TestDb {
    /// The database's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The superuser's name.
    pub(crate) fn superuser(&self) -> &str {
        self.cluster.superuser()
    }

    /// A client program of the server's own version, where the server is a private one.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.cluster.program(name)
    }

    /// How a role connects.
    pub(crate) fn config(&self, role: &str) -> Config {
        self.cluster.config(role, &self.name)
    }

    /// The same as an URL, for programs.
    pub(crate) fn url(&self, role: &str) -> String {
        url(&self.config(role))
    }

    /// Connects as a role.
    pub(crate) async fn connect(&self, role: &str) -> Client {
        connect(&self.config(role)).await
    }

    /// Connects as the superuser, whom grants and row security do not bind.
    pub(crate) async fn admin(&self) -> Client {
        self.connect(self.cluster.superuser()).await
    }
}

impl Drop for TestDb {
    /// Drops the database, with whoever is still connected.
    ///
    /// In a thread with a runtime of its own, since the test's runtime waits for this function.
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster, &self.name);
        let dropping = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let client = cluster.admin("postgres").await;
                run(&client, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            });
        };
        let dropped = std::thread::scope(|scope| scope.spawn(dropping).join());
        assert!(dropped.is_ok() || std::thread::panicking(), "{name} could not be dropped");
    }
}

pub(super) fn url(config: &Config) -> String {
    let part = |text: &str| percent_encoded(text.as_bytes());
    let mut url = format!("postgresql://{}", part(config.get_user().unwrap_or_default()));
    if let Some(password) = config.get_password() {
        write!(url, ":{}", percent_encoded(password)).expect("a string");
    }
    write!(url, "@/{}?", part(config.get_dbname().unwrap_or_default())).expect("a string");
    let hosts: Vec<_> = config.get_hosts().iter().map(|host| part(&host_text(host))).collect();
    let ports: Vec<_> = config.get_ports().iter().map(u16::to_string).collect();
    write!(url, "host={}", hosts.join(",")).expect("a string");
    if !ports.is_empty() {
        write!(url, "&port={}", ports.join(",")).expect("a string");
    }
    url
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.to_string_lossy().into_owned(),
    }
}

fn percent_encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a string");
        }
    }
    text
}
