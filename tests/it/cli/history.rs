//! `gesta object --at` and `--diff`: what it was, and what is different.

use serde_json::{Value, json};

use super::program::Gesta;
use crate::support::{TestDb, database};

const NOISE: &str = "\u{1b}[31mred\u{202e}";

/// An article that was written, published and deleted, a day each.
async fn newspaper() -> (TestDb, Gesta) {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let line = |day: u32, verb: &str, who: &str, changes: Value| {
        let object = json!({"type": "article", "id": "7", "name": "Flood"});
        let actor = json!({"type": "user", "id": who, "name": who.to_uppercase()});
        let at = format!("2026-03-0{day}T08:00:00Z");
        json!({"actor": actor, "verb": verb, "object": object, "occurred_at": at, "changes": changes})
    };
    let text = "x".repeat(600);
    let created = json!({"title": [null, "Flud"], "body": [null, text], "pin": [null, "***"], "n": [null, 1]});
    let story = [
        line(1, "create", "ann", created),
        line(2, "update", "bob", json!({"title": ["Flud", "Flood"]})),
        line(3, "publish", "ann", json!({"status": [null, "public"]})),
        line(5, "delete", "eve", json!({"title": ["Flood", null], "status": ["public", null]})),
    ];
    let lines: Vec<_> = story.iter().map(Value::to_string).collect();
    let ended = gesta.run_on(&["emit", "-"], &lines.join("\n"));
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    (db, gesta)
}

#[tokio::test]
async fn state_at_a_time_is_a_table_json_or_csv() {
    let (_db, gesta) = newspaper().await;
    let at = ["object", "article:7", "--at", "2026-03-02 09:00", "-o"];
    let table = gesta.ok(&[&at[..], &["table"]].concat());
    for part in [
        "\"Flood\" (article:7) as of 2026-03-02 09:00:00 (UTC)",
        "created 2026-03-01 08:00:00 by ANN (user:ann)",
        "Field",
        "Last changed (UTC)",
        "2026-03-02 08:00:00",
        "update by BOB",
        "(masked)",
    ] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    assert!(!table.contains("status") && !table.contains("***"), "{table}");
    let lines = gesta.lines(&[&at[..], &["jsonl"]].concat());
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["life"], "exists");
    assert_eq!(lines[0]["fields"]["title"]["value"], "Flood");
    assert_eq!(lines[0]["fields"]["title"]["by"]["actor"]["id"], "bob");
    assert_eq!(lines[0]["fields"]["body"]["value"].as_str().map(str::len), Some(600));
    assert_eq!(
        lines[0]["fields"]["pin"],
        json!({"kind": "masked", "value": null, "by": lines[0]["created"]})
    );
    let csv = gesta.ok(&[&at[..], &["csv"]].concat());
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<_> = rows.records().map(|row| row.expect("a record")).collect();
    let field = |name: &str| rows.iter().find(|row| &row[0] == name).expect("a row");
    assert_eq!((&field("title")[2], &field("title")[6], rows.len()), ("\"Flood\"", "bob", 4));
    let deleted = gesta.ok(&["object", "article:7", "--at", "now", "-o", "table"]);
    assert!(deleted.contains("deleted 2026-03-05 08:00:00 by EVE (user:eve); before that:"));
    assert!(deleted.contains("public"), "{deleted}");
    let csv = gesta.run(&["object", "article:7", "--at", "now", "-o", "csv"]);
    assert!(csv.stderr.contains("it was deleted 2026-03-05 08:00:00 by EVE"), "{}", csv.stderr);
}

#[tokio::test]
async fn difference_of_two_times_names_the_actions_in_between() {
    let (_db, gesta) = newspaper().await;
    let of = |range: &str, format: &str| {
        gesta.ok(&["object", "article:7", "--diff", range, "-o", format])
    };
    let table = of("2026-03-01T12:00..2026-03-04", "table");
    for part in [
        "from 2026-03-01 12:00:00 to 2026-03-04 00:00:00 (UTC)",
        "Flud",
        "→ Flood",
        "→ public",
        "Actions in between",
        "publish status",
    ] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    assert!(!table.contains("body"), "what is not different is left out\n{table}");
    let lines = super::program::json_lines(&of("2026-03-01T12:00..2026-03-04", "jsonl"));
    assert_eq!(lines[0]["fields"]["title"]["old"], json!({"kind": "plain", "value": "Flud"}));
    assert_eq!(lines[0]["fields"]["status"]["old"], Value::Null);
    assert_eq!(lines[0]["steps_total"], 2);
    assert!(of("2026-03-01T12:00..2026-03-04", "csv").contains("title,plain,\"\"\"Flud\"\"\""));
    let whole = of("..", "table");
    assert!(whole.contains("from the beginning to now") && whole.contains("no field is different"));
    // From one action's id to another's.
    let steps = super::program::json_lines(&of("..2026-03-04", "jsonl"))[0]["steps"].clone();
    let id = |n: usize| steps[n]["by"]["action"].as_str().expect("an id").to_owned();
    let lines = super::program::json_lines(&of(&format!("{}..{}", id(0), id(1)), "jsonl"));
    assert_eq!(lines[0]["fields"].as_object().expect("an object").len(), 1);
    let gone = super::program::json_lines(&of(&format!("{}..", id(1)), "jsonl"));
    assert_eq!(
        (&gone[0]["from"]["life"], &gone[0]["to"]["life"]),
        (&json!("exists"), &json!("deleted"))
    );
}

