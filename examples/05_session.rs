//! What is saved in a session is recorded by it, one row or many: who did it, and what was there before.
//!
//! `cargo run --example 05_session`

use std::error::Error;

use gesta::local::{Home, Options, Private, Search};
use gesta::{Context, Hook, Model, Reader, Resource, ResourceRef, Session, Store, StreamQuery};
use gesta::{Tenant, session::Selection};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let tenant = Tenant::new(format!("05_session-{}", gesta.store.now().timestamp_micros()))?;
    print!("{}", story(&gesta.store, tenant).await?);
    Ok(())
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Article {
    id: String,
    state: String,
}

impl Resource for Article {
    #[expect(clippy::expect_used, reason = "the type is one, and ids of articles are short names")]
    fn resource(&self) -> ResourceRef {
        ResourceRef::new("article", self.id.as_str()).expect("a short name is an id")
    }
}
impl Model for Article {
    const TABLE: &'static str = "pg_temp.article";
    const KEY: &'static str = "id";
}
impl Hook for Article {} // create, update and delete, with the diff

/// Three articles are written, and those that are drafts are published.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, tenant: Tenant) -> Result<String, Box<dyn Error>> {
    let mut client = store.client().await?;
    client.batch_execute("CREATE TEMP TABLE article (id text PRIMARY KEY, state text)").await?;
    let ctx = Context::new(&ResourceRef::new("user", "1")?.named("Alice")).tenant(tenant.clone());
    let mut session = Session::begin(store, &mut client, &ctx).await?;
    for (id, state) in [("storm", "draft"), ("tides", "killed"), ("gulls", "draft")] {
        session.save(&Article { id: id.to_owned(), state: state.to_owned() }).await?;
    }
    let drafts = Selection::matching("state = $1", &[&"draft"]);
    let published = session.update::<Article>(drafts, &json!({ "state": "published" })).await?;
    session.commit().await?; // rows and actions, or neither
    let run = StreamQuery::run(published.run.ok_or("a run")?);
    let page = run.page(&Reader::new(store, tenant)).await?;
    let line = |a: &gesta::Action| format!("{} {:?}\n", store.registry().sentence(a), a.changes);
    Ok(page.items.iter().map(line).collect())
}
