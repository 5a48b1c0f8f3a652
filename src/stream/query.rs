//! Streams: which actions, in which window, narrowed how.
//!
//! A page is one query on one index range, `low <= id < high` of the stream's own index, newest first. The first page has
//! the least and greatest UUID as bounds instead of an `OR … IS NULL`, which would read the whole stream under a generic
//! plan. Since ids are times, `since` and `until` are bounds of the same range.

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::cursor::{Cursor, Direction, Fingerprint};
use super::filter::{Conditions, Filter};
use super::page::{PAGE_LEN, Page, Range, Window, check_limit};
use super::reader::{Plan, QueryError, Reader};
use super::row::{self, columns};
use crate::action::{Action, ActionId};
use crate::resource::{Resource, ResourceRef, ResourceType};

/// What every stream's rows must satisfy: range, visibility, filter. Parameters 1 to 12 are the same in all queries. A
/// subquery, not a join: it is looked up only for rows that reach the page, whatever the planner thinks of the table. The
/// outer `coalesce` changes no result: it hides the overlap from the planner, which believes that one row in 200 has it, and
/// would rather sort a whole type than walk its newest rows.
macro_rules! conditions {
    () => {
        "a.tenant = $1 AND a.id >= $2 AND a.id < $3
    AND ($5 OR coalesce(coalesce((SELECT v.audience FROM gesta.visibility AS v
        WHERE v.tenant = $1 AND v.action_id = a.id), a.audience) && $6::text[], false))
    AND (cardinality($7::text[]) = 0 OR a.verb = ANY ($7))
    AND (cardinality($8::text[]) = 0 OR a.object_type = ANY ($8))
    AND (cardinality($9::text[]) = 0 OR a.outcome = ANY ($9))
    AND ($10::text IS NULL OR a.changes ? $10)
    AND ($11::jsonb IS NULL OR a.data @> $11)
    AND ($12::text IS NULL OR strpos(lower(concat_ws(' ', a.verb, a.description, a.actor_id, a.object_id, a.target_id,
        a.names)), lower($12)) > 0)"
    };
}

pub(crate) use conditions;

/// The same query for both directions.
macro_rules! both_ways {
    ($name:literal, $($condition:tt)*) => {
        Texts {
            older: both_ways!(@one $name, "DESC", $($condition)*),
            newer: both_ways!(@one $name, "ASC", $($condition)*),
        }
    };
    (@one $name:literal, $order:literal, $($condition:tt)*) => {
        concat!(
            "-- stream::query::", $name, "\nSELECT ", columns!(), "\nFROM gesta.action AS a\nWHERE ", conditions!(),
            $($condition)*, "\nORDER BY a.id ", $order, "\nLIMIT $4"
        )
    };
}

/// The text of a query, to older and to newer actions.
struct Texts {
    older: &'static str,
    newer: &'static str,
}

