//! Flags that say which actions, how many, and from where on; for every command that lists them.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use uuid::Uuid;

use super::entry::{Detail, Printer};
use super::exit::{Code, Told};
use super::output::{Format, Out};
use super::say;
use super::session::Database;
use super::when::{When, short};
use crate::action::Outcome;
use crate::action::form::time;
use crate::error::quote;
use crate::format::Item;
use crate::json::Json;
use crate::resource::ResourceType;
use crate::stream::{Cursor, Direction, Filter, PAGE_LEN_MAX, Page, QueryError, Reader};

/// How many are listed where nothing is said.
const LIMIT: &str = "50";

/// How many to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Count(usize),
    All,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self::All),
            (_, Ok(count @ 1..)) => Ok(Self::Count(count)),
            _ => Err("give a number from 1 on, or `all`".to_owned()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::All => f.write_str("all"),
        }
    }
}

/// What narrows a stream down.
#[derive(clap::Args)]
#[command(next_help_heading = "Which actions")]
pub(crate) struct Narrow {
    /// Only this verb; may be repeated
    #[arg(long, short, value_name = "VERB")]
    verb: Vec<String>,
    /// Only objects of this type; may be repeated
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    kind: Vec<ResourceType>,
    /// Only what ended so: ok, failed, denied; may be repeated
    #[arg(long, value_name = "OUTCOME", value_parser = outcome())]
    outcome: Vec<Outcome>,
    /// Only what changed this field
    #[arg(long, value_name = "FIELD")]
    changed: Option<String>,
    /// Only what contains this JSON in its data, such as '{"size": 3}'
    #[arg(long, value_name = "JSON", value_parser = json)]
    data: Option<Json>,
    /// Only what readers with this label may see; may be repeated [default: everything]
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
}

impl Narrow {
    pub(crate) fn filter(&self, text: &[String]) -> Filter {
        Filter {
            verbs: self.verb.clone(),
            object_types: self.kind.clone(),
            outcomes: self.outcome.clone(),
            changed: self.changed.clone(),
            data: self.data.as_ref().map(Json::value),
            text: (!text.is_empty()).then(|| text.join(" ")),
        }
    }

    pub(crate) fn reader(&self, database: &Database) -> Reader {
        sight(&database.reader, &self.label)
    }
}

/// What the labels may see; without any, everything.
pub(crate) fn sight(reader: &Reader, labels: &[String]) -> Reader {
    if labels.is_empty() { reader.clone() } else { reader.clone().labels(labels) }
}

/// `ok`, `failed` or `denied`.
pub(crate) fn outcome() -> impl TypedValueParser<Value = Outcome> {
    PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str))
        .try_map(|word| Outcome::from_word(&word).ok_or("no outcome"))
}

/// The id of a run.
pub(crate) fn uuid(text: &str) -> Result<Uuid, String> {
    Uuid::parse_str(text).map_err(|_| {
        let form = "0192f0c1-7b2a-7c3d-8e4f-5a6b7c8d9e0f";
        format!(
            "{} is not a UUID such as {form}; `gesta run ls` and `gesta log -l` show those of runs",
            quote(text)
        )
    })
}

fn json(text: &str) -> Result<Json, crate::json::JsonError> {
    Json::parse(text)
}

/// From when on, and before when.
type Moments = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Of which time.
#[derive(clap::Args)]
#[command(next_help_heading = "When")]
pub(crate) struct Window {
    /// From then on: 2h, 3d, 1w (ago), today, yesterday, a date, a time in RFC 3339
    #[arg(long, short, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<When>,
    /// Before then
    #[arg(long, short, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<When>,
}

impl Window {
    /// The moments; said to whoever watches, because a range that was only meant surprises.
    pub(crate) fn fixed(&self, now: DateTime<Utc>) -> anyhow::Result<Moments> {
        let since = self.since.map(|when| when.at(now));
        let until = self.until.map(|when| when.at(now));
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            let text = "--since is not before --until, so nothing can lie between them";
            return Err(Told::usage(text).into());
        }
        if since.is_some() || until.is_some() {
            let from = since.map_or("the beginning".to_owned(), short);
            let to = until.map_or("now".to_owned(), short);
            say::aside(&format!("from {from} to {to} (UTC)"));
        }
        Ok((since, until))
    }

    /// The flags that stand for the same moments at any later time.
    fn repeated(&self, now: DateTime<Utc>) -> String {
        let mut text = String::new();
        for (flag, when) in [("--since", self.since), ("--until", self.until)] {
            if let Some(when) = when.filter(|when| when.is_relative()) {
                let _ = write!(text, " {flag} {}", time(when.at(now)));
            }
        }
        text
    }
}

