//! Statements of a file: the sample's newsroom, and what a statement may return.

use gesta::definition::file::{Nats, Outside, Sql, read};
use gesta::definition::{Catalog, Definition, Fate, TypeSpec};
use serde_json::json;

use super::rig::{Desk, asker};
use crate::support::tools::example;
use crate::support::{check_log, nats};

/// The catalog of the sample file.
pub(super) async fn sample() -> Catalog {
    let text = std::fs::read_to_string(example("actions/actions.toml")).expect("the sample");
    let outside = Outside { variable: &|_| None, nats: Nats::At(nats().await.client.clone()) };
    read("actions.toml", &text, &outside).unwrap_or_else(|error| panic!("{error}"))
}

fn skipped(why: &str) -> Fate {
    Fate::Skipped(why.to_owned())
}

#[tokio::test]
async fn sample_newsroom_publishes_and_withdraws() {
    let desk = Desk::with(sample().await).await;
    let alice = asker(&["article.publish"]);
    let publish = ("article", "publish");
    let told = desk.piece(publish, &["1", "2"], json!({}), &alice).await.expect("published");
    assert_eq!(told.0, [Fate::Done, Fate::Done]);
    let told = desk.piece(publish, &["2", "9"], json!({}), &alice).await.expect("nothing to do");
    assert_eq!(told.0, [skipped("nothing was to be done"), skipped("nothing was to be done")]);
    let withdraw = ("article", "unpublish");
    let note = json!({ "note": "it's \"wrong\"; DROP TABLE x" });
    let told = desk.piece(withdraw, &["1", "3"], note, &alice).await.expect("withdrawn");
    assert_eq!(told.0, [Fate::Done, Fate::Failed("it was never public".to_owned())]);
    let told = desk.piece(withdraw, &["1"], json!({}), &alice).await.expect("nothing to do");
    assert_eq!(told.0, [skipped("it is withdrawn already")]);
    let rows = "SELECT concat_ws(' ', id, state, note) FROM newsroom.article ORDER BY id";
    let wanted = ["1 withdrawn it's \"wrong\"; DROP TABLE x", "2 published", "3 draft"];
    assert_eq!(desk.texts(rows).await, wanted);
    let undo = |name| {
        let kind = "article".parse().expect("a type");
        let offers = desk.catalog.find(&asker(&["*"]), &kind, name).expect("there");
        offers.undo().map(str::to_owned)
    };
    assert_eq!(
        [undo("publish"), undo("unpublish")],
        ["unpublish", "publish"].map(|it| Some(it.to_owned()))
    );
    check_log(&desk.db).await;
}

/// Each statement, and what becomes of the articles 1 and 2, or what is wrong.
#[tokio::test]
async fn statements_say_what_became_of_objects_or_that_they_are_wrong() {
    let article = TypeSpec::new("article", "article", "articles").table("newsroom.article", "id");
    let cases = [
        (
            "SELECT 1 WHERE false",
            vec![skipped("nothing was to be done"), skipped("nothing was to be done")],
        ),
        ("UPDATE newsroom.article SET note = $2->>'a'", vec![Fate::Done, Fate::Done]),
        (
            "SELECT k FROM unnest($1) AS k WHERE k = '2'",
            vec![skipped("nothing was to be done"), Fate::Done],
        ),
        ("SELECT 2::smallint", vec![skipped("nothing was to be done"), Fate::Done]),
        (
            "VALUES (1, 'denied', 'no'), (2, 'failed', NULL)",
            vec![Fate::Denied("no".into()), Fate::Failed(String::new())],
        ),
    ];
    let wrong = [
        ("SELECT 3", "the statement returns the id of an object that it was not given: `3`"),
        ("SELECT NULL::text", "the statement returns a null as an id"),
        ("SELECT 1, 2", "the statement returns (int4, int4); return nothing, the ids, or"),
        ("SELECT 1, 'ok', ''", "the statement returns the outcome `ok`; there are `done`"),
        ("SELECT 1; SELECT 2", "the statement failed: cannot insert multiple commands"),
        ("SELECT count(*) / 0 FROM newsroom.article", "the statement failed: division by zero"),
        ("SELECT 'x'::integer", "the statement failed: a value cannot be read as its type"),
    ];
    let statements = cases.iter().map(|it| it.0).chain(wrong.iter().map(|it| it.0));
    let named = statements.enumerate().map(|(n, sql)| (format!("s{n}"), sql));
    let builder = named.fold(Catalog::builder().resource(article), |builder, (name, sql)| {
        builder.on("article", Definition::new(&name, "Try", Sql::new(sql)))
    });
    let desk = Desk::with(builder.build().expect("a catalog")).await;
    let tried = async |n: usize| {
        let name = format!("s{n}");
        desk.piece(("article", &name), &["1", "2"], json!({}), &asker(&[])).await
    };
    for (n, (sql, wanted)) in cases.iter().enumerate() {
        match tried(n).await {
            Ok((fates, _)) => assert_eq!(&fates, wanted, "{sql}"),
            Err(fault) => panic!("{sql}: {}", gesta::error::chain(&fault)),
        }
    }
    for (n, (sql, wanted)) in wrong.iter().enumerate() {
        let fault = tried(cases.len() + n).await.expect_err(sql);
        let told = gesta::error::chain(&fault);
        assert!(told.starts_with(wanted), "{told}\n{sql}");
    }
}
