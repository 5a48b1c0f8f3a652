//! Following the log: every committed action once, in one safe order, from a position that survives everything.
//!
//! `cargo run --example 07_log`

use std::error::Error;
use std::fmt::Write as _;

use gesta::local::{Home, Options, Private, Search};
use gesta::{Context, Log, NewAction, Position, ResourceRef, Store, Tenant};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let tenant = Tenant::new(format!("07_log-{}", gesta.store.now().timestamp_micros()))?;
    print!("{}", story(&gesta.store, tenant).await?);
    Ok(())
}

/// Two transactions overlap. The one that began first ends last, and no follower misses it.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, tenant: Tenant) -> Result<String, Box<dyn Error>> {
    let ann = ResourceRef::new("user", "ann")?;
    let ctx = Context::new(&ann).tenant(tenant.clone());
    let log = Log::of(store).tenant(tenant);
    let mut text = String::new();

    let (mut first, mut second) = (store.client().await?, store.client().await?);
    let (slow, quick) = (first.transaction().await?, second.transaction().await?);
    let _ = store.append(&slow, NewAction::new("began first", &ctx)).await?;
    let _ = store.append(&quick, NewAction::new("ended first", &ctx)).await?;
    quick.commit().await?;

    // `next` waits for more. What it gave is durable, and `end` says where to go on.
    let chunk = log.next(&Position::start(), 100).await?;
    chunk.entries.iter().try_for_each(|entry| writeln!(text, "{}", entry.action.verb))?;

    // A position is a short text: keep it with what you made of the actions, and come back with it after a crash.
    let kept = chunk.end.to_string();
    slow.commit().await?;
    for entry in log.next(&kept.parse()?, 100).await?.entries {
        writeln!(text, "{}", entry.action.verb)?;
    }
    Ok(text)
}
