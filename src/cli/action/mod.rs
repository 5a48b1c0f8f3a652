//! `gesta action`: what can be run on selected objects, and that it is run.

mod input;
mod list;
mod plan;
mod run;
mod show;
mod which;

use super::exit::Code;
use super::session::Session;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta action ls article                                what can be run on articles
  gesta action show article publish                      what it takes and does
  gesta action run article publish --ids 7,8 --reason OPS-123
  gesta action run article publish --filter state=draft --reason OPS-123 --plan
  gesta action run article delete --query 'verb:spam' --reason spam --yes --detach";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List what can be run
    Ls(list::Args),
    /// Show what an action is called, takes and does
    Show(show::Args),
    /// Run an action on selected objects
    Run(Box<run::Args>),
}

impl Args {
    /// Whether it says by itself how far it has come when it is interrupted.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self.command, Command::Run(_))
    }
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    match args.command {
        Command::Ls(args) => list::run(args, session).await,
        Command::Show(args) => show::run(args, session).await,
        Command::Run(args) => run::run(*args, session).await,
    }
}
