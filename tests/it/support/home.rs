//! A folder for a private server that the command starts by itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::cluster::{cluster, place};

/// A folder for a private server, as whoever types `gesta` has one: durable, and started by the command itself.
pub(crate) struct OwnHome(PathBuf);

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
