//! Counts: how many actions, by whom, of what, when.
//!
//! A count reads every action of its window once, in the order of the table: a second for some millions. There is no
//! table of counts, which every append would have to wait for.

use chrono::{DateTime, Datelike, Days, Months, TimeDelta, Utc};
use tokio_postgres::Row;

use super::filter::{Conditions, Filter};
use super::page::{Window, check_within};
use super::query::conditions;
use super::reader::{Plan, QueryError, Reader};

/// Values of a list of counts.
pub const TOP_MAX: usize = 1_000;
/// Periods of one answer: no screen is wider, and a minute-by-minute count of years is asked for by mistake.
pub const PERIODS_MAX: usize = 1_000;
/// Periods where none is asked for: what fits into a line.
const PERIODS_FEW: i64 = 60;

const TOTALS: &str = concat!(
    "-- stream::stats::totals
SELECT count(*) AS actions, min(a.occurred_at) AS first, max(a.occurred_at) AS last
FROM gesta.action AS a
WHERE $4::bigint > 0 AND ",
    conditions!()
);

const PERIODS: &str = concat!(
    "-- stream::stats::periods
SELECT date_trunc($13, a.occurred_at, 'UTC') AS at, count(*) AS actions, (sum(count(*)) OVER ())::bigint AS all_actions
FROM gesta.action AS a
WHERE ",
    conditions!(),
    "
GROUP BY date_trunc($13, a.occurred_at, 'UTC')
ORDER BY at DESC
LIMIT $4"
);

/// Values of one column.
macro_rules! by_column {
    ($name:literal, $column:literal) => {
        concat!(
            "-- stream::stats::", $name, "
SELECT ", $column, " AS value, NULL::text AS name, count(*) AS actions, count(*) OVER () AS distinct_values
FROM gesta.action AS a
WHERE ", conditions!(), " AND ", $column, " IS NOT NULL
GROUP BY ", $column, "
ORDER BY actions DESC, value
LIMIT $4"
        )
    };
}

/// Resources in a role, called as in the latest of the counted actions that give a name.
macro_rules! by_role {
    ($role:literal) => {
        concat!(
            "-- stream::stats::",
            $role,
            "
SELECT g.type || ':' || g.id AS value, (
        SELECT a.names ->> '",
            $role,
            "' FROM gesta.action AS a
        WHERE ",
            conditions!(),
            " AND a.",
            $role,
            "_key = gesta.resource_key($1, g.type, g.id) AND a.",
            $role,
            "_type = g.type AND a.",
            $role,
            "_id = g.id
            AND a.names ->> '",
            $role,
            "' IS NOT NULL
        ORDER BY a.id DESC
        LIMIT 1
    ) AS name, g.actions, g.distinct_values
FROM (
    SELECT a.",
            $role,
            "_type AS type, a.",
            $role,
            "_id AS id, count(*) AS actions, count(*) OVER () AS distinct_values
    FROM gesta.action AS a
    WHERE ",
            conditions!(),
            " AND a.",
            $role,
            "_type IS NOT NULL
    GROUP BY a.",
            $role,
            "_type, a.",
            $role,
            "_id
    ORDER BY actions DESC, type, id
    LIMIT $4
) AS g
ORDER BY g.actions DESC, value"
        )
    };
}

const VERB: &str = by_column!("verb", "a.verb");
const OBJECT_TYPE: &str = by_column!("object_type", "a.object_type");
const SOURCE: &str = by_column!("source", "a.source");
const OUTCOME: &str = by_column!("outcome", "a.outcome");
const ACTOR: &str = by_role!("actor");
const OBJECT: &str = by_role!("object");
const TARGET: &str = by_role!("target");

/// By what actions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facet {
    /// What was done.
    Verb,
    /// Who did it.
    Actor,
    /// What it was done to.
    Object,
    /// In, to or for what it was done.
    Target,
    /// The type of what it was done to.
    ObjectType,
    /// The way in.
    Source,
    /// How it ended.
    Outcome,
}

