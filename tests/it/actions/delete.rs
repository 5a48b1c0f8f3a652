//! Deleting what is selected: B38 to B48 of the conformance list, as far as they are not about pages.

use gesta::Context;
use gesta::definition::{Consequence, Consequences, Fate, Impact, TypeSpec, built_in};
use gesta::track::Tracking;

use super::rig::{Desk, asker};
use crate::support::check_log;

const DELETE: (&str, &str) = ("article", "delete");

fn short(found: &Consequences) -> Vec<String> {
    let line = |it: &Consequence| {
        let rows = it.rows.map_or("?".to_owned(), |rows| rows.to_string());
        let impact = match it.impact {
            Impact::Deleted => "deleted",
            Impact::Emptied => "emptied",
            Impact::Forbidding => "forbidding",
        };
        let kind = it.kind.as_ref().map_or("-", |kind| kind.as_str());
        let missing = it.missing.as_deref().unwrap_or_default();
        format!("{impact} {} {kind} {rows} {} {missing}", it.table, it.keys.join(","))
            .trim_end()
            .to_owned()
    };
    found.all.iter().map(line).collect()
}

fn skipped() -> Fate {
    Fate::Skipped("it is no longer there".to_owned())
}

/// Cases 43 and 44: each deletion is an action with what the row was, and all of them are one INSERT; what is not there
/// is skipped without a word in the log.
#[tokio::test]
async fn deleted_rows_are_recorded_with_what_they_were_in_one_insert() {
    let desk = Desk::new().await;
    desk.sql(
        "CREATE TABLE public.inserts (n integer);
         CREATE FUNCTION public.count_insert() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN INSERT INTO public.inserts VALUES (1); RETURN NULL; END $$;
         CREATE TRIGGER counting AFTER INSERT ON gesta.action FOR EACH STATEMENT EXECUTE FUNCTION public.count_insert()",
    )
    .await;
    let alice = asker(&["article.delete", "comment.delete"]);
    let told = desk.piece(DELETE, &["3", "1", "9"], serde_json::json!({}), &alice).await;
    assert_eq!(told.expect("deleted").0, [Fate::Done, Fate::Done, skipped()]);
    let mut log = desk.log("delete").await;
    log.sort();
    let objects = |log: &[String]| -> Vec<String> {
        log.iter().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect()
    };
    assert_eq!(objects(&log), ["article:1", "article:3", "comment:1", "comment:2", "comment:3"]);
    let wanted = r#"run comment:2 {"id": [2, null], "body": ["no, second", null], "answers": [1, null], "article": [1, null]}"#;
    assert_eq!(log[3], wanted);
    let wanted = r#"run article:1 the article 1 {"id": [1, null], "state": ["draft", null], "title": ["Article 1", null], "section": [1, null]}"#;
    assert_eq!(log[0], wanted);
    assert_eq!(desk.texts("SELECT count(*)::text FROM public.inserts").await, ["1"]);
    assert_eq!(desk.texts("SELECT id::text FROM newsroom.article").await, ["2"]);
    assert_eq!(desk.texts("SELECT count(*)::text FROM newsroom.comment").await, ["0"]);
    let again = desk.piece(DELETE, &["3", "1"], serde_json::json!({}), &alice).await;
    assert_eq!(again.expect("nothing to do").0, [skipped(), skipped()]);
    assert_eq!(desk.log("delete").await.len(), 5);
    check_log(&desk.db).await;
}

