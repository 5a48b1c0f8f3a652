//! `gesta log`: what happened, newest first.

use uuid::Uuid;

use super::exit::Code;
use super::negation::QUERY;
use super::query::{small_operator, understood};
use super::select::{Listing, Narrow, Span, Window, uuid};
use super::session::{Role, Session, now};
use crate::resource::ResourceRef;
use crate::search::{Query, SearchQuery, Who};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta log                                  the latest 50 actions
  gesta log --since 2h --verb close          what was closed in the last two hours
  gesta log crash -t issue                   what was done to issues, with this text
  gesta log 'verb:invoice data.amount:>1000' all that invoices are told of, above an amount
  gesta log --about user:ann -n all -o csv   all that ann has to do with";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only what this search finds, such as 'actor:user:42 verb:invoice occurred:>2h'
    #[arg(value_name = QUERY)]
    query: Vec<String>,
    /// Only what this resource has to do with, in any role
    #[arg(long, value_name = "TYPE:ID", conflicts_with = "run", help_heading = "Which actions")]
    about: Option<ResourceRef>,
    /// Only what this run or bulk operation did
    #[arg(long, value_name = "ID", value_parser = uuid, help_heading = "Which actions")]
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
    /// Only what this search finds besides, such as 'verb:close changed:status'
    #[arg(value_name = QUERY)]
    query: Vec<String>,
    #[command(flatten)]
    pub(super) narrow: Narrow,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    span: Span,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let Args { query, about, run, narrow, window, span } = args;
    let query =
        about.iter().fold(understood(&query)?, |query, about| query.and(Query::about(about)));
    let query = run.into_iter().fold(query, |query, run| query.and(Query::run(run)));
    list(query, &narrow, &window, &span, session).await
}

/// Prints what was done by, to or in one resource.
pub(super) async fn list_of(who: Who, args: &Of, session: &Session) -> anyhow::Result<Code> {
    let query = Query::of(who, &args.resource).and(understood(&args.query)?);
    list(query, &args.narrow, &args.window, &args.span, session).await
}

async fn list(
    query: Query,
    narrow: &Narrow,
    window: &Window,
    span: &Span,
    session: &Session,
) -> anyhow::Result<Code> {
    let now = now();
    let (since, until) = window.fixed(now)?;
    let database = session.open(Role::App).await?;
    let word = small_operator(query.root()).map(str::to_owned);
    let search = SearchQuery::new(query).filter(narrow.filter(&[]));
    let search = since.into_iter().fold(search, SearchQuery::since);
    let search = until.into_iter().fold(search, SearchQuery::until);
    let reader = narrow.reader(&database);
    let page = async |cursor, limit| search.clone().from(cursor).limit(limit).page(&reader).await;
    let listing = Listing { span, window, now, word: word.as_deref() };
    listing.print(&mut session.out(), page).await
}
