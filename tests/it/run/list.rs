//! Who ran what: one query.

use gesta::Tenant;
use gesta::run::ItemOutcome::{self, Done, Skipped};
use gesta::run::{ItemQuery, RunQuery, RunState, Runs, Start};

use super::press::{article, editor, ids, press};
use crate::support::resource;

async fn found(runs: &Runs, wanted: RunQuery) -> Vec<String> {
    let page = runs.list(&Tenant::default(), &wanted).await.expect("the runs");
    page.items
        .into_iter()
        .map(|run| format!("{} {} {}", run.actor.resource, run.name, run.counts.total))
        .collect()
}

#[tokio::test]
async fn runs_are_found_by_actor_action_object_time_and_state() {
    let press = press(5).await;
    press.sql("UPDATE press.article SET title = 'bad ' || id WHERE id = 3").await;
    let first = press.publish([1, 2]).await;
    let second = press.publish([2, 3, 4]).await;
    let mut bob = editor();
    bob.context = bob.context.acting(&resource("user:2"));
    let which = gesta::run::Which::Ids(ids([2]));
    let made = press.runs.select(&bob, &article(), which, None).await.expect("selected");
    press.runs.start(&bob, Start::new(article(), "publish_all", made.id)).await.expect("started");
    let all = ["user:2 publish_all 1", "user:1 publish 3", "user:1 publish 2"];
    let none = RunQuery::default;
    let runs = &press.runs;
    assert_eq!(found(runs, none()).await, all);
    let alice = RunQuery { actor: Some(resource("user:1")), ..none() };
    assert_eq!(found(runs, alice).await, all[1..]);
    assert_eq!(
        found(runs, RunQuery { name: Some("publish_all".to_owned()), ..none() }).await,
        all[..1]
    );
    assert_eq!(found(runs, RunQuery { object: Some(resource("article:2")), ..none() }).await, all);
    assert_eq!(
        found(runs, RunQuery { object: Some(resource("article:4")), ..none() }).await,
        all[1..2]
    );
    assert!(found(runs, RunQuery { object: Some(resource("photo:2")), ..none() }).await.is_empty());
    let of_both =
        RunQuery { object: Some(resource("article:2")), states: vec![RunState::Partial], ..none() };
    assert_eq!(found(runs, of_both).await, all[1..2]);
    assert!(
        found(runs, RunQuery { kind: Some("photo".parse().expect("a type")), ..none() })
            .await
            .is_empty()
    );
    // The time of an id is the store's clock's; its microsecond is between these two.
    let time = gesta::ActionId::try_from(second.id).expect("a UUIDv7").time();
    assert_eq!(found(runs, RunQuery { since: Some(time), ..none() }).await, all[..2]);
    assert_eq!(found(runs, RunQuery { until: Some(time), ..none() }).await, all[2..]);
    let elsewhere = Tenant::new("other").expect("a tenant");
    let page = runs.list(&elsewhere, &none()).await.expect("the runs");
    assert!(page.items.is_empty());
    assert!(runs.run(&elsewhere, first.id).await.is_err());
    assert!(runs.items(&elsewhere, first.id, ItemQuery::default()).await.is_err());
}

#[tokio::test]
async fn pages_of_runs_and_objects_join() {
    let press = press(30).await;
    for article in 1..=5 {
        press.publish([article]).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let wanted = RunQuery { after, limit: Some(2), ..RunQuery::default() };
        let page = press.runs.list(&Tenant::default(), &wanted).await.expect("the runs");
        seen.extend(page.items.iter().map(|run| run.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b));
    let run = press.publish(1..=30).await;
    let wanted = |outcome, after| ItemQuery { outcome, after, limit: Some(4) };
    let page = |query| press.runs.items(&run.tenant, run.id, query);
    let first = page(wanted(Some(ItemOutcome::Done), None)).await.expect("the objects");
    assert_eq!(first.items.iter().map(|item| item.place).collect::<Vec<_>>(), [5, 6, 7, 8]);
    assert_eq!(first.next, Some(8));
    let last = page(wanted(Some(ItemOutcome::Done), Some(25))).await.expect("the objects");
    assert_eq!((last.items.len(), last.next), (4, None), "a full page, and nothing behind it");
    let next = page(wanted(None, Some(3))).await.expect("the objects");
    let told: Vec<_> = next.items.iter().map(|item| (item.place, item.outcome)).collect();
    assert_eq!(told, [(4, Skipped), (5, Done), (6, Done), (7, Done)]);
    assert!(page(wanted(Some(ItemOutcome::Pending), None)).await.expect("none").items.is_empty());
}
