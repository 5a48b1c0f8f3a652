//! Pages of large actions have fewer of them.

use gesta::stream::{Cursor, PAGE_BYTES_MAX, PAGE_LEN_MAX};
use gesta::{Context, NewAction, StreamQuery};

use crate::cli::program::Gesta;
use crate::support::{append_all, database, day, ids, public, resource, walk};

const LEN: usize = 60_000;
const COUNT: usize = PAGE_BYTES_MAX / LEN * 3 / 2;

fn query() -> StreamQuery {
    StreamQuery::object(&resource("doc:1")).limit(PAGE_LEN_MAX)
}

#[tokio::test]
async fn page_of_large_actions_ends_early_and_joined_they_are_the_stream() {
    let db = database().await;
    let store = db.store().await;
    let ctx = Context::new(&resource("user:1"));
    for n in 0..COUNT {
        let large = NewAction::new("save", &ctx).object(&resource("doc:1"));
        let large =
            large.data(serde_json::json!("x".repeat(LEN))).at(day(i64::try_from(n).expect("few")));
        let _ = append_all(&store, vec![large]).await;
    }
    let reader = public(&store);
    let newest = query().page(&reader).await.expect("a page");
    assert_eq!(newest.items.len(), PAGE_BYTES_MAX / (LEN + 2));
    let (all, last) = walk(&reader, &query()).await;
    assert_eq!(all.len(), COUNT);
    assert!(all.is_sorted_by(|newer, older| newer.id > older.id));
    // The other way, from the oldest.
    let mut back: Vec<_> = last.items.clone();
    let mut cursor: Option<Cursor> = last.newer;
    loop {
        let page = query().from(cursor).page(&reader).await.expect("a page");
        if page.items.is_empty() {
            break;
        }
        back.splice(0..0, page.items);
        cursor = page.newer;
    }
    assert_eq!(ids(&back), ids(&all));
    let gesta = Gesta::on(&db);
    let lines = |args: &[&str]| gesta.ok(args).lines().count();
    assert_eq!(lines(&["log", "-n", "all"]), COUNT);
    assert_eq!(lines(&["log", "-n", &(COUNT - 1).to_string()]), COUNT - 1);
}
