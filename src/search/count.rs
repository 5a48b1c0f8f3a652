//! How many results a search has, when, and of what: each answer bounded in what it reads or shows.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::compile::Param;
use super::page::{SearchQuery, Statement};
use super::zone::Zone;
use crate::stream::stats::{Count, Facet};
use crate::stream::{Period, Plan, QueryError, Reader, check_within};

/// Up to how many results are counted one by one.
pub const COUNT_MAX: usize = 1_000_000;
/// Results that facets are counted of.
pub const FACET_ROWS_MAX: usize = 100_000;
/// Values of a facet.
pub const FACET_TOP_MAX: usize = 100;
/// Bars of a histogram: no screen has more periods, and few have more values in one.
pub const BARS_MAX: usize = 5_000;

/// How many there are, as far as they were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many at least.
    pub actions: usize,
    /// Whether there are more: `1,000+`.
    pub is_capped: bool,
}

/// Into what the bars of a histogram are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// They are whole.
    #[default]
    None,
    /// By how it ended.
    Outcome,
    /// By what was done.
    Verb,
    /// By the way in.
    Source,
}

impl Split {
    fn column(self) -> &'static str {
        match self {
            Self::None => "NULL::text",
            Self::Outcome => "a.outcome",
            Self::Verb => "a.verb",
            Self::Source => "a.source",
        }
    }
}

/// Results over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// How long a bar is.
    pub period: Period,
    /// Oldest first; periods without a result have no bar.
    pub bars: Vec<SplitBar>,
    /// Whether older ones were left out.
    pub is_cut: bool,
}

/// Results of a period, or those of them with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitBar {
    /// When the period begins.
    pub at: DateTime<Utc>,
    /// The outcome, verb or source, where bars are divided.
    pub value: Option<String>,
    /// How many.
    pub actions: i64,
}

/// The most common values of the newest results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facets {
    /// How many results were looked at, and whether there are more; then each count is what it is at least.
    pub of: Counted,
    /// For each facet that was asked for, in that order, its values with most results.
    pub facets: Vec<(Facet, Vec<Count>)>,
}

impl SearchQuery {
    /// How many results there are, exactly up to the cap, which is 1 to 1,000,000.
    ///
    /// # Errors
    /// When the cap is out of range, it takes too long, or the database does not answer.
    pub async fn count(&self, reader: &Reader, cap: usize) -> Result<Counted, QueryError> {
        let limit = check_within(cap, COUNT_MAX)?;
        let now = self.now(reader);
        let head = "-- search::count\nSELECT count(*) FROM (SELECT";
        let statement = Statement::all(self, now, head, "\nLIMIT $4) AS found");
        let rows = self.read(reader, &statement, Plan::Custom, self.ids(now), limit + 1).await?;
        let found = rows.first().map_or(0, |row| row.get::<_, i64>(0));
        Ok(counted(found, cap))
    }

    /// Results a period, in the days of a time zone; the latest 5,000 bars. Without a period, the shortest that divides
    /// the time from the first to the last result into 60 or so.
    ///
    /// # Errors
    /// When the zone is not known, it takes too long, or the database does not answer.
    pub async fn histogram(
        &self,
        reader: &Reader,
        period: Option<Period>,
        split: Split,
        zone: &Zone,
    ) -> Result<Histogram, QueryError> {
        zone.check(reader).await?;
        let now = self.now(reader);
        let period = match period {
            Some(period) => period,
            None => self.fitting(reader, now).await?,
        };
        let column = split.column();
        let head = format!(
            "-- search::histogram\nSELECT b.at, b.value, count(*) AS actions\nFROM (SELECT date_trunc($PERIOD, a.occurred_at, $ZONE) AS at, {column} AS value"
        );
        let tail =
            ") AS b\nGROUP BY b.at, b.value\nORDER BY b.at DESC, actions DESC, b.value\nLIMIT $4";
        let mut statement = Statement::all(self, now, &head, tail);
        for (mark, text) in [("$PERIOD", period.as_str()), ("$ZONE", zone.name())] {
            statement.bind(mark, Param::Text(text.to_owned()));
        }
        let limit = check_within(BARS_MAX, BARS_MAX)?;
        let rows = self.read(reader, &statement, Plan::Custom, self.ids(now), limit + 1).await?;
        let bar = |row: &Row| SplitBar { at: row.get(0), value: row.get(1), actions: row.get(2) };
        let bars = rows.iter().take(BARS_MAX).rev().map(bar).collect();
        Ok(Histogram { period, bars, is_cut: rows.len() > BARS_MAX })
    }

