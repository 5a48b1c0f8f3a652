//! What is understood, what is refused, and that what is written is read as the same.

use proptest::prelude::*;

use super::*;
use crate::search::Query;

fn normal(text: &str) -> String {
    match Query::parse(text) {
        Ok(query) => query.to_string(),
        Err(error) => panic!("{}", error.with_carets(text)),
    }
}

fn problems(text: &str) -> Vec<(Code, &str, Option<String>)> {
    let error = Query::parse(text).expect_err(text);
    assert!(!error.with_carets(text).is_empty());
    let told = error.problems.into_iter();
    told.map(|p| (p.code, &text[p.span.offset..p.span.offset + p.span.len], p.suggestion)).collect()
}

#[test]
fn texts_are_normalised() {
    for (given, wanted) in [
        ("", ""),
        ("  crash   on  save ", "crash on save"),
        ("\"crash on\" save", "\"crash on\" save"),
        ("ACTOR:user:42 Verb:Close", "actor:user:42 verb:close"),
        ("actor:user:\"Ann Lee\"", "actor:\"user:Ann Lee\""),
        ("actor:alice", "actor:alice"),
        ("action:invoice.*,invoice.void", "verb:invoice,invoice.void"),
        ("a OR b c OR d", "a OR (b c) OR d"),
        ("(a OR b) c", "(a OR b) c"),
        ("(a b) OR (c)", "(a b) OR c"),
        ("a AND b AND NOT c", "a b -c"),
        ("-(a OR -b)", "-(a OR -b)"),
        ("NOT NOT a --b", "a b"),
        ("or and not", "or and not"),
        ("a - b", "a \"-\" b"),
        ("\"OR\" \"-x\" \"a:b\"", "\"OR\" \"-x\" \"a:b\""),
        ("changed:* target:\"\" verb:!=close", "changed:* -target:* -verb:close"),
        ("occurred:>2h", "occurred:>now-2h"),
        ("created:2026-01-01..2026-01-31", "recorded:2026-01-01..2026-01-31"),
        ("occurred:2026-11-17.. -recorded:..today", "occurred:>=2026-11-17 -recorded:<=today"),
        ("to:5.. data.n:..x", "to:>=5 data.n:<=x"),
        ("has:*", "has:changes,data,context,object,target,run,description"),
        ("occurred:today,yesterday", "occurred:today,yesterday"),
        ("occurred:>=2026-11-20T14:03:00+02:00", "occurred:>=2026-11-20T12:03:00Z"),
        (
            "data.amount:>1000 data.Due:2026-01..2026-02",
            "data.amount:>1000 data.Due:2026-01..2026-02",
        ),
        (
            "outcome:Failure,DENIED source:BULK has:Changes",
            "outcome:failed,denied source:bulk has:changes",
        ),
        ("ip:10.1.2.3/8,10.0.0.1,2001:db8::/32", "ip:10.0.0.0/8,10.0.0.1,2001:db8::/32"),
        (
            "changed:status from:draft to:\"in review\"",
            "changed:status from:draft to:\"in review\"",
        ),
        ("object:file:a/../b", "object:\"file:a/../b\""),
        ("ua:\"say \\\"hi\\\" C:\\dir\"", "ua:\"say \\\"hi\\\" C:\\\\dir\""),
    ] {
        assert_eq!(normal(given), wanted, "{given}");
        assert_eq!(normal(wanted), wanted, "{given}");
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_what_was_meant() {
    let meant = |text: &str| Some(text.to_owned());
    for (given, wanted) in [
        ("actr:alice verb:invoice", vec![(Code::UnknownKey, "actr", meant("actor"))]),
        (
            "a country:de b seq:1",
            vec![(Code::UnknownKey, "country", None), (Code::UnknownKey, "seq", None)],
        ),
        ("http://x", vec![(Code::UnknownKey, "http", None)]),
        ("occurred:soon", vec![(Code::BadValue, "soon", None)]),
        ("occurred:2h", vec![(Code::BadValue, "occurred:2h", meant("occurred:>now-2h"))]),
        ("outcome:faild", vec![(Code::BadValue, "faild", meant("failed"))]),
        ("object.type:a/b", vec![(Code::BadValue, "a/b", None)]),
        ("run:7", vec![(Code::BadValue, "7", None)]),
        ("ip:10.0.0.0/33", vec![(Code::BadValue, "10.0.0.0/33", None)]),
        ("verb:>close", vec![(Code::BadOperator, ">close", None)]),
        ("occurred:>today,now", vec![(Code::BadOperator, ">today,now", None)]),
        ("actor: alice", vec![(Code::MissingValue, "", None)]),
        ("verb:a,,b", vec![(Code::MissingValue, "", None)]),
        ("verb:a,\"\"", vec![(Code::BadValue, "\"\"", None)]),
        ("verb:in*", vec![(Code::BadValue, "in*", None)]),
        ("verb:.*", vec![(Code::BadValue, ".*", None)]),
        ("cra*", vec![(Code::BadValue, "cra*", None)]),
        ("\"\"", vec![(Code::BadValue, "\"\"", None)]),
        ("(a", vec![(Code::Unbalanced, "(", None)]),
        ("a) b", vec![(Code::Unbalanced, ")", None)]),
        ("\"a b", vec![(Code::Unbalanced, "\"", None)]),
        ("a OR", vec![(Code::MissingTerm, "", None)]),
        ("OR a", vec![(Code::MissingTerm, "O", None)]),
        ("()", vec![(Code::MissingTerm, ")", None)]),
        ("NOT", vec![(Code::MissingTerm, "", None)]),
        ("AND a", vec![(Code::MissingTerm, "", None)]),
        ("a\0b", vec![(Code::BadCharacter, "\0", None)]),
        (
            "occurred:2026-11-18..2026-11-17",
            vec![(
                Code::BadValue,
                "occurred:2026-11-18..2026-11-17",
                meant("occurred:2026-11-17..2026-11-18"),
            )],
        ),
        (
            "created:1h..2h",
            vec![(Code::BadValue, "created:1h..2h", meant("recorded:now-2h..now-1h"))],
        ),
        ("to:10..9", vec![(Code::BadValue, "to:10..9", meant("to:9..10"))]),
        (
            "data.n:\"b c\"..a",
            vec![(Code::BadValue, "data.n:\"b c\"..a", meant("data.n:a..\"b c\""))],
        ),
        ("to:..", vec![(Code::MissingValue, "", None)]),
        ("data.n:1..x", vec![(Code::BadValue, "data.n:1..x", None)]),
        ("data.n:1e9999", vec![(Code::BadValue, "1e9999", None)]),
    ] {
        assert_eq!(problems(given), wanted, "{given}");
    }
}

#[test]
fn too_much_is_refused_and_nothing_overflows() {
    for text in [
        "(".repeat(TEXT_LEN_MAX),
        "-(".repeat(TEXT_LEN_MAX / 2),
        "x".repeat(TEXT_LEN_MAX + 1),
        "a ".repeat(TERMS_MAX + 1),
        format!("verb:{}a", "a,".repeat(LIST_LEN_MAX)),
        format!("{}a{}", "(".repeat(DEPTH_MAX + 1), ")".repeat(DEPTH_MAX + 1)),
    ] {
        let error = Query::parse(&text).expect_err("too large");
        assert_eq!(error.problems[0].code, Code::TooLarge, "{error}");
    }
    for text in [
        "-".repeat(TEXT_LEN_MAX - 1) + "a",
        "x".repeat(TEXT_LEN_MAX),
        format!("{}a{}", "(".repeat(DEPTH_MAX), ")".repeat(DEPTH_MAX)),
        "a ".repeat(TERMS_MAX),
    ] {
        assert!(Query::parse(&text).is_ok());
    }
    let problems = Query::parse(&"x:1 ".repeat(60)).expect_err("unknown").problems;
    assert_eq!(problems.len(), 20);
}

#[test]
fn tree_is_told_as_json() {
    let query = Query::parse("-actor:user:1,ann OR crash").expect("a search");
    let wanted = serde_json::json!({ "or": [
        { "not": { "term": { "key": "actor", "op": "is", "values": ["user:1", "ann"], "offset": 1, "len": 16 } } },
        { "text": { "text": "crash", "offset": 21, "len": 5 } },
    ] });
    assert_eq!(serde_json::to_value(&query).expect("JSON"), wanted);
}

/// Pieces of searches, put together in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => proptest::sample::select(vec![
            "a", "crash", "actor:user:1", "-actor.type:bot", "verb:invoice.*", "occurred:>now-2h", "created:2026-01..2026-02",
            "changed:status", "from:draft", "has:data", "ip:10.0.0.0/8", "data.a.b:>1e3", "context.x:*", "target:\"\"",
            "ua:\"Mozilla/5.0 (X11)\"", "\"a \\\" b\"", "id:0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f", "outcome:!=ok", "to:a,b", "to:5..", "occurred:..today", "has:*", "verb:a,\"\"", "object:\"\",b",
        ]).prop_map(str::to_owned),
        3 => proptest::sample::select(vec!["(", ")", "OR", "AND", "NOT", "-", "\"", ",", ":", "*", ".."]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => "(actor|verb|data\\.x|from|object|occurred|name|ua):\\PC{0,8}",
        1 => "(verb|from|object|ua):\"[a-c .*,()<>:\\\\-]{1,6}\"",
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn normalised_text_is_read_as_the_same_search(text in pieces()) {
        match Query::parse(&text) {
            Ok(query) => {
                let normal = query.to_string();
                let again = Query::parse(&normal);
                prop_assert_eq!(again.as_ref(), Ok(&query), "{:?} -> {:?}", text, normal);
            }
            Err(error) => {
                for problem in &error.problems {
                    let Span { offset, len } = problem.span;
                    prop_assert!(text.get(offset..offset + len).is_some(), "{:?} {:?}", text, problem);
                }
                prop_assert!(!error.with_carets(&text).is_empty());
            }
        }
    }

    #[test]
    fn anything_is_understood_or_refused(text in "\\PC{0,60}") {
        let _ = Query::parse(&text);
    }
}
