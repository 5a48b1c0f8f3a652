//! `gesta role`: made, given, listed, taken.

use gesta::{Reader, StreamQuery, Tenant};
use serde_json::json;

use super::program::Gesta;
use crate::support::{check_log, database, page, resource};

#[tokio::test]
async fn role_is_made_given_taken_and_removed() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let set = ["role", "set", "editor", "--permission", "page.view", "-p", "article.*"];
    let done = gesta.run(&[&set[..], &["--about", "The desk"]].concat()).expect_code(0, &set);
    assert!(
        done.stderr.contains("the role `editor` is made; servers know it in 5 s"),
        "{}",
        done.stderr
    );
    let again = gesta.run(&set).expect_code(0, &set);
    assert!(again.stderr.contains("the role `editor` was like this before"), "{}", again.stderr);
    gesta.ok(&["role", "add", "editor", "user:bob", "--by", "user:root", "--reason", "OPS-7"]);
    gesta.ok(&["role", "add", "administrator", "user:ann"]);
    let listed = gesta.lines(&["role", "ls"]);
    assert_eq!(listed[0]["name"], "administrator");
    assert_eq!(
        (&listed[0]["permissions"], &listed[0]["is_built_in"]),
        (&json!(["*"]), &json!(true))
    );
    assert_eq!(listed[1]["permissions"], json!(["article.*", "page.view"]));
    assert_eq!(listed[1]["about"], "The desk");
    let members = gesta.lines(&["role", "members", "editor"]);
    assert_eq!((&members[0]["type"], &members[0]["id"]), (&json!("user"), &json!("bob")));
    assert_eq!(members[0]["added_by"], "user:root");
    let elsewhere = gesta.run(&["role", "members", "editor", "--tenant", "shop"]);
    elsewhere.expect_code(3, &["another tenant"]);
    gesta.ok(&["role", "drop", "editor", "user:bob"]);
    gesta.run(&["role", "drop", "editor", "user:bob"]).expect_code(3, &["no member"]);
    gesta.run(&["role", "members", "editor", "--fail-empty"]).expect_code(3, &["nobody"]);
    let gone = gesta.run(&["role", "rm", "editor"]).expect_code(0, &["rm"]);
    assert!(gone.stderr.contains("`editor` is removed; nobody had it"), "{}", gone.stderr);
    let missing = gesta.run(&["role", "rm", "editor"]).expect_code(3, &["no role"]);
    assert!(missing.stderr.contains("there is no role `editor` here"), "{}", missing.stderr);
    let reader = Reader::new(&db.store().await, Tenant::default()).auditor();
    let told = page(&reader, StreamQuery::any(&resource("role:editor"))).await;
    let verbs: Vec<_> = told.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(verbs, ["role.remove", "role.drop", "role.add", "role.create"]);
    assert_eq!(told[2].actor.resource, resource("user:root"));
    let context = told[2].context.as_ref().expect("a context").value();
    assert_eq!(context["reason"], "OPS-7");
    check_log(&db).await;
}

#[tokio::test]
async fn tables_fit_into_a_terminal() {
    let db = database().await;
    let gesta = Gesta::on(&db).env("COLUMNS", "80");
    let long =
        "service:a-very-long-name-of-a-service-that-does-not-fit-into-one-line-of-a-terminal";
    gesta.ok(&[
        "role",
        "set",
        "editors of the night desk",
        "-p",
        "article.*",
        "-p",
        "page.publish",
        "-p",
        "extraction.run-now",
        "--about",
        "Everybody who works at night and may publish without asking anybody",
    ]);
    gesta.ok(&["role", "add", "editors of the night desk", long, "--by", long]);
    for args in [
        &["role", "ls", "-o", "table"][..],
        &["role", "members", "editors of the night desk", "-o", "table"],
    ] {
        let table = gesta.ok(args);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.lines().count() > 1, "{table}");
    }
    let csv = gesta.ok(&["role", "ls", "-o", "csv"]);
    assert!(csv.starts_with("Name,May,About,Changed,By\r\nadministrator,*,"), "{csv}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_can() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    for (args, wanted) in [
        (&["role", "set", "x"][..], "--permission"),
        (&["role", "set", "x", "-p", "article"], "`TYPE.WORD` such as `article.publish`"),
        (&["role", "set", "a,b", "-p", "*"], "is no name of a role"),
        (&["role", "set", "administrator", "-p", "*"], "is built in"),
        (&["role", "rm", "administrator"], "is built in"),
        (&["role", "set", "x", "-p", "*", "--about", "a\nb"], "what the role is for is refused"),
        (&["role", "add", "x", "bob"], "TYPE:ID"),
        (&["role", "members", "administrator", "--limit", "0"], "give 1 to 1000"),
    ] {
        let ended = gesta.run(args).expect_code(2, args);
        assert!(ended.stderr.contains(wanted), "{args:?}: {}", ended.stderr);
    }
    let (page, more) = (["role", "members", "administrator", "--limit", "1"], ["user:a", "user:b"]);
    for who in more {
        gesta.ok(&["role", "add", "administrator", who]);
    }
    let first = gesta.run(&page).expect_code(0, &page);
    assert!(first.stdout.contains(r#""id":"a""#), "{}", first.stdout);
    let rest = gesta.lines(&["role", "members", "administrator", "--after", "user:a"]);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["id"], "b");
}
