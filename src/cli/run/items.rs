//! `gesta run items`: what became of each object.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use uuid::Uuid;

use crate::cli::engine::{By, Engine, called, run_id};
use crate::cli::exit::Code;
use crate::cli::output::Format;
use crate::cli::say;
use crate::cli::select::Limit;
use crate::cli::session::Session;
use crate::run::{ItemOutcome, ItemQuery};
use crate::server::ItemForm;
use crate::stream::PAGE_LEN_MAX;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The run
    #[arg(value_name = "ID", value_parser = run_id)]
    id: Uuid,
    /// Only these
    #[arg(long, value_name = "OUTCOME", value_parser = outcome())]
    outcome: Option<ItemOutcome>,
    /// How many to list: a number, or `all`
    #[arg(long, short = 'n', value_name = "N", default_value = "50")]
    limit: Limit,
    /// Go on after the object at this place
    #[arg(long, value_name = "PLACE")]
    after: Option<u32>,
}

fn outcome() -> impl TypedValueParser<Value = ItemOutcome> {
    let words: Vec<_> = ItemOutcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
    PossibleValuesParser::new(words)
        .try_map(|word| ItemOutcome::from_word(&word).ok_or("no outcome"))
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open(session, &By::default()).await?;
    let mut left = match args.limit {
        Limit::Count(count) => count,
        Limit::All => usize::MAX,
    };
    let (mut out, mut after) = (session.out(), args.after);
    let (mut is_first, mut has_more) = (true, true);
    while left > 0 && has_more {
        let limit = left.min(PAGE_LEN_MAX);
        let query = ItemQuery { outcome: args.outcome, after, limit: Some(limit) };
        let page = engine.runs.items(engine.tenant(), args.id, query).await?;
        (left, has_more, after) = (left - page.items.len(), page.next.is_some(), page.next);
        let items: Vec<_> = page.items.iter().map(ItemForm::from).collect();
        // One header for all pages.
        match out.format() {
            Format::Csv => {
                if is_first {
                    out.csv(COLUMNS)?;
                }
                items.iter().try_for_each(|item| out.csv(record(item)))?;
            }
            Format::Table if !is_first => {
                let rows: Vec<_> = items.iter().map(cells).collect();
                out.columns(&[""; HEADER.len()], &rows)?;
            }
            _ => out.list(&HEADER, &items, cells)?,
        }
        is_first = false;
    }
    out.flush()?;
    if let Some(after) = after.filter(|_| has_more) {
        say::aside(&format!("for more, give the same again with --after {after}"));
    }
    Ok(Code::Ok)
}

const HEADER: [&str; 4] = ["Place", "Object", "Outcome", "Why"];

fn cells(item: &ItemForm) -> Vec<String> {
    vec![
        item.place.to_string(),
        called(&item.object),
        item.outcome.to_owned(),
        item.note.clone().unwrap_or_default(),
    ]
}

/// Columns of CSV, for programs: what the JSON lines have.
const COLUMNS: [&str; 7] =
    ["place", "object_type", "object_id", "object_name", "outcome", "note", "settled_at"];

fn record(item: &ItemForm) -> [String; COLUMNS.len()] {
    let of = |name: &str| item.object[name].as_str().unwrap_or_default().to_owned();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let place = item.place.to_string();
    let outcome = item.outcome.to_owned();
    [place, of("type"), of("id"), of("name"), outcome, text(&item.note), text(&item.settled_at)]
}