impl Facet {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Verb,
        Self::Actor,
        Self::Object,
        Self::Target,
        Self::ObjectType,
        Self::Source,
        Self::Outcome,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verb => "verb",
            Self::Actor => "actor",
            Self::Object => "object",
            Self::Target => "target",
            Self::ObjectType => "type",
            Self::Source => "source",
            Self::Outcome => "outcome",
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Verb => VERB,
            Self::Actor => ACTOR,
            Self::Object => OBJECT,
            Self::Target => TARGET,
            Self::ObjectType => OBJECT_TYPE,
            Self::Source => SOURCE,
            Self::Outcome => OUTCOME,
        }
    }
}

/// A length of the calendar, in UTC. Weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Period {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    /// All of them, shortest first.
    pub const ALL: [Self; 6] =
        [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// About how many seconds it takes.
    fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 604_800,
            Self::Month => 2_629_746,
            Self::Year => 31_556_952,
        }
    }

    /// The shortest that divides a span into at most 60 or so.
    #[must_use]
    pub fn of_span(span: TimeDelta) -> Self {
        let fits = |period: &Self| span.num_seconds() / period.seconds() < PERIODS_FEW;
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Year)
    }

    /// The beginning of the next one.
    fn next(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Minute | Self::Hour => {
                at.checked_add_signed(TimeDelta::try_seconds(self.seconds())?)
            }
            Self::Day => at.checked_add_days(Days::new(1)),
            Self::Week => at.checked_add_days(Days::new(7)),
            Self::Month => at.checked_add_months(Months::new(1)),
            Self::Year => at.with_year(at.year().checked_add(1)?),
        }
    }
}

/// How many, and of which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Actions.
    pub actions: i64,
    /// When the first and the last of them occurred; none where there are none.
    pub span: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Actions of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The value; a resource as `type:id`.
    pub value: String,
    /// What a resource was called last.
    pub name: Option<String>,
    /// How many.
    pub actions: i64,
}

/// Actions by value, most first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many different values there are.
    pub distinct: i64,
    /// Those with most actions.
    pub top: Vec<Count>,
}

/// Actions of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When it begins.
    pub at: DateTime<Utc>,
    /// How many.
    pub actions: i64,
}

/// Actions over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bars {
    /// Oldest first.
    pub bars: Vec<Bar>,
    /// Whether periods without an action are missing, because with them there would be more than 1,000.
    pub is_sparse: bool,
    /// Actions of older periods, which are left out.
    pub older: i64,
}

/// Which actions to count.
///
/// ```no_run
/// # async fn example(reader: gesta::Reader) -> Result<(), gesta::QueryError> {
/// use gesta::stream::{Facet, StatsQuery};
/// let busiest = StatsQuery::new().count_by(Facet::Actor, 10, &reader).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsQuery {
    filter: Filter,
    window: Window,
}

impl StatsQuery {
    /// All of the reader's tenant.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

    /// How many, from when to when.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn totals(&self, reader: &Reader) -> Result<Totals, QueryError> {
        let rows = self.rows("the totals", TOTALS, 1, None, reader).await?;
        let totals = |row: &Row| {
            let span: (Option<_>, Option<_>) = (row.get("first"), row.get("last"));
            Totals { actions: row.get("actions"), span: span.0.zip(span.1) }
        };
        Ok(rows.first().map_or(Totals { actions: 0, span: None }, totals))
    }

    /// The values with most actions, up to 1,000 of them.
    ///
    /// # Errors
    /// When the limit is out of range or the database does not answer.
    pub async fn count_by(
        &self,
        facet: Facet,
        top: usize,
        reader: &Reader,
    ) -> Result<Counts, QueryError> {
        let limit = check_within(top, TOP_MAX)?;
        let rows = self.rows("counts", facet.sql(), limit, None, reader).await?;
        let count = |row: &Row| Count {
            value: row.get("value"),
            name: row.get("name"),
            actions: row.get("actions"),
        };
        let distinct = rows.first().map_or(0, |row| row.get("distinct_values"));
        Ok(Counts { distinct, top: rows.iter().map(count).collect() })
    }

    /// Actions a period, of the latest 1,000 that have any. Those without any are included where all together are not more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_per(&self, period: Period, reader: &Reader) -> Result<Bars, QueryError> {
        let limit = i64::try_from(PERIODS_MAX).unwrap_or(i64::MAX);
        let rows = self.rows("counts", PERIODS, limit, Some(period.as_str()), reader).await?;
        let bar = |row: &Row| Bar { at: row.get("at"), actions: row.get("actions") };
        let bars: Vec<_> = rows.iter().rev().map(bar).collect();
        let shown: i64 = bars.iter().map(|bar| bar.actions).sum();
        let all = rows.first().map_or(0, |row| row.get::<_, i64>("all_actions"));
        Ok(filled(period, bars, all - shown))
    }

    async fn rows(
        &self,
        what: &'static str,
        sql: &'static str,
        limit: i64,
        period: Option<&str>,
        reader: &Reader,
    ) -> Result<Vec<Row>, QueryError> {
        let conditions = Conditions::new(reader, self.window.ids(), limit, &self.filter);
        let mut params = conditions.params();
        if let Some(period) = &period {
            params.push(period);
        }
        reader.query(what, Plan::Custom, sql, &params).await
    }
}

