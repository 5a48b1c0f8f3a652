//! `gesta follow`: who has what in a feed.

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;

use super::exit::Code;
use super::session::{Database, Role as Login, Session};
use super::when::When;
use super::{output::Out, say};
use crate::action::form::time;
use crate::context::Context;
use crate::resource::ResourceRef;
use crate::stream::follow::EDGES_MAX;
use crate::stream::{Edge, Follow, FollowQuery, Role};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta follow add user:ann user:bob                what bob does
  gesta follow add user:ann project:gesta -r any    all that has to do with it
  gesta follow ls user:ann                          what ann follows
  gesta follow ls user:bob --followers              who follows bob
  gesta follow rm user:ann user:bob";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Follow a resource: its actions come into the follower's feed
    Add(Add),
    /// Follow it no longer
    Rm(Remove),
    /// List what somebody follows, or who follows it
    Ls(List),
}

#[derive(clap::Args)]
struct Add {
    #[command(flatten)]
    pair: Pair,
    /// Kind of following, such as liking: several stand side by side
    #[arg(long, value_name = "FLAG", default_value = "", hide_default_value = true)]
    flag: String,
    /// In which role it counts; may be repeated
    #[arg(long, short, value_name = "ROLE", value_parser = roles(), default_value = "actor")]
    role: Vec<Roles>,
    /// Only this verb; may be repeated
    #[arg(long, short, value_name = "VERB")]
    verb: Vec<String>,
    /// Only what occurred from then on
    #[arg(long, short, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<When>,
    /// Keep it, but out of the feed
    #[arg(long)]
    muted: bool,
    /// Do not tell of it by an action
    #[arg(long)]
    silent: bool,
}

#[derive(clap::Args)]
struct Remove {
    #[command(flatten)]
    pair: Pair,
    /// Only this kind of following [default: all kinds]
    #[arg(long, value_name = "FLAG", default_value = "", hide_default_value = true)]
    flag: String,
}

/// Who and what.
#[derive(clap::Args)]
struct Pair {
    /// Who follows, such as user:ann
    #[arg(value_name = "FOLLOWER")]
    follower: ResourceRef,
    /// What is followed, such as project:gesta
    #[arg(value_name = "FOLLOWED")]
    followed: ResourceRef,
    /// Who asks for it [default: the follower]
    #[arg(long, value_name = "TYPE:ID")]
    actor: Option<ResourceRef>,
}

#[derive(clap::Args)]
struct List {
    /// Of whom, such as user:ann
    #[arg(value_name = "TYPE:ID")]
    resource: ResourceRef,
    /// List who follows it
    #[arg(long)]
    followers: bool,
    /// Only this kind of following
    #[arg(long, value_name = "FLAG", default_value = "", hide_default_value = true)]
    flag: String,
    /// Exit with 3 when nothing is found
    #[arg(long)]
    fail_empty: bool,
}

/// Roles that one word names.
#[derive(Clone, Copy, Debug)]
enum Roles {
    One(Role),
    Any,
}

fn roles() -> impl TypedValueParser<Value = Roles> {
    let words = Role::ALL.map(Role::as_str).into_iter().chain(["any"]);
    PossibleValuesParser::new(words)
        .map(|word| Role::from_word(&word).map_or(Roles::Any, Roles::One))
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let database = session.open(Login::App).await?;
    let mut out = session.out();
    let code = match args.command {
        Command::Add(add) => add.run(&database, session, &mut out).await?,
        Command::Rm(remove) => remove.run(&database, session).await?,
        Command::Ls(list) => list.run(&database, &mut out).await?,
    };
    out.flush()?;
    Ok(code)
}

impl Pair {
    fn context(&self, session: &Session) -> Context {
        Context::new(self.actor.as_ref().unwrap_or(&self.follower)).tenant(session.tenant.clone())
    }
}

