//! Imports as a program that is repeated, interrupted, killed.

use std::io::Write;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::program::{Gesta, event, events, json_lines};
use crate::support::{TestDb, check_log, database};

/// More than two chunks, so that an import can be stopped between them.
const MANY: usize = 21_000;
/// What is given before the import is stopped: more than a chunk, and less than all.
const HALF: usize = 11_000;

async fn stored(db: &TestDb) -> i64 {
    let row = db.admin().await.query_one("SELECT count(*) FROM gesta.action", &[]).await;
    row.expect("the log").get(0)
}

/// Starts an import whose input does not end, and waits until some of it is stored.
async fn import_half(gesta: &Gesta, db: &TestDb) -> Child {
    let mut child = gesta.spawn(&["import", "-"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(events(0..HALF).as_bytes()).expect("it reads");
    while stored(db).await == 0 {
        assert!(child.try_wait().expect("a child").is_none(), "it waits for more");
        tokio::task::yield_now().await;
    }
    child.stdin = Some(stdin);
    child
}

#[tokio::test]
async fn second_import_adds_nothing() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let text = events(0..500);
    let first = gesta.run_on(&["import", "-"], &text).expect_code(0, &["import"]);
    let wanted =
        json!({ "read": 500, "appended": 500, "duplicates": 0, "conflicts": 0, "refused": 0 });
    assert_eq!(json_lines(&first.stdout), [wanted]);
    let second = gesta.run_on(&["import", "-"], &text).expect_code(0, &["import"]);
    let wanted =
        json!({ "read": 500, "appended": 0, "duplicates": 500, "conflicts": 0, "refused": 0 });
    assert_eq!(json_lines(&second.stdout), [wanted]);
    assert_eq!(stored(&db).await, 500);
}

#[tokio::test]
async fn import_that_was_killed_goes_on_when_it_is_started_again() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let mut child = import_half(&gesta, &db).await;
    child.kill().expect("it is killed with signal 9");
    child.wait().expect("it ends");
    let before = stored(&db).await;
    assert!(before > 0 && before < 21_000, "{before}");
    let again = gesta.run_on(&["import", "-"], &events(0..MANY)).expect_code(0, &["import"]);
    let counts = &json_lines(&again.stdout)[0];
    assert_eq!(counts["read"], MANY);
    assert_eq!(stored(&db).await, 21_000);
    check_log(&db).await;
}

#[tokio::test]
async fn interrupted_import_keeps_what_is_stored_and_says_so() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let mut child = import_half(&gesta, &db).await;
    let stdin = child.stdin.take();
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("it can be interrupted");
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("start it again to go on"), "{stderr}");
    assert_eq!(stored(&db).await % 10_000, 0, "whole chunks");
    check_log(&db).await;
}

#[tokio::test]
async fn refused_lines_are_named_and_the_others_are_stored() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let dir = tempfile::tempdir().expect("a folder");
    let errors = dir.path().join("errors.jsonl");
    let conflict = event(1).replace("updated", "deleted");
    let wrong = event(3).replace("updated", "a\\nb");
    let text = [event(0), event(1), "{\n".to_owned(), wrong, conflict, event(5)].concat();
    let file = dir.path().join("events.jsonl");
    std::fs::write(&file, text).expect("a file");
    let args =
        ["import", file.to_str().expect("UTF-8"), "--errors", errors.to_str().expect("UTF-8")];
    let ended = gesta.run(&args).expect_code(5, &args);
    let wanted = json!({ "read": 6, "appended": 3, "duplicates": 0, "conflicts": 1, "refused": 2 });
    assert_eq!(json_lines(&ended.stdout), [wanted]);
    assert!(ended.stderr.contains("line 4: `verb`"), "{}", ended.stderr);
    let errors = json_lines(&std::fs::read_to_string(errors).expect("the file of errors"));
    let named: Vec<_> =
        errors.iter().map(|error| (error["line"].as_u64(), error["field"].as_str())).collect();
    assert_eq!(named, [(Some(3), None), (Some(4), Some("verb")), (Some(5), Some("id"))]);
    assert!(errors[1]["text"].as_str().is_some_and(|text| text.contains("e3")), "{errors:?}");
    let missing = gesta.run(&["import", "/no/such/file"]).expect_code(1, &["import"]);
    assert!(missing.stderr.contains("failed to open `/no/such/file`"), "{}", missing.stderr);
}
