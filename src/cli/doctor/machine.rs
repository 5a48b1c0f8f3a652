//! This machine: the private server's folder and disk, and the programs that commands run.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::Check;
use crate::cli::psql;
use crate::cli::session::Session;
use crate::config::Place;
use crate::local::Server;

/// Below this a busy server may stop within hours.
const FREE_FEW: u128 = 1 << 30;
/// Below this PostgreSQL can hardly write its log.
const FREE_NONE: u128 = 100 << 20;

pub(super) fn checks(session: &Session, place: &Place, server: Option<&Server>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Place::Home(home) = place {
        let by = server.map_or(String::new(), |server| {
            format!(", run by {}", server.binaries().dir().display())
        });
        checks.push(Check::ok("home", format!("{}{by}", home.path().display())));
        checks.push(disk(home.path()));
    }
    checks.push(match psql::find(&session.environment, server) {
        Some(path) => Check::ok("psql", path.display().to_string()),
        None => Check::warn("psql", "not found", "apt install postgresql-client, or set PSQL"),
    });
    checks.push(match session.environment.program("git") {
        Some(path) => Check::ok("git", path.display().to_string()),
        None => Check::warn("git", "not found", "apt install git, to import histories"),
    });
    checks
}

fn disk(home: &Path) -> Check {
    const NAME: &str = "disk";
    let fix = "make room, or move the folder and name it by GESTA_HOME";
    let free = match statvfs(home) {
        Ok(stat) => u128::from(stat.blocks_available()) * u128::from(stat.fragment_size()),
        Err(error) => return Check::warn(NAME, format!("not known: {error}"), fix),
    };
    let found = format!("{} MB free in {}", free >> 20, home.display());
    match free {
        0..FREE_NONE => Check::fail(NAME, found, fix),
        FREE_NONE..FREE_FEW => Check::warn(NAME, found, fix),
        _ => Check::ok(NAME, found),
    }
}
