//! The output of `git log -z --raw`, token by token, as actions.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, BufRead, Read};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::{Entry, Problem, raw, run_of_batch};
use crate::action::{ActionId, Audience, InvalidAction, NewAction, Outcome, Source};
use crate::error::quote;
use crate::json::Json;
use crate::resource::{Named, ResourceError, ResourceRef, Tenant, cut};

/// Hash, parents, author's date, name and e-mail address, committer's date, subject; each ends with a NUL, the last one
/// because of `-z`.
pub(super) const FORMAT: &str = "--format=tformat:%H%x00%P%x00%at%x00%an%x00%ae%x00%ct%x00%s";
/// Tokens of a commit before its changes.
const HEADER_LEN: usize = 7;
/// Bytes of a token: a path or a subject. Longer ones are cut; Linux allows paths of 4,096.
const TOKEN_LEN_MAX: u64 = 64 << 10;
/// Digits of the hash that stands for an e-mail address.
const ACTOR_ID_LEN: usize = 16;

/// Why the output cannot be read on.
pub(super) enum HistoryError {
    Read(io::Error),
    /// Something else than what git documents; the message says what.
    Format(String),
}

/// Turns tokens into entries, one change at a time: a commit may have a million of them.
pub(super) struct History {
    repository: String,
    shallow: HashSet<String>,
    tenant: Tenant,
    /// The first token of the next commit, which ended the one before.
    ahead: Option<Vec<u8>>,
    /// The commit that is being read, and how many of its changes have been.
    current: Option<(Commit, u64)>,
    changes: u64,
}

struct Commit {
    hash: String,
    parents: usize,
    authored: Option<DateTime<Utc>>,
    author: Named,
    /// What `data` says of each of its changes.
    subject: String,
    committed: Option<DateTime<Utc>>,
}

/// What one commit did to one thing.
struct Change {
    verb: &'static str,
    path: Option<Vec<u8>>,
    old_path: Option<Vec<u8>>,
}

impl Change {
    /// Of the commit as a whole.
    fn of_all(verb: &'static str) -> Self {
        Self { verb, path: None, old_path: None }
    }
}

#[derive(Serialize)]
struct Data<'a> {
    subject: &'a str,
    commit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_path: Option<String>,
}

impl History {
    pub(super) fn new(repository: String, shallow: HashSet<String>, tenant: Tenant) -> Self {
        Self { repository, shallow, tenant, ahead: None, current: None, changes: 0 }
    }

