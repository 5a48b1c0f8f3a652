//! The folder in which everything of the local server lives, and the locks that guard it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Uid;
use tokio::time::{Instant, sleep};

use super::LocalError;
use super::account::Account;

/// How long a process waits for another one that starts or stops the server: the longest thing done
/// under the lock is a download, and that is given up after four minutes.
const LOCK_WAIT_MAX: Duration = Duration::from_mins(5);

/// How often a state that cannot be waited for is looked at: far below what a start takes (50 ms),
/// and cheap.
pub(super) const POLL: Duration = Duration::from_millis(5);

/// What the environment says about where a user's data goes.
///
/// The caller fills it in, since only the configuration reads the environment.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub xdg_data_home: Option<PathBuf>,
}

/// The folder of one local server: its data, log, socket, locks and, if need be, its programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// A folder of the caller's choice, created when the server starts.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// The folder for whoever names none.
    ///
    /// `/var/lib/gesta` for root, since the user that runs the server cannot reach `/root`;
    /// `gesta` in the platform's folder for data for everybody else.
    ///
    /// # Errors
    ///
    /// [`LocalError::NoFolder`] when the environment names no absolute folder.
    pub fn default_for_user(env: &Env) -> Result<Self, LocalError> {
        if Uid::effective().is_root() {
            return Ok(Self::at("/var/lib/gesta"));
        }
        Self::for_ordinary_user(env)
    }

    fn for_ordinary_user(env: &Env) -> Result<Self, LocalError> {
        let absolute = |dir: &Option<PathBuf>| dir.clone().filter(|dir| dir.is_absolute());
        let xdg = absolute(&env.xdg_data_home);
        let below_home =
            if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
        let data = xdg.or_else(|| Some(absolute(&env.home)?.join(below_home)));
        Ok(Self(data.ok_or(LocalError::NoFolder)?.join("gesta")))
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// PostgreSQL's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// The log of the server since its last start.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    pub(super) fn alive(&self) -> PathBuf {
        self.0.join("alive")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    pub(super) fn running(&self) -> PathBuf {
        self.0.join("running")
    }

    /// Makes the folder, and gives it back under its canonical name.
    pub(super) fn made(&self) -> Result<Self, LocalError> {
        if !self.0.exists() {
            fs::create_dir_all(&self.0).map_err(LocalError::io("create the folder", &self.0))?;
            // Whatever the umask: root's stand-in has to get to the data, and nobody else to a
            // user's.
            let mode = if Uid::effective().is_root() { 0o755 } else { 0o700 };
            fs::set_permissions(&self.0, Permissions::from_mode(mode))
                .map_err(LocalError::io("set the permissions of", &self.0))?;
        }
        let path = self.0.canonicalize();
        path.map(Self).map_err(LocalError::io("resolve the folder", &self.0))
    }

    pub(super) fn check_reachable(&self, account: &Account) -> Result<(), LocalError> {
        account.closed_folder(&self.0).map_or(Ok(()), |folder| {
            Err(LocalError::Unreachable {
                folder: folder.to_owned(),
                account: account.name().to_owned(),
            })
        })
    }

    /// Waits until this process alone may start, join or stop the server.
    pub(super) async fn lock(&self) -> Result<File, LocalError> {
        let path = self.0.join("lock");
        let give_up = Instant::now() + LOCK_WAIT_MAX;
        loop {
            if let Some(lock) = try_lock(&path)? {
                return Ok(lock);
            }
            if Instant::now() > give_up {
                let seconds = LOCK_WAIT_MAX.as_secs();
                return Err(LocalError::Busy { home: self.0.clone(), seconds });
            }
            sleep(POLL).await;
        }
    }

    /// Takes what every process of a running server holds; `None` as long as one of them lives.
    ///
    /// The lock belongs to the open file, which the server inherits as its standard input and hands
    /// on to its processes. So the kernel answers whether any of them is left, also the backends
    /// that outlive a killed server for a while, and no process id can mislead.
    pub(super) fn lock_running(&self) -> Result<Option<File>, LocalError> {
        try_lock(&self.running())
    }
}

fn try_lock(path: &Path) -> Result<Option<File>, LocalError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(LocalError::io("open the lock file", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(LocalError::io("lock", path)(source)),
    }
}

/// Writes a file that nobody else can read, in place of the one that was there.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {

    use super::*;

    fn env(home: Option<&str>, xdg: Option<&str>) -> Env {
        Env { home: home.map(PathBuf::from), xdg_data_home: xdg.map(PathBuf::from) }
    }

    #[test]
    #[cfg(not(target_os = "macos"))]
    fn an_ordinary_users_folder_follows_xdg_and_then_home() {
        let chosen = |env: &Env| Home::for_ordinary_user(env).expect("there is a folder");
        let both = env(Some("/home/ann"), Some("/data/ann"));
        assert_eq!(chosen(&both), Home::at("/data/ann/gesta"));
        let home_only = env(Some("/home/ann"), None);
        assert_eq!(chosen(&home_only), Home::at("/home/ann/.local/share/gesta"));
        let relative_is_ignored = env(Some("/home/ann"), Some("data"));
        assert_eq!(chosen(&relative_is_ignored), Home::at("/home/ann/.local/share/gesta"));
    }

    #[test]
    fn without_any_folder_the_error_says_what_to_set() {
        let error = Home::for_ordinary_user(&env(None, None)).expect_err("there is no folder");
        assert!(error.to_string().contains("XDG_DATA_HOME"), "{error}");
    }
}
