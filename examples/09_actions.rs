//! What people run on selected objects, defined in Rust: planned, confirmed, run, and told of.
//!
//! `cargo run --example 09_actions`
//!
//! A program with actions of its own serves them as `gesta serve` does where its `main` is
//! `gesta::cli::main_with(catalog, std::env::args_os())`, or gives the catalog to `gesta::server::Settings`.

use std::error::Error;
use std::fmt::Write as _;

use gesta::definition::{
    Asker, Catalog, Definition, Fate, Fault, Operation, Piece, Rights, Risk, TypeSpec,
};
use gesta::local::{Home, Options, Private, Search};
use gesta::run::{Runs, Start, Which};
use gesta::{Context, NewAction, ResourceRef, ResourceType, Store, Tenant};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::new(Search::new(None, std::env::var_os("PATH").unwrap_or_default()));
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &options).await?;
    let tenant = Tenant::new(format!("09_actions-{}", gesta.store.now().timestamp_micros()))?;
    print!("{}", story(&gesta.store, tenant).await?);
    Ok(())
}

/// Closes tickets; those of the board stay open.
struct Close;

#[derive(Deserialize, JsonSchema)]
struct Closing {
    /// What those hear who opened them.
    answer: String,
}

impl Operation for Close {
    type Input = Closing;

    async fn run(&self, piece: &mut Piece<'_, '_>, input: &Closing) -> Result<(), Fault> {
        for index in 0..piece.items().len() {
            let ticket = piece.items()[index].object.clone();
            if ticket.id.as_str().starts_with("board-") {
                piece.settle(index, Fate::Denied("it is the board's".to_owned()));
                continue;
            }
            // Tickets are elsewhere; one that has a table is changed through `Session::update`.
            let session = piece.session();
            let close = NewAction::new("close", session.context()).object(&ticket);
            session.emit(close.description(&input.answer)).await?;
        }
        Ok(())
    }
}

fn catalog() -> Result<Catalog, Box<dyn Error>> {
    let close = Definition::new("close", "Close {name}", Close)
        .plural("Close {plural}")
        .permissions(&["ticket.close"])
        .risk(Risk::Confirm)
        .example(json!({ "answer": "It works again." }));
    let ticket = TypeSpec::new("ticket", "ticket", "tickets").permission("close");
    Ok(Catalog::builder().resource(ticket).on("ticket", close).build()?)
}

/// Three tickets are closed, as far as that is permitted.
///
/// # Errors
/// When the database fails.
pub(crate) async fn story(store: &Store, tenant: Tenant) -> Result<String, Box<dyn Error>> {
    let runs = Runs::new(store, catalog()?);
    let alice = ResourceRef::new("user", "1")?.named("Alice");
    let context = Context::new(&alice).tenant(tenant.clone()).reason("end of the quarter");
    let asker = Asker { context, rights: Rights::new(["ticket.close"]) };
    let kind = ResourceType::new("ticket")?;
    let ids = ["7", "8", "board-1"].map(str::to_owned).to_vec();
    let selection = runs.select(&asker, &kind, Which::Ids(ids), None).await?;
    let input = json!({ "answer": "It works again." });
    let plan = runs.plan(&asker, &kind, "close", selection.id, input.clone()).await?;
    let order = Start::new(kind, "close", selection.id).input(input).token(plan.token);
    let run = runs.start(&asker, order).await?.run;
    let mut text = format!("{}: {} of {}\n", run.label, run.counts.done, run.counts.total);
    for item in runs.items(&tenant, run.id, gesta::run::ItemQuery::default()).await?.items {
        let why = item.note.map(|note| format!(" ({note})")).unwrap_or_default();
        writeln!(text, "{} {}{why}", item.object, item.outcome.as_str())?;
    }
    Ok(text)
}
