//! The demo, on a private server of its own.

use std::path::Path;
use std::process::Command;

use super::program::Gesta;
use crate::support::OwnHome;

/// A repository with two commits.
fn repository(dir: &Path) {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(dir).args(["-c", "user.name=Dee", "-c", "user.email=dee@example.org"]);
        let output = git.args(args).output().expect("git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    for name in ["a.txt", "b.txt"] {
        std::fs::write(dir.join(name), name).expect("a file");
        git(&["add", name]);
        git(&["commit", "-q", "--no-gpg-sign", "-m", name]);
    }
}

/// The commands that the demo ends with.
fn commands(text: &str) -> Vec<Vec<String>> {
    let program = env!("CARGO_BIN_EXE_gesta");
    let words = |line: &str| -> Vec<String> {
        // Only the SQL is quoted, and it comes last.
        let (plain, quoted) =
            line.split_once('\'').map_or((line, None), |(plain, sql)| (plain, Some(sql)));
        let mut words: Vec<_> = plain.split_whitespace().map(str::to_owned).collect();
        words.extend(quoted.map(|sql| sql.trim_end_matches('\'').to_owned()));
        words
    };
    let (_, rest) = text.split_once("Look further:").expect("what to look at next");
    rest.lines().filter_map(|line| line.trim().strip_prefix(program)).map(words).collect()
}

#[tokio::test]
async fn demo_shows_real_activity_adds_nothing_twice_and_names_commands_that_work() {
    let home = OwnHome::new().await;
    let dir = tempfile::tempdir().expect("a folder");
    repository(dir.path());
    let repo = dir.path().to_str().expect("UTF-8");
    let gesta = Gesta::home(home.path());
    let text = gesta.ok(&["demo", "--repo", repo]);
    for part in [
        "2 of this repository's history (2 new), 23 of a small story (23 new)",
        "created file:",
        "Dee",
        "closed \"Crash on save\" (issue:70)",
        "status: open → closed",
        "via project:atlas as target (working)",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let count = gesta.lines(&["log", "-n", "all"]).len();
    let again = gesta.ok(&["demo", "--repo", repo]);
    assert!(
        again.contains("2 of this repository's history (0 new), 23 of a small story (0 new)"),
        "{again}"
    );
    assert_eq!(gesta.lines(&["log", "-n", "all"]).len(), count);
    let commands = commands(&text);
    assert!(commands.len() >= 8, "{text}");
    for words in &commands {
        // They name the home themselves.
        assert_eq!(words[0], "--home");
        let args: Vec<_> = words[2..].iter().map(String::as_str).collect();
        let ended = gesta.run(&args).expect_code(0, &args);
        assert!(!ended.stdout.is_empty(), "{args:?}");
    }
    let plain = tempfile::tempdir().expect("a folder");
    let ended = gesta.run(&["demo", "--repo", plain.path().to_str().expect("UTF-8")]);
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("no history is imported"), "{}", ended.stderr);
    home.remove();
}

#[tokio::test]
async fn private_server_is_in_order_and_its_prompt_cannot_take_other_roles() {
    let home = OwnHome::new().await;
    let gesta = Gesta::home(home.path());
    let ended = gesta.run(&["doctor"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains("\"fail\""), "{}", ended.stdout);
    gesta.ok(&["emit", "x", "--actor", "u:1"]);
    assert_eq!(gesta.ok(&["psql", "-Atc", "SELECT count(*) FROM gesta.action"]), "1\n");
    for role in ["gesta_owner", "postgres", "gesta_import"] {
        let ended = gesta.run(&["psql", "-c", &format!("SET ROLE {role}")]);
        assert!(ended.stderr.contains("permission denied"), "{role}: {}", ended.stderr);
    }
    home.remove();
}
