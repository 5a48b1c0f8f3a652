//! The history of a git repository: author, verb, file, repository; one commit is one run.
//!
//! `git log` is run as a child process and read while it works, oldest commit first, so a history of any length needs
//! little memory. Everything in the output ends with a NUL, which is the only byte that a path cannot hold.
//!
//! | commit | verb | object | target |
//! |---|---|---|---|
//! | added, changed, removed, renamed a file | `created`, `updated`, `deleted`, `renamed` | `file`, `repository:path` | `repository` |
//! | a merge, which changes nothing by itself | `merged` | `commit`, `repository@hash` | `repository` |
//! | empty, or the first one of a shallow clone, whose changes are not known | `committed` | `commit` | `repository` |
//!
//! The actor is `user`, with the first 16 digits of the SHA-256 of the e-mail address in lower case as id, so the
//! address itself is not stored, and the author's name as name. `occurred_at` is the author's date.

mod history;

use std::collections::HashSet;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use super::decode::Counted;
use super::{Entry, Input, Position, ReadError};
use crate::error::visible;
use crate::resource::Tenant;
use history::{History, HistoryError};

/// Bytes of git's own error messages that are kept.
const MESSAGE_LEN_MAX: u64 = 4 << 10;

/// What would change the output is set here, so that the same history gives the same actions on every machine.
const LOG: [&str; 13] = [
    "log",
    "--reverse",
    "-z",
    "--raw",
    "--no-abbrev",
    "--find-renames=50%",
    "-l1000",
    "--no-ext-diff",
    "--no-textconv",
    "--no-notes",
    "--no-show-signature",
    "--encoding=UTF-8",
    history::FORMAT,
];

/// Settings of the user or the repository that would change the output, and have no option of `git log`.
const SETTINGS: [&str; 4] =
    ["log.showRoot=true", "log.diffMerges=off", "diff.ignoreSubmodules=none", "color.ui=false"];

/// The history of the repository that a folder belongs to, from its first commit to `HEAD`.
#[derive(Debug)]
pub struct Git {
    path: PathBuf,
    position: Position,
}

impl Git {
    /// The repository at a path, or around it; bare ones too.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), position: Position::default() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.path).args(["--no-pager", "--no-replace-objects"]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(arguments).stdin(Stdio::null()).env("LC_ALL", "C");
        // A history is read, never written, and belongs to the path given.
        command.env("GIT_OPTIONAL_LOCKS", "0").env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
        command
    }

    /// What a short command of git answers; an error when it fails.
    fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, ReadError> {
        let output = self.command(arguments).output().map_err(ReadError::NoGit)?;
        if output.status.success() {
            let answer = output.stdout;
            return Ok(answer.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(answer));
        }
        Err(self.failed(&output.stderr))
    }

    fn failed(&self, message: &[u8]) -> ReadError {
        let message = String::from_utf8_lossy(message);
        let message = message.trim().strip_prefix("fatal: ").unwrap_or(message.trim());
        ReadError::Git {
            path: visible(&self.path.to_string_lossy()).into_owned(),
            message: message.lines().map(visible).collect::<Vec<_>>().join("; "),
        }
    }

    /// What the repository is called: by the last parts of where it came from, else by its folder.
    fn name(&self) -> Result<String, ReadError> {
        if let Ok(url) = self.ask(&["config", "--get", "remote.origin.url"])
            && let Some(name) = history::name_of_url(&String::from_utf8_lossy(&url))
        {
            return Ok(name);
        }
        let folder = match self.ask(&["rev-parse", "--show-toplevel"]) {
            Ok(folder) => folder,
            // A bare repository has no work tree.
            Err(_) => self.ask(&["rev-parse", "--absolute-git-dir"])?,
        };
        let folder = String::from_utf8_lossy(&folder).into_owned();
        Ok(history::name_of_folder(Path::new(&folder)))
    }

    /// The commits at which a shallow clone begins.
    fn shallow(&self) -> Result<HashSet<String>, ReadError> {
        let path = self.ask(&["rev-parse", "--git-path", "shallow"])?;
        let path = self.path.join(String::from_utf8_lossy(&path).as_ref());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Input for Git {
    fn entries(
        self,
        tenant: &Tenant,
    ) -> Result<impl Iterator<Item = Result<Entry, ReadError>>, ReadError> {
        self.ask(&["rev-parse", "--git-dir"])?;
        let (name, shallow) = (self.name()?, self.shallow()?);
        // A repository without commits has no HEAD to read.
        let log = match self.ask(&["rev-parse", "--quiet", "--verify", "HEAD"]) {
            Ok(_) => Some(Log::start(self)?),
            Err(_) => None,
        };
        Ok(Entries { history: History::new(name, shallow, tenant.clone()), log })
    }

    fn position(&self) -> Position {
        self.position.clone()
    }
}

/// A running `git log`.
struct Log {
    git: Git,
    child: Child,
    output: BufReader<Counted<ChildStdout>>,
    messages: Option<JoinHandle<Vec<u8>>>,
}

impl Log {
    fn start(git: Git) -> Result<Self, ReadError> {
        let mut command = git.command(&LOG);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(ReadError::NoGit)?;
        let messages = child.stderr.take().map(|stderr| std::thread::spawn(|| collect(stderr)));
        let Some(stdout) = child.stdout.take() else {
            return Err(git.failed(b"its output cannot be read"));
        };
        let output = Counted { inner: stdout, position: git.position.clone() };
        Ok(Self { git, child, output: BufReader::with_capacity(1 << 16, output), messages })
    }

    /// How git ended: a failure in the middle must not look like the end of the history.
    fn end(&mut self) -> Result<(), ReadError> {
        let messages = self.messages.take().and_then(|thread| thread.join().ok());
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(self.git.failed(&messages.unwrap_or_default())),
            Err(error) => Err(self.git.failed(error.to_string().as_bytes())),
        }
    }
}

/// Keeps the beginning of what git complains about, and reads on, or git would block.
fn collect(mut stderr: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let _ = stderr.by_ref().take(MESSAGE_LEN_MAX).read_to_end(&mut kept);
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    kept
}

impl Drop for Log {
    fn drop(&mut self) {
        // Whoever stops reading early must not leave a process behind; one that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Entries {
    history: History,
    log: Option<Log>,
}

impl Iterator for Entries {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let log = self.log.as_mut()?;
        let result = match self.history.next(&mut log.output) {
            Ok(Some(entry)) => return Some(Ok(entry)),
            Ok(None) => log.end(),
            // Broken output is most often the sign of a git that failed: its own message says more.
            Err(error) => log.end().and(Err(match error {
                HistoryError::Read(source) => {
                    ReadError::Read { line: self.history.changes(), source }
                }
                HistoryError::Format(token) => log.git.failed(token.as_bytes()),
            })),
        };
        self.log = None;
        result.err().map(Err)
    }
}
