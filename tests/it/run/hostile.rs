//! Hostile input, hostile roles: nothing is interpolated, and no tenant gets at another one's runs.

use gesta::definition::{Catalog, Definition, Rights, TypeSpec};
use gesta::hook::Rule;
use gesta::run::{Filter, RunError, Runs, Which};
use gesta::{Model, Resource, ResourceRef};
use serde::{Deserialize, Serialize};

use super::press::{Publish, article, asker, definitions, editor, ids, press, press_with};
use crate::support::resource;

/// Names of tables and columns come from the catalog; whatever they are, they are names.
#[tokio::test]
async fn names_are_never_more_than_names() {
    let press = press(1).await;
    press.sql("CREATE TABLE press.\"a\"\"; DROP TABLE press.article --\" (\"i\"\"d\" text PRIMARY KEY, \"$3\" text);
        INSERT INTO press.\"a\"\"; DROP TABLE press.article --\" VALUES ('$1''; --', 'x');
        GRANT ALL ON ALL TABLES IN SCHEMA press TO gesta_app").await;
    let spec =
        TypeSpec::new("odd", "odd", "odds").table("press.a\"; DROP TABLE press.article --", "i\"d");
    let catalog = Catalog::builder()
        .resource(spec.name_column("$3"))
        .on("odd", Definition::new("publish", "Publish", Publish))
        .build()
        .expect("a catalog");
    let runs = Runs::new(&press.store, catalog);
    let odd = "odd".parse().expect("a type");
    let somebody = asker("user:1", Rights::all());
    let filter = Filter::all().is("$3", "x").is("i\"d", "$1'; --");
    let made = runs.select(&somebody, &odd, Which::Rows(filter), None).await.expect("selected");
    assert_eq!(made.total, 1);
    let filter = Filter::all().is("i\"d\" = '' OR true --", "x");
    let error =
        runs.select(&somebody, &odd, Which::Rows(filter), None).await.expect_err("no column");
    assert!(matches!(error, RunError::Filter(_)), "{error}");
    assert_eq!(press.number("SELECT count(*) FROM press.article").await, 1);
}

#[tokio::test]
async fn catalog_that_does_not_fit_the_database_is_told() {
    let wrong =
        |kind: &str, table: &str, key: &str| TypeSpec::new(kind, kind, kind).table(table, key);
    let publish = || Definition::new("publish", "Publish", Publish);
    let definitions = definitions()
        .resource(wrong("a", "press.nothing", "id"))
        .resource(wrong("b", "press.article", "nothing"))
        .resource(wrong("c", "press.article", "id").name_column("nothing"))
        .on("a", publish())
        .on("b", publish())
        .on("c", publish());
    let press = press_with(1, definitions).await;
    for (kind, part) in [
        ("a", "there is no table `press.nothing`, or this role does not see it"),
        ("b", "its key `nothing` is no column of `press.article`"),
        ("c", "column t.nothing does not exist"),
    ] {
        let kind = kind.parse().expect("a type");
        let error = press.runs.select(&editor(), &kind, Which::Rows(Filter::all()), None).await;
        let text = error.expect_err(part).to_string();
        assert!(text.contains(part), "{text}");
    }
}

/// The application's role reads and writes runs of the tenant that it says it is, and nothing else of them.
#[tokio::test]
async fn roles_get_at_nothing_that_is_not_theirs() {
    let press = press(3).await;
    press.sql("UPDATE press.article SET title = 'secret' WHERE id = 2").await;
    let run = press.publish([1, 2]).await;
    let app = press.db.connect("gesta_app").await;
    let tables = ["selection", "selected", "run", "run_item", "run_message", "run_archive"];
    app.batch_execute("SET gesta.tenant = 'other'").await.expect("set");
    for table in tables {
        let sql = format!("SELECT count(*) FROM gesta.{table}");
        assert_eq!(app.query_one(&sql, &[]).await.expect("read").get::<_, i64>(0), 0, "{table}");
        let error = app.batch_execute(&format!("DELETE FROM gesta.{table}")).await;
        assert_eq!(
            error.expect_err("not allowed").code().expect("a code").code(),
            "42501",
            "{table}"
        );
    }
    app.batch_execute("SET gesta.tenant = 'default'").await.expect("set");
    for sql in [
        "UPDATE gesta.run_item SET outcome = 'done'",
        "UPDATE gesta.run SET actor_id = '2'",
        "UPDATE gesta.run SET input = '{}'",
        "UPDATE gesta.selected SET object_id = '3'",
        "UPDATE gesta.run_message SET content = ''",
    ] {
        let error = app.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code().expect("a code").code(), "42501", "{sql}");
    }
    let moved = app
        .batch_execute("INSERT INTO gesta.selected VALUES ('other', gen_random_uuid(), 0, '1')")
        .await;
    assert_eq!(moved.expect_err("another tenant").code().expect("a code").code(), "42501");
    let auditor = press.db.connect("gesta_auditor").await;
    for (table, rows) in [("run", 1), ("run_item", 2), ("run_message", 1)] {
        let sql = format!("SELECT count(*) FROM gesta.{table}");
        assert_eq!(
            auditor.query_one(&sql, &[]).await.expect("read").get::<_, i64>(0),
            rows,
            "{table}"
        );
    }
    assert!(
        auditor.batch_execute("SELECT gesta.claim_run(gen_random_uuid(), '1 s')").await.is_err()
    );
    assert_eq!(run.counts.done, 1);
}

#[tokio::test]
async fn more_than_a_selection_holds_is_refused_and_leaves_nothing() {
    let press = press(1).await;
    let many = ids(0..=1_000_000);
    let error = press.runs.select(&editor(), &article(), Which::Ids(many), None).await;
    assert!(matches!(error, Err(RunError::TooMany)), "{error:?}");
    press.sql("INSERT INTO press.article (id, title) SELECT n, 'x' FROM generate_series(2, 1000001) AS n").await;
    let error = press.select(Which::Rows(Filter::all())).await.expect_err("too many");
    assert_eq!(error.to_string(), "more than 1000000 objects are selected; narrow the filter");
    assert_eq!(press.number("SELECT count(*) FROM gesta.selected").await, 0);
    press.sql("DELETE FROM press.article WHERE id = 7").await;
    let made = press.select(Which::Rows(Filter::all())).await.expect("a million");
    assert_eq!(made.total, 1_000_000);
}

/// What a model masks is not guessed by filters either.
#[tokio::test]
async fn column_that_a_model_masks_cannot_be_filtered_by() {
    let spec = TypeSpec::model::<Note>("note", "note", "notes");
    let publish = Definition::new("publish", "Publish", Publish);
    let press = press_with(1, definitions().resource(spec).on("note", publish)).await;
    let note = "note".parse().expect("a type");
    let filter = |column| Which::Rows(Filter::all().is(column, "article 1"));
    let error = press.runs.select(&editor(), &note, filter("title"), None).await;
    let text = error.expect_err("masked").to_string();
    let known =
        "`title` cannot be filtered by; there are `id`, `state`, `words`, `seen_at`, `edits`";
    assert!(text.ends_with(known), "{text}");
}

/// An article whose title is nobody's business.
#[derive(Serialize, Deserialize)]
struct Note {
    id: i64,
}

impl Resource for Note {
    fn resource(&self) -> ResourceRef {
        resource(&format!("note:{}", self.id))
    }
}

impl Model for Note {
    const TABLE: &'static str = "press.article";
    const KEY: &'static str = "id";
    const RULES: &'static [Rule] = &[Rule::Mask("title")];
}
