//! `gesta run cancel` and `gesta run retry`.

use super::One;
use crate::cli::catalog::Use;
use crate::cli::engine::{By, Engine};
use crate::cli::exit::Code;
use crate::cli::progress::{self, ended};
use crate::cli::say;
use crate::cli::session::Session;

#[derive(clap::Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    by: By,
}

#[derive(clap::Args)]
pub(super) struct Retry {
    #[command(flatten)]
    one: One,
    /// Print the new run, and do not wait for its end
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    by: By,
}

pub(super) async fn cancel(args: &Cancel, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open(session, &args.by).await?;
    let run = engine.runs.cancel(&engine.asker, args.one.id).await?;
    ended::print(&run, session)?;
    say::aside("cancelled; what was done stays");
    Ok(Code::Ok)
}

pub(super) async fn retry(args: &Retry, session: &Session) -> anyhow::Result<Code> {
    let engine = Engine::open_for(Use::Run, session, &args.by).await?;
    let started = engine.runs.retry(&engine.asker, args.one.id).await?;
    if !started.is_new {
        say::note("it was retried before; here is that run");
    }
    if args.detach {
        ended::print(&started.run, session)?;
        return Ok(Code::Ok);
    }
    if started.run.state.is_ended() {
        return ended::tell(&engine, &started.run, session).await;
    }
    progress::watch(&engine, started.run.id, session).await
}
