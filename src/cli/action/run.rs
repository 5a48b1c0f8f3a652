//! `gesta action run`: plans, asks, runs, and shows how far it has come.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::input::Input;
use super::plan;
use super::which::Selection;
use crate::cli::catalog::Use;
use crate::cli::confirm::{Answer, ask, must_be_asked};
use crate::cli::engine::{By, Engine};
use crate::cli::exit::Code;
use crate::cli::progress::{self, ended};
use crate::cli::say;
use crate::cli::session::Session;
use crate::definition::{Mode, Offer, Risk, by_count};
use crate::resource::ResourceType;
use crate::run::{Plan, SelectionInfo, Start};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The type of the objects
    #[arg(value_name = "TYPE")]
    kind: ResourceType,
    /// The name of the action
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    which: Selection,
    #[command(flatten)]
    input: Input,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", required_unless_present = "plan")]
    reason: Option<String>,
    /// Show what would happen, and change nothing
    #[arg(long)]
    plan: bool,
    /// Do not ask
    #[arg(long, short, conflicts_with = "plan")]
    yes: bool,
    #[command(flatten)]
    who_works: Work,
    /// What the request calls itself: given again with the same, it finds the run that it started
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    by: By,
}

/// Who does the work: this command, or a server.
#[derive(clap::Args)]
struct Work {
    /// Leave it to a worker of `gesta serve`, and wait for the end
    #[arg(long, conflicts_with_all = ["detach", "plan"])]
    wait: bool,
    /// Leave it to a worker of `gesta serve`, and print the run
    #[arg(long, conflicts_with = "plan")]
    detach: bool,
}

pub(super) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    if !args.plan && !args.yes {
        must_be_asked()?;
    }
    let is_left = args.who_works.wait || args.who_works.detach;
    let purpose = if args.plan || is_left { Use::Look } else { Use::Run };
    let mut engine = Engine::open_for(purpose, session, &args.by).await?;
    if let Some(reason) = &args.reason {
        engine.asker.context = engine.asker.context.clone().reason(reason);
    }
    let offer = engine.offer_to_run(&args.kind, &args.name).await?;
    let input = args.input.read(&offer)?;
    let which = args.which.understood()?;
    let (runs, asker) = (&engine.runs, &engine.asker);
    let fingerprint = fingerprint(&[
        args.kind.as_str(),
        &args.name,
        &format!("{which:?}"),
        &input.to_string(),
        args.reason.as_deref().unwrap_or_default(),
    ]);
    if let Some(key) = &args.idempotency_key
        && let Some(before) = runs.started_before(asker, key, fingerprint).await?
    {
        say::note("this request was sent before; here is its run");
        return progress::watch(&engine, before.run.id, session).await;
    }
    let selected = runs.select(asker, &args.kind, which, Some(&engine.database.reader)).await?;
    tell_dropped(&selected);
    let mut token = None;
    if args.plan || !args.yes || offer.risk() > Risk::None {
        let plan = runs.plan(asker, &args.kind, &args.name, selected.id, input.clone()).await?;
        if args.plan {
            return plan::print(&plan.into(), session);
        }
        if !args.yes && !agreed(&engine, &offer, &plan)? {
            say::note("nothing was changed");
            return Ok(Code::Error);
        }
        token = plan.needs_confirmation.then_some(plan.token);
    }
    let mode = if is_left { Mode::Background } else { Mode::Foreground };
    let start = Start::new(args.kind, &args.name, selected.id).input(input).mode(mode);
    let mut start = start.fingerprint(fingerprint);
    start.token = token;
    start.idempotency_key = args.idempotency_key;
    if is_left {
        return left_to_others(&engine, start, &args.who_works, session).await;
    }
    progress::run(&engine, start, session).await
}

/// What tells requests with the same key apart: what was asked for, and not the selection, which each makes anew.
fn fingerprint(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Starts it for a worker elsewhere.
async fn left_to_others(
    engine: &Engine,
    start: Start,
    work: &Work,
    session: &Session,
) -> anyhow::Result<Code> {
    let started = engine.runs.start(&engine.asker, start).await?;
    let id: Uuid = started.run.id;
    if work.detach {
        say::aside(&format!("a worker of `gesta serve` takes it; gesta run watch {id}"));
        ended::print(&started.run, session)?;
        return Ok(Code::Ok);
    }
    progress::watch(engine, id, session).await
}

fn tell_dropped(selected: &SelectionInfo) {
    if selected.dropped > 0 {
        let text = by_count(
            u64::from(selected.dropped),
            "1 id is not there, or outside of the filter, and was left out",
            "{count} ids are not there, or outside of the filter, and were left out",
        );
        say::warning(&text);
    }
}

/// Shows what would happen, and asks.
fn agreed(engine: &Engine, offer: &Offer<'_>, plan: &Plan) -> anyhow::Result<bool> {
    let kind = &plan.selection.kind;
    let spec = engine.runs.catalog().resource(kind);
    let total = u64::from(plan.selection.total);
    let objects =
        spec.map_or_else(|| format!("{total} of the type {kind}"), |spec| spec.count(total));
    let mut told = vec![format!("{}: {objects}", plan.label)];
    told.extend(plan::consequences(plan));
    if offer.risk() == Risk::Danger {
        told.push("it cannot be taken back".to_owned());
    }
    Ok(ask(&told, "Go on?")? == Answer::Yes)
}
