//! Which user of the operating system runs the server.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use nix::unistd::{Gid, Uid, User};
use tokio::process::Command;

use super::LocalError;

/// Who may run the server for root, best first. The first is what packages create for it.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// The user that runs `initdb` and the server, since PostgreSQL refuses to run as root.
#[derive(Clone, Debug)]
pub(super) struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
    switch: Switch,
}

/// Whether programs have to be started as somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    Needed,
    AlreadyThere,
}

impl Account {
    /// Chooses who runs the server whose data is, or will be, in `data`.
    ///
    /// # Errors
    ///
    /// [`LocalError::Owner`] when the data belongs to root or, for an ordinary user, to somebody
    /// else; [`LocalError::NoAccount`] when root finds nobody to run the server.
    pub(super) fn choose(data: &Path) -> Result<Self, LocalError> {
        let owner = match fs::metadata(data) {
            Ok(meta) => Some((Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LocalError::io("look at", data)(error)),
        };
        let me = Uid::effective();
        match owner {
            Some((uid, _)) if uid.is_root() || (uid != me && !me.is_root()) => {
                Err(LocalError::Owner { data: data.to_owned(), owner: uid.as_raw() })
            }
            Some((uid, gid)) if me.is_root() => Ok(Self::other(name_of(uid), uid, gid)),
            None if me.is_root() => Self::stand_in().ok_or(LocalError::NoAccount),
            _ => Ok(Self::me()),
        }
    }

    fn me() -> Self {
        let uid = Uid::effective();
        Self { name: name_of(uid), uid, gid: Gid::effective(), switch: Switch::AlreadyThere }
    }

    fn other(name: String, uid: Uid, gid: Gid) -> Self {
        Self { name, uid, gid, switch: Switch::Needed }
    }

    fn stand_in() -> Option<Self> {
        STAND_INS.iter().find_map(|name| {
            let user = User::from_name(name).ok().flatten()?;
            (!user.uid.is_root()).then(|| Self::other(user.name, user.uid, user.gid))
        })
    }

    /// The name, or the number where the system knows no name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// A command that runs as this user with nothing of our environment.
    ///
    /// What `PGDATA`, `PGPORT`, `PGOPTIONS` or `LC_ALL` say is meant for other servers, and a list
    /// of what to drop would have to follow PostgreSQL's. The standard library drops root's
    /// supplementary groups together with its user id.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("LC_ALL", "C");
        // Ours may be closed to that user.
        command.current_dir("/");
        if self.switch == Switch::Needed {
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }

    /// Hands a file or folder of ours over to this user.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), LocalError> {
        if self.switch == Switch::AlreadyThere {
            return Ok(());
        }
        chown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
            .map_err(LocalError::io("change the owner of", path))
    }

    /// The first folder on the way to `path` that this user may not enter.
    ///
    /// Only root has to ask: a user who may not enter a folder could not have created it there.
    pub(super) fn closed_folder<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        if self.switch == Switch::AlreadyThere {
            return None;
        }
        let closed = |folder: &&Path| fs::metadata(folder).is_ok_and(|meta| !self.may_enter(&meta));
        path.ancestors().filter(closed).last()
    }

    fn may_enter(&self, folder: &fs::Metadata) -> bool {
        let execute = if folder.uid() == self.uid.as_raw() {
            0o100
        } else if folder.gid() == self.gid.as_raw() {
            0o010
        } else {
            0o001
        };
        folder.mode() & execute != 0
    }
}

fn name_of(uid: Uid) -> String {
    let known = User::from_uid(uid).ok().flatten();
    known.map_or_else(|| uid.to_string(), |user| user.name)
}
