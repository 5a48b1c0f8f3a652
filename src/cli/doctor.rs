//! `gesta doctor`: what is in order, what is not, and what to do about it.
//!
//! Nothing is repaired here; only the private server is started, and its schema brought up to date, as by every command.

mod database;
mod guards;
mod machine;
mod nats;
mod open;
mod schema;
mod tracked;

use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::exit::Code;
use super::layout::{BAD, DOUBTFUL, FAINT, GOOD, Line, PLAIN};
use super::output::{Format, Out};
use super::session::Session;
use crate::config::Place;
use crate::error::chain;
use crate::local::{DATABASE, Server, operator};
use crate::store::{Endpoint, MigrationStatus, migration_status};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta doctor                                              the private database
  gesta doctor --database-url postgresql://admin@db/app     another one
  gesta doctor -o jsonl | grep -v '\"ok\"'                    only what is not in order";

/// Columns of the state and of the check's name.
const WIDTHS: [usize; 2] = [4, 14];

#[derive(clap::Args)]
pub(crate) struct Args {}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    #[serde(rename = "check")]
    name: &'static str,
    state: State,
    found: String,
    fix: Option<String>,
}

impl Check {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { name: check, state: State::Ok, found: found.into(), fix: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: check, state: State::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: check, state: State::Fail, found: found.into(), fix: Some(fix.into()) }
    }

    /// A check that could not be made.
    fn unknown(check: &'static str, error: &tokio_postgres::Error) -> Self {
        if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            return Self::fail(check, format!("not known: {}", chain(error)), "see above");
        }
        let fix = "run it with a user that may look, such as the one who migrates";
        Self::warn(check, format!("not known: {}", chain(error)), fix)
    }
}

/// Prints each check as soon as it is made, and keeps the worst state.
struct Report {
    out: Out,
    failed: bool,
}

impl Report {
    fn add(&mut self, checks: impl IntoIterator<Item = Check>) -> anyhow::Result<()> {
        for check in checks {
            self.failed |= check.state == State::Fail;
            match self.out.format() {
                Format::Jsonl => self.out.json(&check)?,
                Format::Csv => {
                    let state = check.state.word();
                    let fix = check.fix.as_deref().unwrap_or_default();
                    self.out.csv([check.name, state, &check.found, fix])?;
                }
                Format::Table => self.row(&check)?,
            }
            self.out.flush()?;
        }
        Ok(())
    }

    fn row(&mut self, check: &Check) -> std::io::Result<()> {
        let style = match check.state {
            State::Ok => GOOD,
            State::Warn => DOUBTFUL,
            State::Fail => BAD,
        };
        let mut found = vec![Line::plain(&check.found)];
        found.extend(check.fix.iter().map(|fix| Line::of(FAINT, "fix: ").and(PLAIN, fix)));
        let cells =
            [vec![Line::of(style, check.state.word())], vec![Line::plain(check.name)], found];
        let [state, name] = WIDTHS;
        let widths = [state, name, self.out.width() - state - name - 4];
        self.out.row(&widths, &cells)
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

pub(crate) async fn run(_: Args, session: &Session) -> anyhow::Result<Code> {
    let mut report = Report { out: session.out(), failed: false };
    if report.out.format() == Format::Csv {
        report.out.csv(["check", "state", "found", "fix"])?;
    }
    examine(session, &mut report).await?;
    report.add(nats::checks(&session.environment.nats).await)?;
    Ok(if report.failed { Code::Error } else { Code::Ok })
}

/// From the outside in; what cannot be reached ends it.
async fn examine(session: &Session, report: &mut Report) -> anyhow::Result<()> {
    let place = session.place()?;
    let patient = match connect(session, &place).await {
        Ok(patient) => patient,
        Err(error) => {
            let fix = "see above; flags and variables: gesta --help";
            report.add([Check::fail("connection", chain(error.as_ref()), fix)])?;
            report.add(machine::checks(session, &place, None))?;
            return Ok(());
        }
    };
    let Patient { mut client, endpoint, server } = patient;
    report.add([Check::ok("connection", endpoint.to_string())])?;
    report.add(database::checks(&client).await)?;
    report.add([open::check(&client).await])?;
    let (check, migrated) = migrations(&mut client, &place).await;
    report.add([check])?;
    if migrated {
        report.add(schema::checks(&client).await)?;
        report.add(tracked::checks(&client).await)?;
        report.add([login(&endpoint, &place, server.as_ref()).await])?;
    }
    report.add(machine::checks(session, &place, server.as_ref()))?;
    Ok(())
}

/// What is examined.
struct Patient {
    client: Client,
    endpoint: Endpoint,
    server: Option<Server>,
}

async fn connect(session: &Session, place: &Place) -> anyhow::Result<Patient> {
    match place {
        Place::Home(home) => {
            let server = session.start(home).await?;
            let mut client = operator(&server).await?;
            // Why it failed, the check of the migrations tells.
            let _ = crate::store::migrate(&mut client).await;
            let endpoint = Endpoint::from(server.config(server.superuser(), DATABASE));
            Ok(Patient { client, endpoint, server: Some(server) })
        }
        Place::Url { endpoint, .. } => {
            let endpoint = (**endpoint).clone();
            Ok(Patient { client: endpoint.connect_guarded().await?, endpoint, server: None })
        }
    }
}

/// Whether all steps of the schema are there, as they were released.
async fn migrations(client: &mut Client, place: &Place) -> (Check, bool) {
    const NAME: &str = "migrations";
    let fix = match place {
        Place::Home(_) => "gesta migrate tells why it is not done by itself",
        Place::Url { .. } => "gesta migrate, with a user that may create roles and schemas",
    };
    match migration_status(client).await {
        Ok(MigrationStatus { applied, pending }) if pending.is_empty() => {
            let last = applied.last().map_or("", String::as_str);
            (
                Check::ok(
                    NAME,
                    format!("{} applied, checksums agree, up to {last}", applied.len()),
                ),
                true,
            )
        }
        Ok(MigrationStatus { applied, pending }) => {
            let found = format!("{} applied, pending: {}", applied.len(), pending.join(", "));
            (Check::fail(NAME, found, fix), false)
        }
        Err(error) => (Check::fail(NAME, chain(&error), "see above"), false),
    }
}

/// Whether an application gets in.
async fn login(endpoint: &Endpoint, place: &Place, server: Option<&Server>) -> Check {
    const NAME: &str = "application";
    let role = super::session::Role::App.name();
    let options = crate::store::PoolOptions::default().size(1).guarded();
    let (endpoint, options) = match server {
        Some(server) => (server.config(role, DATABASE).into(), options),
        None => (endpoint.clone(), options.role(role)),
    };
    match (endpoint.pool(&options).await, place) {
        (Ok(_), Place::Home(_)) => Check::ok(NAME, format!("logs in as {role}")),
        (Ok(_), Place::Url { .. }) => Check::ok(NAME, format!("acts as {role}")),
        (Err(error), _) => {
            Check::fail(NAME, chain(&error), format!("GRANT {role} TO the role that logs in"))
        }
    }
}
