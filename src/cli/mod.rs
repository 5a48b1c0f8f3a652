//! The command `gesta`: one file a command, and what they share.
//!
//! Data goes to standard output, everything else to standard error. A command opens the database that the flags name
//! (`session.rs`), prints (`output.rs`, `entry.rs`) and ends with a code (`exit.rs`). Only here and in `main.rs` errors
//! are of `anyhow`; they are printed once, with all their causes.

mod action;
mod catalog;
mod completion;
mod confirm;
mod demo;
mod doctor;
mod emit;
mod emit_lines;
mod engine;
mod entry;
mod exit;
mod feed;
mod follow;
mod history;
mod import;
mod key;
mod migrate;
mod nats;
mod negation;
mod progress;
mod psql;
mod query;
mod relay;
mod role;
mod run;
mod layout;
mod log;
mod object;
mod actor;
mod target;
mod track;
mod output;
mod say;
mod select;
mod serve;
mod session;
mod show;
mod stats;
mod tail;
mod when;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{self, Environment, Secret};
use crate::definition::Catalog;
use crate::resource::Tenant;
use exit::Code;
use output::{Color, Format};
use session::Session;

/// Help of a command: what it does, examples, usage, flags, exit codes.
const TEMPLATE: &str = "\
{about-with-newline}
{before-help}{usage-heading} {usage}

{all-args}{after-help}";

/// Threads: one reads and parses while another talks to the database.
const THREADS: usize = 2;

/// Activity streams and audit events on PostgreSQL: who did what, to which object, when and why.
#[derive(Parser)]
#[command(name = "gesta", version, help_template = TEMPLATE)]
#[command(before_help = EXAMPLES, after_help = exit::HELP, after_long_help = help())]
#[command(arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gesta demo                              something to look at, in one step
  gesta log --since 2h                    what happened in the last two hours
  gesta object issue:70                   all that was done to issue 70
  gesta emit close --actor user:ann --object issue:70 --change status=open,closed
  gesta import events.jsonl.gz            loads a file; again: nothing twice";

fn help() -> String {
    format!("{}\n\n{}", config::help(), exit::HELP)
}

fn search_help() -> String {
    format!("{}\n\n{}", query::LANGUAGE, exit::HELP)
}

