//! How it ends, and what it says then.

use super::program::Gesta;
use crate::support::{bare_database, database};

#[tokio::test]
async fn wrong_usage_says_what_was_given_and_what_is_allowed() {
    let nowhere = Gesta::at("postgresql://u:hush@127.0.0.1:1/x");
    for (args, parts) in [
        (&["imprt"][..], &["unrecognized subcommand 'imprt'", "similar", "'import'"][..]),
        (&["log", "--sinc", "2h"], &["unexpected argument '--sinc'", "'--since'"]),
        (&["log", "--since", "soon"], &["`soon` is no time", "yesterday", "2026-11-20"]),
        (&["log", "--limit", "0"], &["give a number from 1 on, or `all`"]),
        (&["log", "--outcome", "bad"], &["possible values: ok, failed, denied"]),
        (&["object", "issue"], &["`issue` is not of the form TYPE:ID"]),
        (&["log", "--before", "x"], &["`x` is no cursor"]),
        (&["log", "--since", "1h", "--until", "2h"], &["--since is not before --until"]),
        (&["emit", "x"], &["--actor TYPE:ID is needed"]),
        (&["emit", "x", "--actor", "u:1", "--change", "a"], &["FIELD=OLD,NEW"]),
        (&["emit", "x", "--actor", "u:1", "--data", "{"], &["--data `{` is not storable JSON"]),
        (&["show", "7"], &["`7` is not a UUID"]),
        (&["stats", "--by", "actr"], &["'actor'"]),
        (&["stats", "-n", "0"], &["give a number from 1 to 1000"]),
        (&["stats", "-n", "all"], &["give a number from 1 to 1000"]),
        (&["log", "--run", "xyz"], &["`xyz` is not a UUID such as 0192f0c1-", "gesta run ls"]),
        (&["emit", "x", "--actor", "u:1", "--run", "1"], &["`1` is not a UUID such as"]),
        (&["emit", "x", "--actor", "u:1", "--ip", "1.2.3"], &["`1.2.3` is not an address such as"]),
        (&["import", "--format", "jsonl", "/"], &["`/` is a folder", "--format git"]),
        (&["log", "--tenant", ""], &["tenant is empty"]),
    ] {
        let ended = nowhere.run(args);
        assert_eq!(ended.code(), 2, "{args:?} {}", ended.stderr);
        for part in parts {
            assert!(ended.stderr.contains(part), "{args:?} lacks {part}: {}", ended.stderr);
        }
        assert!(ended.stdout.is_empty() && !ended.stderr.contains("hush"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn codes_tell_apart_what_went_wrong() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let absent = "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f";
    let ended = gesta.run(&["show", absent]).expect_code(3, &["show"]);
    assert!(ended.stderr.contains("there is no action"), "{}", ended.stderr);
    gesta.run(&["log", "--fail-empty"]).expect_code(3, &["log"]);
    gesta.run(&["log"]).expect_code(0, &["log"]);
    let ended = gesta.run(&["emit", "", "--actor", "u:1"]).expect_code(2, &["emit"]);
    assert!(ended.stderr.contains("`verb`"), "{}", ended.stderr);
    // Somebody who may log in, but not act as an application.
    let auditor = Gesta::at(&db.url("gesta_auditor"));
    let ended = auditor.run(&["log"]).expect_code(4, &["log"]);
    assert!(ended.stderr.contains("GRANT"), "{}", ended.stderr);
    let ended =
        Gesta::at("postgresql://u:hush@127.0.0.1:1/x").run(&["log"]).expect_code(7, &["log"]);
    assert!(ended.stderr.contains("no server answers") && !ended.stderr.contains("hush"));
    let ended =
        Gesta::at("postgresql://u@h/x?sslmod=disable").run(&["log"]).expect_code(2, &["log"]);
    assert!(ended.stderr.contains("sslmode"), "{}", ended.stderr);
}

#[tokio::test]
async fn newer_schema_is_told_as_such() {
    let db = database().await;
    let newer =
        "INSERT INTO gesta.migration (version, name, checksum) VALUES (9999, '9999_later', '')";
    db.admin().await.batch_execute(newer).await.expect("inserted");
    let ended = Gesta::on(&db).run(&["log"]);
    assert!(ended.stderr.contains("the schema of a newer gesta"), "{}", ended.stderr);
    assert!(ended.stderr.contains("use a newer gesta"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("GRANT"), "{}", ended.stderr);
}

#[tokio::test]
async fn database_without_the_schema_is_told_and_migrated() {
    let db = bare_database().await;
    let gesta = Gesta::on(&db);
    let ended = gesta.run(&["log"]).expect_code(1, &["log"]);
    assert!(ended.stderr.contains("run `gesta migrate`"), "{}", ended.stderr);
    gesta.run(&["migrate", "status"]).expect_code(1, &["migrate", "status"]);
    let applied = gesta.lines(&["migrate"]);
    assert!(applied.iter().all(|step| step["state"] == "applied now") && !applied.is_empty());
    assert!(gesta.lines(&["migrate"]).is_empty(), "a second time there is nothing to do");
    let status = gesta.lines(&["migrate", "status"]);
    assert!(status.len() == applied.len() && status.iter().all(|step| step["state"] == "applied"));
    gesta.run(&["log"]).expect_code(0, &["log"]);
}

#[test]
fn help_has_examples_and_the_codes() {
    let gesta = Gesta::at("postgresql://u@127.0.0.1:1/x");
    let commands = [
        "demo",
        "import",
        "emit",
        "log",
        "object",
        "actor",
        "target",
        "stats",
        "follow",
        "feed",
        "doctor",
        "migrate",
        "psql",
        "track",
        "untrack",
        "tracked",
        "completion",
        "show",
    ];
    for command in commands {
        let help = gesta.ok(&[command, "--help"]);
        assert!(help.contains(&format!("  gesta {command}")), "{help}");
        assert!(help.contains("Exit codes:"), "{help}");
        let (examples, usage) = (help.find("Examples:"), help.find("Usage:"));
        assert!(examples.is_some() && examples < usage, "examples come first\n{help}");
    }
    assert_eq!(gesta.ok(&["help", "import"]), gesta.ok(&["import", "--help"]));
    let help = gesta.ok(&["--help"]);
    assert!(commands.iter().all(|command| help.contains(command)), "{help}");
    assert!(help.contains("GESTA_HOME") && help.contains("130 interrupted"), "{help}");
    assert!(gesta.ok(&["--version"]).starts_with("gesta 0."));
}

#[test]
fn completions_are_given_for_every_shell() {
    let gesta = Gesta::at("postgresql://u@127.0.0.1:1/x");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = gesta.ok(&["completion", shell]);
        assert!(text.contains("doctor") && text.len() > 1000, "{shell}");
    }
}
