//! Bulk operations: one statement, one run, and no row forgotten.

use gesta::session::{FETCH_LEN_MAX, Selection, Written};
use gesta::{Context, Session, StreamQuery};
use serde_json::json;
use uuid::Uuid;

use super::newsroom::{Article, article, done, in_session, line, log, newsroom, value};
use crate::support::{check_log, page, public, resource};

#[tokio::test]
async fn update_of_a_selection_records_each_row_that_changed_and_no_other() {
    let (db, store) = newsroom().await;
    let mut open = article(3, "Three");
    open.state = "open".to_owned();
    let articles = [article(1, "One"), article(2, "Two"), open, article(4, "Four")];
    done(&store, async |session| session.save_all(&articles).await).await;
    let before = log(&db).await.len();
    let written = done(&store, async |session| {
        let first = Selection::matching("id < $1", &[&4_i64]);
        session.update::<Article>(first, &json!({ "state": "open", "words": 5 })).await
    })
    .await;
    assert_eq!(written, Written { updated: 3, actions: 3, run: written.run, ..Written::default() });
    let mut told = log(&db).await.split_off(before);
    told.sort_by_key(|line| line[3].to_string());
    let opened = json!({ "state": ["draft", "open"], "words": [null, 5], "edits": [0, 1] });
    let wanted = [
        line("bulk", "update", "article:1", &opened),
        line("bulk", "update", "article:2", &opened),
        line("bulk", "update", "article:3", &json!({ "words": [null, 5], "edits": [0, 1] })),
    ];
    assert_eq!(told, wanted);
    let run = page(&public(&store), StreamQuery::run(written.run.expect("a run"))).await;
    assert_eq!(run.len(), 3);
    let again = done(&store, async |session| {
        session.update::<Article>(Selection::ids([1, 2]), &json!({ "state": "open" })).await
    })
    .await;
    assert_eq!(again, Written::default(), "rows that have the values already are not touched");
    check_log(&db).await;
}

#[tokio::test]
async fn delete_of_a_selection_records_what_the_rows_were() {
    let (db, store) = newsroom().await;
    done(&store, async |session| {
        session.save_all(&[article(1, "One"), article(2, "Two"), article(3, "Three")]).await
    })
    .await;
    let written =
        done(&store, async |session| session.delete::<Article>(Selection::ids(["2", "9"])).await)
            .await;
    assert_eq!((written.deleted, written.actions), (1, 1));
    let was = json!({
        "id": [2, null], "title": ["Two", null], "state": ["draft", null], "language": ["en", null],
        "edits": [0, null], "slug": ["two", null],
    });
    assert_eq!(log(&db).await[3], line("bulk", "delete", "article:2", &was));
    let rest =
        done(&store, async |session| session.delete::<Article>(Selection::all()).await).await;
    assert_eq!(rest.deleted, 2);
    check_log(&db).await;
}

#[tokio::test]
async fn run_of_the_context_is_the_run_of_all_its_operations() {
    let (db, store) = newsroom().await;
    let run = Uuid::from_u128(7);
    let ctx = Context::new(&resource("user:1")).run(run);
    let mut client = store.client().await.expect("a connection");
    let mut session = Session::begin(&store, &mut client, &ctx).await.expect("begun");
    session.save(&article(1, "One")).await.expect("saved");
    let written =
        session.update::<Article>(Selection::all(), &json!({ "words": 1 })).await.expect("updated");
    assert_eq!(written.run, Some(run));
    session.delete::<Article>(Selection::all()).await.expect("deleted");
    session.commit().await.expect("committed");
    let runs: Vec<Uuid> = value(&db, "SELECT array_agg(DISTINCT run_id) FROM gesta.action").await;
    assert_eq!((runs, log(&db).await.len()), (vec![run], 3));
    check_log(&db).await;
}

/// The rows of a large operation are fetched piece by piece, so the log grows while the operation runs.
#[tokio::test]
async fn large_operation_is_recorded_piece_by_piece() {
    const LEN: i64 = 20_500;
    let (db, store) = newsroom().await;
    let admin = db.admin().await;
    let fill = format!(
        "INSERT INTO newsroom.article (id, title) SELECT n, 'Article ' || n FROM generate_series(1, {LEN}) AS n;
         CREATE TABLE newsroom.piece (len bigint);
         GRANT ALL ON newsroom.piece TO gesta_app;
         CREATE FUNCTION newsroom.count_pieces() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO newsroom.piece SELECT count(*) FROM new_rows; RETURN NULL; END';
         CREATE TRIGGER pieces AFTER INSERT ON gesta.action REFERENCING NEW TABLE AS new_rows
             FOR EACH STATEMENT EXECUTE FUNCTION newsroom.count_pieces()"
    );
    admin.batch_execute(&fill).await.expect("filled");
    let written = done(&store, async |session| {
        session.update::<Article>(Selection::all(), &json!({ "state": "open" })).await
    })
    .await;
    let len = LEN.unsigned_abs();
    assert_eq!((written.updated, written.actions), (len, len));
    let (largest, all): (i64, i64) =
        value(&db, "SELECT json_build_array(max(len), sum(len)) FROM newsroom.piece").await;
    assert_eq!((largest, all), (i64::from(FETCH_LEN_MAX), LEN));
    let once: i64 =
        value(&db, "SELECT count(DISTINCT object_id) FROM gesta.action WHERE verb = 'update'")
            .await;
    assert_eq!(once, LEN, "none missing, none twice");
    let written =
        done(&store, async |session| session.delete::<Article>(Selection::all()).await).await;
    assert_eq!((written.deleted, written.actions), (len, len));
    admin.batch_execute("DROP TRIGGER pieces ON gesta.action").await.expect("dropped");
    check_log(&db).await;
}

#[tokio::test]
async fn patch_must_name_columns_that_can_be_set() {
    let (_db, store) = newsroom().await;
    for patch in [json!({}), json!([1]), json!({ "id": 3 }), json!({ "slug": "x" }), json!("x")] {
        let error = in_session(&store, async |session| {
            session.update::<Article>(Selection::all(), &patch).await
        });
        let error = error.await.expect_err("refused").to_string();
        assert!(error.contains("without the key `id` and generated columns"), "{patch}: {error}");
    }
    let error = in_session(&store, async |session| {
        session.update::<Article>(Selection::all(), &json!({ "\"; DROP TABLE x": 1 })).await
    });
    let error = error.await.expect_err("refused").to_string();
    let wanted = "model of `newsroom.article`: `\"; DROP TABLE x` is no column of the table; keep a field out with \
                  `#[serde(skip)]`";
    assert_eq!(error, wanted);
    let ids = (0..=gesta::session::SELECTION_LEN_MAX).map(|_| 1);
    let error =
        in_session(&store, async |session| session.delete::<Article>(Selection::ids(ids)).await);
    let error = error.await.expect_err("refused").to_string();
    assert_eq!(error, "a selection of 1000001 ids is refused; give up to 1000000, or a condition");
}
