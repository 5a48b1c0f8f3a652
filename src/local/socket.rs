//! The folder of the server's socket, which decides who may connect.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::watch::random_word;
use super::{Home, LocalError};

/// The port, which is only the socket's name here: each home has a folder of its own.
pub(super) const PORT: u16 = 5432;

/// How long a socket's folder may be: a socket's path has at most 103 bytes on macOS (107 on Linux),
/// of which `/.s.PGSQL.5432` takes 14.
const DIR_LEN_MAX: usize = 89;

/// Where a folder with a short name goes. Not the environment's choice, which is long on macOS.
const SHORT_PARENT: &str = "/tmp";

/// Makes sure that the socket's folder is there and open to nobody but the server's user.
///
/// It is `run`, or, where that path is too long for a socket, a folder under `/tmp` that `run`
/// links to. Its name is random, so that nobody can take it first, and it is used again only if it
/// still is what we made: a folder, of that user, closed to all others.
pub(super) fn make(home: &Home, account: &Account) -> Result<PathBuf, LocalError> {
    let run = home.run();
    let kept = current(home);
    if is_private(&kept, account) && fits(&kept) {
        return Ok(kept);
    }
    remove(&run)?;
    if fits(&run) {
        return make_private(run, account);
    }
    let short = make_private(Path::new(SHORT_PARENT).join(random_name()?), account)?;
    symlink(&short, &run).map_err(LocalError::io("create the link", &run))?;
    Ok(short)
}

/// The folder that is in use, wherever it is.
pub(super) fn current(home: &Home) -> PathBuf {
    let run = home.run();
    fs::read_link(&run).unwrap_or(run)
}

fn fits(dir: &Path) -> bool {
    dir.as_os_str().len() <= DIR_LEN_MAX
}

fn random_name() -> Result<String, LocalError> {
    Ok(format!("gesta-{}", random_word()?))
}

/// Fails if the name is taken, by whomever.
fn make_private(dir: PathBuf, account: &Account) -> Result<PathBuf, LocalError> {
    DirBuilder::new()
        .mode(0o700)
        .create(&dir)
        .map_err(LocalError::io("create the folder", &dir))?;
    account.hand_over(&dir)?;
    Ok(dir)
}

fn is_private(dir: &Path, account: &Account) -> bool {
    // A link is not followed: it would be somebody else's.
    let meta = fs::symlink_metadata(dir);
    meta.is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == account.uid() && meta.mode() & 0o777 == 0o700
    })
}

fn remove(run: &Path) -> Result<(), LocalError> {
    let removed = match fs::symlink_metadata(run) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(run),
        Ok(_) => fs::remove_file(run),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LocalError::io("remove", run)(error))
        }
        _ => Ok(()),
    }
}
