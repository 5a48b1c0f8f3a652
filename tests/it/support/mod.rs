//! Stand-in: a migrated database a test, on the server of TEST_DATABASE_URL.

pub(crate) mod proxy;

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, Config, NoTls};

/// A migrated database of one test.
pub(crate) struct TestDb {
    config: Config,
}

impl TestDb {
    /// How a role connects to it.
    pub(crate) fn config(&self, role: &str) -> Config {
        self.config.clone().user(role).clone()
    }

    /// The same as a URL.
    pub(crate) fn url(&self, role: &str) -> String {
        let Some(tokio_postgres::config::Host::Unix(host)) = self.config.get_hosts().first() else {
            panic!("a Unix socket is needed")
        };
        let name = self.config.get_dbname().expect("a database");
        format!("postgresql://{role}@/{name}?host={}", host.display())
    }

    /// A connection of the superuser.
    pub(crate) async fn admin(&self) -> Client {
        connect(&self.config).await
    }
}

/// Makes a database.
pub(crate) async fn database() -> TestDb {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    #[expect(clippy::disallowed_methods, reason = "a stand-in")]
    let url = std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL");
    let mut config: Config = url.parse().expect("a URL");
    let server = connect(&config).await;
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    let name = format!("gesta_test_{}_{count}", std::process::id());
    server.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
    config.dbname(&name);
    let mut admin = connect(&config).await;
    gesta::store::migrate(&mut admin).await.expect("the schema");
    TestDb { config }
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}
