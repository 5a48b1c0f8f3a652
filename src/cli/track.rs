//! `gesta track`, `gesta untrack`, `gesta tracked`: triggers that record what any program does to a table.

use anyhow::Context as _;
use serde::Serialize;

use super::exit::Code;
use super::output::Out;
use super::say;
use super::session::Session;
use crate::config::Place;
use crate::context::Context;
use crate::local::{self, DATABASE, Server};
use crate::resource::{ResourceRef, ResourceType};
use crate::store::{Endpoint, PoolOptions, Store, migrate};
use crate::track::{State, Tracked, Tracking};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta track article --type article --key id --name title
  gesta track shop.customer --type customer --key id --mask iban,phone --exclude seen_at
  gesta track stock --type stock --key shop,article        the id is a JSON array
  gesta track article --type article --key id --print      shows the SQL, runs nothing";

pub(super) const UNTRACK_EXAMPLES: &str = "\
Examples:
  gesta untrack article                                    what was recorded stays
  gesta untrack shop.customer --reason 'moved to another database'";

pub(super) const TRACKED_EXAMPLES: &str = "\
Examples:
  gesta tracked                                            tables, and how each is
  gesta tracked -o jsonl | jq 'select(.states != [])'      only what needs attention";

/// Who says so.
#[derive(clap::Args)]
pub(super) struct Who {
    /// Who asks for it [default: system:ROLE of the database's user]
    #[arg(long, value_name = "TYPE:ID")]
    pub(super) actor: Option<ResourceRef>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The table, as in SQL: article, shop.article, '"Odd Name"'
    #[arg(value_name = "TABLE")]
    table: String,
    /// Type of the objects that its rows are
    #[arg(long = "type", value_name = "TYPE")]
    kind: ResourceType,
    /// Columns of the key, separated by commas; several make a JSON array
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', required = true)]
    key: Vec<String>,
    /// Column that people call a row by
    #[arg(long, value_name = "COLUMN")]
    name: Option<String>,
    /// Columns that are not recorded
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Columns of which only is recorded that they changed
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    mask: Vec<String>,
    /// Columns of which a SHA-256 is recorded
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    hash: Vec<String>,
    /// Print the SQL that would run, and run nothing
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    who: Who,
}

#[derive(clap::Args)]
pub(crate) struct Untrack {
    /// The table, as in SQL
    #[arg(value_name = "TABLE")]
    table: String,
    #[command(flatten)]
    who: Who,
}

#[derive(clap::Args)]
pub(crate) struct List {
    /// Exit with 3 when no table is tracked
    #[arg(long)]
    fail_empty: bool,
}

/// A store whose connections may change tables and keys: the private server's superuser, or the user of the URL.
pub(super) struct Operator {
    pub(super) store: Store,
    _server: Option<Server>,
}

const WHO: &str = "-- cli::track::who
SELECT session_user::pg_catalog.text AS role";

impl Operator {
    /// For statements of ours.
    pub(super) async fn open(session: &Session) -> anyhow::Result<Self> {
        Self::open_by(session, PoolOptions::default().guarded()).await
    }

    /// For a table, which is found by the user's own search path. Tracking keeps its own statements out of it.
    async fn open_for_table(session: &Session) -> anyhow::Result<Self> {
        Self::open_by(session, PoolOptions::default()).await
    }

    async fn open_by(session: &Session, options: PoolOptions) -> anyhow::Result<Self> {
        let (endpoint, server) = match session.place()? {
            Place::Home(home) => {
                let server = session.start(&home).await?;
                migrate(&mut local::operator(&server).await?).await?;
                (Endpoint::from(server.config(server.superuser(), DATABASE)), Some(server))
            }
            Place::Url { endpoint, .. } => {
                session.check_schema(&endpoint).await?;
                (*endpoint, None)
            }
        };
        let pool = endpoint.pool(&options.size(1)).await?;
        Ok(Self { store: Store::new(pool), _server: server })
    }

    /// The context of what is done here: somebody who is named, or the database's user.
    pub(super) async fn context(&self, session: &Session, who: Who) -> anyhow::Result<Context> {
        let ctx = if let Some(actor) = who.actor {
            Context::new(&actor)
        } else {
            let client = self.store.client().await?;
            let row = client.query_one(WHO, &[]).await.context("failed to ask who this is")?;
            Context::system(row.get("role"))?
        };
        let ctx = ctx.tenant(session.tenant.clone());
        Ok(match who.reason {
            Some(reason) => ctx.reason(reason),
            None => ctx,
        })
    }
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let operator = Operator::open_for_table(session).await?;
    let mut tracking = Tracking::new(&args.table, args.kind, args.key)
        .exclude(args.exclude)
        .mask(args.mask)
        .hash(args.hash);
    if let Some(column) = args.name {
        tracking = tracking.name(column);
    }
    let ctx = operator.context(session, args.who).await?;
    let mut client = operator.store.client().await?;
    let tx = client.transaction().await.context("failed to begin")?;
    if args.print {
        let mut out = session.out();
        let script = operator.store.track_sql(&tx, &tracking).await?;
        out.script(&format!(
            "BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\n{script}COMMIT;\n"
        ))?;
        out.flush()?;
        return Ok(Code::Ok);
    }
    let tracked = operator.store.track(&tx, &ctx, &tracking).await?;
    tx.commit().await.context("failed to commit; nothing was changed")?;
    for state in &tracked.states {
        let (found, fix) = told(state);
        say::warning(&format!("{found}; {fix}"));
    }
    say::note(&format!("{} is tracked from now on", tracked.table));
    Ok(Code::Ok)
}

