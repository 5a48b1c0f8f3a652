//! `gesta run ls`: who ran what, newest first.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use uuid::Uuid;

use crate::cli::engine::{By, Engine, reference, run_id};
use crate::cli::exit::Code;
use crate::cli::output::Format;
use crate::cli::say;
use crate::cli::session::Session;
use crate::cli::when::When;
use crate::resource::{ResourceRef, ResourceType};
use crate::run::{RunQuery, RunState};
use crate::server::RunForm;
use crate::stream::PAGE_LEN_MAX;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Only those that they asked for
    #[arg(long, value_name = "TYPE:ID")]
    actor: Option<ResourceRef>,
    /// Only of objects of this type
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    kind: Option<ResourceType>,
    /// Only of this action
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Only in which something became of this object
    #[arg(long, value_name = "TYPE:ID")]
    object: Option<ResourceRef>,
    /// Only in this state; may be repeated
    #[arg(long, value_name = "STATE", value_parser = state())]
    state: Vec<RunState>,
    /// From then on: 2h, 3d, 1w (ago), today, yesterday, a date, a time in RFC 3339
    #[arg(long, short, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<When>,
    /// Before then
    #[arg(long, short, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<When>,
    /// How many to list, up to 1000
    #[arg(long, short = 'n', value_name = "N", default_value = "50", value_parser = limit)]
    limit: usize,
    /// Go on to those before this run
    #[arg(long, value_name = "ID", value_parser = run_id)]
    before: Option<Uuid>,
    /// Exit with 3 when nothing is found
    #[arg(long)]
    fail_empty: bool,
}

fn state() -> impl TypedValueParser<Value = RunState> {
    let words: Vec<_> = RunState::ALL.iter().map(|state| state.as_str()).collect();
    PossibleValuesParser::new(words).try_map(|word| RunState::from_word(&word).ok_or("no state"))
}

fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=PAGE_LEN_MAX) => Ok(limit),
        _ => Err(format!("give a number from 1 to {PAGE_LEN_MAX}")),
    }
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open(session, &By::default()).await?;
    let now = engine.database.store.now();
    let query = RunQuery {
        actor: args.actor,
        kind: args.kind,
        name: args.action,
        object: args.object,
        states: args.state,
        since: args.since.map(|when| when.at(now)),
        until: args.until.map(|when| when.at(now)),
        after: args.before,
        limit: Some(args.limit),
    };
    let page = engine.runs.list(engine.tenant(), &query).await?;
    let mut out = session.out().whole("Run");
    let forms: Vec<_> = page.items.iter().map(RunForm::from).collect();
    if out.format() == Format::Table && !forms.is_empty() {
        let rows: Vec<_> = forms.iter().map(row).collect();
        out.columns(&["Run", "What and who", "State and time (UTC)"], &rows)?;
    } else {
        let header = ["Run", "When (UTC)", "State", "What", "By", "Done"];
        out.list(&header, &forms, |run| {
            let (what, who, time) = told(run);
            let done = format!("{}/{}", run.counts.done, run.counts.total);
            vec![run.id.to_string(), time, how(run).to_owned(), what, who, done]
        })?;
    }
    out.flush()?;
    if let Some(next) = page.next {
        say::aside(&format!("for older ones, give the same again with --before {next}"));
    }
    if forms.is_empty() {
        say::aside("nothing found; `gesta action ls` lists what can be run");
    }
    Ok(if forms.is_empty() && args.fail_empty { Code::NotFound } else { Code::Ok })
}

/// What was run, who asked, and when.
fn told(run: &RunForm) -> (String, String, String) {
    (
        format!("{}.{}", run.kind, run.action),
        reference(&run.actor),
        run.created_at.get(..16).unwrap_or_default().replace('T', " "),
    )
}

fn how(run: &RunForm) -> &'static str {
    if run.waiting.is_some() { "waiting" } else { run.state }
}

/// For a terminal of 80 columns, of which an id takes nearly half.
fn row(run: &RunForm) -> Vec<String> {
    let (what, who, time) = told(run);
    let (done, total) = (run.counts.done, run.counts.total);
    vec![
        run.id.to_string(),
        format!("{what} by {who}"),
        format!("{} {done}/{total} {time}", how(run)),
    ]
}
