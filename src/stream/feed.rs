//! Feeds: the streams of all that somebody follows, merged in time order, with the reasons why each item is there.
//!
//! A feed is merged when it is read, never copied to its followers. One query a page, in steps, each of which is taken only
//! where those before it did not fill the page:
//! 1. *Recent*: the newest rows of the tenant are matched against the edges. Whoever follows what is busy has a full
//!    page here, and no stream is looked up at all. Skipped for few edges, where the other steps cost less.
//! 2. *Quiet*: the ids of all followed streams, in one scan of the index a role. It is given up as soon as it has read more
//!    than short streams hold.
//! 3. *Heads*: of each followed stream only its newest id is looked up. The items of a page are at or after the head of the
//!    last stream that can reach it, so only these streams are read, and only that far.
//!
//! Steps 2 and 3 read nothing but indexes, by the keys of what is followed. Other resources may have the same key (see
//! `gesta.resource_key`), so they can find too much, but never too little: a false id takes a place among the candidates,
//! and a false head moves the threshold only to where there is a candidate for each place of the page. What decides is the
//! row that comes out in the end, in which the followed resource must stand. Edges can also ask for verbs and a first
//! moment, and actions can be invisible: that is decided there too, and the next rows are asked for until the page is full.

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

/// Edges for each row that step 1 looks at: the step costs about a seventh of step 3 then.
const EDGES_A_ROW: i64 = 4;
/// Ids for each edge that step 2 reads before it is given up: it costs about a fifth of step 3 then. A stream that is found
/// anyhow gives its next ids for little.
const IDS_AN_EDGE: i64 = 4;

/// Step 1 in one role.
macro_rules! recent_of {
    ($role:literal) => {
        concat!(
            "SELECT id, '",
            $role,
            "' AS role, ",
            $role,
            "_key AS key FROM recent
    WHERE ",
            $role,
            "_key IN (SELECT unnest(",
            $role,
            ") FROM followed)"
        )
    };
}

/// Step 2 in one role.
macro_rules! quiet_of {
    ($role:literal, $near:literal, $far:literal) => {
        concat!(
            "SELECT a.id, '",
            $role,
            "' AS role, a.",
            $role,
            "_key AS key FROM gesta.action AS a
        WHERE a.tenant = $1 AND a.",
            $role,
            "_key = ANY ((SELECT ",
            $role,
            " FROM followed)::bigint[])
            AND a.id ",
            $near,
            " AND a.id ",
            $far
        )
    };
}

