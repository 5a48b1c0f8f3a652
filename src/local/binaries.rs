//! Finding PostgreSQL's programs on this machine.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::time::timeout;

use super::account::Account;
use super::{Home, LocalError, fetch, initdb};

/// The oldest major version that is used: the first with the file-copy strategy, `MERGE`, and the
/// rules for unique nulls that the schema relies on.
pub const MAJOR_MIN: u32 = 15;

/// How long a program may take to say its version; it takes 5 ms, and this is for a busy machine.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(10);

/// What every usable folder holds.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Where packages put PostgreSQL; a star stands for one name, and the highest number comes first.
const USUAL_PLACES: [&str; 12] = [
    "/usr/lib/postgresql/*/bin",                       // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                // RHEL, Fedora, from postgresql.org
    "/usr/libexec/postgresql*",                        // Alpine
    "/usr/lib/postgresql*/bin",                        // openSUSE, older Alpine
    "/usr/lib64/postgresql-*/bin",                     // Gentoo
    "/opt/homebrew/opt/postgresql@*/bin",              // Homebrew on Apple silicon
    "/usr/local/opt/postgresql@*/bin",                 // Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin", // Homebrew on Linux
    "/opt/local/lib/postgresql*/bin",                  // MacPorts
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin", // built from source
    "/usr/bin",             // Arch, Fedora
];

/// Why nothing is fetched into a folder with such a name.
const UNUSABLE: &str = "  fetch: the folder's name has a `\"`, `$`, `\\` or backquote, which are special there: initdb \
                        runs the server's programs by the shell; name another folder";

/// Whether `initdb`, which puts a path between double quotes for the shell, would miss programs here.
fn is_special_to_sh(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"\"$`\\".contains(byte))
}

/// Where to look for PostgreSQL, and whether to fetch one.
#[derive(Clone, Debug)]
pub struct Search {
    /// `PG_BIN`: the folder of the programs. If it is given, nothing else is tried.
    pub pg_bin: Option<PathBuf>,
    /// `PATH`: where `postgres`, `pg_config`, and the tools that fetch are looked for.
    pub path: OsString,
    /// The places of packages.
    pub places: Places,
    /// What to do when nothing is installed.
    pub fetch: Fetch,
}

impl Search {
    /// Looks everywhere, and fetches a server if there is none.
    #[must_use]
    pub fn new(pg_bin: Option<PathBuf>, path: OsString) -> Self {
        Self { pg_bin, path, places: Places::Usual, fetch: Fetch::IfNeeded }
    }
}

/// Which folders are looked into besides those of `PATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Places {
    /// Those of the known packages.
    #[default]
    Usual,
    /// These, for tests and for unusual machines.
    Only(Vec<PathBuf>),
}

/// Whether a server may be downloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fetch {
    /// If none is installed.
    #[default]
    IfNeeded,
    /// Never; one that has been fetched before is used all the same.
    Never,
}

/// A folder of PostgreSQL's programs that work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
    major: u32,
}

impl Binaries {
    /// Finds the programs that the server of `home` would run with, and fetches them if need be.
    ///
    /// In this order: the given folder; `PATH`; `pg_config --bindir`; the usual places; what was
    /// fetched before; a download. The version is that of the data, or any from [`MAJOR_MIN`] on
    /// while there is no data.
    ///
    /// # Errors
    ///
    /// [`LocalError::GivenFolder`], [`LocalError::NotFound`], [`LocalError::VersionNotFound`]; what
    /// the lock and the file system refuse.
    pub async fn find(home: &Home, search: &Search) -> Result<Self, LocalError> {
        let home = home.made()?;
        let account = Account::choose(&home.data())?;
        home.check_reachable(&account)?;
        let lock = home.lock().await?;
        Self::find_locked(&home, search, &account, &lock).await
    }

    /// The same for a caller who has the lock, which a download inherits.
    pub(super) async fn find_locked(
        home: &Home,
        search: &Search,
        account: &Account,
        lock: &File,
    ) -> Result<Self, LocalError> {
        let wanted = initdb::version(home)?;
        let mut finder = Finder { search, account, wanted, tried: Vec::new() };
        if let Some(dir) = &search.pg_bin {
            let given = |reason| LocalError::GivenFolder { dir: dir.clone(), reason };
            return finder.probe(dir).await.map_err(given);
        }
        if let Some(found) = finder.installed(home).await {
            return Ok(found);
        }
        let fetch =
            search.fetch == Fetch::IfNeeded && wanted.is_none_or(|major| major == fetch::MAJOR);
        if fetch && is_special_to_sh(home.path()) {
            finder.tried.push(UNUSABLE.to_owned());
        } else if fetch {
            match fetch::fetch(&fetch::POSTGRES, home, &search.path, lock).await? {
                Ok(dir) => match finder.probe(&dir).await {
                    Ok(found) => return Ok(found),
                    Err(reason) => finder.note(&dir, &reason),
                },
                Err(attempts) => finder.tried.extend(attempts),
            }
        }
        Err(finder.not_found(home))
    }

    /// The folder of the programs.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one program, such as `pg_dump`, which may not be there.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The folder that a running server says it was started from.
    pub(super) fn known(dir: PathBuf, major: u32) -> Self {
        Self { dir, major }
    }
}

