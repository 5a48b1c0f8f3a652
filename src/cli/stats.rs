//! `gesta stats`: how much there is, by whom, of what, when.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;

use super::exit::Code;
use super::layout::{FAINT, Line, PLAIN, STRONG, cut};
use super::negation::{TEXT, given, has_key};
use super::output::{Format, Out};
use super::select::{Narrow, Window};
use super::session::{Role, Session, now};
use super::{say, when};
use crate::error::{identity, quote};
use crate::stream::stats::{Bar, Bars, Counts, PERIODS_MAX, TOP_MAX, Totals};
use crate::stream::{Facet, Period, Reader, StatsQuery};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta stats                         an overview
  gesta stats --since 1w --per day    of the last week, day by day
  gesta stats --by actor -n 50        who did most
  gesta stats --by type,verb -o csv   for a spreadsheet";

/// The facets of an overview. Objects and targets are many, and few of them tell something.
const OVERVIEW: [Facet; 5] =
    [Facet::Verb, Facet::Actor, Facet::ObjectType, Facet::Source, Facet::Outcome];
/// Cells of a bar.
const BAR: usize = 16;
/// Columns that a name has at least, however long the id behind it is.
const NAME: usize = 10;
/// Columns of a count: a billion with its separators, and a blank.
const NUMBER: usize = 13;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only actions with this text in verb, description, ids or names; no search
    #[arg(value_name = TEXT, value_parser = text)]
    text: Vec<String>,
    /// By what: verb, actor, object, target, type, source, outcome [default: an overview]
    #[arg(long, value_name = "FACET", value_parser = facets(), value_delimiter = ',', hide_possible_values = true)]
    by: Vec<Facet>,
    /// Per minute, hour, day, week, month or year [default: what fits into a line]
    #[arg(long, value_name = "PERIOD", value_parser = periods(), hide_possible_values = true)]
    per: Option<Period>,
    /// How many of each, 1 to 1000
    #[arg(long = "limit", short = 'n', value_name = "N", default_value = "10", value_parser = top)]
    limit: usize,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    window: Window,
}

fn top(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=TOP_MAX).contains(count));
    count.ok_or_else(|| format!("give a number from 1 to {TOP_MAX}"))
}

/// A text. What would be a search elsewhere is refused: as a text it is found nowhere, and a count of 0 looks like an answer.
fn text(text: &str) -> Result<String, String> {
    let text = given(text);
    let Some(term) = text.split_whitespace().find(|word| has_key(word)) else {
        return Ok(text.to_owned());
    };
    let quoted = quote(term);
    Err(format!(
        "{quoted} is a term of a search, and this counts by flags and texts only; `gesta log 'TERM TERM'` lists what a \
         search finds, and GET /api/v1/events/facets and /events/histogram count it"
    ))
}

fn facets() -> impl TypedValueParser<Value = Facet> {
    PossibleValuesParser::new(Facet::ALL.map(Facet::as_str)).try_map(|word| {
        Facet::ALL.into_iter().find(|facet| facet.as_str() == word).ok_or("no facet")
    })
}

fn periods() -> impl TypedValueParser<Value = Period> {
    PossibleValuesParser::new(Period::ALL.map(Period::as_str)).try_map(|word| {
        Period::ALL.into_iter().find(|period| period.as_str() == word).ok_or("no period")
    })
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let (since, until) = args.window.fixed(now())?;
    let database = session.open(Role::App).await?;
    let query = StatsQuery::new().filter(args.narrow.filter(&args.text));
    let query = since.map_or(query.clone(), |since| query.since(since));
    let query = until.map_or(query.clone(), |until| query.until(until));
    let mut out = session.out();
    print(&args, &query, &args.narrow.reader(&database), &mut out).await?;
    out.flush()?;
    Ok(Code::Ok)
}

async fn print(
    args: &Args,
    query: &StatsQuery,
    reader: &Reader,
    out: &mut Out,
) -> anyhow::Result<()> {
    let totals = query.totals(reader).await?;
    let mut report = Report { out, total: totals.actions };
    report.totals(totals)?;
    let Some((first, last)) = totals.span else {
        say::aside("nothing to count; `gesta demo` makes something to look at");
        return Ok(());
    };
    let period = args.per.unwrap_or(Period::of_span(last - first));
    let bars = query.count_per(period, reader).await?;
    report.periods(period, &bars)?;
    if bars.older > 0 {
        let (older, word) = (number(bars.older), period.as_str());
        let text = "are not shown one by one; ask for a longer period, or for --since and --until";
        say::note(&format!(
            "{older} actions before the latest {PERIODS_MAX} periods of one {word} {text}"
        ));
    }
    let facets = if args.by.is_empty() { &OVERVIEW[..] } else { &args.by };
    for &facet in facets {
        let counts = query.count_by(facet, args.limit, reader).await?;
        report.counts(facet, &counts)?;
    }
    Ok(())
}

/// A count as JSON: `by` is `total`, a facet or a period. All older periods together have no value, and `older` as name.
#[derive(Serialize)]
struct CountForm<'a> {
    by: &'static str,
    value: Option<&'a str>,
    name: Option<&'a str>,
    actions: i64,
}

struct Report<'a> {
    out: &'a mut Out,
    total: i64,
}

