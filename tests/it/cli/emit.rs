//! Actions from flags and from JSON lines, and back.

use serde_json::{Value, json};

use super::program::{Gesta, json_lines};
use crate::support::database;

const ID: &str = "01939c1e-8a00-7000-8000-000000000001";

#[tokio::test]
async fn what_is_emitted_is_what_is_logged() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let args = [
        &["emit", "edit", "--actor", "user:ann", "--actor-name", "Ann", "--object", "issue:70"][..],
        &["--object-name", "Crash \"on\" save", "--target", "project:gesta", "--id", ID],
        &["--change", "status=open,closed", "--change", "size=1.50,12345678901234567890.5"],
        &[
            "--data",
            r#"{"n":9007199254740993}"#,
            "--description",
            "why\nnot",
            "--outcome",
            "failed",
        ],
        &[
            "--reason",
            "ticket",
            "--request-id",
            "r1",
            "--ip",
            "10.0.0.1",
            "--on-behalf-of",
            "user:bob",
        ],
        &["--audience", "staff", "--audience", "public", "--tenant", "acme"],
        &["--run", "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f"],
    ]
    .concat();
    let receipts = gesta.lines(&args);
    assert_eq!(receipts, [json!({ "receipt": "appended", "id": ID })]);
    assert_eq!(gesta.lines(&args)[0]["receipt"], "duplicate", "the same id and content");
    let conflict = gesta.run(&["emit", "x", "--actor", "u:1", "--id", ID, "--tenant", "acme"]);
    assert_eq!(conflict.code(), 1, "{}", conflict.stderr);
    assert!(conflict.stderr.contains("nothing was overwritten"), "{}", conflict.stderr);
    let text = gesta.ok(&["show", ID, "--tenant", "acme"]);
    for part in ["12345678901234567890.5", "9007199254740993", "1.50"] {
        assert!(text.contains(part), "{part} to the last digit\n{text}");
    }
    let action: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(action["object"]["name"], "Crash \"on\" save");
    assert_eq!(action["description"], "why\nnot");
    assert_eq!(action["outcome"], "failed");
    assert_eq!(action["audience"], json!(["staff", "public"]));
    assert_eq!(action["context"]["on_behalf_of"], json!({ "type": "user", "id": "bob" }));
    assert_eq!(action["source"], "emit");
}

#[tokio::test]
async fn log_of_one_database_can_be_imported_into_another() {
    let (one, other) = (database().await, database().await);
    let (from, to) = (Gesta::on(&one), Gesta::on(&other));
    from.run_on(&["import", "-"], &super::program::events(0..50)).expect_code(0, &["import"]);
    from.ok(&[
        "emit",
        "edit",
        "--actor",
        "user:ann",
        "--change",
        "a=1.50,2",
        "--audience",
        "",
        "--reason",
        "x",
    ]);
    from.ok(&[
        "emit",
        "o\u{202e}dd",
        "--actor",
        "user:\u{1b}[31m",
        "--actor-name",
        "a\tb",
        "--outcome",
        "denied",
    ]);
    let log = from.ok(&["log", "-n", "all"]);
    to.run_on(&["import", "-"], &log).expect_code(0, &["import"]);
    let without_clock = |text: &str| -> Vec<String> {
        let strip = |mut line: Value| {
            line.as_object_mut().expect("an object").remove("recorded_at");
            line.to_string()
        };
        json_lines(text).into_iter().map(strip).collect()
    };
    assert_eq!(without_clock(&to.ok(&["log", "-n", "all"])), without_clock(&log));
    let again = to.run_on(&["import", "-"], &log).expect_code(0, &["import"]);
    assert_eq!(json_lines(&again.stdout)[0]["duplicates"], 52);
}

#[tokio::test]
async fn each_line_of_standard_input_is_answered() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let line = |id: &str, verb: &str| {
        format!(
            "{{\"id\":\"{id}\",\"actor\":{{\"type\":\"u\",\"id\":\"1\"}},\"verb\":\"{verb}\"}}\n"
        )
    };
    let text = [
        line(ID, "x"),
        line(ID, "x"),
        line(ID, "y"),
        "{\"actor\":{\"type\":\"u\",\"id\":\"1\"},\"verb\":\"z\"}\n".to_owned(),
        "{\"actor\":{\"type\":\"u\",\"id\":1},\"verb\":\"z\"}\n".to_owned(),
    ]
    .concat();
    let ended = gesta.run_on(&["emit", "-"], &text).expect_code(5, &["emit", "-"]);
    let receipts: Vec<_> = json_lines(&ended.stdout)
        .iter()
        .map(|receipt| (receipt["line"].as_u64().expect("a line"), receipt["receipt"].to_string()))
        .collect();
    // Lines that are on their way together are ordered by their ids only.
    assert_eq!(receipts.len(), 4, "{}", ended.stdout);
    assert_eq!(receipts.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(receipts[3].1, "\"appended\"");
    assert!(ended.stderr.contains("line 5: `actor.id`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing was overwritten"), "{}", ended.stderr);
    assert_eq!(gesta.lines(&["log"]).len(), 2);
}

#[tokio::test]
async fn key_that_is_there_twice_is_refused_with_its_field() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let line = |rest: &str| {
        format!(r#"{{"id":"{ID}","actor":{{"type":"u","id":"1"}},"verb":"x",{rest}}}"#) + "\n"
    };
    let changes = line(r#""changes":{"status":[1,2],"status":[3,4]}"#);
    let data = line(r#""data":{"a":[{"b":1,"b":2}]}"#);
    for command in [["emit", "-"], ["import", "-"]] {
        let ended = gesta.run_on(&command, &[changes.as_str(), &data].concat());
        let told = ended.expect_code(5, &command).stderr;
        for (field, key) in [("changes", "status"), ("data", "b")] {
            let wanted = format!("`{field}` contains the key `{key}` twice in an object");
            assert!(told.contains(&wanted), "{wanted}: {told}");
        }
    }
    let args = ["emit", "x", "--actor", "u:1", "--data", r#"{"b":1,"b":2}"#];
    let told = gesta.run(&args).expect_code(2, &args).stderr;
    assert!(told.contains("the key `b` twice"), "{told}");
    assert!(gesta.lines(&["log"]).is_empty());
}

#[tokio::test]
async fn stored_action_whose_receipt_cannot_be_printed_is_told() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let mut command = gesta.command(&["emit", "x", "--actor", "user:t"]);
    let output = command.stdout(full).output().expect("it ends");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    let id = gesta.lines(&["log"])[0]["id"].as_str().expect("an id").to_owned();
    assert!(
        !output.status.success() && told.contains(&format!("the action {id} is stored")),
        "{told}"
    );
}
