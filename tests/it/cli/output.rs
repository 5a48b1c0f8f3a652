//! What is printed, for whom.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};

use super::program::{Gesta, events};
use crate::support::database;

const HOSTILE: &str = "\u{1b}[31mred\u{202e}\u{9b}2J\u{7}\r\n\u{200b}end";

/// The text without our own colours.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (code, rest) = part.split_once('m').expect("the end of a colour");
        let is_colour =
            code.starts_with('[') && code[1..].chars().all(|c| c.is_ascii_digit() || c == ';');
        assert!(is_colour, "{part:?}");
        text + rest
    })
}

fn columns(line: &str) -> usize {
    line.chars().count()
}

#[tokio::test]
async fn table_fits_its_width_and_a_pipe_gets_json_lines() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let file = "file:rails/rails:activerecord/test/cases/adapters/mysql2/reserved_word_test.rb";
    let emit = ["emit", "updated", "--actor", "user:03dc0abf34009747", "--object", file];
    gesta.ok(&emit);
    let change = "status=open,closed";
    let ann = ["--actor", "user:ann", "--actor-name", "Ann Reyes of the longest name in town"];
    let what = ["--object", "issue:70", "--object-name", "Crash on save", "--change", change];
    gesta.ok(&[&["emit", "close"], &ann[..], &what[..]].concat());
    for width in ["40", "80", "132"] {
        let gesta = Gesta::on(&db).env("COLUMNS", width);
        for args in [
            &["log", "-o", "table"][..],
            &["log", "-l", "-o", "table"],
            &["stats", "-o", "table"],
            &["doctor", "-o", "table"],
        ] {
            let table = gesta.run(args).stdout;
            let limit = width.parse().expect("a number");
            assert!(table.lines().all(|line| columns(line) <= limit), "{width}\n{table}");
            assert!(table.lines().all(|line| line == line.trim_end()), "{table}");
        }
    }
    let table = gesta.ok(&["log", "-o", "table"]);
    for part in [
        "When (UTC)",
        "Ann Reyes of the longes…",
        "user:ann",
        "close \"Crash on save\" (issue:70)",
        "status: open → closed",
        "s ago",
    ] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    let lines = gesta.lines(&["log"]);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["object"]["name"], "Crash on save");
    assert_eq!(lines[1]["actor"]["id"], "03dc0abf34009747");
}

#[tokio::test]
async fn csv_cannot_smuggle_formulas() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    for name in
        ["=HYPERLINK(\"http://x\")", "+1", "-1", "-1+1", "@SUM(A1)", "\t=1", "plain, \"quoted\""]
    {
        let name = format!("--object-name={name}");
        gesta.ok(&["emit", "open", "--actor", "user:ann", "--object", "page:1", &name]);
    }
    let text = gesta.ok(&["log", "-o", "csv"]);
    assert!(text.lines().count() == 8 && text.contains("\r\n"), "{text}");
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let at = csv.headers().expect("a header").iter().position(|name| name == "object_name");
    let at = at.expect("the column");
    let names: Vec<_> = csv.records().map(|row| row.expect("a record")[at].to_owned()).collect();
    let wanted = [
        "plain, \"quoted\"",
        "'\t=1",
        "'@SUM(A1)",
        "'-1+1",
        "-1",
        "'+1",
        "'=HYPERLINK(\"http://x\")",
    ];
    assert_eq!(names, wanted);
}

/// Filters for colours take an escape sequence that does not end, and all behind it, and DEL.
#[tokio::test]
async fn pipe_gets_every_byte() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let hostile = "a\u{7f}b \u{1b}[31mred\u{1b}P";
    for object in ["pay:1", "pay:2"] {
        gesta.ok(&["emit", "pay", "--actor", "user:eve", "--object", object]);
    }
    gesta.ok(&[
        "emit",
        "pay",
        "--actor",
        "user:eve",
        "--object",
        "pay:3",
        "--description",
        hostile,
    ]);
    for color in ["auto", "never", "always"] {
        let csv = gesta.ok(&["log", "-o", "csv", "--color", color]);
        assert_eq!(csv.lines().count(), 4, "{csv:?}");
        assert!(csv.contains(hostile), "{csv:?}");
        let json = gesta.ok(&["log", "-o", "jsonl", "--color", color]);
        let first = json.lines().next().expect("a line");
        let first: serde_json::Value = serde_json::from_str(first).expect("JSON");
        assert_eq!(first["description"], hostile, "{json:?}");
    }
    let table = gesta.ok(&["log", "-o", "table", "--color", "never"]);
    assert!(!table.contains('\u{1b}') && table.lines().count() > 3, "{table}");
    assert!(gesta.ok(&["log", "-o", "table", "--color", "always"]).contains("\u{1b}["));
}

