//! A small newsroom: whoever changes something, on a page, in bulk or at psql's prompt, it ends up in the same streams.
//!
//! `cargo run --example newsroom`. Read `model.rs` first, then `web.rs`, then the story below.

mod model;
mod web;

use std::error::Error;
use std::fmt::Write as _;

use deadpool_postgres::Client;
use gesta::local::{Home, Options, Private, Search};
use gesta::session::Selection;
use gesta::store::{Endpoint, PoolOptions};
use gesta::stream::{History, Moment};
use gesta::track::Tracking;
use gesta::{Context, NewAction, Reader, ResourceRef, Session, Store, StreamQuery, Tenant};
use model::{Article, Desk, Event, JOINED, MEMBERS, Person};
use serde_json::json;

type Done<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Done {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let superuser = gesta.server.config(gesta::local::SUPERUSER, gesta::local::DATABASE);
    let operator = Store::new(Endpoint::from(superuser).pool(&PoolOptions::default()).await?);
    let tenant = Tenant::new(format!("newsroom-{}", gesta.store.now().timestamp_micros()))?;
    tear_down(&operator).await?;
    print!("{}", story(&gesta.store, &operator, tenant).await?);
    Ok(())
}

/// What an earlier run has left.
async fn tear_down(operator: &Store) -> Done {
    let mut client = operator.client().await?;
    let tx = client.transaction().await?;
    let ctx = Context::system("newsroom")?;
    for tracked in operator.tracked(&tx).await? {
        if tracked.table.starts_with("newsroom.") {
            let _receipt = operator.untrack(&tx, &ctx, &tracked.table).await?;
        }
    }
    tx.batch_execute("DROP SCHEMA IF EXISTS newsroom CASCADE").await?;
    Ok(tx.commit().await?)
}

/// Makes the tables, and tracks those that people also change by hand. Secrets are named twice: to the model, for the
/// session, and here, for the triggers.
async fn set_up(operator: &Store) -> Done {
    let mut client = operator.client().await?;
    let tx = client.transaction().await?;
    tx.batch_execute(include_str!("tables.sql")).await?;
    let ctx = Context::system("newsroom")?;
    let article = Tracking::new("newsroom.article", "article".parse()?, ["id"]);
    let person = Tracking::new("newsroom.person", "person".parse()?, ["id"]);
    for tracking in [article.name("title").mask(["edit_token"]), person.name("name")] {
        operator.track(&tx, &ctx, &tracking).await?;
    }
    Ok(tx.commit().await?)
}

/// A day at the newsroom, and what its streams say in the evening.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, operator: &Store, tenant: Tenant) -> Done<String> {
    set_up(operator).await?;
    let store = Store::with_registry(store.pool().clone(), model::registry()?);
    let person = |id: &str, name: &str| Person { id: id.to_owned(), name: name.to_owned() };
    let (ann, ben) = (person("ann", "Ann"), person("ben", "Ben"));
    let mut client = store.client().await?;

    let system = Context::system("newsroom")?.tenant(tenant.clone());
    let mut session = Session::begin(&store, &mut client, &system).await?;
    session.save_all(&[ann.clone(), ben.clone()]).await?;
    session.commit().await?;

    // Ann writes, on the newsroom's pages.
    let pages = web::pages(store.clone(), tenant.clone());
    let storm = web::send(&pages, &ann, "/articles", "Strom over the bay").await?;
    web::send(&pages, &ann, "/articles", "Ferry resumes").await?;
    web::send(&pages, &ann, &format!("/articles/{storm}"), "Storm over the bay").await?;

    // Ben, the editor, does many things at once.
    edit(&store, &mut client, &Context::new(&ben).tenant(tenant.clone()), &ann).await?;

    // Olga corrects something at psql's prompt, which knows nothing of sessions.
    let psql = operator.client().await?;
    psql.batch_execute(&format!(
        "BEGIN; SET LOCAL gesta.tenant = '{tenant}'; SELECT gesta.act_as('operator', 'olga', 'Olga', 'ticket 7');
         UPDATE newsroom.article SET title = 'Storm hits the bay' WHERE id = {storm}; COMMIT"
    ))
    .await?;

    tell(&Reader::new(&store, tenant), &ResourceRef::new("article", storm)?, &ann).await
}

/// One session: all of it happens, with its actions, or nothing.
async fn edit(store: &Store, client: &mut Client, ctx: &Context, ann: &Person) -> Done {
    let mut session = Session::begin(store, client, ctx).await?;

    let drafts = Selection::matching("state = $1", &[&"draft"]);
    session.update::<Article>(drafts, &json!({ "state": "public" })).await?;

    let city = Desk { id: "city".to_owned(), name: "City desk".to_owned() };
    session.save(&city).await?;
    session.add(&city, &MEMBERS, [&ann.id]).await?;
    session.emit(NewAction::new(JOINED, ctx).object(ann).target(&city)).await?;

    let mut concert = Event {
        id: "concert".to_owned(),
        title: "Harbour concert".to_owned(),
        place: None,
        status: "planned".to_owned(),
    };
    session.save(&concert).await?;
    concert.place = Some("Old pier".to_owned());
    session.save(&concert).await?;

    Ok(session.commit().await?)
}

/// The streams, oldest first, and what is known of the article.
async fn tell(reader: &Reader, article: &ResourceRef, ann: &Person) -> Done<String> {
    let place = ResourceRef::new("place", "Old pier")?;
    let mut text = String::new();
    for (title, stream) in [
        ("The article", StreamQuery::object(article)),
        ("All that Ann has to do with", StreamQuery::any(ann)),
        ("The old pier", StreamQuery::target(&place)),
    ] {
        writeln!(text, "{title}:")?;
        for action in stream.page(reader).await?.items.iter().rev() {
            let sentence = reader.store().registry().sentence(action);
            writeln!(text, "  {:<8}{sentence}", action.source.as_str())?;
        }
    }
    writeln!(text, "The article now, and who last changed it:")?;
    for (name, field) in History::of(article).state(Moment::Now, reader).await?.fields {
        let value = serde_json::to_value(&field.value)?;
        let shown =
            if value["kind"] == "masked" { "(masked)".into() } else { value["value"].to_string() };
        let by = field.by.and_then(|by| by.actor.name.clone()).unwrap_or_default();
        writeln!(text, "  {name:<11}{shown:<22}{by}")?;
    }
    Ok(text)
}
