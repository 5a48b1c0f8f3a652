//! Pages of a search.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::access::anchors;
use super::compile::{Compiler, Param};
use super::query::Query;
use super::range::{Ids, hull};
use crate::action::Action;
use crate::stream::{
    Conditions, Cursor, Direction, Filter, Fingerprint, PAGE_LEN, Page, Plan, QueryError, Range,
    Reader, Window, check_limit, columns, conditions, row,
};

/// How long a statement of a search may take. A page that walks its index takes milliseconds; what takes longer reads
/// millions of rows in search of few, and somebody waits.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What the statements of a search are called in errors.
pub(super) const WHAT: &str = "the search";
/// The number of the first parameter behind those of [`Conditions`].
const FIRST: usize = 13;
/// The types of the parameters of [`Conditions`].
const TYPES: [Type; FIRST - 1] = [
    Type::TEXT,
    Type::UUID,
    Type::UUID,
    Type::INT8,
    Type::BOOL,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT,
    Type::JSONB,
    Type::TEXT,
];

/// A search to read, page by page, or to count.
///
/// ```no_run
/// # async fn example(reader: gesta::Reader) -> Result<(), Box<dyn std::error::Error>> {
/// use gesta::{Query, SearchQuery};
/// let search = SearchQuery::new(Query::parse("verb:invoice outcome:failed occurred:>now-7d")?).limit(20);
/// let page = search.page(&reader).await?;
/// let next = search.from(page.older).page(&reader).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SearchQuery {
    query: Query,
    filter: Filter,
    window: Window,
    cursor: Option<Cursor>,
    limit: usize,
    timeout: Duration,
}

impl SearchQuery {
    /// What satisfies the search.
    #[must_use]
    pub fn new(query: Query) -> Self {
        let (filter, window) = (Filter::default(), Window::default());
        Self { query, filter, window, cursor: None, limit: PAGE_LEN, timeout: TIMEOUT }
    }

    /// Only what satisfies the filter besides.
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

    /// Where a page before this one ended; none for the first page. It must be of the same search and reader. It brings
    /// along the present of the first page, from which relative times are seen on all pages.
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

    /// How long the database may take for each statement; [`TIMEOUT`] where nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Reads a page, newest first.
    ///
    /// # Errors
    /// When the limit is out of range, the cursor is another search's, it takes too long, or the database does not answer.
    pub async fn page(&self, reader: &Reader) -> Result<Page<Action>, QueryError> {
        let rows = check_limit(self.limit)?;
        let fingerprint = self.fingerprint(reader);
        let now = self.now(reader);
        let range = Range::within(self.ids(now), self.cursor, fingerprint)?;
        let statement = Statement::page(self, now, range.direction);
        let ids = (range.low, range.high);
        let found = self.read(reader, &statement, Plan::Generic, ids, rows).await?;
        let actions: Result<Vec<_>, _> = found.iter().map(row::action).collect();
        let actions = actions.map_err(|source| QueryError::Row { what: WHAT, source })?;
        let mut page = Page::new(actions, self.limit, self.cursor, range, fingerprint, |it| it);
        if self.query.is_relative() {
            for cursor in [&mut page.older, &mut page.newer].into_iter().flatten() {
                cursor.now = Some(now);
            }
        }
        Ok(page)
    }

