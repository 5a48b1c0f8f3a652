//! Feeds: the streams of all that somebody follows, merged in time order, with the reasons why each item is there.
//!
//! A feed is merged when it is read, never copied to its followers, and one query a page does it (see `merge`). That query
//! finds by keys, and other resources may have the same key; what decides is the row that comes out in the end, in which
//! the followed resource must stand. Edges can also ask for verbs and a first moment, and actions can be invisible: that is
//! decided here too, and the next rows are asked for until the page is full.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::cursor::{Cursor, Direction, Fingerprint};
use super::follow::Role;
use super::merge::{EDGES_A_ROW, IDS_AN_EDGE, NEWER, OLDER, PARTS};
use super::page::{PAGE_LEN, Page, Range, Window, after, check_limit};
use super::reader::{Plan, QueryError, Reader};
use super::row;
use crate::action::Action;
use crate::json::Json;
use crate::resource::{Resource, ResourceId, ResourceRef, ResourceType};

/// Why an item is in a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What is followed; the reader of the feed itself where its own activity is shown.
    pub followed: ResourceRef,
    /// The role in which it stands in the action.
    pub role: Role,
    /// The kind of following; none for the reader's own activity.
    pub flag: Option<String>,
}

/// An action of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedItem {
    /// The action.
    pub action: Action,
    /// Why it is there, at least one reason.
    pub reasons: Vec<Reason>,
}

/// Whether a feed shows what its reader did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Left,
    Shown,
}

/// A feed to read, page by page.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedQuery {
    follower: ResourceRef,
    flag: String,
    own: Own,
    window: Window,
    verbs: Vec<String>,
    cursor: Option<Cursor>,
    limit: usize,
}

impl FeedQuery {
    /// The feed of somebody.
    #[must_use]
    pub fn new(follower: &(impl Resource + ?Sized)) -> Self {
        Self {
            follower: follower.resource(),
            flag: String::new(),
            own: Own::Left,
            window: Window::default(),
            verbs: Vec::new(),
            cursor: None,
            limit: PAGE_LEN,
        }
    }