/// Case 43: what goes with it is recorded as well, and what loses its reference: as objects where it is of a type, and else by
/// its table and key, without a value, for auditors. What a trigger records is not recorded twice.
#[tokio::test]
async fn rows_that_go_with_an_object_are_recorded_whatever_table_they_are_in() {
    let desk = Desk::new().await;
    desk.sql(
        "CREATE TABLE newsroom.\"Pin\" (id integer, list text, secret text, article bigint REFERENCES newsroom.article ON DELETE CASCADE,
             PRIMARY KEY (id, list));
         CREATE TABLE newsroom.draft (id integer PRIMARY KEY, word text, section bigint DEFAULT 2
             REFERENCES newsroom.section ON DELETE SET DEFAULT);
         CREATE TABLE newsroom.tag (article bigint REFERENCES newsroom.article ON DELETE CASCADE);
         CREATE TABLE newsroom.seen (id integer PRIMARY KEY, article bigint REFERENCES newsroom.article ON DELETE CASCADE);
         GRANT ALL ON newsroom.\"Pin\", newsroom.draft, newsroom.tag, newsroom.seen TO gesta_app;
         INSERT INTO newsroom.section VALUES (2, 'Land');
         INSERT INTO newsroom.\"Pin\" VALUES (7, 'a', 'hush', 1), (7, 'b', 'hush', 1), (8, 'a', 'hush', 2);
         INSERT INTO newsroom.draft VALUES (1, 'hush', 1);
         INSERT INTO newsroom.tag VALUES (1), (1); INSERT INTO newsroom.seen VALUES (5, 1)",
    )
    .await;
    track(&desk, "newsroom.seen", "seen").await;
    let all = asker(&["*"]);
    let found = desk.consequences("article", &["1"], &all).await;
    let recorded: Vec<_> = found.all.iter().map(|it| (it.table.as_str(), it.is_recorded)).collect();
    let wanted = [
        ("newsroom.Pin", true),
        ("newsroom.comment", true),
        ("newsroom.seen", true),
        ("newsroom.tag", false),
    ];
    assert_eq!(recorded, wanted);
    let untold = "2 rows of newsroom.tag would be deleted too, of which nothing would be recorded";
    assert!(found.sentences().iter().any(|it| it == untold), "{:?}", found.sentences());
    let told = desk.piece(DELETE, &["1"], serde_json::json!({}), &all).await.expect("deleted");
    assert_eq!(told.0, [Fate::Done]);
    let said = "nothing is recorded of the 2 rows of newsroom.tag that went with it; `gesta track newsroom.tag` would see to that";
    assert_eq!(told.1.iter().map(|it| it.text.as_str()).collect::<Vec<_>>(), [said]);
    let sql = "SELECT concat_ws(' ', source, object_type, object_id, audience::text, changes IS NULL) FROM gesta.action
        WHERE verb = 'delete' AND object_type <> 'comment' ORDER BY 1";
    let wanted = [
        "run article 1 {public} f",
        "run newsroom.Pin [7, \"a\"] {} t",
        "run newsroom.Pin [7, \"b\"] {} t",
        "trigger seen 5 {public} f",
    ];
    assert_eq!(desk.texts(sql).await, wanted);
    assert_eq!(desk.log("delete").await.len(), 4 + 3);

    let told = desk.piece(("section", "delete"), &["1"], serde_json::json!({}), &all).await;
    assert_eq!(told.expect("deleted"), (vec![Fate::Done], Vec::new()));
    let mut log = desk.log("update").await;
    log.sort();
    let wanted = [
        r#"run article:2 {"section": [1, null]}"#,
        r#"run article:3 {"section": [1, null]}"#,
        r#"run newsroom.draft:1 {"section": [1, 2]}"#,
    ];
    assert_eq!(log, wanted);
    let rows = "SELECT concat_ws(' ', 'article', id, section) FROM newsroom.article
        UNION ALL SELECT concat_ws(' ', 'draft', id, section) FROM newsroom.draft ORDER BY 1";
    assert_eq!(desk.texts(rows).await, ["article 2", "article 3", "draft 1 2"]);
    check_log(&desk.db).await;
}

