//! The first key, so that whoever has just started a server can ask it something.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::credential::Credential;
use super::error::KeyError;
use super::identity::Scope;
use super::key::{KeyInfo, NewKey};
use super::keys::Keys;
use super::manage::database;
use crate::context::Context;
use crate::resource::ResourceError;
use crate::role::{Giver, RoleName, Roles};
use crate::store::{Failure, failed, scope};

/// Key of the advisory lock: `gestakey` in ASCII.
const LOCK_KEY: i64 = 0x67_65_73_74_61_6b_65_79;

const LOCK: &str = "-- access::bootstrap::lock
SELECT pg_advisory_xact_lock($1)";

/// A statement of its own, after the lock: it sees what the last holder committed.
const HAS_KEYS: &str = "-- access::bootstrap::has_keys
SELECT gesta.has_keys()";

impl Keys {
    /// Makes a key for the tenant `default`, with all scopes and the sight of an auditor, where the database has no key at
    /// all, and writes it into a file that only its owner can read; nothing where there was ever one. Its actor becomes a
    /// member of the role `administrator`. Two processes that start at once make one key.
    ///
    /// The file is there before the key is committed: a crash in between leaves a file that the next start replaces, and
    /// never a key that nobody has.
    ///
    /// # Errors
    /// When the file cannot be written or the database fails; then there is no key.
    pub async fn bootstrap(&self, file: &Path) -> Result<Option<(KeyInfo, Credential)>, KeyError> {
        let what = "make the first key";
        let mut client = self.store.client().await.map_err(database(what))?;
        let tx = client.transaction().await.map_err(failed("begin")).map_err(database(what))?;
        scope::query(&tx, what, LOCK, &[&LOCK_KEY]).await.map_err(database(what))?;
        let rows = scope::query(&tx, what, HAS_KEYS, &[]).await.map_err(database(what))?;
        if rows.first().is_none_or(|row| row.get(0)) {
            return Ok(None);
        }
        let strange = |error: ResourceError| Failure::Row(error.into());
        let by = Context::system("gesta").map_err(strange).map_err(database(what))?;
        let key = NewKey::new("bootstrap", by.actor()).scopes(Scope::ALL).auditor();
        let made = self.create_in(&tx, key, &by).await?;
        // Whoever begins can also run actions.
        let (roles, operator) = (Roles::new(&self.store), Giver::operator(&by));
        let role = RoleName::administrator();
        let added = roles.add_member_in(&tx, &operator, &role, by.actor()).await;
        added.map_err(KeyError::Role)?;
        write(file, &made.1).map_err(|source| KeyError::File { path: file.into(), source })?;
        tx.commit().await.map_err(failed("commit")).map_err(database(what))?;
        Ok(Some(made))
    }
}

/// Puts a file of mode 0600 in the place of whatever is there: never is there a part of one, or one that others can read.
fn write(file: &Path, credential: &Credential) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let fresh = file.with_extension(format!("{}.new", credential.id()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    let placed = written.and_then(|mut written| {
        writeln!(written, "{}", credential.reveal())?;
        written.sync_all()?;
        fs::rename(&fresh, file)
    });
    placed.inspect_err(|_| {
        // Nothing is left behind; that this fails too changes nothing of what is told.
        let _ = fs::remove_file(&fresh);
    })
}
