//! `gesta log`: what happened, newest first.

use uuid::Uuid;

use super::exit::Code;
use super::select::{Listing, Narrow, Span, Window};
use super::session::{Role, Session, now};
use crate::resource::ResourceRef;
use crate::stream::StreamQuery;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta log                                  the latest 50 actions
  gesta log --since 2h --verb close          what was closed in the last two hours
  gesta log crash -t issue                   what was done to issues, with this text
  gesta log --about user:ann -n all -o csv   all that ann has to do with";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only actions with this text in verb, description, ids or names
    text: Vec<String>,
    /// Only what this resource has to do with, in any role
    #[arg(long, value_name = "TYPE:ID", conflicts_with = "run", help_heading = "Which actions")]
    about: Option<ResourceRef>,
    /// Only what this run or bulk operation did
    #[arg(long, value_name = "ID", help_heading = "Which actions")]
    run: Option<Uuid>,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    span: Span,
}

/// Flags of the streams of one resource.
#[derive(clap::Args)]
pub(crate) struct Of {
    /// Which resource, such as issue:70
    #[arg(value_name = "TYPE:ID")]
    pub(super) resource: ResourceRef,
    /// Only actions with this text in verb, description, ids or names
    text: Vec<String>,
    #[command(flatten)]
    pub(super) narrow: Narrow,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    span: Span,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let stream = match (&args.about, args.run) {
        (Some(resource), _) => StreamQuery::any(resource),
        (_, Some(run)) => StreamQuery::run(run),
        _ => StreamQuery::tenant(),
    };
    list(stream, &args.text, &args.narrow, &args.window, &args.span, session).await
}

/// Prints the stream of one resource.
pub(super) async fn list_of(
    stream: StreamQuery,
    args: &Of,
    session: &Session,
) -> anyhow::Result<Code> {
    list(stream, &args.text, &args.narrow, &args.window, &args.span, session).await
}

async fn list(
    stream: StreamQuery,
    text: &[String],
    narrow: &Narrow,
    window: &Window,
    span: &Span,
    session: &Session,
) -> anyhow::Result<Code> {
    let now = now();
    let (since, until) = window.fixed(now)?;
    let database = session.open(Role::App).await?;
    let stream = stream.filter(narrow.filter(text));
    let stream = since.map_or(stream.clone(), |since| stream.since(since));
    let stream = until.map_or(stream.clone(), |until| stream.until(until));
    let reader = narrow.reader(&database);
    let page = async |cursor, limit| stream.clone().from(cursor).limit(limit).page(&reader).await;
    Listing { span, window, now }.print(&mut session.out(), page).await
}