/// Rows may refer to each other in a circle, and secrets stay secrets wherever they go.
#[tokio::test]
async fn circles_are_recorded_once_and_hidden_columns_stay_hidden() {
    let comment = TypeSpec::new("comment", "comment", "comments").table("newsroom.comment", "id");
    let article = TypeSpec::new("article", "article", "articles").table("newsroom.article", "id");
    let builder = gesta::definition::Catalog::builder()
        .resource(comment.hidden(&["body"]).name_column("id"))
        .resource(article.hidden(&["section"]))
        .resource(TypeSpec::new("section", "section", "sections").table("newsroom.section", "id"))
        .site(built_in::delete());
    let desk = Desk::with(builder.build().expect("a catalog")).await;
    desk.sql("UPDATE newsroom.comment SET answers = 3 WHERE id = 1").await;
    let all = asker(&["*"]);
    assert_eq!(desk.fates(("comment", "delete"), &["2"], &all).await[0].1, Fate::Done);
    let log = desk.log("delete").await;
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(log.iter().all(|line| line.contains(r#""body": ["***", null]"#)), "{log:?}");
    assert!(log.iter().any(|line| line.starts_with("run comment:1 1 {")), "{log:?}");
    assert_eq!(desk.fates(("section", "delete"), &["1"], &all).await[0].1, Fate::Done);
    let log = desk.log("update").await;
    assert!(log.iter().all(|line| line.ends_with(r#"{"section": ["***", "***"]}"#)), "{log:?}");
    check_log(&desk.db).await;
}

/// What a deletion that fails would have taken with it is not recorded.
#[tokio::test]
async fn nothing_is_recorded_of_what_did_not_go() {
    let desk = Desk::new().await;
    desk.sql("INSERT INTO newsroom.comment VALUES (9, 2, NULL, 'x')").await;
    let fates = desk.fates(DELETE, &["2"], &asker(&["*"])).await;
    assert!(matches!(fates[0].1, Fate::Failed(_)), "{fates:?}");
    assert_eq!(desk.log("delete").await, [""; 0]);
}

/// Case 45: no code of a model is asked, the database's triggers are; a type whose model is to be asked has a `delete` of its
/// own, in the place of the one that is built in.
#[tokio::test]
async fn type_whose_model_is_to_be_asked_has_a_deletion_of_its_own() {
    let section = || TypeSpec::model::<Section>("section", "section", "sections");
    let built_in =
        gesta::definition::Catalog::builder().resource(section()).site(built_in::delete());
    let own = gesta::definition::Definition::new("delete", "Close this {name}", Close);
    let own = gesta::definition::Catalog::builder()
        .resource(section())
        .site(built_in::delete())
        .on("section", own.permissions(&["section.delete"]));
    for (catalog, wanted) in [(built_in, ["delete", "erased"]), (own, ["close", "erased"])] {
        let desk = Desk::with(catalog.build().expect("a catalog")).await;
        desk.sql(
            "CREATE TABLE public.erased (id bigint);
             CREATE FUNCTION public.erase() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
                 $$ BEGIN INSERT INTO public.erased VALUES (OLD.id); RETURN OLD; END $$;
             CREATE TRIGGER erasing BEFORE DELETE ON newsroom.section FOR EACH ROW EXECUTE FUNCTION public.erase()",
        )
        .await;
        let fates = desk.fates(("section", "delete"), &["1"], &asker(&["section.delete"])).await;
        assert_eq!(fates[0].1, Fate::Done);
        let sql = "SELECT verb FROM gesta.action WHERE object_type = 'section'
            UNION ALL SELECT 'erased' FROM public.erased";
        assert_eq!(desk.texts(sql).await, wanted);
    }
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Section {
    id: i64,
    name: String,
}

impl gesta::Resource for Section {
    fn resource(&self) -> gesta::ResourceRef {
        crate::support::resource(&format!("section:{}", self.id))
    }
}

impl gesta::Model for Section {
    const TABLE: &'static str = "newsroom.section";
    const KEY: &'static str = "id";
}

impl gesta::Hook for Section {
    fn on_save(change: gesta::Change<'_, Self>, emit: &mut gesta::Emitter<'_>) {
        if let gesta::Change::Deleted(section) = change {
            emit.action("close", section);
        }
    }
}

struct Close;

impl gesta::definition::Operation for Close {
    type Input = ();

    async fn run(
        &self,
        piece: &mut gesta::definition::Piece<'_, '_>,
        (): &(),
    ) -> Result<(), gesta::definition::Fault> {
        let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
        piece.session().delete::<Section>(gesta::session::Selection::ids(ids)).await?;
        Ok(())
    }
}

async fn track(desk: &Desk, table: &str, kind: &str) {
    let store = desk.db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let tracking = Tracking::new(table, kind.parse().expect("a type"), ["id"]);
    let ctx = Context::system("operator").expect("a name");
    store.track(&tx, &ctx, &tracking).await.expect("tracked");
    tx.commit().await.expect("committed");
}

/// Secrets are neither recorded nor exported.
#[tokio::test]
async fn hidden_columns_are_told_to_nobody() {
    let article = TypeSpec::new("article", "article", "articles").table("newsroom.article", "id");
    let article = article.hidden(&["title", "note"]);
    let builder = gesta::definition::Catalog::builder().resource(article).site(built_in::delete());
    let desk = Desk::with(builder.build().expect("a catalog")).await;
    assert_eq!(desk.fates(DELETE, &["3"], &asker(&["*"])).await, [("3".to_owned(), Fate::Done)]);
    let log = desk.log("delete").await;
    assert!(log[0].contains(r#""title": ["***", null]"#) && !log[0].contains("note"), "{log:?}");
}

/// Case 45.
#[tokio::test]
async fn triggers_of_a_tracked_table_record_the_deletion_and_nothing_else_does() {
    let desk = Desk::new().await;
    track(&desk, "newsroom.article", "article").await;
    let told = desk.fates(DELETE, &["3"], &asker(&["article.delete", "comment.delete"])).await;
    assert_eq!(told, [("3".to_owned(), Fate::Done)]);
    let log = desk.log("delete").await;
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].starts_with("trigger article:3 "), "{log:?}");
    let sql =
        "SELECT actor_type || ':' || actor_id || ' ' || (context->>'reason') FROM gesta.action
               WHERE verb = 'delete'";
    assert_eq!(desk.texts(sql).await, ["user:42 spring cleaning"]);
}

/// Cases 39, 40 and 46: what goes with it is counted through all levels, and a few keys of what forbids it are named.
#[tokio::test]
async fn consequences_are_counted_by_table_through_all_levels() {
    let desk = Desk::new().await;
    let all = asker(&["*"]);
    let found = desk.consequences("article", &["1", "2", "3"], &all).await;
    let wanted = ["deleted newsroom.comment comment 3", "forbidding newsroom.newsletter - 2 70,71"];
    assert_eq!((short(&found), found.is_whole), (wanted.map(str::to_owned).to_vec(), true));
    let found = desk.consequences("section", &["1"], &all).await;
    assert_eq!(short(&found), ["emptied newsroom.article article 3"]);
    let found = desk.consequences("comment", &["2", "3"], &all).await;
    assert_eq!(short(&found), [""; 0], "the third goes with the second, and is selected itself");
    let found = desk.consequences("comment", &["1", "9"], &all).await;
    assert_eq!(short(&found), ["deleted newsroom.comment comment 2"]);
    desk.sql("INSERT INTO newsroom.newsletter SELECT n, 2 FROM generate_series(100, 119) AS n")
        .await;
    let found = desk.consequences("article", &["2"], &all).await;
    assert_eq!(short(&found), ["forbidding newsroom.newsletter - 22 100,101,102,103,104"]);
    assert_eq!(found.all[0].keys.len(), built_in::KEYS_MAX);
    assert_eq!(desk.log("delete").await, [""; 0], "it changes nothing");
}

#[tokio::test]
async fn what_goes_as_well_forbids_nothing_unless_it_restricts() {
    let desk = Desk::new().await;
    desk.sql(
        "CREATE TABLE newsroom.pin (id integer PRIMARY KEY, comment bigint REFERENCES newsroom.comment,
             article bigint REFERENCES newsroom.article ON DELETE CASCADE);
         CREATE TABLE newsroom.lock (id integer PRIMARY KEY, comment bigint REFERENCES newsroom.comment ON DELETE RESTRICT,
             article bigint REFERENCES newsroom.article ON DELETE CASCADE);
         GRANT ALL ON newsroom.pin, newsroom.lock TO gesta_app;
         INSERT INTO newsroom.pin VALUES (1, 1, 1); INSERT INTO newsroom.lock VALUES (1, 3, 1)",
    )
    .await;
    let found = desk.consequences("article", &["1"], &asker(&["*"])).await;
    let wanted = [
        "deleted newsroom.comment comment 3",
        "deleted newsroom.lock - 1",
        "deleted newsroom.pin - 1",
        "forbidding newsroom.lock - 1 1",
    ];
    assert_eq!(short(&found), wanted);
}

/// A chain of answers that is longer than what is followed, and more rows than are counted.
#[tokio::test]
async fn what_is_too_deep_or_too_many_is_told_as_the_least() {
    let desk = Desk::new().await;
    let depth = built_in::DEPTH_MAX;
    desk.sql(&format!(
        "INSERT INTO newsroom.comment SELECT n, 3, nullif(n - 1, 999), 'x' FROM generate_series(1000, {}) AS n",
        1000 + depth + 20
    ))
    .await;
    let found = desk.consequences("comment", &["1000"], &asker(&["*"])).await;
    assert_eq!(short(&found), [format!("deleted newsroom.comment comment {depth}")]);
    assert!(!found.is_whole);
    let rows = built_in::ROWS_MAX;
    desk.sql(&format!(
        "INSERT INTO newsroom.comment SELECT n, 2, NULL, 'x' FROM generate_series(10000, {}) AS n",
        10_000 + rows + 5_000
    ))
    .await;
    let found = desk.consequences("article", &["2"], &asker(&["*"])).await;
    assert!(!found.is_whole);
    let counted = found.all.iter().map(|it| it.rows.unwrap_or_default()).sum::<u64>();
    assert!(counted >= rows as u64, "{counted}");
}

/// Case 41: types that go with it and that the asker may not delete are named before, and refused when it runs all the
/// same.
#[tokio::test]
async fn types_that_may_not_be_deleted_do_not_go_with_others() {
    let desk = Desk::new().await;
    let alice = asker(&["article.delete"]);
    let found = desk.consequences("article", &["1", "3"], &alice).await;
    assert_eq!(short(&found), ["deleted newsroom.comment comment 3  comment.delete"]);
    let told = "this would delete too: 3 of newsroom.comment, for which you need `comment.delete`";
    assert_eq!(found.refusal().as_deref(), Some(told));
    let fates = desk.fates(DELETE, &["1", "3"], &alice).await;
    let denied = Fate::Denied(told.to_owned());
    assert_eq!(fates, [("1".to_owned(), denied), ("3".to_owned(), Fate::Done)]);
    assert_eq!(desk.texts("SELECT id::text FROM newsroom.article ORDER BY 1").await, ["1", "2"]);
    assert_eq!(desk.texts("SELECT count(*)::text FROM newsroom.comment").await, ["3"]);
    assert_eq!(desk.consequences("article", &["1"], &asker(&["*"])).await.refusal(), None);
}

/// Case 42: what others refer to is not deleted, and nothing else of it either; the other objects are.
#[tokio::test]
async fn what_references_forbid_fails_by_itself() {
    let desk = Desk::new().await;
    desk.sql(
        "CREATE TABLE newsroom.prize (id integer PRIMARY KEY, article bigint
             REFERENCES newsroom.article DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO newsroom.prize VALUES (1, 1)",
    )
    .await;
    let fates = desk.fates(DELETE, &["1", "2", "3"], &asker(&["*"])).await;
    let wanted = [("it breaks a rule", "prize"), ("failed to delete the rows: ", "newsletter")];
    for (fate, (why, table)) in fates.iter().zip(wanted) {
        let Fate::Failed(told) = &fate.1 else { panic!("{fates:?}") };
        assert!(told.starts_with(why) && told.contains(table), "{told}");
    }
    assert_eq!(fates[2], ("3".to_owned(), Fate::Done));
    assert_eq!(desk.texts("SELECT id::text FROM newsroom.article ORDER BY 1").await, ["1", "2"]);
    assert_eq!(desk.texts("SELECT count(*)::text FROM newsroom.comment").await, ["3"]);
    assert_eq!(desk.log("delete").await.len(), 1);
    // What this role cannot read it cannot count.
    let found = desk.consequences("article", &["3"], &asker(&["*"])).await;
    assert_eq!(short(&found), [""; 0], "nothing is there any more");
    let found = desk.consequences("article", &["2"], &asker(&["*"])).await;
    let wanted = ["forbidding newsroom.newsletter - 2 70,71", "forbidding newsroom.prize - ?"];
    assert_eq!((short(&found), found.is_whole), (wanted.map(str::to_owned).to_vec(), false));
}

/// Where rows are hidden from this role, nobody can say that nothing of a forbidden type goes.
#[tokio::test]
async fn what_cannot_be_seen_is_not_deleted_without_the_permission() {
    let desk = Desk::new().await;
    desk.sql("REVOKE SELECT ON newsroom.comment FROM gesta_app").await;
    let fates = desk.fates(DELETE, &["3"], &asker(&["article.delete"])).await;
    let told =
        "this would delete too: rows of newsroom.comment, for which you need `comment.delete`";
    assert_eq!(fates, [("3".to_owned(), Fate::Denied(told.to_owned()))]);
    let fates = desk.fates(DELETE, &["3"], &asker(&["article.delete", "comment.delete"])).await;
    assert_eq!(fates, [("3".to_owned(), Fate::Done)]);
}

/// Names go into statements as names, whatever they are, and ids as values.
#[tokio::test]
async fn hostile_names_and_ids_are_names_and_ids() {
    let odd =
        TypeSpec::new("odd", "odd", "odds").table("o\"dd.a'b\"; DROP TABLE x --", "K\"ey {table}");
    let catalog = gesta::definition::Catalog::builder().resource(odd).site(built_in::delete());
    let desk = Desk::with(catalog.build().expect("a catalog")).await;
    desk.sql(
        "CREATE SCHEMA \"o\"\"dd\"; CREATE TABLE \"o\"\"dd\".\"a'b\"\"; DROP TABLE x --\" (\"K\"\"ey {table}\" text PRIMARY KEY);
         CREATE TABLE \"o\"\"dd\".child (\"1\" text PRIMARY KEY, \"p {child}\" text
             REFERENCES \"o\"\"dd\".\"a'b\"\"; DROP TABLE x --\" ON DELETE CASCADE);
         GRANT USAGE ON SCHEMA \"o\"\"dd\" TO gesta_app; GRANT ALL ON ALL TABLES IN SCHEMA \"o\"\"dd\" TO gesta_app;
         INSERT INTO \"o\"\"dd\".\"a'b\"\"; DROP TABLE x --\" VALUES ('x'' OR true --'), ('y');
         INSERT INTO \"o\"\"dd\".child VALUES ('1', 'x'' OR true --'), ('2', 'y')",
    )
    .await;
    let ids = ["x' OR true --", "{key}", "\u{202e}"];
    let found = desk.consequences("odd", &ids, &asker(&["*"])).await;
    assert_eq!(short(&found), ["deleted o\"dd.child - 1"]);
    let fates = desk.fates(("odd", "delete"), &ids, &asker(&["*"])).await;
    let fates: Vec<_> = fates.into_iter().map(|(_, fate)| fate).collect();
    assert_eq!(fates, [Fate::Done, skipped(), skipped()]);
    assert_eq!(desk.texts("SELECT \"1\" FROM \"o\"\"dd\".child").await, ["2"]);
    check_log(&desk.db).await;
}

/// An id that is none of the key's type fails by itself.
#[tokio::test]
async fn ids_of_another_type_fail_and_the_others_are_deleted() {
    let desk = Desk::new().await;
    let fates = desk.fates(DELETE, &["3", "three"], &asker(&["*"])).await;
    assert_eq!(fates[0], ("3".to_owned(), Fate::Done));
    assert!(
        matches!(&fates[1].1, Fate::Failed(told) if told.contains("SQLSTATE 22P02")),
        "{fates:?}"
    );
    assert!(!format!("{fates:?}").contains("type bigint"), "{fates:?}");
}

/// A foreign key may name a table or one of its partitions, and so may a type.
#[tokio::test]
async fn references_are_followed_to_and_from_partitions() {
    let page = |name: &str, table: &str| TypeSpec::new(name, name, name).table(table, "id");
    let builder = gesta::definition::Catalog::builder()
        .resource(page("page", "newsroom.page"))
        .resource(page("early", "newsroom.page_early"))
        .site(built_in::delete());
    let desk = Desk::with(builder.build().expect("a catalog")).await;
    desk.sql(
        "CREATE TABLE newsroom.page (id bigint PRIMARY KEY, code text NOT NULL) PARTITION BY RANGE (id);
        CREATE TABLE newsroom.page_early PARTITION OF newsroom.page FOR VALUES FROM (0) TO (100);
        CREATE TABLE newsroom.page_late PARTITION OF newsroom.page FOR VALUES FROM (100) TO (200);
        CREATE UNIQUE INDEX ON newsroom.page_early (code);
        CREATE TABLE newsroom.note (id bigint PRIMARY KEY, page bigint REFERENCES newsroom.page ON DELETE CASCADE)
            PARTITION BY RANGE (id);
        CREATE TABLE newsroom.note_all PARTITION OF newsroom.note DEFAULT;
        CREATE TABLE newsroom.mark (id bigint PRIMARY KEY, code text REFERENCES newsroom.page_early (code) ON DELETE CASCADE);
        GRANT ALL ON ALL TABLES IN SCHEMA newsroom TO gesta_app;
        INSERT INTO newsroom.page VALUES (1, 'x'), (101, 'x');
        INSERT INTO newsroom.note VALUES (11, 1), (12, 101);
        INSERT INTO newsroom.mark VALUES (21, 'x')",
    )
    .await;
    let all = asker(&["*"]);
    let both = ["deleted newsroom.mark - 1", "deleted newsroom.note - 1"];
    assert_eq!(short(&desk.consequences("page", &["1"], &all).await), both);
    assert_eq!(short(&desk.consequences("early", &["1"], &all).await), both);
    let late = desk.consequences("page", &["101"], &all).await;
    assert_eq!(short(&late), ["deleted newsroom.note - 1"], "another page has the mark");
    for kind in ["early", "page"] {
        let ids: &[&str] = if kind == "early" { &["1"] } else { &["101"] };
        let told = desk.piece((kind, "delete"), ids, serde_json::json!({}), &all).await;
        assert_eq!(told.expect("deleted").0, [Fate::Done]);
    }
    let objects =
        "SELECT object_type || ':' || object_id FROM gesta.action WHERE verb = 'delete' ORDER BY 1";
    let wanted =
        ["early:1", "newsroom.mark:21", "newsroom.note:11", "newsroom.note:12", "page:101"];
    assert_eq!(desk.texts(objects).await, wanted);
    check_log(&desk.db).await;
}