#[derive(clap::Args)]
#[command(next_help_heading = "Everywhere")]
struct Global {
    #[arg(long, global = true, value_name = "URL", conflicts_with = "home")]
    #[arg(help = "The database [env: GESTA_DATABASE_URL, DATABASE_URL; default: a private one]")]
    database_url: Option<String>,
    #[arg(long, global = true, value_name = "DIR")]
    #[arg(help = "Folder of the private PostgreSQL [env: GESTA_HOME]")]
    home: Option<PathBuf>,
    #[arg(long, global = true, value_name = "NAME")]
    #[arg(help = "Whose log [env: GESTA_TENANT; default: default]")]
    tenant: Option<Tenant>,
    /// Format of data [default: table on a terminal, jsonl in a pipe]
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    #[arg(help = "When to use colours [env: NO_COLOR, CLICOLOR_FORCE]")]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Show something real: a small story and the history of a repository
    #[command(before_help = demo::EXAMPLES)]
    Demo(demo::Args),
    /// List what happened, newest first
    #[command(before_help = log::EXAMPLES, after_long_help = search_help())]
    Log(Box<log::Args>),
    /// Explain how a search is understood
    #[command(before_help = query::EXAMPLES, after_long_help = search_help())]
    Query(query::Args),
    /// Print committed actions as they come, in log order
    #[command(before_help = tail::EXAMPLES)]
    Tail(Box<tail::Args>),
    /// List what was done to a resource; show what it was, and what changed
    #[command(before_help = object::EXAMPLES, after_long_help = search_help())]
    Object(Box<object::Args>),
    /// List what somebody did
    #[command(before_help = actor::EXAMPLES, after_long_help = search_help())]
    Actor(log::Of),
    /// List what was done in, to or for a resource
    #[command(before_help = target::EXAMPLES, after_long_help = search_help())]
    Target(log::Of),
    /// Show everything of one action
    #[command(before_help = show::EXAMPLES)]
    Show(show::Args),
    /// Load a file of events, or the history of a git repository
    #[command(before_help = import::EXAMPLES)]
    Import(import::Args),
    /// Append an action
    #[command(before_help = emit::EXAMPLES)]
    Emit(Box<emit::Args>),
    /// Follow, unfollow, list follows
    #[command(before_help = follow::EXAMPLES)]
    Follow(follow::Args),
    /// List what is new for a follower, and why
    #[command(before_help = feed::EXAMPLES)]
    Feed(feed::Args),
    /// Count actions: by verb, actor, type, source, outcome and time
    #[command(before_help = stats::EXAMPLES)]
    Stats(stats::Args),
    /// Publish the log as messages of NATS JetStream
    #[command(before_help = relay::EXAMPLES)]
    Relay(Box<relay::Args>),
    /// List, explain and run what can be run on selected objects
    #[command(before_help = action::EXAMPLES)]
    Action(action::Args),
    /// List, follow, cancel and retry runs
    #[command(before_help = run::EXAMPLES)]
    Run(run::Args),
    /// Make, list and revoke keys of the HTTP API
    #[command(before_help = key::EXAMPLES)]
    Key(key::Args),
    /// Say who may run what: roles, their permissions and members
    #[command(before_help = role::EXAMPLES)]
    Role(role::Args),
    /// Run the server: the HTTP API
    #[command(before_help = serve::EXAMPLES)]
    Serve(Box<serve::Args>),
    /// Bring the schema of a database up to date
    #[command(before_help = migrate::EXAMPLES)]
    Migrate(migrate::Args),
    /// Record what any program does to a table, by triggers
    #[command(before_help = track::EXAMPLES)]
    Track(Box<track::Args>),
    /// Record changes of a table no longer
    #[command(before_help = track::UNTRACK_EXAMPLES)]
    Untrack(track::Untrack),
    /// List the tables that are tracked, and how each is
    #[command(before_help = track::TRACKED_EXAMPLES)]
    Tracked(track::List),
    /// Open PostgreSQL's prompt as an ordinary role
    #[command(before_help = psql::EXAMPLES)]
    Psql(psql::Args),
    /// Check that all is in order, and say what to do where it is not
    #[command(before_help = doctor::EXAMPLES)]
    Doctor(doctor::Args),
    /// Print completions for a shell
    #[command(before_help = completion::EXAMPLES)]
    Completion(completion::Args),
}

/// Parses the arguments, runs one command, says what went wrong, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    main_with(Catalog::default(), std::env::args_os())
}

/// The same for a program that has actions of its own: its `serve` serves and runs them, its `action` lists and runs them.
/// The arguments begin with the name of the program.
///
/// ```no_run
/// # use gesta::definition::{Catalog, TypeSpec};
/// fn main() -> std::process::ExitCode {
///     let catalog = Catalog::builder().resource(TypeSpec::new("article", "article", "articles"));
///     match catalog.build() {
///         Ok(catalog) => gesta::cli::main_with(catalog, std::env::args_os()),
///         Err(error) => {
///             eprintln!("error: {error}");
///             std::process::ExitCode::FAILURE
///         }
///     }
/// }
/// ```
#[must_use]
pub fn main_with<T: Into<OsString> + Clone>(
    catalog: Catalog,
    args: impl IntoIterator<Item = T>,
) -> ExitCode {
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error).into(),
    };
    anstream::ColorChoice::from(cli.global.color).write_global();
    let ended = cli
        .check()
        .and_then(|()| cli.global.session(catalog))
        .and_then(|session| start(cli.command, &session));
    match ended {
        Ok(code) => code,
        // Whoever read has read enough.
        Err(error) if is_closed_pipe(&error) => Code::Ok,
        Err(error) => {
            say::error(&error);
            Code::of(&error)
        }
    }
    .into()
}

/// Prints the help that was asked for, or what is wrong with the arguments, which are quoted and may hold anything.
fn refuse(error: &clap::Error) -> Code {
    use clap::error::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let _ = error.print();
        return if error.use_stderr() { Code::Usage } else { Code::Ok };
    }
    let text = error.render().to_string();
    say::wrong(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    Code::Usage
}

