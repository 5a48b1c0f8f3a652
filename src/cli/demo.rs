//! `gesta demo`: something real to look at, in one step.
//!
//! The history of the repository that it runs in is imported, a small story is told through the library, and some of it
//! is shown. All ids follow from what is told, so that a second time adds nothing.

mod story;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::entry::{Detail, Printer};
use super::exit::Code;
use super::layout::{FAINT, Line, STRONG};
use super::output::{Format, Out};
use super::session::{Database, Role, Session};
use super::stats::number;
use super::{import, say};
use crate::config::Place;
use crate::context::Context;
use crate::error::chain;
use crate::format::Item;
use crate::import::Git;
use crate::resource::Tenant;
use crate::store::{ImportCounts, ImportError, ImportOptions};
use crate::stream::{FeedQuery, Follow, Role as In, StreamQuery};
use story::Story;

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta demo                        with the history of the repository it runs in
  gesta demo --repo ~/src/project   with that of another one
  gesta demo --home /tmp/try        in a folder that can be thrown away";

const SQL: &str = "psql -c 'SELECT verb, count(*) FROM gesta.action GROUP BY verb'";

/// Items of each listing.
const SHOWN: usize = 5;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The git repository whose history is imported
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    // A demo is for people, wherever it is printed; and it does not belong among an application's own actions.
    let place = session.place()?;
    let mut session = session.clone();
    session.format = session.format.or(Some(Format::Table));
    if session.tenant == Tenant::default() && matches!(place, Place::Url { .. }) {
        session.tenant = Tenant::new("demo")?;
    }
    let history = import_history(&args.repo, &session).await?;
    let database = session.open(Role::App).await?;
    let told = Story::new(&session.tenant).tell(&database.store).await?;
    let has_history = follow_history(&database).await?;
    let mut tour = Tour { out: session.out(), database: &database, program: program(&session) };
    tour.begin(&place, history, told)?;
    tour.show(has_history).await?;
    tour.next(has_history)?;
    if session.url.is_some() {
        // It may hold a password, so it is not printed.
        say::note("give --database-url with these too, or set GESTA_DATABASE_URL");
    }
    tour.out.flush()?;
    Ok(Code::Ok)
}

/// Loads the repository's history; says why not, where there is none.
async fn import_history(
    repo: &std::path::Path,
    session: &Session,
) -> anyhow::Result<Option<ImportCounts>> {
    let database = session.open(Role::Import).await?;
    let bar = ProgressBar::new_spinner();
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let mut watch = import::Watch::new(bar, None);
    let options = ImportOptions::default().tenant(session.tenant.clone());
    let ended = database.store.import(Git::new(repo), options, &mut watch).await;
    watch.finish()?;
    match ended {
        Ok(report) => Ok(Some(report.counts)),
        Err(error @ ImportError::Read(_)) => {
            say::note(&format!(
                "no history is imported: {}; --repo names another repository",
                chain(&error)
            ));
            Ok(None)
        }
        Err(error) => Err(error).context("failed to import the history"),
    }
}

/// Chen follows the repository: a feed of real activity. Says whether there is one.
async fn follow_history(database: &Database) -> anyhow::Result<bool> {
    let page = StreamQuery::of_type("repository".parse()?).limit(1).page(&database.reader).await?;
    let Some(repository) = page.items.into_iter().find_map(|action| action.target) else {
        return Ok(false);
    };
    let follow = Follow::new(&story::chen()?, &repository).roles([In::Target]).silent();
    let ctx = Context::new(&story::chen()?).tenant(database.reader.tenant().clone());
    let failed = "failed to follow the repository";
    let mut client = database.store.client().await?;
    let tx = client.transaction().await.context(failed)?;
    database.store.follow(&tx, &ctx, &follow).await?;
    tx.commit().await.context(failed)?;
    Ok(true)
}

