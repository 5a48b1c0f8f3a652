//! What `postmaster.pid` says, and whether it is still true.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Home, LocalError};

/// The server process that has written `postmaster.pid`.
#[derive(Debug)]
pub(super) struct Postmaster {
    pub(super) pid: Pid,
    pub(super) socket_dir: PathBuf,
    pub(super) port: u16,
    pub(super) phase: Phase,
}

/// How far the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It accepts connections.
    Ready,
    /// It starts, recovers or stops.
    Other,
}

impl Postmaster {
    /// Reads the file; `None` when there is none, or when it has just been begun.
    pub(super) fn read(home: &Home) -> Result<Option<Self>, LocalError> {
        let path = home.data().join("postmaster.pid");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LocalError::io("read", path)(error)),
        }
    }

    /// The lines are: process id, data folder, start time, port, socket folder, address, key of
    /// the shared memory, phase. The later ones are added while the server starts.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        // A single-user server writes its process id negated.
        let pid = lines.first()?.parse::<i32>().ok()?.checked_abs().filter(|pid| *pid > 0)?;
        let port = lines.get(3).and_then(|port| port.parse().ok()).unwrap_or(0);
        let phase = if lines.get(7) == Some(&"ready") { Phase::Ready } else { Phase::Other };
        let socket_dir = PathBuf::from(lines.get(4).copied().unwrap_or_default());
        Some(Self { pid: Pid::from_raw(pid), socket_dir, port, phase })
    }

    /// Whether that process still lives and was started here: it holds `running`.
    pub(super) fn is_ours(&self, home: &Home) -> bool {
        if has_proc() { holds_running(home, self.pid) } else { kill(self.pid, None).is_ok() }
    }

    /// Asks the server to stop in good order without waiting for its clients.
    pub(super) fn interrupt(&self, home: &Home) {
        if self.is_ours(home) {
            // It may have ended since; then there is nothing left to ask for.
            let _ = kill(self.pid, Signal::SIGINT);
        }
    }

    /// Whether it is a server of this data that was started by somebody else.
    fn is_foreign(&self, home: &Home) -> bool {
        // EPERM: somebody else's process. A server of ours runs as us, or we are root.
        if kill(self.pid, None).is_err() {
            return false;
        }
        if has_proc() {
            // A server works in its data folder.
            let works_in = fs::read_link(format!("/proc/{}/cwd", self.pid));
            return works_in.is_ok_and(|folder| folder == home.data());
        }
        let ps = Command::new("ps").args(["-o", "command=", "-p", &self.pid.to_string()]).output();
        ps.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("postgres"))
    }
}

/// Removes what a killed server has left, for a caller who holds `running`.
///
/// PostgreSQL itself believes a lock file as long as some process of the same user has the process
/// id in it. In a container, where ids are few and every start gives the same ones, it would refuse
/// to start because of its own supervisor.
///
/// # Errors
///
/// [`LocalError::Foreign`] when somebody else runs a server on the data.
pub(super) fn clear_stale(home: &Home, socket_dir: &Path, port: u16) -> Result<(), LocalError> {
    if let Some(postmaster) = Postmaster::read(home)?
        && postmaster.is_foreign(home)
    {
        return Err(LocalError::Foreign { pid: postmaster.pid.as_raw(), data: home.data() });
    }
    let socket = socket_dir.join(format!(".s.PGSQL.{port}"));
    let lock = socket_dir.join(format!(".s.PGSQL.{port}.lock"));
    for path in [home.data().join("postmaster.pid"), socket, lock] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LocalError::io("remove the stale file", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Ends the backends of a server that has been killed.
///
/// A backend notices that its server is gone when it waits for something, and not while it computes
/// or is stopped. It cannot do any more harm than the crash has done: nothing new starts before it
/// has gone, and recovery treats its work like that of the others.
pub(super) fn end_stragglers(home: &Home) {
    for pid in processes().filter(|pid| holds_running(home, *pid)) {
        match kill(pid, Signal::SIGKILL) {
            Ok(()) => tracing::warn!(%pid, "ended a process of a killed server"),
            Err(Errno::ESRCH) => {}
            Err(error) => tracing::warn!(%pid, %error, "cannot end a process of a killed server"),
        }
    }
}

/// Every process, where the system has a `/proc`; elsewhere none, and we wait until they go.
fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)))
}

fn has_proc() -> bool {
    Path::new("/proc/self/fd").exists()
}

/// Whether the process has the file `running` as its standard input, as our servers have.
fn holds_running(home: &Home, pid: Pid) -> bool {
    let input = fs::metadata(format!("/proc/{pid}/fd/0"));
    let running = fs::metadata(home.running());
    match (input, running) {
        (Ok(input), Ok(running)) => (input.dev(), input.ino()) == (running.dev(), running.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    const BEGUN: &str = "4711\n/home/ann/gesta/data\n1700000000\n5432\n\n";
    const REST: &str = "/home/ann/gesta/run\n\n  1234567   3\n";

    #[test]
    fn a_server_is_ready_when_the_eighth_line_says_so() {
        let phase = |text: &str| Postmaster::parse(text).expect("a process id").phase;
        let started = BEGUN.trim_end().to_owned() + "\n" + REST;
        assert_eq!(phase(BEGUN), Phase::Other);
        assert_eq!(phase(&started), Phase::Other);
        assert_eq!(phase(&format!("{started}starting\n")), Phase::Other);
        assert_eq!(phase(&format!("{started}ready   \n")), Phase::Ready);
    }

    #[test]
    fn a_file_without_a_process_id_is_none() {
        for text in ["", "\n", "0\n", "abc\n", "-2147483648\n"] {
            assert!(Postmaster::parse(text).is_none(), "{text:?}");
        }
        let single_user = Postmaster::parse("-17\n").expect("a process id");
        assert_eq!(single_user.pid.as_raw(), 17);
    }
}
