//! The history of a repository with everything that git allows in one.

use std::path::Path;
use std::process::Command;

use gesta::import::Git;
use gesta::store::ImportOptions;

use super::{counts, importer, value};
use crate::support::database;

/// Runs git in a folder with settings of nobody.
fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "user.name=Ann",
            "-c",
            "user.email=Ann@example.org",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.expect("git runs").success(), "{arguments:?}");
}

#[tokio::test]
async fn git_history_becomes_actions() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let (site, part) = (folder.path().join("site"), folder.path().join("part"));
    for repository in [&site, &part] {
        std::fs::create_dir(repository).expect("a folder");
        git(repository, &["init", "-q", "-b", "main"]);
    }
    let db = database().await;
    let store = importer(&db);
    let empty = store.import(Git::new(&site), ImportOptions::default(), &mut ()).await;
    assert_eq!(empty.expect("a repository without commits").counts, counts(0, 0, 0, 0));
    let write = |name: &[u8], text: &str| {
        std::fs::write(site.join(std::ffi::OsStr::from_bytes(name)), text).expect("written");
    };
    git(&part, &["commit", "-q", "--allow-empty", "-m", "part"]);
    write(b"a\nb", "one\n");
    write(b"caf\xe9", "two\n");
    git(&site, &["add", "."]);
    git(&site, &["commit", "-q", "-m", "first \u{202e}\u{1f600}"]);
    git(&site, &["checkout", "-q", "-b", "side"]);
    git(&site, &["mv", "a\nb", "c"]);
    git(&site, &["commit", "-q", "-m", "move"]);
    git(&site, &["checkout", "-q", "main"]);
    git(&site, &["submodule", "add", "-q", "../part", "part"]);
    git(&site, &["commit", "-q", "-m", "part"]);
    git(&site, &["merge", "-q", "--no-ff", "side", "-m", "merge"]);
    git(&site, &["rm", "-q", "c"]);
    git(&site, &["commit", "-q", "-m", "remove"]);
    git(&site, &["commit", "-q", "--allow-empty", "--allow-empty-message", "-m", ""]);
    for expected in [counts(8, 0, 0, 0), counts(0, 8, 0, 0)] {
        let report = store.import(Git::new(&site), ImportOptions::default(), &mut ()).await;
        assert_eq!(report.expect("imported").counts, expected);
    }
    let admin = db.admin().await;
    let sql = r"SELECT string_agg(verb || ' ' || object_type || ' ' || regexp_replace(object_id, '@.*', '@'), ', ' ORDER BY seq)
                FROM gesta.action";
    assert_eq!(
        value::<String>(&admin, sql).await,
        "created file site:a\nb, created file site:\"caf\\351\", renamed file site:c, created file site:.gitmodules, \
         created file site:part, merged commit site@, deleted file site:c, committed commit site@"
    );
    assert_eq!(value::<i64>(&admin, "SELECT count(DISTINCT run_id) FROM gesta.action").await, 6);

    git(
        folder.path(),
        &["clone", "-q", "--depth", "2", &format!("file://{}", site.display()), "shallow"],
    );
    let shallow = Git::new(folder.path().join("shallow"));
    let report = store.import(shallow, ImportOptions::default(), &mut ()).await.expect("imported");
    assert_eq!(
        report.counts,
        counts(1, 1, 0, 0),
        "it begins with a commit whose changes are not known"
    );
}