#[tokio::test]
async fn hostile_names_never_reach_a_terminal_raw() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let names = ["--actor-name", HOSTILE, "--object-name", HOSTILE, "--description", HOSTILE];
    let change = format!("{HOSTILE}={HOSTILE},x");
    let rest =
        ["--actor", "user:e", "--object", "page:1", "--change", &change, "--reason", HOSTILE];
    gesta.ok(&[&["emit", "open"], &names[..], &rest[..]].concat());
    gesta.ok(&["follow", "add", "user:ann", "user:e"]);
    for args in [&["log", "-l"][..], &["feed", "user:ann"], &["stats", "--by", "actor,object"]] {
        let args = [args, &["-o", "table", "--color", "always"]].concat();
        let shown = without_colours(&gesta.ok(&args));
        let wrong = |c: &char| c.is_control() && *c != '\n' || "\u{202e}\u{200b}".contains(*c);
        assert!(shown.contains("\\u{1b}[31mred") && !shown.contains(|c| wrong(&c)), "{shown:?}");
    }
    let refused = gesta.run(&["object", HOSTILE]).expect_code(2, &["object"]);
    assert!(!refused.stderr.contains(['\u{202e}', '\u{9b}', '\u{7}']), "{:?}", refused.stderr);
}

#[tokio::test]
async fn identities_that_look_the_same_are_told_apart() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let ids = [
        "ann",
        "ann ",
        " ann",
        "ann\u{3164}",
        "an\u{34f}n",
        "ann\u{e0101}",
        "a\u{a0}n",
        "ann\u{fe0f}",
    ];
    for id in ids {
        let id = format!("user:{id}");
        let object = ["--object", &id, "--object-name", &id, "--description", "all ❤\u{fe0f}"];
        gesta.ok(&[&["emit", "x", "--actor", &id], &object[..]].concat());
    }
    let gesta = gesta.env("COLUMNS", "200");
    for args in [&["log"][..], &["stats", "--by", "actor"]] {
        let shown = gesta.ok(&[args, &["-o", "table", "-n", "50"]].concat());
        for id in ids {
            let escaped = match id {
                "ann" => id.to_owned(),
                "ann " => "ann\\u{20}".to_owned(),
                " ann" => "\\u{20}ann".to_owned(),
                id => id
                    .chars()
                    .map(|c| if c.is_ascii() { c.into() } else { c.escape_unicode().to_string() })
                    .collect(),
            };
            assert!(shown.contains(&format!("user:{escaped}")), "{escaped}\n{shown}");
        }
        assert!(!shown.contains('\u{3164}'), "{shown}");
    }
    assert!(gesta.ok(&["log", "-o", "table"]).contains("all ❤\u{fe0f}"));
}

#[tokio::test]
async fn all_pages_are_read_and_a_cursor_goes_on_where_a_page_ended() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let imported = gesta.run_on(&["import", "-"], &events(0..2_500));
    assert_eq!(imported.code(), 0, "{}", imported.stderr);
    let ids = |text: &str| -> Vec<String> {
        super::program::json_lines(text).iter().map(|line| line["id"].to_string()).collect()
    };
    let all = ids(&gesta.ok(&["log", "-n", "all"]));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 2_500);
    let first = gesta.run(&["log", "-n", "1200"]).expect_code(0, &["log"]);
    let cursor = |stderr: &str, flag: &str| {
        let (_, rest) = stderr.split_once(&format!("{flag} ")).expect("a cursor");
        rest.split_whitespace().next().expect("a cursor").to_owned()
    };
    let before = cursor(&first.stderr, "--before");
    let second = gesta.ok(&["log", "-n", "all", "--before", &before]);
    assert_eq!([ids(&first.stdout), ids(&second)].concat(), all);
    let swapped = gesta.run(&["log", "--after", &before]).expect_code(2, &["--after"]);
    assert!(swapped.stderr.contains("give it as --before"), "{}", swapped.stderr);
    let other = gesta.run(&["log", "--verb", "x", "--before", &before]);
    assert_eq!(other.code(), 2, "{}", other.stderr);
    let table = gesta.ok(&["log", "-n", "all", "-o", "table"]);
    assert_eq!(table.matches("When (UTC)").count(), 1, "one header for all pages");
}

