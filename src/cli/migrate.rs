//! `gesta migrate`: the schema of a database.

use anyhow::Context as _;
use serde::Serialize;
use tokio_postgres::Client;

use super::exit::Code;
use super::output::Out;
use super::say;
use super::session::Session;
use crate::config::Place;
use crate::local::{self, Server};
use crate::store::{migrate, migration_sql, migration_status};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta migrate --database-url postgresql://admin@db/app    brings it up to date
  gesta migrate status                                      says what is lacking
  gesta migrate sql                                         prints all statements";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Say what has been applied and what has not; exit with 1 when something has not
    Status,
    /// Print the statements of all migrations
    Sql,
}

/// A migration and whether it has been applied.
#[derive(Serialize)]
struct Step<'a> {
    migration: &'a str,
    state: &'static str,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let mut out = session.out();
    let code = match args.command {
        None => apply(session, &mut out).await?,
        Some(Command::Status) => status(session, &mut out).await?,
        Some(Command::Sql) => sql(&mut out)?,
    };
    out.flush()?;
    Ok(code)
}

async fn apply(session: &Session, out: &mut Out) -> anyhow::Result<Code> {
    let (mut client, _server) = operator(session).await?;
    let applied = migrate(&mut client).await.context("failed to migrate; nothing was changed")?;
    let steps: Vec<_> =
        applied.iter().map(|&name| Step { migration: name, state: "applied now" }).collect();
    list(out, &steps)?;
    if steps.is_empty() {
        say::note("the schema is up to date");
    }
    Ok(Code::Ok)
}

async fn status(session: &Session, out: &mut Out) -> anyhow::Result<Code> {
    let (mut client, _server) = operator(session).await?;
    let status = migration_status(&mut client).await?;
    let applied = status.applied.iter().map(|name| Step { migration: name, state: "applied" });
    let pending = status.pending.iter().map(|&name| Step { migration: name, state: "pending" });
    let steps: Vec<_> = applied.chain(pending).collect();
    list(out, &steps)?;
    if status.pending.is_empty() {
        return Ok(Code::Ok);
    }
    say::note("run `gesta migrate` to apply what is pending");
    Ok(Code::Error)
}

fn list(out: &mut Out, steps: &[Step<'_>]) -> std::io::Result<()> {
    out.list(&["Migration", "State"], steps, |step| {
        vec![step.migration.to_owned(), step.state.to_owned()]
    })
}

fn sql(out: &mut Out) -> anyhow::Result<Code> {
    for (name, sql) in migration_sql() {
        out.script(&format!("-- schema/{name}.sql\n{sql}\n"))?;
    }
    Ok(Code::Ok)
}

/// A connection that may change the schema: the private server's superuser, or the user of the URL.
pub(super) async fn operator(session: &Session) -> anyhow::Result<(Client, Option<Server>)> {
    Ok(match session.place()? {
        Place::Home(home) => {
            let server = session.start(&home).await?;
            (local::operator(&server).await?, Some(server))
        }
        Place::Url { endpoint, .. } => (endpoint.connect_guarded().await?, None),
    })
}
