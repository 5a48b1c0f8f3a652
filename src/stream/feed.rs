//! Feeds: the streams of all that somebody follows, merged in time order, with the reasons why each item is there.
//!
//! A feed is merged when it is read, never copied to its followers. One query a page, in two steps:
//! 1. *Recent*: the newest rows of the tenant are matched against the edges. Whoever follows what is busy has a full
//!    page here, and no stream is looked up at all. Skipped for few edges, where step 2 costs less.
//! 2. *Heads*: of each followed stream only its newest id is looked up, in the index alone. The items of a page are at
//!    or after the head of the last stream that can reach it, so only these streams are read, and only that far.
//!
//! Edges can ask for verbs and a first moment, and actions can be invisible: both are decided on the rows that come out,
//! and the next rows are asked for until the page is full.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::cursor::{Cursor, Direction, Fingerprint};
use super::follow::Role;
use super::page::{PAGE_LEN, Page, Range, Window, after, check_limit};
use super::reader::{Plan, QueryError, Reader};
use super::row::{self, columns};
use crate::action::Action;
use crate::json::Json;
use crate::resource::{Resource, ResourceId, ResourceRef, ResourceType};

/// Rows of the tenant that step 1 looks at: about the cost of looking up 200 streams.
const RECENT_LEN: i64 = 500;
/// Up to so many edges step 1 is skipped.
const EDGES_FEW: i64 = 50;

/// The id at which a stream is entered, or its next items, in one role.
macro_rules! stream_of {
    ($role:literal, $what:literal, $from:literal, $near:literal, $far:literal, $order:literal, $limit:literal) => {
        concat!(
            "SELECT ",
            $what,
            "
    FROM ",
            $from,
            " CROSS JOIN LATERAL (
        SELECT a.id FROM gesta.action AS a
        WHERE a.tenant = $1 AND a.",
            $role,
            "_type = e.type AND a.",
            $role,
            "_id = e.id AND a.id ",
            $near,
            " AND a.id ",
            $far,
            "
        ORDER BY a.id ",
            $order,
            " LIMIT ",
            $limit,
            "
    ) AS i
    WHERE e.role = '",
            $role,
            "'"
        )
    };
}

macro_rules! all_roles {
    ($($rest:literal),+) => {
        concat!(
            stream_of!("actor", $($rest),+), "\n    UNION ALL\n    ", stream_of!("object", $($rest),+),
            "\n    UNION ALL\n    ", stream_of!("target", $($rest),+)
        )
    };
}

macro_rules! recent_of {
    ($role:literal) => {
        concat!(
            "SELECT a.id, e.n FROM recent AS a JOIN edge AS e ON e.role = '",
            $role,
            "' AND e.type = a.",
            $role,
            "_type AND e.id = a.",
            $role,
            "_id"
        )
    };
}

