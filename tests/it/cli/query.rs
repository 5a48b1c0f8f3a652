//! Searches on the command line: what is found, what is refused, and what is explained.

use serde_json::json;

use super::program::{Gesta, events};
use crate::support::database;

#[tokio::test]
async fn log_takes_a_search_and_its_flags_narrow_it() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    gesta.run_on(&["import", "-"], &events(0..70)).expect_code(0, &["import"]);
    gesta.ok(&[
        "emit",
        "close",
        "--actor",
        "user:ann",
        "--object",
        "issue:1",
        "--outcome",
        "denied",
    ]);
    let count = |args: &[&str]| gesta.lines(args).len();
    for (args, wanted) in [
        (&["log", "-n", "all"][..], 71),
        (&["log", "actor:user:3"], 10),
        (&["log", "actor:user:3", "data.n:>=30"], 6),
        (&["log", "actor:\"User 3\" OR outcome:denied"], 11),
        (&["log", "NOT verb:updated"], 1),
        (&["log", "-n", "all", "--", "-verb:close"], 70),
        (&["log", "-verb:close", "-n", "all"], 70),
        (&["log", "-source:import"], 1),
        (&["log", "outcome:denied", "-has:changes", "-n1", "-(verb:x OR crash)"], 1),
        (&["object", "issue:1", "verb:close"], 1),
        (&["object", "issue:1", "-verb:close"], 0),
        (&["actor", "user:3", "data.n:>=30", "target:repository:r"], 6),
        (&["target", "repository:r", "actor:user:3"], 10),
        (&["log", "about:file:f1", "--verb", "updated"], 1),
        (&["log", "actor:user:3", "--about", "file:f3"], 1),
        (&["log", "USER 3", "--since", "2026-01-02"], 0),
        (&["log", "occurred:2026-01", "-n", "all"], 70),
        (&["log", "occurred:>now-1h"], 1),
    ] {
        assert_eq!(count(args), wanted, "{args:?}");
    }
    let first = gesta.run(&["log", "occurred:>now-52w", "actor.type:user", "-n", "5"]);
    let (_, rest) = first.stderr.split_once("--before ").expect("a cursor");
    let cursor = rest.split_whitespace().next().expect("a cursor");
    let next = gesta.lines(&["log", "occurred:>now-52w", "actor.type:user", "--before", cursor]);
    assert_eq!(next.len(), 50);
}

#[tokio::test]
async fn mistake_in_a_search_is_shown_where_it_is() {
    let nowhere = Gesta::at("postgresql://u:hush@127.0.0.1:1/x");
    let ended = nowhere.run(&["log", "actr:alice verb:invoice"]).expect_code(2, &["log"]);
    let told = "error: unknown search key `actr`; to search for text with a colon, put it in quotes\n  \
                actr:alice verb:invoice\n  ^^^^ did you mean `actor`?\nkeys are actor, actor.type, ";
    assert!(ended.stderr.starts_with(told), "{}", ended.stderr);
    let ended = nowhere
        .run(&["log", "a\u{1b}[31m", "outcome:faild", "occurred:soon"])
        .expect_code(2, &["log"]);
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
    assert!(ended.stderr.contains("`faild` is none of: ok, failed, denied"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("\n                      ^^^^^ did you mean `failed`?"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("`soon` is no time"), "{}", ended.stderr);
}

#[tokio::test]
async fn explained_search_is_normalised_and_names_its_indexes() {
    let nowhere = Gesta::at("postgresql://u:hush@127.0.0.1:1/x");
    let explain = |args: &[&str]| nowhere.ok(&[&["query", "explain"], args].concat());
    assert_eq!(
        explain(&["Action:Invoice.*", "actor:user:42 AND created:>2h", "-o", "table"]),
        "Search   verb:invoice actor:user:42 recorded:>now-2h\nIndexes  action_actor_idx\n"
    );
    let told = nowhere.lines(&["query", "explain", "crash"]);
    let tree = json!({ "text": { "text": "crash", "offset": 0, "len": 5 } });
    assert_eq!(told, [json!({ "query": "crash", "indexes": ["action_pkey"], "tree": tree })]);
    assert_eq!(explain(&["crash", "-o", "csv"]), "query,indexes\r\ncrash,action_pkey\r\n");
    for command in ["log", "object", "actor", "target", "query"] {
        let help = nowhere.ok(&["help", command]);
        assert!(help.contains("Searches:") && help.contains("Exit codes:"), "{help}");
    }
    let negated = explain(&["-verb:closed", "-o", "table"]);
    assert!(negated.starts_with("Search   -verb:closed\n"), "{negated}");
    let ended = nowhere.run(&["query", "explain", "(a"]).expect_code(2, &["query"]);
    assert!(ended.stderr.contains("`(` without a `)`"), "{}", ended.stderr);
}

#[tokio::test]
async fn what_may_have_been_meant_otherwise_is_told() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    gesta.ok(&["emit", "close", "--actor", "user:ann", "--object", "issue:x:1"]);
    let told = |args: &[&str]| gesta.run(&[args, &["-o", "table"]].concat()).stderr;
    for word in ["or", "and", "not", "&&", "||"] {
        let told = told(&["log", "verb:close", word, "verb:open"]);
        assert!(told.contains(&format!("`{word}` was looked for as a text")), "{told}");
    }
    for args in [&["log", "verb:open"][..], &["log", "\"or\" verb:open"], &["log", "or"], &["log"]]
    {
        let told = told(args);
        assert_eq!(told.contains("as a text"), args == ["log", "or"], "{args:?} {told}");
    }
    let nowhere = Gesta::at("postgresql://u:hush@127.0.0.1:1/x");
    for (args, parts) in [
        (&["stats", "actor:ann"][..], &["`actor:ann` is a term of a search", "gesta log"][..]),
        (&["stats", "-verb:close"], &["`-verb:close` is a term of a search"]),
        (
            &["log", "foo:1"],
            &["unknown search key `foo`", "keys are actor, actor.type,", "data.PATH"],
        ),
        (&["log", "to:5..1"], &["ends before it begins", "did you mean `to:1..5`?"]),
    ] {
        let ended = nowhere.run(args).expect_code(2, args);
        for part in parts {
            assert!(ended.stderr.contains(part), "{args:?} lacks {part}: {}", ended.stderr);
        }
    }
    // A word with a colon that is no key is a text, as an id is.
    assert_eq!(gesta.lines(&["stats", "x:1"])[0]["actions"], 1);
}