#[tokio::test]
async fn filters_narrow_a_stream_down() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let run = "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f";
    gesta.ok(&["emit", "open", "--actor", "user:ann", "--object", "issue:1", "--at", "2026-11-01"]);
    gesta.ok(&[
        "emit",
        "edit",
        "--actor",
        "user:bob",
        "--object",
        "issue:1",
        "--change",
        "title=a,b",
        "--run",
        run,
    ]);
    gesta.ok(&[
        "emit",
        "read",
        "--actor",
        "user:bob",
        "--target",
        "issue:1",
        "--outcome",
        "denied",
        "--data",
        "{\"n\":[1,2]}",
    ]);
    let verbs = |args: &[&str]| -> Vec<String> {
        gesta
            .lines(args)
            .iter()
            .map(|line| line["verb"].as_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(verbs(&["object", "issue:1"]), ["edit", "open"]);
    assert_eq!(verbs(&["actor", "user:bob"]), ["read", "edit"]);
    assert_eq!(verbs(&["target", "issue:1"]), ["read"]);
    assert_eq!(verbs(&["log", "--about", "issue:1"]), ["read", "edit", "open"]);
    assert_eq!(verbs(&["log", "--run", run]), ["edit"]);
    assert_eq!(verbs(&["log", "--changed", "title"]), ["edit"]);
    assert_eq!(verbs(&["log", "--outcome", "denied"]), ["read"]);
    assert_eq!(verbs(&["log", "--data", "{\"n\":[2]}"]), ["read"]);
    assert_eq!(verbs(&["log", "-t", "issue", "-v", "open", "-v", "edit"]), ["edit", "open"]);
    assert_eq!(verbs(&["log", "--since", "2026-11-01", "--until", "2026-11-02"]), ["open"]);
    assert_eq!(verbs(&["log", "--since", "1h"]), ["read", "edit"]);
    assert_eq!(verbs(&["log", "ANN"]), ["open"]);
    assert_eq!(verbs(&["log", "--tenant", "other"]), [""; 0]);
}

#[tokio::test]
async fn closed_pipe_ends_quietly() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    gesta.run_on(&["import", "-"], &events(0..2_500)).expect_code(0, &["import"]);
    let mut child = gesta.spawn(&["log", "-n", "all"]);
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    reader.read_line(&mut line).expect("a line");
    drop(reader);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{:?} {stderr}", output.status);
}

#[tokio::test]
async fn stats_count_what_is_there() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    gesta.run_on(&["import", "-"], &events(0..700)).expect_code(0, &["import"]);
    gesta.ok(&["emit", "x", "--actor", "user:0", "--audience", "", "--at", "2026-01-03"]);
    let counts = |args: &[&str]| -> Vec<(String, Option<String>, i64)> {
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let row = |line: &serde_json::Value| {
            (
                text(&line["by"]).expect("text"),
                text(&line["value"]),
                line["actions"].as_i64().expect("a number"),
            )
        };
        gesta.lines(args).iter().map(row).collect()
    };
    let row = |by: &str, value: &str, actions| (by.to_owned(), Some(value.to_owned()), actions);
    let found = counts(&["stats", "--by", "verb,actor", "-n", "2", "--per", "day"]);
    assert_eq!(found[0], ("total".to_owned(), None, 701));
    let rest = [
        row("day", "2026-01-01T00:00:00Z", 700),
        row("day", "2026-01-02T00:00:00Z", 0),
        row("day", "2026-01-03T00:00:00Z", 1),
        row("verb", "updated", 700),
        row("verb", "x", 1),
        row("actor", "user:0", 101),
        row("actor", "user:1", 100),
    ];
    assert_eq!(found[1..], rest);
    let visible = counts(&["stats", "--by", "source", "--label", "public"]);
    assert_eq!(visible.last(), Some(&row("source", "import", 700)));
    assert_eq!(counts(&["stats", "--tenant", "other"]), [("total".to_owned(), None, 0)]);
    let table = gesta.ok(&["stats", "-o", "table"]);
    assert!(table.contains("701 actions") && table.contains("User 0"), "{table}");
}