/// How the program was called, with the flags that name the same database.
fn program(session: &Session) -> String {
    let called = std::env::args().next().unwrap_or_default();
    let mut text = if called.contains('/') { called } else { "gesta".to_owned() };
    if let Some(home) = &session.home {
        let _ = write!(text, " --home {}", quoted(&home.to_string_lossy()));
    }
    if session.tenant != Tenant::default() {
        let _ = write!(text, " --tenant {}", quoted(session.tenant.as_str()));
    }
    text
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What is shown, and how to see it again.
struct Tour<'a> {
    out: Out,
    database: &'a Database,
    program: String,
}

impl Tour<'_> {
    fn begin(
        &mut self,
        place: &Place,
        history: Option<ImportCounts>,
        told: usize,
    ) -> anyhow::Result<()> {
        let whereabouts = match place {
            Place::Home(home) => format!("a private PostgreSQL in {}", home.path().display()),
            Place::Url { endpoint, .. } => endpoint.to_string(),
        };
        let count = |count: u64| number(i64::try_from(count).unwrap_or(i64::MAX));
        let history = history.map_or(String::new(), |counts| {
            format!(
                "{} of this repository's history ({} new), ",
                count(counts.read),
                count(counts.appended)
            )
        });
        let story = format!("{} of a small story ({told} new)", story::LEN);
        self.out.text(&format!("Actions: {history}{story}\nin {whereabouts}"))?;
        Ok(())
    }

    async fn show(&mut self, has_history: bool) -> anyhow::Result<()> {
        let reader = &self.database.reader;
        let ann = story::ann()?;
        if has_history {
            self.heading("What happened last", &format!("log -n {SHOWN}"))?;
            let page = StreamQuery::tenant().limit(SHOWN).page(reader).await?;
            self.print(&page.items.iter().map(Item::from).collect::<Vec<_>>())?;
        }
        self.heading("What was done to issue 70", "object issue:70")?;
        let page = StreamQuery::object(&story::issue()?).page(reader).await?;
        self.print(&page.items.iter().map(Item::from).collect::<Vec<_>>())?;
        self.heading("What is new for Ann, and why", &format!("feed {} -n {SHOWN}", ann.resource))?;
        let page = FeedQuery::new(&ann).limit(SHOWN).page(reader).await?;
        self.print(&page.items.iter().map(Item::from).collect::<Vec<_>>())
    }

    fn heading(&mut self, text: &str, command: &str) -> std::io::Result<()> {
        if self.out.format() != Format::Table {
            return Ok(());
        }
        let command = format!("  {} {command}", self.program);
        let width = self.out.width();
        let lines = vec![Line::default(), Line::of(STRONG, text).and(FAINT, &command)];
        self.out.row(&[width], &[lines])
    }

    fn print(&mut self, entries: &[Item<'_>]) -> anyhow::Result<()> {
        let now = self.database.store.now();
        Ok(Printer::new(Detail::Brief, now).print(&mut self.out, entries)?)
    }

    /// Commands that work as they stand.
    fn next(&mut self, has_history: bool) -> std::io::Result<()> {
        if self.out.format() != Format::Table {
            return Ok(());
        }
        let run = format!("log --run {}", story::run(self.database.reader.tenant()));
        let history = [("what is new in the repository, for Chen", "feed user:chen -n 20")];
        let commands = [
            ("who did most, and when", "stats"),
            ("what was refused", "log --outcome denied"),
            ("one bulk operation", &run),
            ("how the status of issue 70 changed", "object issue:70 --changed status"),
            ("whom Ann follows", "follow ls user:ann"),
            ("the same data in SQL", SQL),
            ("an action of your own", "emit greet --actor user:me --object user:ann"),
            ("whether all is in order", "doctor"),
        ];
        self.out.text("\nLook further:")?;
        for (what, command) in history.into_iter().filter(|_| has_history).chain(commands) {
            self.out.text(&format!("  # {what}\n  {} {command}", self.program))?;
        }
        Ok(())
    }
}
