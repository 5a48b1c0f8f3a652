//! What the parameters of an URL say about a list of actions.

use chrono::{DateTime, Utc};
use utoipa::openapi::schema::AnyOfBuilder;

use super::wrong;
use crate::access::Scope;
use crate::action::form::time;
use crate::action::is_verb;
use crate::error::quote;
use crate::format::Format;
use crate::format::csv::{Cells, Column, Mark, Sheet};
use crate::search::when::When;
use crate::search::{Node, Query};
use crate::server::edge;
use crate::server::openapi::text::{
    boolean, cursor, number, search_text, when, word, word_like, words,
};
use crate::server::openapi::{Doc, LINK, Tag, formats};
use crate::server::status::OK;
use crate::server::{Kind, Pairs, Parameters, Problem};
use crate::stream::{PAGE_LEN_MAX, Role};

/// Items of a page where nothing else is asked for.
const PAGE_LEN: usize = 50;
/// Formats that all of a list can be had in: those that a client takes in piece by piece.
const WHOLE: [Format; 2] = [Format::Ndjson, Format::Csv];

/// Verbs, with commas between.
pub(crate) const VERBS: &str =
    r"^[^,\u0000-\u001f\u007f-\u009f]{1,255}(,[^,\u0000-\u001f\u007f-\u009f]{1,255})*$";

/// How much of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// So many items of it.
    Page(usize),
    /// All of it.
    All,
}

/// Which actions of a subject, how many, from where on, and how they become CSV.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// `q`: what is searched for.
    pub(super) q: Option<Query>,
    /// `verb`: one of these, exactly.
    pub(super) verbs: Vec<String>,
    since: Option<When>,
    until: Option<When>,
    /// `role`, of a type.
    pub(super) role: Option<Role>,
    /// `flag`, of a feed.
    pub(super) flag: String,
    /// `self`, of a feed: whether its reader's own actions are there.
    pub(super) with_own: bool,
    pub(super) limit: Limit,
    pub(super) cursor: Option<String>,
    table: Option<Table>,
}

/// How it becomes CSV.
#[derive(Clone, Debug)]
struct Table {
    columns: Vec<Column>,
    is_raw: bool,
    is_marked: bool,
}

impl Parameters for Listing {
    const NAMES: &'static [&'static str] =
        &["q", "verb", "since", "until", "limit", "cursor", "columns", "raw", "bom"];

    fn read(pairs: &mut Pairs) -> Self {
        Self { q: search(pairs), ..common(pairs) }
    }
}

/// The same of a resource type.
#[derive(Clone, Debug)]
pub(crate) struct TypeListing(pub(crate) Listing);

impl Parameters for TypeListing {
    const NAMES: &'static [&'static str] =
        &["q", "role", "verb", "since", "until", "limit", "cursor", "columns", "raw", "bom"];

    fn read(pairs: &mut Pairs) -> Self {
        let role = pairs.read("role", |text| {
            let wrong = || format!("{} is none of actor, object, target", quote(text));
            Role::from_word(text).ok_or_else(wrong)
        });
        Self(Listing { role, ..Listing::read(pairs) })
    }
}

/// The same of a feed.
#[derive(Clone, Debug)]
pub(crate) struct FeedListing(pub(crate) Listing);

impl Parameters for FeedListing {
    const NAMES: &'static [&'static str] =
        &["flag", "self", "verb", "since", "until", "limit", "cursor", "columns", "raw", "bom"];

    fn read(pairs: &mut Pairs) -> Self {
        let (flag, with_own) = (edge::flag(pairs), pairs.flag("self"));
        Self(Listing { flag, with_own, ..common(pairs) })
    }
}

/// `q`, with all that is wrong with it. One that asks for everything is none.
pub(crate) fn search(pairs: &mut Pairs) -> Option<Query> {
    match Query::parse(&pairs.take("q")?) {
        Ok(query) if matches!(query.root(), Node::And(parts) if parts.is_empty()) => None,
        Ok(query) => Some(query),
        Err(error) => {
            pairs.refuse(wrong::search("q", error));
            None
        }
    }
}

fn common(pairs: &mut Pairs) -> Listing {
    Listing {
        q: None,
        verbs: pairs.read("verb", verbs).unwrap_or_default(),
        since: pairs.parse("since"),
        until: pairs.parse("until"),
        role: None,
        flag: String::new(),
        with_own: false,
        limit: pairs.read("limit", limit).unwrap_or(Limit::Page(PAGE_LEN)),
        cursor: pairs.cursor(),
        table: table(pairs),
    }
}

/// Verbs with commas between.
pub(crate) fn verbs(text: &str) -> Result<Vec<String>, String> {
    let words: Vec<_> = text.split(',').map(str::to_owned).collect();
    match words.iter().find(|word| !is_verb(word)) {
        Some(word) => {
            let allowed = "give one, or several with commas between";
            Err(format!("{} is no verb; {allowed}", quote(word)))
        }
        None => Ok(words),
    }
}

fn limit(text: &str) -> Result<Limit, String> {
    match text.parse() {
        _ if text == "all" => Ok(Limit::All),
        Ok(len @ 1..=PAGE_LEN_MAX) => Ok(Limit::Page(len)),
        _ => Err(format!("{} is none of 1 to {PAGE_LEN_MAX}, or `all`", quote(text))),
    }
}