    /// Only through edges with this flag; empty for any.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flag = flag.into();
        self
    }

    /// Shows also what its reader did.
    #[must_use]
    pub fn with_own_activity(mut self) -> Self {
        self.own = Own::Shown;
        self
    }

    /// Only these verbs.
    #[must_use]
    pub fn verbs<S: Into<String>>(mut self, verbs: impl IntoIterator<Item = S>) -> Self {
        self.verbs = verbs.into_iter().map(Into::into).collect();
        self
    }

    /// Only what occurred at this moment or later.
    #[must_use]
    pub fn since(mut self, time: DateTime<Utc>) -> Self {
        self.window.since = Some(time);
        self
    }

    /// Only what occurred before this moment.
    #[must_use]
    pub fn until(mut self, time: DateTime<Utc>) -> Self {
        self.window.until = Some(time);
        self
    }

    /// Where a page before this one ended; none for the first page.
    #[must_use]
    pub fn from(mut self, cursor: Option<Cursor>) -> Self {
        self.cursor = cursor;
        self
    }

    /// How many, 1 to 1,000; 50 where nothing is said.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Reads a page.
    ///
    /// # Errors
    /// When the limit is out of range, the cursor is another query's, or the database does not answer.
    pub async fn page(&self, reader: &Reader) -> Result<Page<FeedItem>, QueryError> {
        let rows = check_limit(self.limit)?;
        let query = self.fingerprint(reader);
        let range = Range::new(self.window, self.cursor, query)?;
        let mut rest = Some(range);
        let mut items = Vec::new();
        while let Some(from) = rest.filter(|_| items.len() <= self.limit) {
            let (step, next) = self.step(reader, from, rows).await?;
            items.extend(step);
            rest = next;
        }
        Ok(Page::new(items, self.limit, self.cursor, range, query, |item| &item.action))
    }

    /// One query: the items that are visible and wanted, and the range that is still to be read.
    async fn step(
        &self,
        reader: &Reader,
        range: Range,
        rows: i64,
    ) -> Result<(Vec<FeedItem>, Option<Range>), QueryError> {
        let (sql, low) = match range.direction {
            Direction::Older => (OLDER, range.low),
            // To newer, the start is excluded, so that going on after a row needs no arithmetic in SQL.
            Direction::Newer => (NEWER, Uuid::from_u128(range.low.as_u128().saturating_sub(1))),
        };
        let (everything, labels) = reader.sight();
        let params: [&(dyn ToSql + Sync); 13] = [
            &reader.tenant().as_str(),
            &low,
            &range.high,
            &rows,
            &everything,
            &labels,
            &self.follower.kind.as_str(),
            &self.follower.id.as_str(),
            &self.flag,
            &(self.own == Own::Shown),
            &EDGES_A_ROW,
            &IDS_AN_EDGE,
            &PARTS,
        ];
        let found = reader.query("a feed", Plan::Generic, sql, &params).await?;
        let understood = |source| QueryError::Row { what: "a feed", source };
        let next = remaining(&found, range, rows).map_err(understood)?;
        let items = found.iter().filter_map(|row| self.item(row).transpose());
        Ok((items.collect::<Result<_, _>>().map_err(understood)?, next))
    }

    /// The item of a row, unless it is invisible, no edge wants it, or it was found by the key of another resource.
    fn item(&self, row: &Row) -> Result<Option<FeedItem>, Malformed> {
        if row.try_get::<_, Option<&str>>("tenant")?.is_none() {
            return Ok(None);
        }
        let action = row::action(row)?;
        if !self.verbs.is_empty() && !self.verbs.contains(&action.verb) {
            return Ok(None);
        }
        let edges: Vec<EdgeRow> = serde_json::from_str(row.try_get::<_, Json>("reasons")?.get())?;
        let reasons = edges.into_iter().filter_map(|edge| edge.reason(&action).transpose());
        let reasons: Vec<_> = reasons.collect::<Result<_, _>>()?;
        Ok((!reasons.is_empty()).then_some(FeedItem { action, reasons }))
    }

    fn fingerprint(&self, reader: &Reader) -> Fingerprint {
        let mut parts = reader.parts();
        parts.extend(["feed".to_owned(), self.follower.to_string(), self.flag.clone()]);
        parts.push(format!("{:?} {}", self.own, self.window.part()));
        parts.extend(self.verbs.iter().cloned());
        Fingerprint::of(parts.iter().map(String::as_str))
    }
}

type Malformed = Box<dyn std::error::Error + Send + Sync>;

/// What a step has not looked at: what lies behind its last row where it is full; where it is not, it has seen everything.
fn remaining(rows: &[Row], range: Range, full: i64) -> Result<Option<Range>, Malformed> {
    let Some(last) = rows.last().filter(|_| i64::try_from(rows.len()) == Ok(full)) else {
        return Ok(None);
    };
    let edge = last.try_get::<_, Uuid>("at")?;
    Ok(Some(match range.direction {
        Direction::Older => Range { high: edge, ..range },
        Direction::Newer => Range { low: after(edge), ..range },
    }))
}

/// An edge as it comes with a row.
#[derive(Deserialize)]
struct EdgeRow {
    role: String,
    #[serde(rename = "type")]
    kind: ResourceType,
    id: ResourceId,
    flag: Option<String>,
    verbs: Vec<String>,
    since: Option<DateTime<Utc>>,
}

impl EdgeRow {
    /// The reason that the edge is for an action, if it is one.
    fn reason(self, action: &Action) -> Result<Option<Reason>, Malformed> {
        let role = Role::from_word(&self.role).ok_or("a role that is not known")?;
        let followed = ResourceRef { kind: self.kind, id: self.id };
        let is_wanted = role.of(action) == Some(&followed)
            && (self.verbs.is_empty() || self.verbs.contains(&action.verb))
            && self.since.is_none_or(|since| action.occurred_at >= since);
        Ok(is_wanted.then_some(Reason { followed, role, flag: self.flag }))
    }
}
