//! Tracking by command: what it prints, what it changes, how it ends.

use super::program::{Gesta, json_lines};
use crate::support::{TestDb, check_log, database};

const ARTICLE: &str = "CREATE TABLE article (id integer PRIMARY KEY, title text, iban text); CREATE VIEW v AS SELECT id FROM article";
const TRACK: [&str; 6] = ["track", "article", "--type", "article", "--key", "id"];

async fn with_article() -> (TestDb, Gesta) {
    let db = database().await;
    db.admin().await.batch_execute(ARTICLE).await.expect("made");
    let gesta = Gesta::on(&db);
    (db, gesta)
}

#[tokio::test]
async fn table_is_tracked_listed_and_untracked() {
    let (db, gesta) = with_article().await;
    gesta.run(&["tracked", "--fail-empty"]).expect_code(3, &["tracked"]);
    let more = ["--name", "title", "--mask", "iban", "--actor", "user:ann", "--reason", "audit"];
    let ended = gesta.run(&[&TRACK[..], &more].concat()).expect_code(0, &TRACK);
    assert!(ended.stderr.contains("public.article is tracked from now on"), "{}", ended.stderr);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    db.admin()
        .await
        .batch_execute("INSERT INTO article VALUES (1, 'One', 'S3CRET')")
        .await
        .expect("written");
    let listed = gesta.lines(&["object", "article:1"]);
    assert_eq!(listed[0]["changes"]["iban"], serde_json::json!([null, "***"]));
    assert_eq!(
        (&listed[0]["source"], &listed[0]["object"]["name"]),
        (&"trigger".into(), &"One".into())
    );
    let tracked = gesta.lines(&["tracked"]);
    let wanted = r#"{"table":"public.article","type":"article","key":["id"],"name":"title","exclude":[],"mask":["iban"],"hash":[],"states":[]}"#;
    assert_eq!(tracked, json_lines(wanted));
    let table = gesta.env("COLUMNS", "120").ok(&["tracked", "-o", "table"]);
    assert_eq!(
        table,
        "Table           Type     Key  Name   Fields       State\npublic.article  article  id   title  masked iban  ok\n"
    );
    let gesta = Gesta::on(&db);
    gesta.ok(&["untrack", "article"]);
    let ended = gesta.run(&["untrack", "article"]).expect_code(3, &["untrack"]);
    assert!(ended.stderr.contains("public.article is not tracked"), "{}", ended.stderr);
    let told = gesta.lines(&["object", "table:public.article"]);
    assert_eq!((&told[0]["verb"], &told[1]["verb"]), (&"untrack".into(), &"track".into()));
    assert_eq!(told[1]["actor"]["id"], "ann");
    assert_eq!(
        (&told[1]["context"]["reason"], &told[1]["data"]["mask"][0]),
        (&"audit".into(), &"iban".into())
    );
    assert_eq!(told[0]["actor"]["type"], "system");
    check_log(&db).await;
}

#[tokio::test]
async fn print_shows_exactly_what_would_run_and_runs_nothing() {
    let (db, gesta) = with_article().await;
    let print = [&TRACK[..], &["--print"]].concat();
    let script = gesta.ok(&print);
    assert!(
        script.contains("CREATE TRIGGER gesta_capture_truncate BEFORE TRUNCATE ON public.article")
    );
    assert!(gesta.lines(&["tracked"]).is_empty() && gesta.lines(&["log"]).is_empty());
    // What is printed tracks the table as well as the command does.
    let admin = db.admin().await;
    admin.batch_execute(&format!("{script} INSERT INTO article VALUES (1)")).await.expect("run");
    assert_eq!(gesta.lines(&["object", "article:1"]).len(), 1);
    let again = gesta.ok(&print);
    let (_, body) = script.split_once("CREATE OR REPLACE FUNCTION").expect("a function");
    assert!(again.ends_with(body) && again.contains("DROP TRIGGER"), "the function keeps its name");
}

#[tokio::test]
async fn codes_tell_what_is_wrong() {
    let (db, gesta) = with_article().await;
    for (args, code, told) in [
        (&["track", "article"][..], 2, "--type <TYPE>"),
        (&["track", "nothing", "--type", "t", "--key", "id"], 3, "there is no table `nothing`"),
        (&["track", "a b", "--type", "t", "--key", "id"], 2, "`a b` is no name of a table"),
        (
            &["track", "v", "--type", "t", "--key", "id"],
            2,
            "public.v cannot be tracked: it is a view",
        ),
        (&["track", "article", "--type", "t", "--key", "title"], 2, "`title` may be null"),
        (
            &["track", "article", "--type", "t", "--key", "id", "--mask", "id"],
            2,
            "`id` is named by --key and by --mask",
        ),
        (
            &["track", "article", "--type", "a b", "--key", "id"],
            2,
            "resource type `a b` contains ' '",
        ),
        (&["untrack", "article"], 3, "public.article is not tracked"),
        (
            &["track", "article", "--type", "t", "--key", "id", "--actor", "ann"],
            2,
            "`ann` is not of the form TYPE:ID",
        ),
    ] {
        let ended = gesta.run(args).expect_code(code, args);
        assert!(ended.stderr.contains(told), "{args:?}: {}", ended.stderr);
    }
    let app = Gesta::at(&db.url("gesta_app"));
    let ended = app.run(&TRACK).expect_code(4, &TRACK);
    assert!(ended.stderr.contains("permission denied"), "{}", ended.stderr);
}

#[tokio::test]
async fn doctor_and_list_tell_what_needs_attention() {
    let (db, gesta) = with_article().await;
    gesta.ok(&TRACK);
    let doctor = || {
        let checks = json_lines(&gesta.run(&["doctor"]).stdout);
        let mut found = checks.into_iter().filter(|check| check["check"] == "tracked");
        let check = found.next().expect("a check");
        (check["state"].as_str().expect("a state").to_owned(), check["found"].to_string())
    };
    assert_eq!(doctor().0, "ok");
    let admin = db.admin().await;
    admin.batch_execute("ALTER TABLE article ADD more text").await.expect("altered");
    assert_eq!(doctor().0, "warn");
    assert_eq!(
        gesta.lines(&["tracked"])[0]["states"],
        serde_json::json!([{"state": "shape_changed"}])
    );
    admin.batch_execute("ALTER TABLE article DISABLE TRIGGER ALL").await.expect("disabled");
    let (state, found) = doctor();
    assert!(
        state == "fail" && found.contains("public.article: triggers are off or gone"),
        "{found}"
    );
    let ended = gesta.run(&TRACK).expect_code(0, &TRACK);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    admin.batch_execute("ALTER TABLE article OWNER TO gesta_app").await.expect("given away");
    let ended = gesta.run(&TRACK).expect_code(0, &TRACK);
    assert!(
        ended.stderr.contains("warning: its owner gesta_app is an application's role"),
        "{}",
        ended.stderr
    );
}
