//! `gesta run`: who ran what, and what became of it.

mod control;
mod download;
mod items;
mod list;
mod show;

use uuid::Uuid;

use super::engine::{By, Engine, run_id};
use super::exit::Code;
use super::progress;
use super::session::Session;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta run ls --since 2d                  what was run in the last two days
  gesta run ls --object article:7          and on which occasion this article
  gesta run show 0199f3c1-…                who, what, why, and what became of it
  gesta run items 0199f3c1-… --outcome failed
  gesta run retry 0199f3c1-…               once more, over what failed
  gesta run download 0199f3c1-… > all.csv  the file of an export";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List runs, newest first
    Ls(Box<list::Args>),
    /// Show a run
    Show(One),
    /// List what became of the objects of a run
    Items(items::Args),
    /// Show how far a run is, until it ends
    Watch(One),
    /// Cancel a run; what it has done stays
    Cancel(control::Cancel),
    /// Run again over what failed, and what nothing became of
    Retry(control::Retry),
    /// Print the file that a run has left, as an export does
    Download(download::Args),
}

/// A run.
#[derive(clap::Args)]
pub(crate) struct One {
    /// The run
    #[arg(value_name = "ID", value_parser = run_id)]
    id: Uuid,
}

impl Args {
    /// Whether it says by itself what an interruption means.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self.command, Command::Watch(_) | Command::Retry(_))
    }
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    match args.command {
        Command::Ls(args) => list::run(*args, session).await,
        Command::Show(one) => show::run(&one, session).await,
        Command::Items(args) => items::run(args, session).await,
        Command::Watch(one) => {
            let engine = Engine::open(session, &By::default()).await?;
            progress::watch(&engine, one.id, session).await
        }
        Command::Cancel(cancel) => control::cancel(&cancel, session).await,
        Command::Retry(retry) => control::retry(&retry, session).await,
        Command::Download(args) => download::run(&args, session).await,
    }
}