    /// The present, from which relative times are seen: that of the first page. In whole microseconds, as a cursor holds.
    pub(super) fn now(&self, reader: &Reader) -> DateTime<Utc> {
        let now = || reader.store().now();
        let now = self.cursor.and_then(|cursor| cursor.now).unwrap_or_else(now);
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// The ids that results can have.
    pub(super) fn ids(&self, now: DateTime<Utc>) -> Ids {
        let (window, hull) = (self.window.ids(), hull(&self.query.root, now));
        (window.0.max(hull.0), window.1.min(hull.1))
    }

    fn fingerprint(&self, reader: &Reader) -> Fingerprint {
        let mut parts = reader.parts();
        parts.extend([WHAT.to_owned(), self.query.to_string()]);
        parts.extend(self.filter.parts());
        parts.push(self.window.part());
        Fingerprint::of(parts.iter().map(String::as_str))
    }

    /// Runs an INSERT over the objects of a type that results are about, each once, in the caller's transaction; `insert` reads
    /// them from `found (id)`, and `$SELECTION` in it is the id given. Gives how many rows were inserted.
    #[cfg(feature = "actions")]
    pub(crate) async fn over_objects(
        &self,
        reader: &Reader,
        tx: &deadpool_postgres::Transaction<'_>,
        kind: &crate::resource::ResourceType,
        insert: &str,
        selection: uuid::Uuid,
    ) -> Result<u64, tokio_postgres::Error> {
        let now = self.now(reader);
        let head = "-- search::over_objects\nWITH found AS MATERIALIZED (\nSELECT DISTINCT a.object_id AS id";
        let tail = format!("\n    AND a.object_type = $KIND AND $4::bigint > 0\n)\n{insert}");
        let mut statement = Statement::all(self, now, head, &tail);
        let marks =
            [("$KIND", Param::Text(kind.to_string())), ("$SELECTION", Param::Uuid(selection))];
        for (mark, param) in marks {
            statement.bind(mark, param);
        }
        let conditions = Conditions::new(reader, self.ids(now), 1, &self.filter);
        tx.execute_typed(&statement.sql, &statement.params(&conditions)).await
    }

    /// Runs a statement. Searches have too many forms to keep them prepared.
    pub(super) async fn read(
        &self,
        reader: &Reader,
        statement: &Statement,
        plan: Plan,
        ids: Ids,
        limit: i64,
    ) -> Result<Vec<Row>, QueryError> {
        let conditions = Conditions::new(reader, ids, limit, &self.filter);
        let params = statement.params(&conditions);
        reader.query_within(WHAT, plan, self.timeout, &statement.sql, &params).await
    }
}

/// A statement and what is bound behind the parameters that all have.
pub(super) struct Statement {
    sql: String,
    params: Vec<Param>,
}

impl Statement {
    /// One select, or as many as there are anchors, merged.
    fn page(search: &SearchQuery, now: DateTime<Utc>, direction: Direction) -> Self {
        let order = match direction {
            Direction::Older => "DESC",
            Direction::Newer => "ASC",
        };
        let mut compiler = Compiler::new(now, FIRST);
        let condition = compiler.node(&search.query.root, &[]);
        let anchors = anchors(&search.query.root);
        let ways: Vec<_> = anchors.iter().map(|anchor| compiler.anchor(anchor)).collect();
        let branch = |way: &str| {
            format!(
                "SELECT {}\nFROM gesta.action AS a\nWHERE {}\n    AND {way}\n    AND {condition}\nORDER BY a.id {order}\nLIMIT $4",
                columns!(),
                conditions!(),
            )
        };
        let sql = match ways.as_slice() {
            [] => branch("true"),
            [way] => branch(way),
            ways => {
                let branches: Vec<_> =
                    ways.iter().map(|way| format!("({})", branch(way))).collect();
                format!(
                    "SELECT DISTINCT ON (a.id) {}\nFROM (\n{}\n) AS a\nORDER BY a.id {order}\nLIMIT $4",
                    columns!(),
                    branches.join("\nUNION ALL\n"),
                )
            }
        };
        Self { sql: format!("-- search::page\n{sql}"), params: compiler.params }
    }

    /// A select of something of all rows, and what else follows.
    pub(super) fn all(search: &SearchQuery, now: DateTime<Utc>, head: &str, tail: &str) -> Self {
        let mut compiler = Compiler::new(now, FIRST);
        let condition = compiler.node(&search.query.root, &[]);
        let anchors = anchors(&search.query.root);
        let ways: Vec<_> = anchors.iter().map(|anchor| compiler.anchor(anchor)).collect();
        let ways = if ways.is_empty() { "true".to_owned() } else { ways.join(" OR ") };
        let conditions = conditions!();
        let sql = format!(
            "{head}\nFROM gesta.action AS a\nWHERE {conditions}\n    AND ({ways})\n    AND {condition}{tail}"
        );
        Self { sql, params: compiler.params }
    }

    /// Binds one more, where its mark stands.
    pub(super) fn bind(&mut self, mark: &str, param: Param) {
        self.params.push(param);
        let number = FIRST + self.params.len() - 1;
        self.sql = self.sql.replacen(mark, &format!("${number}"), 1);
    }

    /// What is bound, in order.
    fn params<'a>(&'a self, conditions: &'a Conditions<'_>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        let base = conditions.params().into_iter().zip(TYPES);
        base.chain(self.params.iter().map(Param::typed)).collect()
    }
}
