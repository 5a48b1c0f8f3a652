//! `gesta tail`: committed actions as they come, in log order, for as long as somebody reads.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::entry::{Detail, Printer};
use super::exit::{Code, Told};
use super::nats::NatsArgs;
use super::output::{Format, Out};
use super::say;
use super::select::outcome;
use super::session::{Role, Session, now};
use super::when::When;
use crate::action::{Action, Outcome};
use crate::error::chain;
use crate::format::Item;
use crate::log::{Chunk, Entry, Log, LogError, Position, PositionError};
use crate::relay::{Filter, Tree};
use crate::resource::{ResourceRef, ResourceType};
use crate::store::retry_pause;
use crate::subscription::{Delivery, Subscription};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta tail                                 from now on
  gesta tail --after start | jq .verb        all that was ever recorded, and what comes
  gesta tail --position > actions.jsonl      with a position in each line, so that
  gesta tail --position --after g1.AbC…      goes on right after that line
  gesta tail --after 2h                      what was recorded since then, and perhaps some more before it
  gesta tail --all-tenants --verb delete     needs the rights of gesta_auditor
  gesta tail --nats                          from the stream of `gesta relay run`

It ends with 0 when it is interrupted, terminated, or nobody reads any more.";

/// Actions that are read at once.
const CHUNK_LEN: usize = 500;

/// How often it looks whether somebody still reads, while there is nothing to write.
const LOOK: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Args {
    /// Go on after this position, from a time on, such as 2h, or from the `start` of everything [default: now]
    #[arg(long, value_name = "POSITION|TIME", value_parser = after, help_heading = "From where")]
    after: Option<After>,
    /// Print the position after each action, for --after
    #[arg(long)]
    position: bool,
    /// Show everything of each action: id, run, source, data, context
    #[arg(long, short = 'l')]
    long: bool,
    /// The actions of all tenants
    #[arg(long, help_heading = "Which actions", conflicts_with = "tenant")]
    all_tenants: bool,
    /// From the stream of a relay, and from the database what the stream does not have; implied by flags of NATS
    #[arg(long, help_heading = "NATS")]
    nats: bool,
    #[command(flatten)]
    server: NatsArgs,
    #[command(flatten)]
    sieve: Sieve,
}

/// Where it begins.
#[derive(Clone)]
enum After {
    Position(Position),
    Time(When),
}

fn after(text: &str) -> Result<After, String> {
    text.parse().map(After::Position).or_else(|error: PositionError| {
        let time = text.parse().map(After::Time);
        time.map_err(|_| {
            format!("{error}; or give a time such as 2h, yesterday, 2026-11-20T14:03:00Z")
        })
    })
}

/// Which actions are printed of those that are read.
#[derive(clap::Args)]
#[command(next_help_heading = "Which actions")]
struct Sieve {
    /// Only this verb; may be repeated
    #[arg(long, short, value_name = "VERB", value_parser = NonEmptyStringValueParser::new())]
    verb: Vec<String>,
    /// Only objects of this type; may be repeated
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    kind: Vec<ResourceType>,
    /// Only what this actor did; may be repeated
    #[arg(long, value_name = "TYPE:ID")]
    actor: Vec<ResourceRef>,
    /// Only what ended so: ok, failed, denied; may be repeated
    #[arg(long, value_name = "OUTCOME", value_parser = outcome())]
    outcome: Vec<Outcome>,
}

impl Sieve {
    /// The same for the broker, as far as one subject can say it.
    fn narrow(&self, filter: Filter) -> Filter {
        let filter = match &self.verb[..] {
            [verb] => filter.verb(verb),
            _ => filter,
        };
        match &self.kind[..] {
            [kind] => filter.object_type(kind),
            _ => filter,
        }
    }