#[tokio::test]
async fn periods_that_are_not_shown_are_told() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    gesta.run_on(&["import", "-"], &events(0..70)).expect_code(0, &["import"]);
    gesta.ok(&["emit", "x", "--actor", "user:0", "--at", "2030-01-01"]);
    let bars = |per: &str| -> Vec<(serde_json::Value, i64)> {
        let lines = gesta.lines(&["stats", "--per", per, "--by", "verb"]);
        let bars = lines.iter().filter(|line| line["by"] == per);
        bars.map(|line| (line["value"].clone(), line["actions"].as_i64().expect("a number")))
            .collect()
    };
    let days = [("2026-01-01T00:00:00Z".into(), 70), ("2030-01-01T00:00:00Z".into(), 1)];
    assert_eq!(bars("day"), days);
    let table = gesta.ok(&["stats", "--per", "day", "-o", "table"]);
    assert!(table.contains("2026-01-01 to 2030-01-01, empty ones left out"), "{table}");
    // A minute each, of 1,003 minutes.
    let minute = |n: usize| {
        let at = format!("2026-02-01T{:02}:{:02}:00Z", n / 60, n % 60);
        format!(
            r#"{{"event_id":"m{n}","actor":{{"type":"bot","id":"b"}},"verb":"tick","object":{{"type":"clock","id":"c"}},"occurred_at":"{at}"}}"#
        ) + "\n"
    };
    let minutes: String = (0..1_003).map(minute).collect();
    gesta.run_on(&["import", "-"], &minutes).expect_code(0, &["import"]);
    let found = bars("minute");
    assert_eq!(found.len(), 1_001);
    assert_eq!(found.iter().map(|(_, actions)| actions).sum::<i64>(), 1_074);
    assert!(found[0].0.is_null() && found[0].1 > 4, "{:?}", found[0]);
    let told = gesta.run(&["stats", "--per", "minute"]).stderr;
    assert!(told.contains("before the latest 1000 periods of one minute"), "{told}");
}

#[tokio::test]
async fn feed_tells_why_an_action_is_there() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    gesta.ok(&["follow", "add", "user:ann", "user:bob"]);
    gesta.ok(&[
        "follow",
        "add",
        "user:ann",
        "project:x",
        "--role",
        "any",
        "--flag",
        "working",
        "--silent",
    ]);
    gesta.ok(&[
        "emit",
        "open",
        "--actor",
        "user:bob",
        "--object",
        "issue:1",
        "--target",
        "project:x",
    ]);
    gesta.ok(&["emit", "open", "--actor", "user:eve", "--object", "issue:2"]);
    let feed = gesta.lines(&["feed", "user:ann"]);
    assert_eq!(feed.len(), 1, "{feed:?}");
    let reasons = feed[0]["reasons"].as_array().expect("reasons");
    let mut reasons: Vec<_> = reasons
        .iter()
        .map(|reason| format!("{} {}", reason["role"], reason["followed"]["id"]))
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["\"actor\" \"bob\"", "\"target\" \"x\""]);
    let table = gesta.ok(&["feed", "user:ann", "-o", "table"]);
    assert!(table.contains("via project:x as target (working)"), "{table}");
    assert_eq!(gesta.lines(&["follow", "ls", "user:ann"]).len(), 2);
    assert_eq!(gesta.lines(&["follow", "ls", "user:bob", "--followers"]).len(), 1);
    let gone = gesta.run(&["follow", "rm", "user:ann", "user:bob"]).expect_code(0, &["rm"]);
    assert!(gone.stderr.contains("no longer"), "{}", gone.stderr);
    gesta.run(&["follow", "ls", "user:bob", "--followers", "--fail-empty"]).expect_code(3, &["ls"]);
    let told: Vec<_> =
        gesta.lines(&["actor", "user:ann"]).iter().map(|line| line["verb"].to_string()).collect();
    assert_eq!(
        told,
        ["\"stopped following\"", "\"started following\""],
        "the silent one is not told"
    );
}