/// The rows of a resource in a role. The key finds them; another resource may have the same, so type and id decide. That is
/// written so that no index answers it, and the key is a subquery, so that it costs nothing where it is compared: of a
/// partition that it believes to be empty the planner would else walk another index.
macro_rules! resource {
    ($role:literal) => {
        concat!(
            "\n    AND a.",
            $role,
            "_key = (SELECT gesta.resource_key($1, $13, $14))
    AND (a.",
            $role,
            "_type, a.",
            $role,
            "_id) IS NOT DISTINCT FROM ($13, $14)"
        )
    };
}

/// The rows of a type in a role.
macro_rules! kind {
    ($role:literal) => {
        concat!("\n    AND a.", $role, "_type = $13")
    };
}

const OBJECT: Texts = both_ways!("object", resource!("object"));
const ACTOR: Texts = both_ways!("actor", resource!("actor"));
const TARGET: Texts = both_ways!("target", resource!("target"));
const RUN: Texts = both_ways!("run", "\n    AND a.run_id = $13");
const TENANT: Texts = both_ways!("tenant", "");

/// Three index ranges merged. A row that matches in several roles comes from each of them, and once out of the whole. To
/// leave it out of two of them would mean to walk past all such rows, and there may be nothing else: people who log in.
macro_rules! any_role {
    ($name:literal, $of:ident) => {
        Texts {
            older: any_role!(@one $name, $of, "DESC"),
            newer: any_role!(@one $name, $of, "ASC"),
        }
    };
    (@one $name:literal, $of:ident, $order:literal) => {
        concat!(
            "-- stream::query::", $name, "\nSELECT DISTINCT ON (a.id) ", columns!(), "\nFROM (\n    (",
            any_role!(@branch $order, $of!("actor")), ")\n    UNION ALL\n    (",
            any_role!(@branch $order, $of!("object")), ")\n    UNION ALL\n    (",
            any_role!(@branch $order, $of!("target")), ")\n) AS a\nORDER BY a.id ", $order, "\nLIMIT $4"
        )
    };
    (@branch $order:literal, $($condition:tt)*) => {
        concat!(
            "SELECT ", columns!(), "\nFROM gesta.action AS a\nWHERE ", conditions!(), $($condition)*,
            "\nORDER BY a.id ", $order, "\nLIMIT $4"
        )
    };
}

const ANY: Texts = any_role!("any", resource);
const TYPE: Texts = any_role!("of_type", kind);

const ONE: &str = concat!(
    "-- stream::query::one\nSELECT ",
    columns!(),
    "\nFROM gesta.action AS a
WHERE a.tenant = $1 AND a.id = $2
    AND ($3 OR coalesce((SELECT v.audience FROM gesta.visibility AS v WHERE v.tenant = $1 AND v.action_id = a.id),
        a.audience) && $4::text[])"
);

/// Which actions.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stream {
    Object(ResourceRef),
    Actor(ResourceRef),
    Target(ResourceRef),
    Any(ResourceRef),
    Type(ResourceType),
    Run(Uuid),
    Tenant,
}

impl Stream {
    fn texts(&self) -> &'static Texts {
        match self {
            Self::Object(_) => &OBJECT,
            Self::Actor(_) => &ACTOR,
            Self::Target(_) => &TARGET,
            Self::Any(_) => &ANY,
            Self::Type(_) => &TYPE,
            Self::Run(_) => &RUN,
            Self::Tenant => &TENANT,
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object's stream",
            Self::Actor(_) => "an actor's stream",
            Self::Target(_) => "a target's stream",
            Self::Any(_) => "a resource's stream",
            Self::Type(_) => "a type's stream",
            Self::Run(_) => "a run's stream",
            Self::Tenant => "a tenant's stream",
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Object(r) | Self::Actor(r) | Self::Target(r) | Self::Any(r) => r.to_string(),
            Self::Type(kind) => kind.to_string(),
            Self::Run(run) => run.to_string(),
            Self::Tenant => String::new(),
        }
    }
}

/// A stream to read, page by page.
///
/// ```no_run
/// # async fn example(reader: gesta::Reader, issue: gesta::ResourceRef) -> Result<(), gesta::QueryError> {
/// use gesta::StreamQuery;
/// let page = StreamQuery::object(&issue).limit(50).page(&reader).await?;
/// let next = StreamQuery::object(&issue).limit(50).from(page.older).page(&reader).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StreamQuery {
    stream: Stream,
    filter: Filter,
    window: Window,
    cursor: Option<Cursor>,
    limit: usize,
}

impl StreamQuery {
    fn new(stream: Stream) -> Self {
        let filter = Filter::default();
        Self { stream, filter, window: Window::default(), cursor: None, limit: PAGE_LEN }
    }

    /// What was done to a resource.
    #[must_use]
    pub fn object(resource: &(impl Resource + ?Sized)) -> Self {
        Self::new(Stream::Object(resource.resource()))
    }

    /// What somebody did.
    #[must_use]
    pub fn actor(resource: &(impl Resource + ?Sized)) -> Self {
        Self::new(Stream::Actor(resource.resource()))
    }

    /// What was done in, to or for a resource.
    #[must_use]
    pub fn target(resource: &(impl Resource + ?Sized)) -> Self {
        Self::new(Stream::Target(resource.resource()))
    }

