//! Many callers, each waiting for its own commit: a `Writer` gathers them. And what a repeated id means.
//!
//! `cargo run --example 04_writer`

use std::error::Error;
use std::fmt::Write as _;

use gesta::local::{Home, Options, Private, Search};
use gesta::{
    ActionId, Context, NewAction, Reader, Receipt, ResourceRef, Store, StreamQuery, Tenant,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let tenant = Tenant::new(format!("04_writer-{}", gesta.store.now().timestamp_micros()))?;
    print!("{}", story(&gesta.store, tenant).await?);
    Ok(())
}

/// A hundred sensors report at once, and one of them repeats itself.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, tenant: Tenant) -> Result<String, Box<dyn Error>> {
    let station = ResourceRef::new("station", "7")?;
    let (writer, mut reports) = (store.writer(), tokio::task::JoinSet::new());
    for n in 0..100 {
        let sensor = ResourceRef::new("sensor", n.to_string())?;
        let ctx = Context::new(&sensor).tenant(tenant.clone());
        let report = NewAction::new("reported", &ctx).target(&station);
        let writer = writer.clone();
        reports.spawn(async move { writer.append(report).await.map(drop) });
    }
    while let Some(done) = reports.join_next().await {
        done??; // committed
    }

    let mut text = String::new();
    // With an id of the writer's own, saying it again is harmless, and saying something else is refused.
    let sensor = ResourceRef::new("sensor", "0")?;
    let report = NewAction::new("reported", &Context::new(&sensor).tenant(tenant.clone()))
        .id(ActionId::from_source(store.now(), tenant.as_str(), "report 1"));
    for action in [report.clone(), report.clone(), report.description("something else")] {
        let outcome = match writer.append(action).await {
            Ok(Receipt::Appended(_)) => "appended",
            Ok(_) => "a duplicate",
            Err(_) => "a conflict",
        };
        writeln!(text, "{outcome}")?;
    }
    let page = StreamQuery::tenant().limit(1000).page(&Reader::new(store, tenant)).await?;
    writeln!(text, "{} actions", page.items.len())?;
    Ok(text)
}
