//! Streams: what was done to an object, by an actor, in a target; narrowed down, and read page by page.
//!
//! `cargo run --example 02_streams`

use std::error::Error;
use std::fmt::Write as _;

use gesta::local::{Home, Options, Private, Search};
use gesta::{Context, NewAction, Reader, Registry, ResourceRef, Store, StreamQuery, Tenant, Verb};

const OPEN: Verb = Verb::new("issue", "open").summary("{actor} opened {object} in {target}");
const CLOSE: Verb = Verb::new("issue", "close").summary("{actor} closed {object} in {target}");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let tenant = Tenant::new(format!("02_streams-{}", gesta.store.now().timestamp_micros()))?;
    print!("{}", story(&gesta.store, tenant).await?);
    Ok(())
}

/// Four issues of a project are opened, and every other one is closed.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, tenant: Tenant) -> Result<String, Box<dyn Error>> {
    let kinds = Registry::builder().resource("issue", "issue", "issues");
    let registry = kinds.verb(OPEN).verb(CLOSE).build()?;
    let project = ResourceRef::new("project", "gesta")?.named("Gesta");
    let alice = ResourceRef::new("user", "1")?.named("Alice");
    let ctx = Context::new(&alice).tenant(tenant.clone());
    let mut actions = Vec::new();
    for n in 1..=4 {
        let issue = ResourceRef::new("issue", n.to_string())?.named(format!("Issue {n}"));
        actions.push(NewAction::new(OPEN, &ctx).object(&issue).target(&project));
        if n % 2 == 0 {
            actions.push(NewAction::new(CLOSE, &ctx).object(&issue).target(&project));
        }
    }
    let mut client = store.pool().get().await?;
    let tx = client.transaction().await?;
    store.append_all(&tx, actions).await?;
    tx.commit().await?;

    let (reader, mut text) = (Reader::new(store, tenant), String::new());
    let first = StreamQuery::target(&project).limit(4).page(&reader).await?;
    let rest = StreamQuery::target(&project).from(first.older).page(&reader).await?;
    for page in [first, rest] {
        writeln!(text, "a page of {}:", page.items.len())?;
        page.items.iter().try_for_each(|a| writeln!(text, "  {}", registry.sentence(a)))?;
    }
    let closed = StreamQuery::actor(&alice).verbs(["close"]).page(&reader).await?;
    writeln!(text, "Alice closed {}", closed.items.len())?;
    Ok(text)
}