/// The heads of step 3 in one role.
macro_rules! head_of {
    ($role:literal, $near:literal, $far:literal, $order:literal) => {
        concat!(
            "SELECT i.id, '",
            $role,
            "' AS role, k.key
    FROM unnest((SELECT ",
            $role,
            " FROM followed WHERE (SELECT wanted FROM long))) AS k (key) CROSS JOIN LATERAL (
        SELECT a.id FROM gesta.action AS a
        WHERE a.tenant = $1 AND a.",
            $role,
            "_key = k.key AND a.id ",
            $near,
            " AND a.id ",
            $far,
            "
        ORDER BY a.id ",
            $order,
            " LIMIT 1
    ) AS i"
        )
    };
}

/// The items of step 3 in one role.
macro_rules! item_of {
    ($role:literal, $near:literal, $until:literal, $order:literal) => {
        concat!(
            "SELECT i.id, k.role, k.key
    FROM reaching AS k CROSS JOIN LATERAL (
        SELECT a.id FROM gesta.action AS a
        WHERE a.tenant = $1 AND a.",
            $role,
            "_key = k.key AND a.id ",
            $near,
            " AND a.id ",
            $until,
            "
        ORDER BY a.id ",
            $order,
            " LIMIT $4
    ) AS i
    WHERE k.role = '",
            $role,
            "'"
        )
    };
}

macro_rules! each_role {
    ($of:ident $(, $rest:literal)*) => {
        concat!(
            $of!("actor" $(, $rest)*), "\n    UNION ALL\n    ", $of!("object" $(, $rest)*), "\n    UNION ALL\n    ",
            $of!("target" $(, $rest)*)
        )
    };
}

/// Both directions. `$7` and `$8` are the follower, `$9` is the flag, `$10` says whether the follower's own actions count,
/// `$11` and `$12` are the two constants above. `followed` holds each key once a role; `rest` says where step 1 ended, and
/// how many ids step 2 may read: none where the page is full, or where step 1 came to the end of the log; `long` says
/// whether step 2 was given up; `threshold` is the last head that can reach the page.
///
/// An action is a candidate at most once a role, so three times as many candidates as the page has places are enough. None
/// is cut off before that: any number of edges may be the reasons of one action.
macro_rules! feed {
    ($name:literal, $order:literal, $back:literal, $start:literal, $end:literal, $near:literal, $far:literal, $low:literal,
        $until:literal, $reaches:literal) => {
        concat!(
            "-- stream::feed::", $name, "
WITH edge AS MATERIALIZED (
    SELECT gesta.resource_key($1, f.followed_type, f.followed_id) AS key, f.followed_type AS type, f.followed_id AS id,
        f.roles, f.flag, f.verbs, f.since
    FROM gesta.follow AS f
    WHERE f.tenant = $1 AND f.follower_type = $7 AND f.follower_id = $8 AND NOT f.muted AND ($9 = '' OR f.flag = $9)
    UNION ALL
    SELECT gesta.resource_key($1, $7, $8), $7, $8, '{actor}', NULL, '{}', NULL WHERE $10
), followed AS MATERIALIZED (
    SELECT count(*) AS edges, array_agg(DISTINCT key) FILTER (WHERE 'actor' = ANY (roles)) AS actor,
        array_agg(DISTINCT key) FILTER (WHERE 'object' = ANY (roles)) AS object,
        array_agg(DISTINCT key) FILTER (WHERE 'target' = ANY (roles)) AS target
    FROM edge
), look AS MATERIALIZED (
    SELECT CASE WHEN edges / $11 >= $4 THEN edges / $11 ELSE 0 END AS rows FROM followed
), recent AS MATERIALIZED (
    SELECT a.id, a.actor_key, a.object_key, a.target_key
    FROM gesta.action AS a
    WHERE a.tenant = $1 AND a.id ", $low, " $2 AND a.id < $3
    ORDER BY a.id ", $order, "
    LIMIT (SELECT rows FROM look)
), found AS MATERIALIZED (
    ", each_role!(recent_of), "
), rest AS MATERIALIZED (
    SELECT coalesce((SELECT id FROM recent ORDER BY id ", $back, " LIMIT 1), ", $start, ") AS bound,
        CASE WHEN (SELECT count(*) FROM recent) = (SELECT rows FROM look) AND (SELECT count(DISTINCT id) FROM found) < $4
            THEN edges * $12 + $4 ELSE 0 END AS ids
    FROM followed
), quiet AS MATERIALIZED (
    SELECT id, role, key
    FROM (
        ", each_role!(quiet_of, $near, $far), "
    ) AS q
    LIMIT (SELECT ids FROM rest)
), long AS MATERIALIZED (
    SELECT count(*) > 0 AND count(*) = (SELECT ids FROM rest) AS wanted FROM quiet
), head AS MATERIALIZED (
    ", each_role!(head_of, $near, $far, $order), "
), nearest AS MATERIALIZED (
    SELECT DISTINCT id FROM head ORDER BY id ", $order, " LIMIT $4
), threshold AS MATERIALIZED (
    SELECT CASE WHEN count(*) = $4 THEN (array_agg(id ORDER BY id ", $back, "))[1] ELSE ", $end, " END AS id FROM nearest
), reaching AS MATERIALIZED (
    SELECT role, key FROM head WHERE id ", $reaches, " (SELECT id FROM threshold)
), item AS (
    SELECT id, role, key FROM found
    UNION ALL
    SELECT id, role, key FROM quiet WHERE NOT (SELECT wanted FROM long)
    UNION ALL
    ", each_role!(item_of, $near, $until, $order), "
), candidate AS MATERIALIZED (
    SELECT id, role, key FROM item ORDER BY id ", $order, " LIMIT 3 * $4
), top AS MATERIALIZED (
    SELECT c.id, jsonb_agg(jsonb_build_object('role', c.role, 'type', e.type, 'id', e.id, 'flag', e.flag,
        'verbs', e.verbs, 'since', e.since) ORDER BY c.role, e.type, e.id, e.flag) AS reasons
    FROM candidate AS c JOIN edge AS e ON e.key = c.key AND c.role = ANY (e.roles)
    GROUP BY c.id
    ORDER BY c.id ", $order, "
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
    "$2",
    "< (SELECT bound FROM rest)",
    ">= $2",
    ">=",
    ">= (SELECT id FROM threshold)",
    ">="
);
const NEWER: &str = feed!(
    "newer",
    "ASC",
    "DESC",
    "$2",
    "$3",
    "> (SELECT bound FROM rest)",
    "< $3",
    ">",
    "< $3 AND a.id <= (SELECT id FROM threshold)",
    "<="
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
            &EDGES_A_ROW,
            &IDS_AN_EDGE,
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
