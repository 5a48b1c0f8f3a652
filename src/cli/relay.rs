//! `gesta relay`: the log as messages of NATS JetStream.

use std::io::IsTerminal;
use std::sync::Mutex;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Code, Told};
use super::nats::{self, NatsArgs, StreamArgs};
use super::output::{Format, Out};
use super::say;
use super::session::{self, Role, Session};
use super::stats::number;
use crate::log::{Holder, Writing};
use crate::relay::{Encoder, Lag, News, ParkedAction, Relay, RelayStatus, Tip};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta relay run --nats-url nats://relay:secret@nats    publishes, until it is stopped
  gesta relay status                                     how far it is, and what is in the way
  gesta relay rebuild --yes                              publishes everything again, in a new stream";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    /// Whether it goes on until it is stopped.
    pub(super) fn is_long(&self) -> bool {
        matches!(self.command, Command::Run(_))
    }
}

#[derive(clap::Subcommand)]
enum Command {
    /// Publish the log, as one of any number of relays; ends on SIGINT and SIGTERM
    Run(RunArgs),
    /// Say how far the relays are, what is parked, and whose transactions are open; exit with 3 when there is no stream
    Status(NatsArgs),
    /// Delete the stream, make it anew, and publish the whole log again, while no relay runs; settings of the stream that are
    /// not given stay as they are
    Rebuild(RebuildArgs),
}

#[derive(clap::Args)]
struct RunArgs {
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    stream: StreamArgs,
}

#[derive(clap::Args)]
struct RebuildArgs {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    nats: NatsArgs,
    #[command(flatten)]
    stream: StreamArgs,
}

/// A relay with the servers that it needs.
struct Opened {
    relay: Relay,
    _database: session::Database,
    _server: nats::Server,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    match args.command {
        Command::Run(args) => publish(&args, session).await,
        Command::Status(args) => status(&args, session).await,
        Command::Rebuild(args) => rebuild(&args, session).await,
    }
}

async fn open(nats: &NatsArgs, stream: &StreamArgs, session: &Session) -> anyhow::Result<Opened> {
    let (spec, encoder) = stream.spec(nats, session)?;
    let server = nats.server(session).await?;
    nats::tell(&server);
    let database = session.open(Role::Relay).await?;
    let client = server.options.clone().name("gesta relay").connect().await?;
    let relay = Relay::new(database.store.pool(), client, spec, encoder);
    Ok(Opened { relay, _database: database, _server: server })
}

/// Says what happens, one line each; a line that is the same as the one before is left out.
fn told() -> impl Fn(&News) + Send + Sync {
    let last = Mutex::new(String::new());
    move |news| {
        let text = news.to_string();
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last != text {
            let time = session::now().to_rfc3339_opts(SecondsFormat::Millis, true);
            match news {
                News::Trouble { .. } | News::Parked { .. } | News::Restored { .. } => {
                    say::warning(&format!("{time} {text}"));
                }
                _ => say::note(&format!("{time} {text}")),
            }
            *last = text;
        }
    }
}

async fn publish(args: &RunArgs, session: &Session) -> anyhow::Result<Code> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let opened = tokio::select! {
        opened = open(&args.nats, &args.stream, session) => opened?,
        _ = interrupt.recv() => return Ok(Code::Interrupted),
        _ = terminate.recv() => return Ok(Code::Interrupted),
    };
    let relay = opened.relay.told(told());
    let asked = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    relay.run(asked).await.context("failed to relay")?;
    Ok(Code::Ok)
}

async fn rebuild(args: &RebuildArgs, session: &Session) -> anyhow::Result<Code> {
    let (spec, _) = args.nats.stream(session)?;
    let stream = spec.name();
    let opened = open(&args.nats, &args.stream, session).await?;
    say::warning(&format!(
        "the stream `{stream}` is deleted and made anew: its consumers are deleted with it, every action is published once \
         more with the audience that it has now, and whoever does not know it by its id does it twice"
    ));
    if !args.yes && !is_confirmed(stream)? {
        return Err(Told::usage(
            "nothing was done; confirm with the name of the stream, or give `--yes`",
        )
        .into());
    }
    let relay = opened.relay.told(told());
    relay.rebuild().await.context("failed to make the stream anew")?;
    Ok(Code::Ok)
}

/// Asks whoever sits at a terminal.
fn is_confirmed(stream: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    say::note(&format!("type `{stream}` to go on"));
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim() == stream)
}

/// The status as JSON.
#[derive(Serialize)]
struct StatusForm<'a> {
    stream: &'a str,
    tip: &'a Option<Tip>,
    publisher: Option<&'a str>,
    seen_at: Option<DateTime<Utc>>,
    position: &'a Option<String>,
    lag: &'a Option<Lag>,
    parked: Vec<ParkedForm<'a>>,
    writing: Vec<WritingForm<'a>>,
}