impl Report<'_> {
    fn totals(&mut self, totals: Totals) -> std::io::Result<()> {
        if self.out.format() == Format::Csv {
            self.out.csv(["by", "value", "name", "actions"])?;
        }
        if self.out.format() != Format::Table {
            return self.value("total", None, None, totals.actions);
        }
        let span = totals.span.map_or(String::new(), |(first, last)| {
            format!(" from {} to {} (UTC)", when::short(first), when::short(last))
        });
        self.row(
            &[vec![
                Line::of(STRONG, &number(totals.actions)).and(PLAIN, " actions").and(PLAIN, &span),
            ]],
            &[self.out.width()],
        )
    }

    fn periods(&mut self, period: Period, found: &Bars) -> std::io::Result<()> {
        let (bars, by) = (&found.bars, period.as_str());
        if self.out.format() != Format::Table {
            if found.older > 0 {
                self.value(by, None, Some("older"), found.older)?;
            }
            return bars.iter().try_for_each(|bar| {
                let at = bar.at.to_rfc3339_opts(SecondsFormat::Secs, true);
                self.value(by, Some(&at), None, bar.actions)
            });
        }
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(()) };
        let Some(most) = bars.iter().max_by_key(|bar| bar.actions) else { return Ok(()) };
        let at = |at| label(period, at);
        let text = format!(
            "{} to {}{}, most: {} in {}",
            at(first.at),
            at(last.at),
            if found.is_sparse { ", empty ones left out" } else { "" },
            number(most.actions),
            at(most.at)
        );
        let lines = vec![
            Line::default(),
            Line::of(STRONG, &format!("Per {}", period.as_str())).and(FAINT, &format!("  {text}")),
            Line::plain(&sparkline(bars, most.actions)),
        ];
        self.row(&[lines], &[self.out.width()])
    }

    fn counts(&mut self, facet: Facet, counts: &Counts) -> std::io::Result<()> {
        if self.out.format() != Format::Table {
            return counts.top.iter().try_for_each(|count| {
                let name = count.name.as_deref();
                self.value(facet.as_str(), Some(&count.value), name, count.actions)
            });
        }
        let value = self.out.width() - NUMBER - BAR - 12;
        let widths = [value, NUMBER, 6, BAR];
        let most = counts.top.first().map_or(1, |count| count.actions);
        let head =
            Line::of(STRONG, heading(facet)).and(FAINT, &format!(" ({})", number(counts.distinct)));
        self.row(&[vec![Line::default(), head]], &[self.out.width()])?;
        for count in &counts.top {
            // The id behind its type; a verb has no type, and no blanks either.
            let of = count.value.split_once(':');
            let of = of.map_or_else(
                || identity(&count.value).into_owned(),
                |(kind, id)| format!("{kind}:{}", identity(id)),
            );
            let name = match count.name.as_deref().filter(|name| !name.is_empty()) {
                Some(name) => {
                    let room = value.saturating_sub(of.len() + 3).max(NAME);
                    Line::plain(&cut(&identity(name), room)).and(FAINT, &format!(" ({of})"))
                }
                None => Line::plain(&of),
            };
            let cells = [
                vec![name],
                vec![Line::plain(&format!("{:>NUMBER$}", number(count.actions)))],
                vec![Line::plain(&format!("{:>6}", percent(count.actions, self.total)))],
                vec![Line::of(FAINT, &"█".repeat(cells(count.actions, most)))],
            ];
            self.row(&cells, &widths)?;
        }
        Ok(())
    }

    fn value(
        &mut self,
        by: &'static str,
        value: Option<&str>,
        name: Option<&str>,
        actions: i64,
    ) -> std::io::Result<()> {
        if self.out.format() == Format::Jsonl {
            return self.out.json(&CountForm { by, value, name, actions });
        }
        let (value, name) = (value.unwrap_or_default(), name.unwrap_or_default());
        self.out.csv([by, value, name, &actions.to_string()])
    }

    fn row(&mut self, cells: &[Vec<Line>], widths: &[usize]) -> std::io::Result<()> {
        self.out.row(widths, cells)
    }
}

fn heading(facet: Facet) -> &'static str {
    match facet {
        Facet::Verb => "Verbs",
        Facet::Actor => "Actors",
        Facet::Object => "Objects",
        Facet::Target => "Targets",
        Facet::ObjectType => "Types of objects",
        Facet::Source => "Sources",
        Facet::Outcome => "Outcomes",
    }
}

/// The beginning of a period, as exact as the period is.
fn label(period: Period, at: DateTime<Utc>) -> String {
    let form = match period {
        Period::Minute | Period::Hour => "%Y-%m-%d %H:%M",
        Period::Day | Period::Week => "%Y-%m-%d",
        Period::Month => "%Y-%m",
        Period::Year => "%Y",
    };
    at.format(form).to_string()
}

/// With a comma before each three digits.
pub(super) fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn percent(part: i64, whole: i64) -> String {
    let whole = whole.max(1);
    match (part.saturating_mul(100).saturating_add(whole / 2)) / whole {
        0 if part > 0 => "< 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// How many of `BAR` cells; at least one where there is something.
fn cells(part: i64, most: i64) -> usize {
    let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
    usize::try_from(part).unwrap_or(0).saturating_mul(BAR).div_ceil(most).min(BAR)
}

/// One sign a period; blank where nothing happened.
fn sparkline(bars: &[Bar], most: i64) -> String {
    const SIGNS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = usize::try_from(most.max(1)).unwrap_or(usize::MAX);
    let sign = |bar: &Bar| {
        let actions = usize::try_from(bar.actions).unwrap_or(0);
        SIGNS[actions.saturating_mul(8).div_ceil(most).min(8)]
    };
    bars.iter().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_shares_are_readable() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!((number(0), number(-1000)), ("0".to_owned(), "-1,000".to_owned()));
        assert_eq!((percent(1, 1000), percent(0, 0)), ("< 1 %".to_owned(), "0 %".to_owned()));
    }

    #[test]
    fn sparkline_shows_one_action_among_many_and_none_as_blank() {
        let bar = |actions| Bar { at: DateTime::UNIX_EPOCH, actions };
        assert_eq!(sparkline(&[bar(0), bar(1), bar(500), bar(1000)], 1000), " ▁▄█");
    }
}