    fn lets_through(&self, action: &Action) -> bool {
        fn one_of<T: PartialEq>(wanted: &[T], given: Option<&T>) -> bool {
            wanted.is_empty() || given.is_some_and(|given| wanted.contains(given))
        }
        one_of(&self.verb, Some(&action.verb))
            && one_of(&self.kind, action.object.as_ref().map(|object| &object.resource.kind))
            && one_of(&self.actor, Some(&action.actor.resource))
            && one_of(&self.outcome, Some(&action.outcome))
    }
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let mut out = session.out();
    if args.position && out.format() == Format::Csv {
        return Err(Told::usage("--position has no column in CSV; give --output jsonl").into());
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Between two writes it can end at any moment; what was printed ends with a whole line.
    tokio::select! {
        ended = follow(args, session, &mut out) => ended,
        _ = terminate.recv() => Ok(Code::Ok),
        _ = interrupt.recv() => Ok(Code::Ok),
        () = abandoned() => Ok(Code::Ok),
    }
}

async fn follow(args: Args, session: &Session, out: &mut Out) -> anyhow::Result<Code> {
    let role = if args.all_tenants { Role::Auditor } else { Role::App };
    let database = session.open(role).await?;
    let log = Log::of(&database.store);
    let log = if args.all_tenants { log } else { log.tenant(session.tenant.clone()) };
    let mut position = match &args.after {
        Some(After::Position(position)) => position.clone(),
        Some(After::Time(time)) => log.at(time.at(now())).await?,
        None => log.head().await?,
    };
    let detail = if args.long { Detail::Full } else { Detail::Brief };
    let mut printer = Printer::new(detail, now());
    if args.nats || args.server.is_given() {
        return follow_stream(&args, session, log, position, &mut printer, out).await;
    }
    loop {
        let chunk = next(&log, &position).await?;
        for Entry { action, position, .. } in &chunk.entries {
            print(action, position, &args, &mut printer, out)?;
        }
        out.flush()?;
        position = chunk.end;
    }
}

/// The same from the stream of a relay.
async fn follow_stream(
    args: &Args,
    session: &Session,
    log: Log,
    after: Position,
    printer: &mut Printer,
    out: &mut Out,
) -> anyhow::Result<Code> {
    let server = args.server.server(session).await?;
    let jet_stream = async_nats::jetstream::new(server.options.connect().await?);
    let (spec, subjects) = args.server.stream(session)?;
    let mut subscription =
        Subscription::new(&jet_stream, spec.name()).after(after).log(log).batch(CHUNK_LEN);
    for tree in [Tree::Public, Tree::Private] {
        let filter = args.sieve.narrow(subjects.filter(tree));
        let own = !args.all_tenants;
        subscription =
            subscription.filter(if own { filter.tenant(&session.tenant) } else { filter });
    }
    loop {
        let mut next = Some(subscription.next().await?);
        while let Some(Delivery { action, position, .. }) = next {
            print(&action, &position, args, printer, out)?;
            next = subscription.next_ready();
        }
        out.flush()?;
    }
}

/// The next chunk, however long the database is away.
async fn next(log: &Log, after: &Position) -> Result<Chunk, LogError> {
    for attempt in 1.. {
        match log.next(after, CHUNK_LEN).await {
            Ok(chunk) => {
                if attempt > 1 {
                    say::note("the database answers again");
                }
                return Ok(chunk);
            }
            Err(error) if error.is_passing() => {
                if attempt == 1 {
                    say::warning(&format!("{}; trying again", chain(&error)));
                }
                retry_pause(attempt).await;
            }
            Err(error) => return Err(error),
        }
    }
    unreachable!("it goes on until it is answered")
}

/// Prints an action, if it is wanted.
fn print(
    action: &Action,
    position: &Position,
    args: &Args,
    printer: &mut Printer,
    out: &mut Out,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Positioned<'a> {
        position: String,
        #[serde(flatten)]
        action: &'a Action,
    }
    if !args.sieve.lets_through(action) {
        return Ok(());
    }
    let position = position.to_string();
    match (args.position, out.format()) {
        (true, Format::Jsonl) => out.json(&Positioned { position, action }),
        (true, _) => {
            printer.print(out, &[Item::from(action)])?;
            out.text(&format!("position {position}"))
        }
        (false, _) => printer.print(out, &[Item::from(action)]),
    }
}

/// Returns when nobody reads standard output any more, which otherwise shows at the next write only.
async fn abandoned() {
    let stdout = io::stdout();
    loop {
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        let closed = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0);
        let gone = PollFlags::POLLERR | PollFlags::POLLNVAL;
        if closed && fds[0].revents().is_some_and(|events| events.intersects(gone)) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
