//! Finding nats-server on this machine.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::time::timeout;

use super::account::Account;
use super::broker::BrokerError;
use super::{Fetch, Home, fetch};

/// The oldest version that is used: what comes before ignores several filters of a consumer, and more, without a word.
const VERSION_MIN: (u32, u32) = (2, 10);

/// How long the program may take to say its version; it takes 20 ms, and this is for a busy machine.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

/// The program's name.
const PROGRAM: &str = "nats-server";

/// Where packages put it, besides the folders of `PATH`.
const USUAL_PLACES: [&str; 4] =
    ["/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin"];

/// Where to look for nats-server, and whether to fetch one.
#[derive(Clone, Debug)]
pub struct BrokerSearch {
    /// `NATS_BIN`: the folder of the program. If it is given, nothing else is tried.
    pub nats_bin: Option<PathBuf>,
    /// `PATH`: where `nats-server` and the tools that fetch are looked for.
    pub path: OsString,
    /// What to do when nothing is installed.
    pub fetch: Fetch,
}

impl BrokerSearch {
    /// Looks everywhere, and fetches a server if there is none.
    #[must_use]
    pub fn new(nats_bin: Option<PathBuf>, path: OsString) -> Self {
        Self { nats_bin, path, fetch: Fetch::IfNeeded }
    }
}

/// A nats-server that works and is new enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerProgram {
    path: PathBuf,
    version: String,
}

impl BrokerProgram {
    /// Finds the program, and fetches it if need be: the given folder; `PATH`; the usual places; what was fetched into this
    /// home before; a download of 7 MB.
    ///
    /// # Errors
    /// [`BrokerError::GivenFolder`], [`BrokerError::NotFound`]; what the lock and the file system refuse.
    pub async fn find(home: &Home, search: &BrokerSearch) -> Result<Self, BrokerError> {
        let home = super::broker::folder(home)?;
        let account = Account::choose(&home.data())?;
        let lock = home.lock().await?;
        Self::find_locked(&home, search, &account, &lock).await
    }

    /// The same for a caller who has the lock of the broker's folder.
    pub(super) async fn find_locked(
        home: &Home,
        search: &BrokerSearch,
        account: &Account,
        lock: &File,
    ) -> Result<Self, BrokerError> {
        if let Some(dir) = &search.nats_bin {
            let given = |reason| BrokerError::GivenFolder { dir: dir.clone(), reason };
            return probe(account, dir).await.map_err(given);
        }
        let mut tried = Vec::new();
        let on_path = std::env::split_paths(&search.path);
        let usual = USUAL_PLACES.into_iter().map(PathBuf::from);
        for dir in on_path.chain(usual).chain([fetch::NATS.bin_dir(home)]) {
            if !dir.join(PROGRAM).is_file() {
                continue;
            }
            match probe(account, &dir).await {
                Ok(found) => return Ok(found),
                Err(reason) => tried.push(format!("  {}: {reason}", dir.display())),
            }
        }
        if tried.is_empty() {
            tried.push(format!("  PATH and the usual places of packages: no `{PROGRAM}`"));
        }
        if search.fetch == Fetch::IfNeeded {
            match fetch::fetch(&fetch::NATS, home, &search.path, lock).await? {
                Ok(dir) => match probe(account, &dir).await {
                    Ok(found) => return Ok(found),
                    Err(reason) => tried.push(format!("  {}: {reason}", dir.display())),
                },
                Err(attempts) => tried.extend(attempts),
            }
        }
        Err(BrokerError::NotFound { tried: tried.join("\n") })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, such as `2.15.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Asks as the user who is going to run it, who may not reach what root reaches.
async fn probe(account: &Account, dir: &Path) -> Result<BrokerProgram, String> {
    let path = dir.join(PROGRAM);
    let mut command = account.command(&path);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let said = match timeout(PROBE_WAIT_MAX, command.output()).await {
        Err(_) => return Err("it does not answer `--version`".to_owned()),
        Ok(Err(error)) => {
            return Err(format!("the user `{}` cannot run it: {error}", account.name()));
        }
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    };
    match parse_version(&said) {
        None => Err(format!("`{PROGRAM} --version` said `{said}`")),
        Some(found) if found < VERSION_MIN => {
            Err(format!("`{said}` is older than {}.{}", VERSION_MIN.0, VERSION_MIN.1))
        }
        Some(_) => {
            let version = said.rsplit('v').next().unwrap_or_default().to_owned();
            Ok(BrokerProgram { path, version })
        }
    }
}

/// `nats-server: v2.15.1`, `nats-server: v2.10.0-RC.1`.
fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("nats-server: v")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_strangers_are_told_apart() {
        assert_eq!(parse_version("nats-server: v2.15.1"), Some((2, 15)));
        assert_eq!(parse_version("nats-server: v2.10.0-RC.1"), Some((2, 10)));
        assert_eq!(parse_version("nats-streaming-server version 0.25"), None);
    }
}