/// Both directions. `$7` and `$8` are the follower, `$9` is the flag, `$10` says whether the follower's own actions count,
/// `$11` and `$12` are the two limits above. `look` is how many rows step 1 looks at, `rest` says where it
/// ended and whether step 2 is wanted, which it is not where step 1 came to the end of the log; `head` and
/// `nearest` are the ids at which streams are entered, `threshold` is the last one that can reach the page. No head is cut
/// off before it is known which ids they are: any number of edges may be the reasons of one action.
macro_rules! feed {
    ($name:literal, $order:literal, $back:literal, $start:literal, $near:literal, $far:literal, $low:literal, $until:literal,
        $reaching:literal) => {
        concat!(
            "-- stream::feed::", $name, "
WITH edge AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM (
        SELECT r.role, f.followed_type AS type, f.followed_id AS id, f.flag, f.verbs, f.since
        FROM gesta.follow AS f CROSS JOIN LATERAL unnest(f.roles) AS r (role)
        WHERE f.tenant = $1 AND f.follower_type = $7 AND f.follower_id = $8 AND NOT f.muted AND ($9 = '' OR f.flag = $9)
        UNION ALL
        SELECT 'actor', $7, $8, NULL, '{}', NULL WHERE $10
    ) AS e
), look AS MATERIALIZED (
    SELECT CASE WHEN count(*) > $11 THEN $12::bigint ELSE 0 END AS len FROM edge
), recent AS MATERIALIZED (
    SELECT a.id, a.actor_type, a.actor_id, a.object_type, a.object_id, a.target_type, a.target_id
    FROM gesta.action AS a
    WHERE a.tenant = $1 AND a.id ", $low, " $2 AND a.id < $3
    ORDER BY a.id ", $order, "
    LIMIT (SELECT len FROM look)
), found AS MATERIALIZED (
    ", recent_of!("actor"), " UNION ALL
    ", recent_of!("object"), " UNION ALL
    ", recent_of!("target"), "
), rest AS MATERIALIZED (
    SELECT coalesce((SELECT id FROM recent ORDER BY id ", $back, " LIMIT 1), ", $start, ") AS bound,
        (SELECT count(*) FROM recent) = (SELECT len FROM look) AND (SELECT count(DISTINCT id) FROM found) < $4 AS wanted
), head AS MATERIALIZED (
    ", all_roles!("e.n, i.id", "(SELECT * FROM edge WHERE (SELECT wanted FROM rest)) AS e", $near, $far, $order, "1"), "
), nearest AS MATERIALIZED (
    SELECT DISTINCT id FROM head ORDER BY id ", $order, " LIMIT $4
), threshold AS MATERIALIZED (
    SELECT CASE WHEN count(*) = $4 THEN (array_agg(id ORDER BY id ", $back, "))[1] END AS id FROM nearest
), item AS (
    SELECT id, n FROM found
    UNION ALL
    ", all_roles!("i.id, e.n", $reaching, $near, $until, $order, "$4"), "
), top AS MATERIALIZED (
    SELECT i.id, jsonb_agg(jsonb_build_object('role', e.role, 'type', e.type, 'id', e.id, 'flag', e.flag,
        'verbs', e.verbs, 'since', e.since) ORDER BY e.n) AS reasons
    FROM item AS i JOIN edge AS e USING (n)
    GROUP BY i.id
    ORDER BY i.id ", $order, "
    LIMIT $4
)
SELECT ", columns!(), ", top.id AS at, top.reasons
FROM top LEFT JOIN LATERAL (
    SELECT ", columns!(), "
    FROM gesta.action AS a
    WHERE a.tenant = $1 AND a.id = top.id
        AND ($5 OR coalesce((SELECT v.audience FROM gesta.visibility AS v WHERE v.tenant = $1 AND v.action_id = a.id),
            a.audience) && $6::text[])
) AS a ON true
ORDER BY top.id ", $order
        )
    };
}

const OLDER: &str = feed!(
    "older",
    "DESC",
    "ASC",
    "$3",
    "< (SELECT bound FROM rest)",
    ">= $2",
    ">=",
    ">= coalesce((SELECT id FROM threshold), $2)",
    "(SELECT n FROM head WHERE id >= coalesce((SELECT id FROM threshold), $2)) AS h JOIN edge AS e USING (n)"
);
const NEWER: &str = feed!(
    "newer",
    "ASC",
    "DESC",
    "$2",
    "> (SELECT bound FROM rest)",
    "< $3",
    ">",
    "< $3 AND a.id <= coalesce((SELECT id FROM threshold), $3)",
    "(SELECT n FROM head WHERE id <= coalesce((SELECT id FROM threshold), $3)) AS h JOIN edge AS e USING (n)"
);

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
        Ok(Page::new(items, self.limit, self.cursor, range, query, |item| item.action.id.uuid()))
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
        let params: [&(dyn ToSql + Sync); 12] = [
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
            &EDGES_FEW,
            &RECENT_LEN,
        ];
        let found = reader.query("a feed", Plan::Generic, sql, &params).await?;
        let understood = |source| QueryError::Row { what: "a feed", source };
        let next = remaining(&found, range, rows).map_err(understood)?;
        let items = found.iter().filter_map(|row| self.item(row).transpose());
        Ok((items.collect::<Result<_, _>>().map_err(understood)?, next))
    }

    /// The item of a row, unless it is invisible or no edge wants it.
    fn item(&self, row: &Row) -> Result<Option<FeedItem>, Malformed> {
        if row.try_get::<_, Option<&str>>("tenant")?.is_none() {
            return Ok(None);
        }
        let action = row::action(row)?;
        if !self.verbs.is_empty() && !self.verbs.contains(&action.verb) {
            return Ok(None);
        }
        let edges: Vec<EdgeRow> = serde_json::from_str(row.try_get::<_, Json>("reasons")?.get())?;
        let wanted = edges.into_iter().filter(|edge| edge.wants(&action));
        let reasons = wanted.map(Reason::try_from).collect::<Result<Vec<_>, _>>()?;
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
    fn wants(&self, action: &Action) -> bool {
        (self.verbs.is_empty() || self.verbs.contains(&action.verb))
            && self.since.is_none_or(|since| action.occurred_at >= since)
    }
}

impl TryFrom<EdgeRow> for Reason {
    type Error = Malformed;
    fn try_from(edge: EdgeRow) -> Result<Self, Malformed> {
        let role = Role::from_word(&edge.role).ok_or("a role that is not known")?;
        let followed = ResourceRef { kind: edge.kind, id: edge.id };
        Ok(Self { followed, role, flag: edge.flag })
    }
}
