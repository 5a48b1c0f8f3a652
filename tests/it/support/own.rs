//! A cluster of a test's own, for what all databases of a cluster share: roles.

use std::fs;

use gesta::local::{Home, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_postgres::{Client, Config, NoTls};

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

    /// Ends the server as a crash would: each process at once, without tidying up. Then starts it again. If only the
    /// postmaster were killed, its backends would still roll back and drop their temporary tables.
    pub(crate) async fn crash(&mut self) {
        let home = self.server.home().path().to_owned();
        let file = fs::read_to_string(home.join("data/postmaster.pid")).expect("a running server");
        let pid = file.lines().next().and_then(|pid| pid.parse().ok()).expect("a process id");
        let postmaster = Pid::from_raw(pid);
        kill(postmaster, Signal::SIGQUIT).expect("it lives");
        while kill(postmaster, None).is_ok() {
            tokio::task::yield_now().await;
        }
        self.server = start(&Home::at(home)).await;
    }

    /// Stops the server in good order and starts it again.
    pub(crate) async fn restart(self) -> Self {
        let home = self.server.home().path().to_owned();
        self.server.stop().await.expect("the server stops");
        Self { server: start(&Home::at(home)).await }
    }

    /// Starts the server as a standby of nobody, does something with it, and promotes it.
    pub(crate) async fn restart_promoted(self, standby: impl AsyncFnOnce(&Config)) -> Self {
        let (home, config) = (self.server.home().path().to_owned(), self.config("", "postgres"));
        let superuser = self.server.superuser();
        self.server.stop().await.expect("the server stops");
        fs::write(home.join("data/standby.signal"), "").expect("a file");
        // It counts as started when it is no standby any more.
        let starting = tokio::spawn(async move { start(&Home::at(home)).await });
        let mut admin = config.clone();
        admin.user(superuser);
        while admin.connect(NoTls).await.is_err() {
            tokio::task::yield_now().await;
        }
        standby(&config).await;
        let promoted = connect(&admin).await.query_one("SELECT pg_promote()", &[]).await;
        assert!(promoted.expect("an answer").get::<_, bool>(0));
        Self { server: starting.await.expect("it starts") }
    }

    /// Stops the server and removes its folder.
    pub(crate) async fn stop(self) {
        let home = self.server.home().path().to_owned();
        self.server.stop().await.expect("the server stops");
        fs::remove_dir_all(home).expect("the folder is removed");
    }
}