#[tokio::test]
async fn tables_fit_their_width_and_hostile_fields_stay_text() {
    let (db, gesta) = newspaper().await;
    let change = format!("{NOISE}={NOISE},{}", "long ".repeat(80));
    let args = ["emit", "update", "--actor", "user:ann", "--actor-name", NOISE];
    gesta.ok(&[&args[..], &["--object", "article:8", "--change", &change]].concat());
    for width in ["40", "80", "132"] {
        let gesta = Gesta::at(&db.url("gesta_app")).env("COLUMNS", width);
        for args in [
            ["article:7", "--at", "2026-03-04"],
            ["article:7", "--diff", ".."],
            ["article:8", "--at", "now"],
            ["article:8", "--diff", "..now"],
        ] {
            let table = gesta.ok(&[&["object"], &args[..], &["-o", "table"]].concat());
            let limit = width.parse().expect("a number");
            assert!(table.lines().all(|line| line.chars().count() <= limit), "{width}\n{table}");
            assert!(!table.contains(['\u{1b}', '\u{202e}']), "{table}");
        }
    }
}

#[tokio::test]
async fn moments_that_tell_nothing_are_named_and_have_their_codes() {
    let (_db, gesta) = newspaper().await;
    let absent = "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f";
    for (args, code, part) in [
        (["article:9", "--at", "now"], 3, "nothing is known of article:9"),
        (
            ["article:7", "--at", "2026-02-01"],
            3,
            "its history begins at 2026-03-01T08:00:00.000000Z",
        ),
        (["article:7", "--at", absent], 3, "there is no action 0192f0c1"),
        (["article:7", "--diff", "now..2h"], 2, "the first moment is after the second"),
        (["article:7", "--diff", "yesterday"], 2, "`yesterday` is no range; give A..B"),
        (["article:7", "--at", "soon"], 2, "`soon` is no time"),
    ] {
        let args = [&["object"], &args[..]].concat();
        let ended = gesta.run(&args).expect_code(code, &args);
        assert!(ended.stderr.contains(part), "{args:?} lacks {part}: {}", ended.stderr);
        assert!(ended.stdout.is_empty());
    }
    // A flag of the listing would say nothing here.
    for flag in [&["--verb", "x"][..], &["--limit", "3"], &["-l"], &["--diff", ".."], &["flood"]] {
        let args = [&["object", "article:7", "--at", "now"], flag].concat();
        let ended = gesta.run(&args).expect_code(2, &args);
        assert!(ended.stderr.contains("cannot be used with"), "{args:?} {}", ended.stderr);
    }
}

#[tokio::test]
async fn doubts_are_told_beside_the_data() {
    let (_db, gesta) = newspaper().await;
    let args = ["emit", "update", "--actor", "user:ann", "--object", "article:8"];
    gesta.ok(&[&args[..], &["--change", "title=A,B"]].concat());
    gesta.ok(&[&args[..], &["--change", "title=X,Y"]].concat());
    let ended = gesta.run(&["object", "article:8", "--at", "now", "--label", "public"]);
    let ended = ended.expect_code(0, &["object"]);
    for part in [
        "its creation is not recorded in full",
        "a change does not go on from what was known",
        "as far as these labels see",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let line = &super::program::json_lines(&ended.stdout)[0];
    assert_eq!((&line["gaps"], &line["sees_everything"]), (&json!(1), &json!(false)));
    let whole = gesta.run(&["object", "article:7", "--at", "2026-03-02"]);
    assert!(whole.stderr.is_empty(), "{}", whole.stderr);
}