/// Puts the periods in between that have no action, unless they are too many: a lonely action long before or after the
/// others must not cost a million empty periods.
fn filled(period: Period, bars: Vec<Bar>, older: i64) -> Bars {
    let mut all: Vec<Bar> = Vec::with_capacity(bars.len());
    for bar in &bars {
        let mut next = all.last().and_then(|last| period.next(last.at));
        while let Some(at) = next.filter(|&at| at < bar.at && all.len() < PERIODS_MAX) {
            all.push(Bar { at, actions: 0 });
            next = period.next(at);
        }
        if all.len() >= PERIODS_MAX {
            return Bars { is_sparse: true, bars, older };
        }
        all.push(*bar);
    }
    Bars { bars: all, is_sparse: false, older }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn bar(at: &str, actions: i64) -> Bar {
        Bar { at: at.parse().expect("a time"), actions }
    }

    #[test]
    fn empty_periods_are_put_in_between() {
        let bars = vec![bar("2025-11-01T00:00:00Z", 3), bar("2026-02-01T00:00:00Z", 1)];
        let all = filled(Period::Month, bars, 0);
        assert_eq!(all.bars.iter().map(|bar| bar.actions).collect::<Vec<_>>(), [3, 0, 0, 1]);
        assert_eq!(all.bars[2], bar("2026-01-01T00:00:00Z", 0));
        assert!(!all.is_sparse);
        assert_eq!(filled(Period::Day, Vec::new(), 0), Bars::default());
    }

    #[test]
    fn lonely_action_does_not_cost_a_million_periods_and_hides_no_other() {
        for lonely in [
            ["1970-01-01T00:00:00Z", "2026-11-20T14:02:00Z"],
            ["2026-11-20T14:02:00Z", "2030-01-01T00:00:00Z"],
        ] {
            let bars = lonely.map(|at| bar(at, 1)).to_vec();
            let wanted = Bars { bars: bars.clone(), is_sparse: true, older: 7 };
            assert_eq!(filled(Period::Minute, bars, 7), wanted);
        }
        // The most that are filled, and one more.
        let span = |last: i64| {
            let at = "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().expect("a time");
            let bars = [at, at + TimeDelta::minutes(last)].map(|at| Bar { at, actions: 1 });
            let all = filled(Period::Minute, bars.to_vec(), 0);
            (all.bars.len(), all.is_sparse)
        };
        assert_eq!((span(999), span(1_000)), ((1_000, false), (2, true)));
    }

    #[test]
    fn spans_are_divided_into_what_fits_into_a_line() {
        for (days, period) in [
            (0, Period::Minute),
            (2, Period::Hour),
            (20, Period::Day),
            (300, Period::Week),
            (1000, Period::Month),
            (9000, Period::Year),
        ] {
            assert_eq!(Period::of_span(TimeDelta::days(days)), period, "{days} days");
        }
    }
}