    /// How many changes were read.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The next change; nothing at the end of the output.
    pub(super) fn next(
        &mut self,
        output: &mut impl BufRead,
    ) -> Result<Option<Entry>, HistoryError> {
        loop {
            let Some((commit, read)) = self.current.take() else {
                let hash = match self.ahead.take() {
                    Some(hash) => Some(hash),
                    None => token(output)?,
                };
                let Some(hash) = hash else { return Ok(None) };
                self.current = Some((read_header(&hash, output)?, 0));
                continue;
            };
            let change = self.next_change(output)?;
            // All files of a shallow clone's first commit look new, and are not.
            let begins = self.shallow.contains(&commit.hash);
            let entry = match &change {
                Some(change) if !begins => Some(self.entry(&commit, &read.to_string(), change)),
                None if begins => {
                    Some(self.entry(&commit, "shallow", &Change::of_all("committed")))
                }
                None if read == 0 => {
                    let verb = if commit.parents > 1 { "merged" } else { "committed" };
                    Some(self.entry(&commit, "0", &Change::of_all(verb)))
                }
                _ => None,
            };
            self.current = change.map(|_| (commit, read + 1));
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }

    /// The next change of the current commit; nothing where another commit begins.
    fn next_change(&mut self, output: &mut impl BufRead) -> Result<Option<Change>, HistoryError> {
        let Some(mut head) = token(output)? else { return Ok(None) };
        // Only the first change of a commit is on a line of its own.
        if head.first() == Some(&b'\n') {
            head.remove(0);
        }
        if head.first() == Some(&b':') {
            return read_change(&head, output).map(Some);
        }
        self.ahead = Some(head);
        Ok(None)
    }

    /// The number of a change, or a word in its place, makes its id: once a shallow clone is deepened, its first commit
    /// has changes, and they have the numbers.
    fn entry(&mut self, commit: &Commit, number: &str, change: &Change) -> Entry {
        self.changes += 1;
        let path = change.path.as_deref().unwrap_or_default();
        let shown = [commit.hash.as_bytes(), b" ", change.verb.as_bytes(), b" ", path].concat();
        let action = self.action(commit, number, change);
        Entry { line: self.changes, raw: raw(&shown), action }
    }

    fn action(&self, commit: &Commit, number: &str, change: &Change) -> Result<NewAction, Problem> {
        let Some(time) = commit.authored else {
            let text = format!("the author's date of commit {} cannot be read", commit.hash);
            return Err(Problem::of("occurred_at", text));
        };
        let event_id = format!("{}:{number}", commit.hash);
        let object = match &change.path {
            Some(path) => ("file", format!("{}:{}", self.repository, text_of_path(path))),
            None => ("commit", format!("{}@{}", self.repository, commit.hash)),
        };
        let data = Data {
            subject: &commit.subject,
            commit: &commit.hash,
            committed_at: commit.committed.map(crate::action::form::time),
            old_path: change.old_path.as_deref().map(text_of_path),
        };
        let json = |field| move |problem| Problem::from(InvalidAction::Json { field, problem });
        let context = serde_json::json!({ "source_id": event_id, "batch_id": commit.hash });
        let action = NewAction {
            tenant: self.tenant.clone(),
            id: Some(ActionId::from_source(time, self.tenant.as_str(), &event_id)),
            actor: commit.author.clone(),
            verb: change.verb.to_owned(),
            object: Some(resource("object", object.0, object.1)?),
            target: Some(resource("target", "repository", self.repository.clone())?),
            occurred_at: Some(time),
            run: Some(self.run(&commit.hash)),
            source: Source::Import,
            outcome: Outcome::Ok,
            description: None,
            changes: None,
            data: Some(Json::of(&data).map_err(json("data"))?),
            context: Some(Json::from(context)),
            audience: Audience::public(),
        };
        action.check()?;
        Ok(action)
    }

    fn run(&self, hash: &str) -> Uuid {
        run_of_batch(&self.tenant, hash)
    }
}

fn resource(field: &'static str, kind: &str, id: String) -> Result<Named, InvalidAction> {
    let resource = ResourceRef::new(kind, id);
    let refused = |problem: ResourceError| InvalidAction::Resource { field, problem };
    Ok(Named { resource: resource.map_err(refused)?, name: None })
}

fn read_header(hash: &[u8], output: &mut impl BufRead) -> Result<Commit, HistoryError> {
    let mut header = vec![hash.to_vec()];
    while header.len() < HEADER_LEN {
        header.push(token(output)?.ok_or_else(|| unexpected(hash))?);
    }
    let text: Vec<_> = header.iter().map(|token| String::from_utf8_lossy(token)).collect();
    let is_hash =
        matches!(text[0].len(), 40 | 64) && text[0].bytes().all(|c| c.is_ascii_hexdigit());
    if !is_hash {
        return Err(unexpected(hash));
    }
    let author = resource("actor", "user", actor_id(&text[4])).map_err(|_| unexpected(hash))?;
    Ok(Commit {
        hash: text[0].clone().into_owned(),
        parents: text[1].split_whitespace().count(),
        authored: time(&text[2]),
        author: Named { name: name(&text[3]), ..author },
        // Some commits have their whole message in one line; a subject is cut like a name.
        subject: cut(text[6].clone().into_owned()),
        committed: time(&text[5]),
    })
}

/// An entry of `--raw -z`: `:modes hashes status`, then one path, or two of a rename or a copy.
fn read_change(head: &[u8], output: &mut impl BufRead) -> Result<Change, HistoryError> {
    let status = head.rsplit(|&byte| byte == b' ').next().and_then(|status| status.first());
    let mut path = || token(output)?.ok_or_else(|| unexpected(head));
    let first = path()?;
    let (verb, path, old_path) = match status {
        Some(b'A') => ("created", first, None),
        Some(b'D') => ("deleted", first, None),
        Some(b'R') => ("renamed", path()?, Some(first)),
        Some(b'C') => ("created", path()?, Some(first)),
        Some(b'M' | b'T' | b'U' | b'X') => ("updated", first, None),
        _ => return Err(unexpected(head)),
    };
    Ok(Change { verb, path: Some(path), old_path })
}

fn unexpected(token: &[u8]) -> HistoryError {
    let token = quote(&String::from_utf8_lossy(token));
    HistoryError::Format(format!("its output is not what was expected near {token}"))
}

/// The next token, without its NUL; nothing at the end. What is longer than a token may be is skipped.
fn token(output: &mut impl BufRead) -> Result<Option<Vec<u8>>, HistoryError> {
    let mut token = Vec::new();
    let read = output.by_ref().take(TOKEN_LEN_MAX).read_until(0, &mut token);
    if read.map_err(HistoryError::Read)? == 0 {
        return Ok(None);
    }
    let mut rest = token.last() != Some(&0) && token.len() as u64 == TOKEN_LEN_MAX;
    while rest {
        let mut more = Vec::new();
        let read = output.by_ref().take(TOKEN_LEN_MAX).read_until(0, &mut more);
        rest = read.map_err(HistoryError::Read)? > 0 && more.last() != Some(&0);
    }
    if token.last() == Some(&0) {
        token.pop();
    }
    Ok(Some(token))
}

/// Seconds since 1970, as git writes them; nothing for what no calendar holds.
fn time(seconds: &str) -> Option<DateTime<Utc>> {
    seconds.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

fn name(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| cut(name.to_owned()))
}

/// The beginning of the SHA-256 of the address in lower case: the same person is the same actor, and the address is not
/// told.
fn actor_id(address: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(address.to_lowercase()).into();
    digest[..ACTOR_ID_LEN / 2].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A path as text. One that is not UTF-8, or begins with a quote, is written as git shows it: in quotes, with octal
/// escapes. So no two paths have the same text.
fn text_of_path(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.starts_with('"') => text.to_owned(),
        _ => {
            let mut text = String::from("\"");
            for chunk in path.utf8_chunks() {
                for c in chunk.valid().chars() {
                    if matches!(c, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(c);
                }
                for byte in chunk.invalid() {
                    let _ = write!(text, "\\{byte:03o}");
                }
            }
            text + "\""
        }
    }
}

/// `owner/project` of a URL, or the last part of a local path. Nothing of a user name, password or host is kept.
pub(super) fn name_of_url(url: &str) -> Option<String> {
    let (parts, path) = match url.split_once("://") {
        Some(("file", path)) => (1, path),
        Some((_, rest)) => (2, rest.split_once('/')?.1),
        // `user@host:path`, unless a slash comes first.
        None => match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => (2, path),
            _ => (1, url),
        },
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    let mut names: Vec<_> = path.rsplit('/').filter(|name| !name.is_empty()).take(parts).collect();
    names.reverse();
    (!names.is_empty()).then(|| names.join("/"))
}

/// The name of a folder; of a bare repository without its ending.
pub(super) fn name_of_folder(folder: &Path) -> String {
    let folder = if folder.ends_with(".git") { folder.parent().unwrap_or(folder) } else { folder };
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "repository".to_owned());
    name.strip_suffix(".git").filter(|name| !name.is_empty()).unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "1d09b57509f6bc10e550f1bbdd71be1bb526137a";

    fn read(output: &[u8], shallow: &[&str]) -> Vec<Entry> {
        let shallow = shallow.iter().map(|&hash| hash.to_owned()).collect();
        let mut history = History::new("acme/site".to_owned(), shallow, Tenant::default());
        let (mut output, mut entries) = (output, Vec::new());
        while let Ok(Some(entry)) = history.next(&mut output) {
            entries.push(entry);
        }
        entries
    }

    fn header(hash: &str, parents: &str) -> String {
        format!("{hash}\0{parents}\x001500000000\0Ann O'Nym\0Ann@Example.org\x001500000001\0Fix\0")
    }

    fn shown(entry: &Entry) -> String {
        let action = entry.action.as_ref().expect("an action");
        let object = action.object.as_ref().expect("an object");
        format!("{} {}", action.verb, object.resource)
    }

    #[test]
    fn changes_of_a_commit_become_actions_of_one_run() {
        let changes = b"\n:0 1 a b A\0x\0:1 1 a b R090\0from\0to\ne\xe9\0:1 0 a b D\0y\0";
        let mut output = header(HASH, "").into_bytes();
        output.extend(changes);
        output.extend(header(&HASH.replace('1', "2"), "a b").as_bytes());
        output.extend(header(&HASH.replace('1', "3"), "a").as_bytes());
        let entries = read(&output, &[]);
        assert_eq!(
            entries.iter().map(shown).collect::<Vec<_>>(),
            [
                "created file:acme/site:x".to_owned(),
                "renamed file:acme/site:\"to\ne\\351\"".to_owned(),
                "deleted file:acme/site:y".to_owned(),
                format!("merged commit:acme/site@{}", HASH.replace('1', "2")),
                format!("committed commit:acme/site@{}", HASH.replace('1', "3")),
            ]
        );
        let runs: Vec<_> =
            entries.iter().map(|entry| entry.action.as_ref().expect("an action").run).collect();
        assert!(runs[0] == runs[2] && runs[2] != runs[3]);
        let first = entries[0].action.as_ref().expect("an action");
        assert_eq!(first.actor.resource.id.as_str(), actor_id("ann@example.org"));
        assert!(!format!("{first:?}").contains("xample.org"), "the address is not told");
    }

    #[test]
    fn first_commit_of_a_shallow_clone_says_only_that_it_was_made() {
        let output = header(HASH, "") + "\n:0 1 a b A\0x\0";
        let entries = read(output.as_bytes(), &[HASH]);
        let shown: Vec<_> = entries.iter().map(shown).collect();
        assert_eq!(shown, [format!("committed commit:acme/site@{HASH}")]);
        let full = read(output.as_bytes(), &[]);
        let id = |entry: &Entry| entry.action.as_ref().expect("an action").id;
        assert_ne!(id(&entries[0]), id(&full[0]), "so that the full history can follow");
    }

    #[test]
    fn dates_beyond_any_calendar_refuse_only_their_commit() {
        let output =
            header(HASH, "").replace("1500000000", "99999999999999999") + &header(HASH, "");
        let entries = read(output.as_bytes(), &[]);
        let problem = entries[0].action.as_ref().expect_err("no such year");
        assert_eq!(problem.field.as_deref(), Some("occurred_at"));
        assert!(entries[1].action.is_ok());
    }

    #[test]
    fn what_git_does_not_write_is_an_error() {
        for output in ["x\0", "fatal\0a\0b\0c\0d\0e\0f\0", &header(HASH, ""), ""] {
            let mut history = History::new("a".to_owned(), HashSet::new(), Tenant::default());
            let result = history.next(&mut output.as_bytes());
            assert_eq!(
                result.is_err(),
                !(output.is_empty() || output.contains("Ann")),
                "{output:?}"
            );
        }
    }

    #[test]
    fn names_come_from_urls_without_their_secrets() {
        for (url, name) in [
            ("https://user:secret@example.org/rails/rails.git", "rails/rails"),
            ("git@example.org:rails/rails.git/", "rails/rails"),
            ("ssh://git@example.org:22/a/b/c", "b/c"),
            ("/srv/git/site.git", "site"),
            ("file:///srv/git/site", "site"),
            ("../site/", "site"),
        ] {
            assert_eq!(name_of_url(url).as_deref(), Some(name), "{url}");
        }
        assert_eq!(name_of_url("https://example.org"), None);
        assert_eq!(name_of_folder(Path::new("/srv/site/.git")), "site");
        assert_eq!(name_of_folder(Path::new("/srv/site.git")), "site");
        assert_eq!(name_of_folder(Path::new("/")), "repository");
    }
}
