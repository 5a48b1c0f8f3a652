//! Following: a feed is the merged streams of what somebody follows, each item with the reason why it is there.
//!
//! `cargo run --example 03_feed`

use std::error::Error;
use std::fmt::Write as _;

use gesta::local::{Home, Options, Private, Search};
use gesta::stream::Role;
use gesta::{Context, FeedQuery, Follow, NewAction, Reader, ResourceRef, Store, Tenant};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let tenant = Tenant::new(format!("03_feed-{}", gesta.store.now().timestamp_micros()))?;
    print!("{}", story(&gesta.store, tenant).await?);
    Ok(())
}

/// Carol follows Alice as somebody who acts, and the project in every role.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, tenant: Tenant) -> Result<String, Box<dyn Error>> {
    let person = |id, name| ResourceRef::new("user", id).map(|person| person.named(name));
    let (alice, bob, carol) = (person("1", "Alice")?, person("2", "Bob")?, person("3", "Carol")?);
    let project = ResourceRef::new("project", "gesta")?.named("Gesta");
    let ctx = |actor| Context::new(actor).tenant(tenant.clone());

    let mut client = store.pool().get().await?;
    let tx = client.transaction().await?;
    store.follow(&tx, &ctx(&carol), &Follow::new(&carol, &alice)).await?;
    let everywhere = Follow::new(&carol, &project).roles(Role::ALL);
    store.follow(&tx, &ctx(&carol), &everywhere).await?;
    let actions = vec![
        NewAction::new("joined", &ctx(&bob)).target(&project),
        NewAction::new("greeted", &ctx(&alice)).object(&bob),
        NewAction::new("slept", &ctx(&bob)), // nobody follows Bob
    ];
    store.append_all(&tx, actions).await?;
    tx.commit().await?;

    let mut text = String::new();
    let feed = FeedQuery::new(&carol).page(&Reader::new(store, tenant)).await?;
    for item in feed.items {
        let reasons = item.reasons.iter().map(|r| format!("{} as {}", r.followed, r.role.as_str()));
        let reasons: Vec<_> = reasons.collect();
        writeln!(text, "{}  ({})", store.registry().sentence(&item.action), reasons.join(", "))?;
    }
    Ok(text)
}