/// How many, and from where on.
#[derive(clap::Args)]
#[command(next_help_heading = "How many")]
pub(crate) struct Span {
    /// How many to list: a number, or `all`
    #[arg(long, short = 'n', value_name = "N", default_value = LIMIT)]
    limit: Limit,
    /// Go on to older ones from this cursor, which a page before named
    #[arg(long, value_name = "CURSOR", conflicts_with = "after")]
    before: Option<Cursor>,
    /// Go on to newer ones from this cursor, oldest first
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// Exit with 3 when nothing is found
    #[arg(long)]
    fail_empty: bool,
    /// Show everything of each action: id, run, source, data, context
    #[arg(long, short = 'l')]
    long: bool,
}

impl Span {
    fn cursor(&self) -> anyhow::Result<Option<Cursor>> {
        let swapped = |wrong: &str, right: &str| {
            let text = format!("the cursor of {wrong} leads the other way; give it as {right}");
            Err(Told::usage(text).into())
        };
        match (&self.before, &self.after) {
            (Some(cursor), _) if cursor.direction == Direction::Newer => {
                swapped("--before", "--after")
            }
            (_, Some(cursor)) if cursor.direction == Direction::Older => {
                swapped("--after", "--before")
            }
            (before, after) => Ok(before.or(*after)),
        }
    }

    fn detail(&self) -> Detail {
        if self.long { Detail::Full } else { Detail::Brief }
    }
}

/// A listing: where it ends, and how it goes on.
pub(crate) struct Listing<'a> {
    pub(crate) span: &'a Span,
    pub(crate) window: &'a Window,
    pub(crate) now: DateTime<Utc>,
    /// A word of the search that was taken as text, and may have been meant otherwise.
    pub(crate) word: Option<&'a str>,
}

impl Listing<'_> {
    /// Prints page after page until enough has been printed, holding one page in memory.
    pub(crate) async fn print<T>(
        &self,
        out: &mut Out,
        page: impl AsyncFn(Option<Cursor>, usize) -> Result<Page<T>, QueryError>,
    ) -> anyhow::Result<Code>
    where
        for<'a> Item<'a>: From<&'a T>,
    {
        let mut cursor = self.span.cursor()?;
        let mut left = match self.span.limit {
            Limit::Count(count) => count,
            Limit::All => usize::MAX,
        };
        let newer = self.span.after.is_some();
        let mut printer = Printer::new(self.span.detail(), self.now);
        let mut count = 0;
        let mut next = None;
        while left > 0 {
            let limit = left.min(PAGE_LEN_MAX);
            let mut found = page(cursor, limit).await?;
            if newer {
                found.items.reverse();
            }
            let entries: Vec<_> = found.items.iter().map(Item::from).collect();
            printer.print(out, &entries)?;
            out.flush()?;
            count += entries.len();
            left -= entries.len();
            next = if newer { found.newer } else { found.older };
            // A page of newer ones always names where to look later; one of large actions has fewer than were asked for.
            if next.is_none() || entries.is_empty() {
                break;
            }
            cursor = next;
        }
        Ok(self.end(out.format(), count, next, newer))
    }

    fn end(&self, format: Format, count: usize, next: Option<Cursor>, newer: bool) -> Code {
        if let Some(next) = next {
            let (what, flag) = if newer { ("newer", "--after") } else { ("more", "--before") };
            let times = self.window.repeated(self.now);
            say::note(&format!("for {what}, give the same again with {flag} {next}{times}"));
        }
        if count > 0 {
            return Code::Ok;
        }
        if next.is_none() {
            let text = "nothing found; `gesta stats` tells what there is, `gesta demo` makes something to look at";
            // Who asks for a table reads it, be it in a pager or a file.
            if format == Format::Table {
                say::note(text);
            } else {
                say::aside(text);
            }
            if let Some(word) = self.word {
                say::note(&format!(
                    "`{word}` was looked for as a text; between terms AND, OR and NOT are in capitals"
                ));
            }
        }
        if self.span.fail_empty { Code::NotFound } else { Code::Ok }
    }
}
