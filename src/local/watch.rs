//! The server stops when its last user has gone, however that user went.
//!
//! Every process that uses the server keeps the FIFO `alive` open for writing. A watcher, a shell
//! of its own process group that outlives us, reads it. The kernel closes a dead process's files,
//! so the end of file reaches the watcher when the last user has ended, been killed, or crashed;
//! then it stops the server. A lock or a parent's death signal would tie the server to the process
//! that happened to start it, or even to one thread of it.
//!
//! To have the FIFO open is not enough for a newcomer, since the watcher may already have seen the
//! end of file and be about to stop the server. So the newcomer writes a random word, and the
//! watcher answers it by copying it into the file `joined`. Once the answer is there, the watcher
//! is still reading, and can see no end of file while the newcomer lives:
//!
//! ```text
//! last user   ──► closes
//! watcher            ── end of file ───► stops the server ──► ends
//! newcomer                   ── opens, writes a word ─ no answer ─ the reader has gone: not joined
//! ```
//!
//! If the watcher itself is killed, nobody reads the FIFO any more and opening it fails (`ENXIO`):
//! the next process that starts or joins gives the server a new watcher. It is the same FIFO, so the
//! users of the old watcher count for the new one. An old watcher does not stop a server that has a
//! new one, since it sends its signal before it closes the FIFO, and a server that has got the signal
//! takes no connection. (It sends the signal a second time, in case the server was so young that it
//! ignored the first.)
//!
//! If the server is killed while it has users, the next one is watched as well, and the old watcher may
//! get a word that is meant for the new one. It answers none for a server that is gone, and ends; the
//! newcomer asks again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::account::Account;
use super::home::POLL;
use super::{Home, LocalError, socket};

/// The watcher, and what makes a shell into the server.
///
/// The watcher redirects with `exec`: dash keeps a copy of what a function's own redirection
/// replaces, and with it the FIFO would stay open too long. It is started from a shell that ends at
/// once, so that it is no child of the server, which takes the death of any child for a crash.
const SUPERVISE: &str = include_str!("supervise.sh");

/// Keeps the server running as long as it is open in any process.
///
/// Pass it to a child process, as its standard output for instance, if the child has to find the
/// server running after this process has ended.
#[derive(Debug)]
pub struct Hold(File);

impl Hold {
    pub(super) fn another(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl From<Hold> for Stdio {
    fn from(hold: Hold) -> Self {
        hold.0.into()
    }
}

/// How long a newcomer waits for an answer before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// What a newcomer finds.
pub(super) enum Watched {
    /// A watcher that has answered: the server stays.
    Joined(Hold),
    /// Nobody reads the FIFO, so nobody is going to stop the server.
    Nobody,
    /// A reader that has not answered until the deadline.
    Mute,
}

/// Joins the users of the server that runs.
pub(super) async fn join(home: &Home, deadline: Instant) -> Result<Watched, LocalError> {
    let alive = home.alive();
    let Some(mut pipe) = open_for_writing(&alive)? else {
        return Ok(Watched::Nobody);
    };
    let word = random_word()?;
    let answer = socket::current(home).join("joined");
    let mut due = Instant::now();
    loop {
        if Instant::now() >= due {
            due += ASK_AGAIN;
            // One write of less than PIPE_BUF bytes: two newcomers' words are never mixed. If it fails, the
            // watcher has just gone, or has not read for so long that the pipe is full; the loop tells.
            // (Rust programs ignore SIGPIPE; one that restores its default must not do so before this.)
            let _ = pipe.write_all(format!("{word}\n").as_bytes());
        }
        if fs::read_to_string(&answer).is_ok_and(|text| text.trim_end() == word) {
            return Ok(Watched::Joined(Hold(pipe)));
        }
        if !is_watched(home)? {
            return Ok(Watched::Nobody);
        }
        if Instant::now() > deadline {
            return Ok(Watched::Mute);
        }
        sleep(POLL).await;
    }
}

/// Whether some process reads the FIFO.
fn is_watched(home: &Home) -> Result<bool, LocalError> {
    open_for_writing(&home.alive()).map(|pipe| pipe.is_some())
}

/// Whether some process holds the server, for a caller who does not and who has the lock.
pub(super) fn is_used(home: &Home) -> Result<bool, LocalError> {
    let mut pipe = open_for_reading(&home.alive(), OFlag::O_NONBLOCK)?;
    // A word that nobody has read may be in it.
    match pipe.read_to_end(&mut Vec::new()) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(LocalError::io("read", home.alive())(error)),
    }
}

/// Starts the server and its watcher.
///
/// `running` is the lock that the server hands on to all its processes. The child is the server.
pub(super) fn start(
    home: &Home,
    account: &Account,
    running: File,
    log: File,
    program: &[&std::ffi::OsStr],
) -> Result<(Child, Hold), LocalError> {
    let (reader, hold) = pipe(home)?;
    let mut command = supervise(home, account, "new");
    command.args(program).stdin(reader).stdout(running).stderr(log);
    let child = command.spawn().map_err(LocalError::io("run", "/bin/sh"))?;
    Ok((child, hold))
}

/// Gives a server whose watcher has been killed a new one.
pub(super) fn adopt(home: &Home, account: &Account, server: Pid) -> Result<Hold, LocalError> {
    let (reader, hold) = pipe(home)?;
    let mut command = supervise(home, account, &server.to_string());
    command.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(LocalError::io("run", "/bin/sh"))?;
    tracing::warn!(%server, "the local server had lost its watcher and has a new one");
    Ok(hold)
}

fn supervise(home: &Home, account: &Account, server: &str) -> Command {
    let mut command = account.command(Path::new("/bin/sh"));
    command.args(["-c", SUPERVISE, "gesta-local"]);
    command.arg(socket::current(home).join("joined")).arg(home.running()).arg(server);
    // Ctrl-C is meant for us, not for the server.
    command.process_group(0);
    command
}

/// Both ends of the FIFO, the reading one for a watcher.
fn pipe(home: &Home) -> Result<(File, Hold), LocalError> {
    let path = home.alive();
    if !fs::metadata(&path).is_ok_and(|meta| meta.file_type().is_fifo()) {
        let made = mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR);
        made.map_err(|errno| LocalError::io("create the FIFO", &path)(errno.into()))?;
    }
    // To open one end waits for the other. So: a reader that does not wait, the writer, which finds
    // it, and the reader for the shell, which has to wait when it reads, and finds the writer.
    let _first = open_for_reading(&path, OFlag::O_NONBLOCK)?;
    let writer = open_for_writing(&path)?;
    let vanished = || LocalError::io("open", &path)(io::ErrorKind::BrokenPipe.into());
    let writer = writer.ok_or_else(vanished)?;
    let reader = open_for_reading(&path, OFlag::empty())?;
    Ok((reader, Hold(writer)))
}

fn open_for_reading(path: &Path, flags: OFlag) -> Result<File, LocalError> {
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    file.map_err(LocalError::io("open", path))
}

/// `None` when nobody reads it, or when there is none.
fn open_for_writing(path: &Path) -> Result<Option<File>, LocalError> {
    let flags = OFlag::O_NONBLOCK.bits();
    match OpenOptions::new().write(true).custom_flags(flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LocalError::io("open", path)(error)),
    }
}

/// A word that nobody can guess.
pub(super) fn random_word() -> Result<String, LocalError> {
    let mut bytes = [0; 8];
    let filled = getrandom::fill(&mut bytes);
    filled
        .map_err(|error| LocalError::io("read random bytes from", "/dev/urandom")(error.into()))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
