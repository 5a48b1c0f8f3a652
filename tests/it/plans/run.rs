//! Runs: a piece costs the same wherever it is, and who ran what is found by an index.

use gesta::definition::{Asker, Catalog, Definition, Fault, Operation, Piece, Rights, TypeSpec};
use gesta::run::{Filter, ItemQuery, RunQuery, Runs, Start, Which};
use gesta::{Context, ResourceType, Tenant};

use super::watch::{Plan, watched_alone};
use crate::support::resource;

/// Objects of the run.
const OBJECTS: u32 = 12_000;
/// A piece has up to 1,000 objects: their rows, and a look for the row of each in the index.
const BUFFERS_A_PIECE: u64 = 5 * 1_000;

/// Nothing: what is left is the run's own.
struct Nothing;

impl Operation for Nothing {
    type Input = ();

    async fn run(&self, _: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        Ok(())
    }
}

/// The plans of one statement.
fn of<'p>(plans: &'p [Plan], name: &str) -> Vec<&'p Plan> {
    let first = format!("-- {name}\n");
    let of: Vec<_> = plans.iter().filter(|plan| plan.text().starts_with(&first)).collect();
    assert!(!of.is_empty(), "{name} was not run");
    of
}

#[tokio::test]
async fn pieces_of_a_run_cost_the_same_wherever_they_are() {
    let db = watched_alone().await;
    let tables = format!(
        "CREATE SCHEMA press; CREATE TABLE press.article (id bigint PRIMARY KEY, title text);
        INSERT INTO press.article SELECT n, 'article ' || n FROM generate_series(1, {OBJECTS}) AS n;
        GRANT USAGE ON SCHEMA press TO gesta_app; GRANT ALL ON ALL TABLES IN SCHEMA press TO gesta_app"
    );
    db.admin().await.batch_execute(&tables).await.expect("the tables");
    let spec = TypeSpec::new("article", "article", "articles").table("press.article", "id");
    let nothing = || Definition::new("nothing", "Nothing", Nothing);
    let catalog = Catalog::builder().resource(spec).on("article", nothing()).build();
    let runs = Runs::new(db.store(), catalog.expect("a catalog"));
    let asker = Asker { context: Context::new(&resource("user:1")), rights: Rights::all() };
    let article = ResourceType::new("article").expect("a type");
    let select = || runs.select(&asker, &article, Which::Rows(Filter::all()), None);
    let (selected, plans) = db.plans(select()).await;
    for plan in of(&plans, "run::freeze::rows") {
        assert_eq!(plan.sorts(), 0, "the order is that of the key's index\n{plan}");
    }
    let selection = selected.expect("selected").id;
    let (started, plans) =
        db.plans(runs.start(&asker, Start::new(article.clone(), "nothing", selection))).await;
    let run = started.expect("started").run;
    assert_eq!(run.counts.done, OBJECTS);
    for plan in of(&plans, "run::job::pending") {
        plan.assert_buffers("a piece", BUFFERS_A_PIECE);
        assert!(plan.scanned().is_empty(), "no table is read from end to end\n{plan}");
    }
    let tenant = Tenant::default();
    let of_object = RunQuery { object: Some(resource("article:7")), ..RunQuery::default() };
    let late = ItemQuery { after: Some(OBJECTS - 100), ..ItemQuery::default() };
    // The server tells a plan when the statement's transaction ends, which nobody waits for: the next one comes after it.
    let (read, plans) = db
        .plans(async {
            let found = runs.list(&tenant, &of_object).await.expect("the runs");
            let items = runs.items(&tenant, run.id, late).await.expect("the objects").items;
            let again = runs.run(&tenant, run.id).await.expect("the run");
            (found.items.len(), items.len(), again.id)
        })
        .await;
    assert_eq!(read, (1, 50, run.id));
    let [plan] = of(&plans, "run::list::list_of_object")[..] else { panic!("once") };
    assert!(plan.indexes().contains(&"run_item_object_idx"), "{plan}");
    plan.assert_buffers("the runs of an object", 20);
    let [plan] = of(&plans, "run::items::settled")[..] else { panic!("once") };
    plan.assert_buffers("a late page of objects", 60);
}