struct Finder<'a> {
    search: &'a Search,
    account: &'a Account,
    wanted: Option<u32>,
    tried: Vec<String>,
}

impl Finder<'_> {
    async fn installed(&mut self, home: &Home) -> Option<Binaries> {
        let mut seen = HashSet::new();
        let on_path: Vec<_> = std::env::split_paths(&self.search.path).collect();
        let asked = self.pg_config(&on_path).await;
        let (places, places_name) = match &self.search.places {
            Places::Usual => (usual_places(), "the usual places of packages"),
            Places::Only(places) => (places.clone(), "the given places"),
        };
        let origins = [
            ("PATH", on_path),
            ("pg_config", asked.into_iter().collect()),
            (places_name, places),
            ("what was fetched before", vec![fetch::POSTGRES.bin_dir(home)]),
        ];
        for (origin, dirs) in origins {
            let mut hits = 0;
            for dir in dirs.iter().filter_map(|dir| home_of_program(dir)) {
                hits += 1;
                if !seen.insert(dir.clone()) {
                    continue;
                }
                match self.probe(&dir).await {
                    Ok(found) => return Some(found),
                    Err(reason) => self.note(&dir, &reason),
                }
            }
            if hits == 0 {
                self.tried.push(format!("  {origin}: no `{}`", PROGRAMS[0]));
            }
        }
        None
    }

    async fn pg_config(&self, on_path: &[PathBuf]) -> Option<PathBuf> {
        let program = on_path.iter().map(|dir| dir.join("pg_config")).find(|file| file.exists())?;
        let said = self.ask(&program, "--bindir").await.ok()?;
        Some(PathBuf::from(said.trim()))
    }

    /// Whether the folder's server answers, is new enough, and fits the data.
    async fn probe(&self, dir: &Path) -> Result<Binaries, String> {
        let missing = PROGRAMS.iter().find(|name| !dir.join(name).exists());
        if let Some(missing) = missing {
            return Err(format!("it has no `{missing}`"));
        }
        let said = self.ask(&dir.join(PROGRAMS[0]), "--version").await?;
        let major = parse_major(&said);
        match (major, self.wanted) {
            (None, _) => Err(format!("`postgres --version` said `{}`", said.trim())),
            (Some(found), Some(wanted)) if found != wanted => Err(format!(
                "it is PostgreSQL {found}, but the data was made by PostgreSQL {wanted}"
            )),
            (Some(found), None) if found < MAJOR_MIN => {
                Err(format!("it is PostgreSQL {found}, older than {MAJOR_MIN}"))
            }
            (Some(major), _) => Ok(Binaries { dir: dir.to_owned(), major }),
        }
    }

    /// Asks as the user who is going to run it, who may not reach what root reaches.
    async fn ask(&self, program: &Path, argument: &str) -> Result<String, String> {
        let mut command = self.account.command(program);
        command.arg(argument).stdin(Stdio::null()).kill_on_drop(true);
        match timeout(PROBE_WAIT_MAX, command.output()).await {
            Err(_) => Err(format!("`{}` does not answer", program.display())),
            Ok(Err(error)) => {
                let name = self.account.name();
                Err(format!("`{}` cannot be run by the user `{name}`: {error}", program.display()))
            }
            Ok(Ok(output)) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(Ok(output)) => Err(format!(
                "`{} {argument}` ended with {}: {}",
                program.display(),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }

    fn note(&mut self, dir: &Path, reason: &str) {
        self.tried.push(format!("  {}: {reason}", dir.display()));
    }

    fn not_found(self, home: &Home) -> LocalError {
        let tried = self.tried.join("\n");
        match self.wanted {
            None => LocalError::NotFound { tried },
            Some(major) => LocalError::VersionNotFound { data: home.data(), major, tried },
        }
    }
}

/// The folder that the server of `dir` really is in: a folder in `PATH` often holds links only.
fn home_of_program(dir: &Path) -> Option<PathBuf> {
    let program = dir.join(PROGRAMS[0]).canonicalize().ok()?;
    program.parent().map(Path::to_owned)
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `postgres (PostgreSQL) 19beta1`.
fn parse_major(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL) ")?.1;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

fn usual_places() -> Vec<PathBuf> {
    USUAL_PLACES.iter().flat_map(|pattern| expand(pattern)).collect()
}

/// The folders that a pattern with at most one star means, the highest number first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((number, PathBuf::from(format!("{parent}/{name}{after}"))))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn versions_of_packages_betas_and_strangers_are_told_apart() {
        let debian = "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n";
        assert_eq!(parse_major(debian), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("postgres (PostgreSQL) 18"), Some(18));
        assert_eq!(parse_major("postgres (Other) 15.1"), None);
    }

    #[test]
    fn a_star_means_the_highest_version_first() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["pg-9", "pg-16", "pg-15", "pg-old", "other-17"] {
            fs::create_dir_all(dir.path().join(name).join("bin")).expect("a folder");
        }
        let root = dir.path().display();
        let wanted: Vec<_> =
            [16, 15, 9].iter().map(|n| PathBuf::from(format!("{root}/pg-{n}/bin"))).collect();
        assert_eq!(expand(&format!("{root}/pg-*/bin")), wanted);
    }
}