pub(crate) async fn untrack(args: Untrack, session: &Session) -> anyhow::Result<Code> {
    let operator = Operator::open_for_table(session).await?;
    let ctx = operator.context(session, args.who).await?;
    let mut client = operator.store.client().await?;
    let tx = client.transaction().await.context("failed to begin")?;
    let _told = operator.store.untrack(&tx, &ctx, &args.table).await?;
    tx.commit().await.context("failed to commit; nothing was changed")?;
    say::note(&format!("{} is not tracked any more; what was recorded stays", args.table));
    Ok(Code::Ok)
}

pub(crate) async fn list(args: List, session: &Session) -> anyhow::Result<Code> {
    let operator = Operator::open(session).await?;
    let mut client = operator.store.client().await?;
    let tx = client.transaction().await.context("failed to begin")?;
    let tracked = operator.store.tracked(&tx).await?;
    let mut out = session.out();
    print(&mut out, &tracked)?;
    out.flush()?;
    if tracked.is_empty() {
        say::aside("no table is tracked; gesta track TABLE --type TYPE --key COLUMN");
    }
    Ok(if tracked.is_empty() && args.fail_empty { Code::NotFound } else { Code::Ok })
}

/// A tracked table as JSON.
#[derive(Serialize)]
struct Form<'a> {
    table: &'a str,
    r#type: &'a ResourceType,
    key: &'a [String],
    name: Option<&'a str>,
    exclude: &'a [String],
    mask: &'a [String],
    hash: &'a [String],
    states: &'a [State],
}

impl<'a> From<&'a Tracked> for Form<'a> {
    fn from(tracked: &'a Tracked) -> Self {
        Self {
            table: &tracked.table,
            r#type: &tracked.kind,
            key: &tracked.key,
            name: tracked.name.as_deref(),
            exclude: &tracked.exclude,
            mask: &tracked.mask,
            hash: &tracked.hash,
            states: &tracked.states,
        }
    }
}

fn print(out: &mut Out, tracked: &[Tracked]) -> std::io::Result<()> {
    let forms: Vec<_> = tracked.iter().map(Form::from).collect();
    out.list(&["Table", "Type", "Key", "Name", "Fields", "State"], &forms, |form| {
        let fields = [("not", form.exclude), ("masked", form.mask), ("hashed", form.hash)];
        let fields = fields.iter().filter(|(_, columns)| !columns.is_empty());
        let fields: Vec<_> = fields.map(|(how, c)| format!("{how} {}", c.join(", "))).collect();
        let states: Vec<_> = form.states.iter().map(|state| told(state).0).collect();
        vec![
            form.table.to_owned(),
            form.r#type.to_string(),
            form.key.join(", "),
            form.name.unwrap_or_default().to_owned(),
            fields.join("; "),
            if states.is_empty() { "ok".to_owned() } else { states.join("; ") },
        ]
    })
}

/// What a state means, and what to do.
pub(super) fn told(state: &State) -> (String, &'static str) {
    const AGAIN: &str = "track it again: gesta track";
    match state {
        State::Disabled => ("triggers are off or gone: changes are lost".to_owned(), AGAIN),
        State::MissingOn(partitions) => {
            let partitions = partitions.join(", ");
            (format!("what is done to {partitions} directly is lost: no triggers"), AGAIN)
        }
        State::Outdated => {
            let found = "an earlier version made its triggers, which miss rows that a MERGE moves or a TRUNCATE hides";
            (found.to_owned(), AGAIN)
        }
        State::Subscribed => {
            let found =
                "what a subscription writes to it is lost: replication fires no such triggers";
            (found.to_owned(), "track it where it is published")
        }
        State::HasChildren => {
            let found = "what is done to tables that inherit from it is lost";
            (found.to_owned(), "use partitions instead")
        }
        State::Unreadable => ("gesta_capture may not read it: TRUNCATE fails".to_owned(), AGAIN),
        State::CascadeMissing => ("a foreign key to itself makes sessions fail".to_owned(), AGAIN),
        State::ShapeChanged => {
            let found = "its columns have changed: recorded, but slower, and masked what may be a secret renamed";
            (found.to_owned(), AGAIN)
        }
        State::OwnerCanDisable(owner) => {
            let found = format!("its owner {owner} is an application's role and can disable it");
            (found, "give it another owner: ALTER TABLE … OWNER TO …")
        }
    }
}
