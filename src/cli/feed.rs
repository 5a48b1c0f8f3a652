//! `gesta feed`: what those whom somebody follows did, newest first, and why it is there.

use super::exit::Code;
use super::select::{Listing, Span, Window, sight};
use super::session::{Role, Session, now};
use crate::resource::ResourceRef;
use crate::stream::FeedQuery;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta feed user:ann                     what is new for ann
  gesta feed user:ann --since 1d --own    of the last day, with what ann did
  gesta feed user:ann --flag liking       only through what ann likes";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Whose feed, such as user:ann
    #[arg(value_name = "FOLLOWER")]
    follower: ResourceRef,
    /// Only through follows with this flag
    #[arg(long, value_name = "FLAG", default_value = "", hide_default_value = true)]
    flag: String,
    /// Show also what the follower did
    #[arg(long)]
    own: bool,
    /// Only this verb; may be repeated
    #[arg(long, short, value_name = "VERB")]
    verb: Vec<String>,
    /// Only what readers with this label may see; may be repeated [default: everything]
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    #[command(flatten)]
    window: Window,
    #[command(flatten)]
    span: Span,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let now = now();
    let (since, until) = args.window.fixed(now)?;
    let database = session.open(Role::App).await?;
    let feed = FeedQuery::new(&args.follower).flag(&args.flag).verbs(&args.verb);
    let feed = if args.own { feed.with_own_activity() } else { feed };
    let feed = since.map_or(feed.clone(), |since| feed.since(since));
    let feed = until.map_or(feed.clone(), |until| feed.until(until));
    let reader = sight(&database.reader, &args.label);
    let page = async |cursor, limit| feed.clone().from(cursor).limit(limit).page(&reader).await;
    let listing = Listing { span: &args.span, window: &args.window, now, word: None };
    listing.print(&mut session.out(), page).await
}