    /// The period that suits the time from the first to the last result.
    async fn fitting(&self, reader: &Reader, now: DateTime<Utc>) -> Result<Period, QueryError> {
        let head = "-- search::fitting\nSELECT min(a.occurred_at), max(a.occurred_at)";
        let statement = Statement::all(self, now, head, "\n    AND $4::bigint > 0");
        let rows = self.read(reader, &statement, Plan::Custom, self.ids(now), 1).await?;
        let bound = |row: &Row, at| row.get::<_, Option<DateTime<Utc>>>(at);
        let span = rows.first().and_then(|row| bound(row, 0).zip(bound(row, 1)));
        Ok(span.map_or(Period::Day, |(first, last)| Period::of_span(last - first)))
    }

    /// The values with most results, counted of the newest results up to the cap. The cap is 1 to 100,000, `top` 1 to 100.
    ///
    /// # Errors
    /// When `top` or the cap is out of range, it takes too long, or the database does not answer.
    pub async fn facets(
        &self,
        reader: &Reader,
        facets: &[Facet],
        top: usize,
        cap: usize,
    ) -> Result<Facets, QueryError> {
        let (limit, top) = (check_within(cap, FACET_ROWS_MAX)?, check_within(top, FACET_TOP_MAX)?);
        let now = self.now(reader);
        let head = "-- search::facets
WITH found AS MATERIALIZED (
SELECT a.id, a.verb, a.source, a.outcome, a.names, a.actor_type, a.actor_id, a.object_type, a.object_id, a.target_type,
    a.target_id";
        // One more is found, which only tells that there are more.
        let mut tail = "\nORDER BY a.id DESC\nLIMIT $4),
newest AS MATERIALIZED (
SELECT f.id, f.verb, f.source, f.outcome, f.names, f.actor_type, f.actor_id, f.object_type, f.object_id, f.target_type,
    f.target_id
FROM found AS f
ORDER BY f.id DESC
LIMIT $4 - 1)\nSELECT NULL::text AS facet, NULL::text AS value, NULL::text AS name, count(*) AS actions, 0 AS place FROM found".to_owned();
        for (at, facet) in facets.iter().enumerate() {
            tail.push_str(&of_facet(*facet, at + 1, top));
        }
        tail.push_str("\nORDER BY place, actions DESC, value");
        let statement = Statement::all(self, now, head, &tail);
        let rows = self.read(reader, &statement, Plan::Custom, self.ids(now), limit + 1).await?;
        let total = rows.first().map_or(0, |row| row.get::<_, i64>("actions"));
        let mut found: Vec<_> = facets.iter().map(|facet| (*facet, Vec::new())).collect();
        for row in rows.iter().skip(1) {
            let place = usize::try_from(row.get::<_, i32>("place")).unwrap_or_default();
            let count = Count {
                value: row.get("value"),
                name: row.get("name"),
                actions: row.get("actions"),
            };
            if let Some((_, counts)) = found.get_mut(place.wrapping_sub(1)) {
                counts.push(count);
            }
        }
        Ok(Facets { of: counted(total, cap), facets: found })
    }
}

/// The values of a facet. `top` is a number of ours.
fn of_facet(facet: Facet, place: usize, top: i64) -> String {
    let (value, name) = match facet {
        Facet::Verb => ("f.verb".to_owned(), None),
        Facet::Source => ("f.source".to_owned(), None),
        Facet::Outcome => ("f.outcome".to_owned(), None),
        Facet::ObjectType => ("f.object_type".to_owned(), None),
        Facet::Actor | Facet::Object | Facet::Target => {
            let role = facet.as_str();
            (format!("f.{role}_type || ':' || f.{role}_id"), Some(format!("f.names ->> '{role}'")))
        }
    };
    // Called as in the newest of them that gives a name.
    let name = name.map_or("NULL::text".to_owned(), |name| {
        format!("(array_agg({name} ORDER BY f.id DESC) FILTER (WHERE {name} IS NOT NULL))[1]")
    });
    format!(
        "\nUNION ALL (SELECT '{}', {value}, {name}, count(*) AS actions, {place}\nFROM newest AS f\nWHERE {value} IS NOT NULL\n\
         GROUP BY {value}\nORDER BY actions DESC, {value}\nLIMIT {top})",
        facet.as_str()
    )
}

fn counted(found: i64, cap: usize) -> Counted {
    let found = usize::try_from(found).unwrap_or_default();
    Counted { actions: found.min(cap), is_capped: found > cap }
}