/// Every command has the same order of its help and the same codes.
fn parse<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command()
        .mut_subcommands(|command| command.help_template(TEMPLATE).after_help(exit::HELP));
    // So that each command knows the flags that are taken everywhere.
    command.build();
    let args = negation::kept(&command, args.into_iter().map(Into::into));
    Cli::from_arg_matches(&command.try_get_matches_from(args)?)
}

impl Cli {
    /// Whoever names a tenant means its actions and no others.
    fn check(&self) -> anyhow::Result<()> {
        if matches!(self.command, Command::Relay(_)) && self.global.tenant.is_some() {
            let text = "a relay publishes the actions of all tenants; leave --tenant out, and let permissions of the broker \
                        fence tenants by subject";
            return Err(exit::Told::usage(text).into());
        }
        Ok(())
    }
}

impl Global {
    fn session(&self, catalog: Catalog) -> anyhow::Result<Session> {
        let environment = Environment::read();
        let tenant = match (&self.tenant, &environment.tenant) {
            (Some(tenant), _) => tenant.clone(),
            (None, Some(name)) => Tenant::new(name.clone())
                .map_err(|error| exit::Told::usage(format!("GESTA_TENANT: {error}")))?,
            (None, None) => Tenant::default(),
        };
        Ok(Session {
            url: self.database_url.clone().map(Secret::from),
            home: self.home.clone(),
            tenant,
            format: self.output,
            environment,
            catalog,
        })
    }
}

fn start(command: Command, session: &Session) -> anyhow::Result<Code> {
    let mut runtime = match &command {
        // It waits for the database and the broker in turn; threads that wake one another cost more than they do.
        Command::Relay(args) if args.is_long() => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    // A server has a thread a core.
    if !matches!(command, Command::Serve(_)) {
        runtime.worker_threads(THREADS);
    }
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(async {
        // At psql's prompt Ctrl-C is psql's; an import says how far it has come; a tail has no other end; a relay waits for
        // acknowledgements; a server finishes what is running; a run is cancelled, or goes on elsewhere.
        let sees_to_it = match &command {
            Command::Psql(_)
            | Command::Import(_)
            | Command::Tail(_)
            | Command::Relay(_)
            | Command::Serve(_) => true,
            Command::Action(args) => args.is_long(),
            Command::Run(args) => args.is_long(),
            _ => false,
        };
        if sees_to_it {
            return Box::pin(dispatch(command, session)).await;
        }
        tokio::select! {
            ended = dispatch(command, session) => ended,
            result = tokio::signal::ctrl_c() => result.map(|()| Code::Interrupted).map_err(Into::into),
        }
    })
}

async fn dispatch(command: Command, session: &Session) -> anyhow::Result<Code> {
    match command {
        Command::Demo(args) => demo::run(args, session).await,
        Command::Log(args) => log::run(*args, session).await,
        Command::Query(args) => query::run(&args, session),
        Command::Tail(args) => tail::run(*args, session).await,
        Command::Object(args) => object::run(*args, session).await,
        Command::Actor(args) => actor::run(args, session).await,
        Command::Target(args) => target::run(args, session).await,
        Command::Show(args) => show::run(args, session).await,
        Command::Import(args) => import::run(args, session).await,
        Command::Emit(args) => emit::run(*args, session).await,
        Command::Follow(args) => follow::run(args, session).await,
        Command::Feed(args) => feed::run(args, session).await,
        Command::Stats(args) => stats::run(args, session).await,
        Command::Relay(args) => relay::run(*args, session).await,
        Command::Action(args) => action::run(args, session).await,
        Command::Run(args) => run::run(args, session).await,
        Command::Key(args) => key::run(args, session).await,
        Command::Role(args) => role::run(args, session).await,
        Command::Serve(args) => serve::run(*args, session).await,
        Command::Migrate(args) => migrate::run(args, session).await,
        Command::Track(args) => track::run(*args, session).await,
        Command::Untrack(args) => track::untrack(args, session).await,
        Command::Tracked(args) => track::list(args, session).await,
        Command::Psql(args) => psql::run(args, session).await,
        Command::Doctor(args) => doctor::run(args, session).await,
        Command::Completion(args) => Ok(completion::run(&args)?),
    }
}

/// Whether standard output was closed. A broken connection to the database has an error of its own around it.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
