//! An action exists if and only if the change does: both stand in one transaction.
//!
//! `cargo run --example 01_append`

use std::error::Error;

use gesta::local::{Home, Options, Private, Search};
use gesta::{Context, NewAction, Reader, ResourceRef, Store, StreamQuery, Tenant};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let tenant = Tenant::new(format!("01_append-{}", gesta.store.now().timestamp_micros()))?;
    print!("{}", story(&gesta.store, tenant).await?);
    Ok(())
}

/// Two people close an issue; the second one's transaction is rolled back.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, tenant: Tenant) -> Result<String, Box<dyn Error>> {
    let issue = ResourceRef::new("issue", "70")?.named("Crash on save");
    for (id, name, commits) in [("1", "Alice", true), ("2", "Bob", false)] {
        let person = ResourceRef::new("user", id)?.named(name);
        let ctx = Context::new(&person).tenant(tenant.clone()).reason("ticket OPS-123");
        let closed = NewAction::new("closed", &ctx)
            .object(&issue)
            .changes(json!({ "status": ["open", "closed"] }));

        let mut client = store.pool().get().await?;
        let tx = client.transaction().await?;
        // Here the application changes its own tables, in the same transaction.
        let _ = store.append(&tx, closed).await?;
        if commits {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
    }

    let page = StreamQuery::object(&issue).page(&Reader::new(store, tenant)).await?;
    let lines = page.items.iter().map(|action| store.registry().sentence(action) + "\n");
    Ok(lines.collect())
}
