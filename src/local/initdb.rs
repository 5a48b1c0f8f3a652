//! Making the data folder.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;

use super::account::Account;
use super::fetch::remove_folder;
use super::server::{Durability, SUPERUSER};
use super::{Binaries, Home, LocalError};

/// How many lines of a program's output an error quotes: enough for a message with its hint.
const QUOTED_LINES: usize = 20;

/// The first version with a locale of its own, which no update of the C library can change.
const BUILTIN_LOCALE_MAJOR: u32 = 17;

/// The major version that made the data; `None` while there is no data.
pub(super) fn version(home: &Home) -> Result<Option<u32>, LocalError> {
    let data = home.data();
    if !data.exists() {
        return Ok(None);
    }
    let written = fs::read_to_string(data.join("PG_VERSION")).ok();
    match written.and_then(|version| version.trim().parse().ok()) {
        Some(major) => Ok(Some(major)),
        None => Err(LocalError::NotData { data }),
    }
}

/// Makes the data folder aside and renames it, so that a half-made one is never used.
///
/// The program inherits the lock: if this process is killed, the next one waits until `initdb` is
/// done, removes what it made, and begins anew.
pub(super) async fn create(
    home: &Home,
    binaries: &Binaries,
    account: &Account,
    durability: Durability,
    lock: &File,
) -> Result<(), LocalError> {
    let (data, aside) = (home.data(), home.path().join("data.new"));
    remove_folder(&aside)?;
    // Made by us, since the user who runs the server may have no right to create it here.
    DirBuilder::new().mode(0o700).create(&aside).map_err(LocalError::io("create", &aside))?;
    account.hand_over(&aside)?;
    let program = binaries.program("initdb");
    let mut command = account.command(&program);
    command.arg("-D").arg(&aside).args(["--username", SUPERUSER, "--encoding", "UTF8"]);
    command.args(["--auth-local", "trust", "--auth-host", "reject", "--locale", "C"]);
    // Sort orders must not depend on the C library: its next version could break every index.
    if binaries.major() >= BUILTIN_LOCALE_MAJOR {
        command.args(["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]);
    }
    if durability == Durability::None {
        command.arg("--no-sync");
    }
    command.stdin(lock.try_clone().map_err(LocalError::io("pass on the lock of", home.path()))?);
    let output = command.output().await.map_err(LocalError::io("run", &program))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let output_tail = tail(&String::from_utf8_lossy(&said));
        let status = output.status.to_string();
        return Err(LocalError::Initdb { data: aside, status, output: output_tail });
    }
    fs::rename(&aside, &data).map_err(LocalError::io("rename", &aside))?;
    let synced = File::open(home.path()).and_then(|folder| folder.sync_all());
    synced.map_err(LocalError::io("sync the folder", home.path()))
}

/// The last lines of the server's log.
pub(super) fn log_tail(home: &Home) -> String {
    match fs::read(home.log()) {
        Ok(log) => tail(&String::from_utf8_lossy(&log)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "(there is no log)".to_owned(),
        Err(error) => format!("(the log cannot be read: {error})"),
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}