fn table(pairs: &mut Pairs) -> Option<Table> {
    let columns = pairs.read("columns", |text| {
        let columns: Result<Vec<Column>, _> = text.split(',').map(str::parse).collect();
        columns.map_err(|error| error.to_string())
    });
    let (is_raw, is_marked) = (pairs.flag("raw"), pairs.flag("bom"));
    if columns.is_none() && !is_raw && !is_marked {
        return None;
    }
    Some(Table { columns: columns.unwrap_or_default(), is_raw, is_marked })
}

impl Listing {
    /// What the document says of a list.
    pub(crate) fn doc(id: &'static str, summary: &'static str) -> Doc {
        Self::common_doc(Tag::Events, id, summary).query(
            "q",
            "What is searched for, in the search language.",
            search_text(),
        )
    }

    /// The same without a search.
    pub(crate) fn common_doc(tag: Tag, id: &'static str, summary: &'static str) -> Doc {
        let all = AnyOfBuilder::new().item(number(1, PAGE_LEN_MAX)).item(word(["all"]));
        Doc::new(tag, id, summary)
            .text(format!(
                "Newest first, {PAGE_LEN} a page where nothing else is asked for. `Accept` chooses the format. `limit=all` gives \
                 everything at once, as {} or {}, to who has `events:export`.",
                WHOLE[0], WHOLE[1]
            ))
            .scope(Scope::EventsRead)
            .or(Scope::EventsExport)
            .in_tenant()
            .query("verb", "One of these verbs, with commas between.", word_like(VERBS))
            .query("since", "Not before: `2h`, `yesterday`, `2026-11`, RFC 3339.", when())
            .query("until", "Before.", when())
            .query("limit", "How many at most, or `all`. A page of large actions has fewer; it goes on where it says `next`.", all)
            .query("cursor", "Of `next` or `prev`.", cursor())
            .query("columns", "Of CSV, with commas between; other formats have all fields.", words(Column::ALL.iter().map(|it| it.as_str())))
            .query("raw", "Of CSV: cells as they are, also those that a spreadsheet would run.", boolean())
            .query("bom", "Of CSV: with a byte order mark.", boolean())
            .answers_with(OK, "A page, or everything.", &[LINK], formats())
            .problems([Kind::NotAcceptable, Kind::Unprocessable])
    }

    pub(super) fn since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.since.map(|when| when.at(now))
    }

    pub(super) fn until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.until.map(|when| when.at(now))
    }

    /// Refuses what does not go together with the format. How CSV is written may be said with any: one URL serves all of them.
    pub(super) fn check(&self, format: Format) -> Result<(), Problem> {
        let refuse = |name, detail: String| Err(wrong::together(name, detail));
        if self.limit == Limit::All && self.cursor.is_some() {
            let detail = "`limit=all` has no pages, so it takes no `cursor`".to_owned();
            return refuse("cursor", detail);
        }
        if self.limit == Limit::All && !WHOLE.contains(&format) {
            let [a, b] = WHOLE;
            return refuse(
                "limit",
                format!("`limit=all` is there in {a} and {b}, not in {format}"),
            );
        }
        Ok(())
    }

    /// How it becomes CSV.
    pub(super) fn sheet(&self) -> Sheet {
        let Some(table) = &self.table else { return Sheet::default() };
        Sheet::default()
            .columns(table.columns.clone())
            .cells(if table.is_raw { Cells::Raw } else { Cells::Safe })
            .mark(if table.is_marked { Mark::Bom } else { Mark::Without })
    }

    /// The parameters that say which actions, as they were understood: relative times are fixed, so that they mean the
    /// same with the next page.
    pub(super) fn told(&self, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
        self.choice(|when| time(when.at(now)))
    }

    /// The same, with relative times as such: they name the same list tomorrow.
    pub(super) fn lasting(&self) -> Vec<(&'static str, String)> {
        self.choice(|when| match when {
            When::Ago(length) => format!("{}s", length.num_seconds()),
            When::Today => "today".to_owned(),
            When::Yesterday => "yesterday".to_owned(),
            When::At(moment, _) => time(moment),
        })
    }

    fn choice(&self, moment: impl Fn(When) -> String) -> Vec<(&'static str, String)> {
        let word = |is_there: bool, text: &str| is_there.then(|| text.to_owned());
        let pairs = [
            ("q", self.q.as_ref().map(ToString::to_string)),
            ("role", self.role.map(|role| role.as_str().to_owned())),
            ("flag", word(!self.flag.is_empty(), &self.flag)),
            ("self", word(self.with_own, "true")),
            ("verb", word(!self.verbs.is_empty(), &self.verbs.join(","))),
            ("since", self.since.map(&moment)),
            ("until", self.until.map(&moment)),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// All parameters but the cursor.
    pub(super) fn pairs(&self, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
        let mut pairs = self.told(now);
        match self.limit {
            Limit::Page(PAGE_LEN) => {}
            Limit::Page(len) => pairs.push(("limit", len.to_string())),
            Limit::All => pairs.push(("limit", "all".to_owned())),
        }
        let Some(table) = &self.table else { return pairs };
        if !table.columns.is_empty() {
            let names: Vec<_> = table.columns.iter().map(|column| column.as_str()).collect();
            pairs.push(("columns", names.join(",")));
        }
        let flags = [("raw", table.is_raw), ("bom", table.is_marked)];
        pairs
            .extend(flags.into_iter().filter(|it| it.1).map(|(name, _)| (name, "true".to_owned())));
        pairs
    }
}
