//! `gesta action ls`: what can be run.

use serde::Serialize;

use crate::cli::engine::{By, Engine};
use crate::cli::exit::{Code, Told};
use crate::cli::say;
use crate::cli::session::Session;
use crate::resource::ResourceType;
use crate::server::ActionForm;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Only on objects of this type
    #[arg(value_name = "TYPE")]
    kind: Option<ResourceType>,
    #[command(flatten)]
    by: By,
    /// Exit with 3 when nothing is found
    #[arg(long)]
    fail_empty: bool,
}

/// An action of a type.
#[derive(Serialize)]
struct Row {
    #[serde(rename = "type")]
    kind: ResourceType,
    #[serde(flatten)]
    action: ActionForm,
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open(session, &args.by).await?;
    let catalog = engine.runs.catalog();
    if let Some(kind) = args.kind.as_ref().filter(|kind| catalog.resource(kind).is_none()) {
        let known: Vec<_> = catalog.resources().map(|(kind, _)| kind.as_str()).collect();
        let text = match known.as_slice() {
            [] => format!("there is no type `{kind}`, and no other"),
            known => format!("there is no type `{kind}`; there are {}", known.join(", ")),
        };
        return Err(Told::not_found(text).into());
    }
    let kinds = catalog.resources().map(|(kind, _)| kind);
    let kinds = kinds.filter(|kind| args.kind.as_ref().is_none_or(|wanted| wanted == *kind));
    let rows: Vec<_> = kinds
        .flat_map(|kind| {
            let offers = catalog.all(&engine.asker, kind);
            offers.into_iter().map(|it| Row { kind: kind.clone(), action: ActionForm::from(&it) })
        })
        .collect();
    let mut out = session.out();
    let header = ["Type", "Action", "Called", "Risk", "Runs", "Needs"];
    out.list(&header, &rows, |Row { kind, action }| {
        vec![
            kind.to_string(),
            action.name.clone(),
            action.plural.clone(),
            action.risk.to_owned(),
            action.mode.to_owned(),
            action.permissions.join(" or "),
        ]
    })?;
    out.flush()?;
    if rows.is_empty() {
        say::aside("nothing can be run; definitions come from the program, or from a file of them");
    }
    Ok(if rows.is_empty() && args.fail_empty { Code::NotFound } else { Code::Ok })
}