#[derive(Serialize)]
struct ParkedForm<'a> {
    tenant: &'a str,
    id: String,
    position: &'a str,
    reason: &'a str,
    since: DateTime<Utc>,
}

#[derive(Serialize)]
struct WritingForm<'a> {
    pid: Option<i32>,
    prepared: Option<&'a str>,
    xid: u32,
    user: &'a str,
    application: &'a str,
    since: Option<DateTime<Utc>>,
    seconds: Option<f64>,
    state: Option<&'a str>,
}

async fn status(args: &NatsArgs, session: &Session) -> anyhow::Result<Code> {
    let (spec, subjects) = args.stream(session)?;
    let server = args.server(session).await?;
    let database = session.open(Role::Relay).await?;
    let client = server.options.clone().name("gesta relay status").connect().await?;
    let relay = Relay::new(database.store.pool(), client, spec, Encoder::new(subjects));
    let status = relay.status().await.context("failed to look for the relay")?;
    let mut out = session.out();
    print(&mut out, &status)?;
    out.flush()?;
    Ok(if status.tip.is_some() { Code::Ok } else { Code::NotFound })
}

fn print(out: &mut Out, status: &RelayStatus) -> std::io::Result<()> {
    if out.format() == Format::Jsonl {
        return out.json(&form(status));
    }
    let rows = rows(status);
    if out.format() == Format::Csv {
        out.csv(["what", "value"])?;
        return rows.iter().try_for_each(|[what, value]| out.csv([what.as_str(), value]));
    }
    let rows: Vec<_> = rows.into_iter().map(Vec::from).collect();
    out.columns(&["Relay", &status.stream], &rows)
}

fn form(status: &RelayStatus) -> StatusForm<'_> {
    StatusForm {
        stream: &status.stream,
        tip: &status.tip,
        publisher: status.publisher.as_ref().map(|(holder, _)| holder.as_str()),
        seen_at: status.seen_at,
        position: &status.position,
        lag: &status.lag,
        parked: status.parked.iter().map(parked).collect(),
        writing: status.writing.iter().map(writing).collect(),
    }
}

fn parked(parked: &ParkedAction) -> ParkedForm<'_> {
    ParkedForm {
        tenant: parked.tenant.as_str(),
        id: parked.id.to_string(),
        position: &parked.position,
        reason: &parked.reason,
        since: parked.since,
    }
}

fn writing(holder: &Holder) -> WritingForm<'_> {
    let (pid, prepared) = match &holder.writing {
        Writing::Session { pid } => (Some(*pid), None),
        Writing::Prepared { gid } => (None, Some(gid.as_str())),
    };
    WritingForm {
        pid,
        prepared,
        xid: holder.xid,
        user: &holder.user,
        application: &holder.application,
        since: holder.since,
        seconds: holder.age.map(|age| age.as_secs_f64()),
        state: holder.state.as_deref(),
    }
}

fn rows(status: &RelayStatus) -> Vec<[String; 2]> {
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let count = |count: u64| number(i64::try_from(count).unwrap_or(i64::MAX));
    let mut rows = Vec::new();
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    match &status.tip {
        None => row("stream", "there is none yet; `gesta relay run` makes it".to_owned()),
        Some(tip) => {
            let at = tip.time.map_or_else(String::new, |at| format!(" of {}", time(at)));
            row("last message", format!("{}{at}", count(tip.sequence)));
            row("messages", format!("{}, {} bytes", count(tip.messages), count(tip.bytes)));
        }
    }
    row("position", status.position.clone().unwrap_or_else(|| "not known".to_owned()));
    row(
        "lag",
        match &status.lag {
            None => "not known: the position is of another history of the database".to_owned(),
            Some(lag) => {
                let about = if lag.is_estimate { "about " } else { "" };
                format!("{about}{} actions, {:.1} s", count(lag.actions), lag.seconds)
            }
        },
    );
    row(
        "publishing",
        match &status.publisher {
            None => "nobody".to_owned(),
            Some((holder, _)) => format!("relay {holder}"),
        },
    );
    for writing in &status.writing {
        row("open transaction", holder(writing));
    }
    for it in &status.parked {
        row(
            "parked",
            format!("{} of {} since {}: {}", it.id, it.tenant, time(it.since), it.reason),
        );
    }
    rows
}

/// Who holds a transaction open, for whom it delays.
fn holder(holder: &Holder) -> String {
    let what = match &holder.writing {
        Writing::Session { pid } => format!("process {pid}"),
        Writing::Prepared { gid } => format!("prepared transaction `{gid}`"),
    };
    let of = if holder.application.is_empty() {
        String::new()
    } else {
        format!(" ({})", holder.application)
    };
    let age =
        holder.age.map_or_else(String::new, |age| format!(", for {:.1} s", age.as_secs_f64()));
    let state = holder.state.as_ref().map_or_else(String::new, |state| format!(", {state}"));
    format!("{what} of {}{of}{age}{state}: its actions come when it commits", holder.user)
}
