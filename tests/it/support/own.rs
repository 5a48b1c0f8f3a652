//! A cluster of a test's own, for what all databases of a cluster share: roles.

use std::fs;

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

    /// The same as an URL, for programs.
    #[cfg(feature = "nats")]
    pub(crate) fn url(&self, role: &str, dbname: &str) -> String {
        super::database::url(&self.config(role, dbname))
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

    /// Crashes the server, as `pg_ctl stop -m immediate` does, and starts it again in the same place.
    #[cfg(feature = "nats")]
    pub(crate) async fn crash(self) -> Self {
        let home = self.server.home().clone();
        let file = home.data().join("postmaster.pid");
        let text = fs::read_to_string(&file).expect("the server's file");
        let pid = text.lines().next().and_then(|line| line.parse().ok()).expect("a process id");
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT).expect("it runs");
        while nix::sys::signal::kill(pid, None).is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        drop(self);
        Self { server: start(&home).await }
    }

    /// Stops the server and removes its folder.
    pub(crate) async fn stop(self) {
        let home = self.server.home().path().to_owned();
        self.server.stop().await.expect("the server stops");
        fs::remove_dir_all(home).expect("the folder is removed");
    }
}
