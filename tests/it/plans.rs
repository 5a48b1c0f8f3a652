//! Plans: which index each query reads, and that a page costs the same wherever it is.
//!
//! What is looked at are the plans of the very statements that the library runs, as the role and in the plan mode that it
//! runs them: `auto_explain`, which comes with PostgreSQL, sends each plan to the client as a notice. Amounts are buffers
//! and rows, never times.

mod watch;

use watch::{Filled, filled};

#[tokio::test]
async fn dump() {
    use crate::support::resource;
    use gesta::stream::FollowQuery;
    use gesta::{FeedQuery, StreamQuery};
    let db: std::sync::Arc<Filled> = filled().await;
    let reader = db.reader();
    let q: Vec<(&str, StreamQuery)> = vec![
        ("object", StreamQuery::object(&resource("file:0"))),
        ("actor", StreamQuery::actor(&resource("user:0"))),
        ("target", StreamQuery::target(&resource("repo:0"))),
        ("any", StreamQuery::any(&resource("user:0"))),
        ("tenant", StreamQuery::tenant()),
        ("run", StreamQuery::run("d3d9446802a44259755d38e6d163e820".parse().expect("u"))),
        ("type common", StreamQuery::of_type("user".parse().expect("t"))),
        ("type medium", StreamQuery::of_type("issue".parse().expect("t"))),
        ("type service", StreamQuery::of_type("service".parse().expect("t"))),
        ("type rare", StreamQuery::of_type("rare".parse().expect("t"))),
        ("type none", StreamQuery::of_type("nothing".parse().expect("t"))),
    ];
    for (name, query) in q {
        let (page, plan) = db.plan(query.page(&reader)).await;
        println!(
            "==== {name} older: {} items, {} buffers\n{}",
            page.items.len(),
            plan.buffers(),
            plan.text()
        );
        let (page, plan) = db.plan(query.clone().from(page.newer).page(&reader)).await;
        println!(
            "==== {name} newer: {} items, {} buffers\n{}",
            page.items.len(),
            plan.buffers(),
            plan.text()
        );
    }
    for who in ["user:many", "user:few", "user:silent"] {
        let query = FeedQuery::new(&resource(who));
        let (page, plan) = db.plan(query.page(&reader)).await;
        println!(
            "==== feed {who} older: {} items, {} buffers\n{}",
            page.items.len(),
            plan.buffers(),
            plan.text()
        );
        let (page, plan) = db.plan(query.clone().from(page.newer).page(&reader)).await;
        println!(
            "==== feed {who} newer: {} items, {} buffers\n{}",
            page.items.len(),
            plan.buffers(),
            plan.text()
        );
    }
    let (edges, plan) = db.plan(FollowQuery::following(&resource("user:many")).list(&reader)).await;
    println!("==== following: {} edges, {} buffers\n{}", edges.len(), plan.buffers(), plan.text());
    let (edges, plan) = db.plan(FollowQuery::followers(&resource("user:1")).list(&reader)).await;
    println!("==== followers: {} edges, {} buffers\n{}", edges.len(), plan.buffers(), plan.text());
    let (a, b) = (resource("user:many"), resource("user:1"));
    let (is, plan) = db.plan(reader.is_following(&a, &b, "")).await;
    println!("==== is following: {is}, {} buffers\n{}", plan.buffers(), plan.text());
}
