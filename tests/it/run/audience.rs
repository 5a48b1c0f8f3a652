//! Who sees that something was run: auditors, unless the definition says more.

use gesta::definition::{Definition, Rights};
use gesta::run::{RunState, Start};
use gesta::{Action, Audience, StreamQuery};

use super::press::{Send, article, asker, definitions, press_with};
use crate::support::{page, public};

/// Keeps silent of what it does.
fn mail(name: &str) -> Definition {
    Definition::new(name, "Mail {name}", Send).permissions(&["article.view"])
}

fn told(actions: &[Action]) -> Vec<String> {
    let line = |it: &Action| {
        format!("{} {}", it.verb, it.object.as_ref().map_or("", |it| it.resource.kind.as_str()))
    };
    actions.iter().rev().map(line).collect()
}

#[tokio::test]
async fn runs_are_seen_by_whom_the_definition_names() {
    let labels = mail("newsletter").audience(Audience::labels(["desk"]));
    let press = press_with(3, definitions().on("article", labels)).await;
    let input = |password: &str| serde_json::json!({ "to": "all", "password": password });
    let desk = public(&press.store).labels(["desk"]);
    for (name, password, wanted) in [
        (
            "newsletter",
            "s3cret",
            &["run.start run", "newsletter article", "newsletter article", "run.end run"][..],
        ),
        // What has failed is for auditors.
        ("newsletter", "wrong", &["run.start run"]),
        ("mail", "s3cret", &[]),
    ] {
        let selection = press.selected(1..=2).await;
        let order = Start::new(article(), name, selection).input(input(password));
        let run = press.start(order).await.expect("started").run;
        let query = || StreamQuery::run(run.id);
        assert_eq!(told(&page(&desk, query()).await), wanted, "{name} {password}");
        assert_eq!(page(&public(&press.store), query()).await, [], "{name}");
        let auditor = public(&press.store).auditor();
        assert_eq!(page(&auditor, query()).await.len(), 4, "{name}");
        assert_eq!(run.state == RunState::Succeeded, password == "s3cret");
    }
    let selection = press.selected(1..=2).await;
    let order = Start::new(article(), "newsletter", selection).input(input("s3cret"));
    let nobody = asker("user:1", Rights::default());
    press.runs.start(&nobody, order).await.expect_err("refused");
    let seen = page(&desk, StreamQuery::tenant().limit(1000)).await;
    assert!(seen.iter().all(|action| action.verb != "run.refuse"), "{seen:?}");
}
