//! A cluster of a test's own, for what all databases of a cluster share: roles.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use gesta::local::{Home, Server};
use tokio_postgres::{Client, Config};

use super::cluster::{cluster, connect, place, run, start};

/// A server without any role or database of ours. It stands in the folder of the run, which is swept if a test fails.
pub(crate) struct OwnCluster {
    server: Server,
}

impl OwnCluster {
    pub(crate) async fn start() -> Self {
        // Whoever starts the common server sees to it that the folder of the run is swept.
        cluster().await;
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).expect("random bytes");
        let name = format!("own-{:08x}", u32::from_ne_bytes(bytes));
        Self { server: start(&Home::at(place().0.join(name))).await }
    }

    /// How somebody connects to a database.
    pub(crate) fn config(&self, role: &str, dbname: &str) -> Config {
        self.server.config(role, dbname)
    }

    /// Connects as somebody.
    pub(crate) async fn connect(&self, role: &str, dbname: &str) -> Client {
        connect(&self.config(role, dbname)).await
    }

    /// Connects as the superuser.
    pub(crate) async fn admin(&self, dbname: &str) -> Client {
        self.connect(self.server.superuser(), dbname).await
    }

    /// Runs statements as the superuser, one by one.
    pub(crate) async fn run(&self, statements: &[&str]) {
        let admin = self.admin("postgres").await;
        for statement in statements {
            run(&admin, statement).await;
        }
    }

    /// Stops the server and removes its folder.
    pub(crate) async fn stop(self) {
        let home = self.server.home().path().to_owned();
        self.server.stop().await.expect("the server stops");
        fs::remove_dir_all(home).expect("the folder is removed");
    }
}

#[cfg(feature = "cli")]
/// A folder for a private server, as whoever types `gesta` has one: durable, and started by the command itself.
pub(crate) struct OwnHome(PathBuf);

#[cfg(feature = "cli")]
impl OwnHome {
    pub(crate) async fn new() -> Self {
        // Whoever starts the common server sees to it that the folder of the run is swept.
        cluster().await;
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).expect("random bytes");
        Self(place().0.join(format!("home-{:08x}", u32::from_ne_bytes(bytes))))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Waits until the server has stopped, and removes the folder.
    pub(crate) fn remove(self) {
        let running = File::open(self.0.join("running")).expect("the lock that the server holds");
        running.lock().expect("the server stops when nobody uses it");
        fs::remove_dir_all(self.0).expect("the folder is removed");
    }
}