    /// Everything that a resource has to do with, in any role.
    #[must_use]
    pub fn any(resource: &(impl Resource + ?Sized)) -> Self {
        Self::new(Stream::Any(resource.resource()))
    }

    /// Everything that resources of a type have to do with, in any role.
    #[must_use]
    pub fn of_type(kind: ResourceType) -> Self {
        Self::new(Stream::Type(kind))
    }

    /// What a run or bulk operation did.
    #[must_use]
    pub fn run(run: Uuid) -> Self {
        Self::new(Stream::Run(run))
    }

    /// Everything of the reader's tenant.
    #[must_use]
    pub fn tenant() -> Self {
        Self::new(Stream::Tenant)
    }

    /// Only these verbs.
    #[must_use]
    pub fn verbs<S: Into<String>>(mut self, verbs: impl IntoIterator<Item = S>) -> Self {
        self.filter.verbs = verbs.into_iter().map(Into::into).collect();
        self
    }

    /// Only what satisfies the filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
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

    /// Where a page before this one ended; none for the first page. It must be of the same query and reader.
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
    pub async fn page(&self, reader: &Reader) -> Result<Page<Action>, QueryError> {
        let rows = check_limit(self.limit)?;
        let query = self.fingerprint(reader);
        let range = Range::new(self.window, self.cursor, query)?;
        let actions = self.read(reader, range, rows).await?;
        Ok(Page::new(actions, self.limit, self.cursor, range, query, |action| action))
    }

    async fn read(
        &self,
        reader: &Reader,
        range: Range,
        rows: i64,
    ) -> Result<Vec<Action>, QueryError> {
        let what = self.stream.what();
        let texts = self.stream.texts();
        let sql = match range.direction {
            Direction::Older => texts.older,
            Direction::Newer => texts.newer,
        };
        let conditions = Conditions::new(reader, (range.low, range.high), rows, &self.filter);
        let mut params = conditions.params();
        let (kind, id);
        match &self.stream {
            Stream::Object(r) | Stream::Actor(r) | Stream::Target(r) | Stream::Any(r) => {
                (kind, id) = (r.kind.as_str(), r.id.as_str());
                params.push(&kind);
                params.push(&id);
            }
            Stream::Type(of) => {
                kind = of.as_str();
                params.push(&kind);
            }
            Stream::Run(run) => params.push(run),
            Stream::Tenant => {}
        }
        let rows = reader.query(what, Plan::Generic, sql, &params).await?;
        rows.iter()
            .map(|row| row::action(row).map_err(|source| QueryError::Row { what, source }))
            .collect()
    }

    /// The place before the oldest action, for those who read a stream in the order in which it came about.
    pub(crate) fn beginning(&self, reader: &Reader) -> Cursor {
        let query = self.fingerprint(reader);
        Cursor { direction: Direction::Newer, edge: Uuid::nil(), query, now: None }
    }

    /// The places right before and right after an action: to what is older, and to what is newer.
    #[cfg(feature = "server")]
    pub(crate) fn around(&self, reader: &Reader, id: ActionId) -> (Cursor, Cursor) {
        let (query, edge) = (self.fingerprint(reader), id.uuid());
        let at = |direction| Cursor { direction, edge, query, now: None };
        (at(Direction::Older), at(Direction::Newer))
    }

    fn fingerprint(&self, reader: &Reader) -> Fingerprint {
        let mut parts = reader.parts();
        parts.extend([self.stream.what().to_owned(), self.stream.key()]);
        parts.extend(self.filter.parts());
        parts.push(self.window.part());
        Fingerprint::of(parts.iter().map(String::as_str))
    }
}

impl Reader {
    /// A single action; none where there is none that the reader may see.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn action(&self, id: ActionId) -> Result<Option<Action>, QueryError> {
        let what = "an action";
        let (everything, labels) = self.sight();
        let params: [&(dyn ToSql + Sync); 4] =
            [&self.tenant().as_str(), &id.uuid(), &everything, &labels];
        let rows = self.query(what, Plan::Generic, ONE, &params).await?;
        rows.first().map(row::action).transpose().map_err(|source| QueryError::Row { what, source })
    }
}
