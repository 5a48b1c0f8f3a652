//! What can be read over HTTP, by whom, and in which formats.

mod counts;
mod cursors;
mod details;
mod export;
mod follows;
mod live;
mod matrix;
mod formats;
mod paths;
pub(crate) mod raw;
mod search;

use gesta::{ActionId, Context, NewAction, Reader, Tenant};
use serde_json::Value;

use super::rig::{Answer, Rig};
use crate::support::{append_all, day, resource};

/// `ann` closes some issues in one of two projects, one a day.
pub(crate) fn closes(count: i64) -> Vec<NewAction> {
    closes_in(&Tenant::default(), count)
}

/// The same in another tenant.
pub(crate) fn closes_in(tenant: &Tenant, count: i64) -> Vec<NewAction> {
    let ctx = Context::new(&resource("user:ann").named("Ann")).tenant(tenant.clone());
    let close = |n: i64| {
        let (issue, project) = (format!("issue:{n}"), format!("project:{}", n % 2));
        NewAction::new("close", &ctx)
            .object(&resource(&issue).named(format!("Issue {n}")))
            .target(&resource(&project))
            .at(day(n))
    };
    (0..count).map(close).collect()
}

pub(crate) async fn fill(rig: &Rig, count: i64) {
    append_all(&rig.store, closes(count)).await;
}

/// The ids of a page as JSON.
pub(crate) fn ids(page: &Value) -> Vec<ActionId> {
    let id = |item: &Value| item["id"].as_str().expect("an id").parse().expect("an id");
    page["items"].as_array().expect("items").iter().map(id).collect()
}

/// A page that is there.
pub(crate) async fn page(rig: &Rig, key: &str, path: &str) -> Value {
    let answer = rig.get_as(key, path).await;
    assert_eq!(answer.code(), 200, "{path}: {}", answer.text());
    answer.json()
}

/// The path of an URL in an answer.
pub(crate) fn path_of(rig: &Rig, url: &Value) -> Option<String> {
    let url = url.as_str()?;
    let origin = format!("http://{}", rig.address);
    Some(url.strip_prefix(&origin).expect("of this server").to_owned())
}

/// All pages of a list, by one of the links of each.
pub(crate) async fn walk(rig: &Rig, key: &str, path: &str, link: &str) -> Vec<Value> {
    let mut pages = vec![page(rig, key, path).await];
    while let Some(next) = path_of(rig, &pages[pages.len() - 1][link]) {
        let next = page(rig, key, &next).await;
        if next["items"].as_array().expect("items").is_empty() {
            break;
        }
        pages.push(next);
    }
    pages
}

/// The ids that the engine gives.
pub(crate) async fn engine(reader: &Reader, query: gesta::StreamQuery) -> Vec<ActionId> {
    let page = query.limit(1000).page(reader).await.expect("a page");
    page.items.iter().map(|action| action.id).collect()
}

/// What a problem says of a parameter.
pub(crate) fn fault(answer: &Answer, slug: &str) -> Value {
    answer.problem(400, slug)["errors"][0].clone()
}