impl Add {
    async fn run(
        self,
        database: &Database,
        session: &Session,
        out: &mut Out,
    ) -> anyhow::Result<Code> {
        let mut follow = Follow::new(&self.pair.follower, &self.pair.followed)
            .flag(&self.flag)
            .verbs(&self.verb)
            .roles(Role::ALL.into_iter().filter(|&role| self.counts(role)));
        if let Some(since) = self.since {
            follow = follow.since(since.at(database.store.now()));
        }
        follow = if self.muted { follow.muted() } else { follow };
        follow = if self.silent { follow.silent() } else { follow };
        let failed = "failed to store the follow";
        let mut client = database.store.client().await?;
        let tx = client.transaction().await.context(failed)?;
        let edge = database.store.follow(&tx, &self.pair.context(session), &follow).await?;
        tx.commit().await.context(failed)?;
        print(out, &[edge])?;
        Ok(Code::Ok)
    }

    fn counts(&self, role: Role) -> bool {
        self.role.iter().any(|given| match given {
            Roles::One(one) => *one == role,
            Roles::Any => true,
        })
    }
}

impl Remove {
    async fn run(self, database: &Database, session: &Session) -> anyhow::Result<Code> {
        let Pair { follower, followed, .. } = &self.pair;
        let failed = "failed to remove the follow";
        let mut client = database.store.client().await?;
        let tx = client.transaction().await.context(failed)?;
        let ctx = self.pair.context(session);
        let gone = database.store.unfollow(&tx, &ctx, follower, followed, &self.flag).await?;
        tx.commit().await.context(failed)?;
        match gone {
            0 => say::note(&format!("{follower} did not follow {followed}")),
            _ => say::note(&format!("{follower} follows {followed} no longer")),
        }
        Ok(Code::Ok)
    }
}

impl List {
    async fn run(self, database: &Database, out: &mut Out) -> anyhow::Result<Code> {
        let query = if self.followers {
            FollowQuery::followers(&self.resource)
        } else {
            FollowQuery::following(&self.resource)
        }
        .flag(&self.flag)
        .limit(EDGES_MAX);
        let edges = query.list(&database.reader).await?;
        print(out, &edges)?;
        if edges.len() == EDGES_MAX {
            say::warning(&format!("only the first {EDGES_MAX} are listed"));
        }
        if edges.is_empty() {
            say::aside("nothing found");
        }
        Ok(if edges.is_empty() && self.fail_empty { Code::NotFound } else { Code::Ok })
    }
}

/// An edge as JSON.
#[derive(Serialize)]
struct EdgeForm<'a> {
    follower: &'a ResourceRef,
    followed: &'a ResourceRef,
    flag: &'a str,
    roles: Vec<&'static str>,
    verbs: &'a [String],
    since: Option<String>,
    muted: bool,
    created_at: String,
}

impl<'a> From<&'a Edge> for EdgeForm<'a> {
    fn from(edge: &'a Edge) -> Self {
        Self {
            follower: &edge.follower,
            followed: &edge.followed,
            flag: &edge.flag,
            roles: edge.roles.iter().map(|role| role.as_str()).collect(),
            verbs: &edge.verbs,
            since: edge.since.map(time),
            muted: edge.muted,
            created_at: time(edge.created_at),
        }
    }
}

fn print(out: &mut Out, edges: &[Edge]) -> std::io::Result<()> {
    let forms: Vec<_> = edges.iter().map(EdgeForm::from).collect();
    let header = ["Follower", "Follows", "As", "Flag", "Only", "Since"];
    out.list(&header, &forms, |edge| {
        let since = edge.since.clone().unwrap_or_default();
        let muted = if edge.muted { "muted " } else { "" };
        vec![
            edge.follower.to_string(),
            edge.followed.to_string(),
            format!("{muted}{}", edge.roles.join(", ")),
            edge.flag.to_owned(),
            edge.verbs.join(", "),
            since,
        ]
    })
}
