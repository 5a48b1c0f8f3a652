//! Times as people give them: `2h`, `now-3d`, `yesterday`, `2026-11`, `2026-11-20`, RFC 3339. All in UTC.
//!
//! The only place that understands times; the command line's flags take the same.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat,
    TimeDelta, Timelike, Utc,
};

use crate::error::quote;

/// A time as it was given. Relative ones are fixed by [`When::at`], to which the present is passed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long ago.
    Ago(TimeDelta),
    /// This day.
    Today,
    /// The day before.
    Yesterday,
    /// A month, day, minute, second or microsecond: when it begins, and which of them it is.
    At(DateTime<Utc>, Unit),
}

/// How exact a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    Month,
    Day,
    Minute,
    Second,
    Microsecond,
}

impl Unit {
    fn end(self, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Month => start.checked_add_months(Months::new(1)),
            Self::Day => start.checked_add_days(Days::new(1)),
            Self::Minute => start.checked_add_signed(TimeDelta::minutes(1)),
            Self::Second => start.checked_add_signed(TimeDelta::seconds(1)),
            Self::Microsecond => start.checked_add_signed(TimeDelta::microseconds(1)),
        }
    }
}

impl When {
    /// When it begins, seen from now.
    #[must_use]
    pub fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Ago(length) => now.checked_sub_signed(length).unwrap_or(DateTime::UNIX_EPOCH),
            Self::Today => midnight(now.date_naive()),
            Self::Yesterday => {
                now.date_naive().checked_sub_days(Days::new(1)).map_or(now, midnight)
            }
            Self::At(time, _) => time,
        }
    }

    /// When it begins, and the first moment after it: a day, a month, or a microsecond where it is a single moment.
    #[must_use]
    pub fn span(self, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let start = self.at(now);
        (start, self.unit().end(start).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    /// Whether it means another moment a second later.
    #[must_use]
    pub fn is_relative(self) -> bool {
        !matches!(self, Self::At(..))
    }

    /// Whether it is a single moment, in which nothing happens.
    #[must_use]
    pub fn is_moment(self) -> bool {
        self.unit() == Unit::Microsecond
    }

    /// Whether it begins after the end of another one, whenever that is asked: a search must not be one at noon and none in
    /// the evening, so a relative time is not compared with an absolute one.
    pub(super) fn is_always_after(self, other: Self) -> bool {
        let day = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        // Of two relative times, the time of the day decides at most, and at its ends if at all.
        let moments = [day, day + TimeDelta::days(1) - TimeDelta::microseconds(1)];
        self.is_relative() == other.is_relative()
            && moments.into_iter().all(|now| self.at(now) >= other.span(now).1)
    }

    fn unit(self) -> Unit {
        match self {
            Self::Ago(_) => Unit::Microsecond,
            Self::Today | Self::Yesterday => Unit::Day,
            Self::At(_, unit) => unit,
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{} is no time; give a length such as 90s, 15m, 2h, 3d, 1w (ago), `today`, `yesterday`, `now`, a date \
                 such as 2026-11-20 or 2026-11, or a time such as 2026-11-20T14:03:00Z",
                quote(text)
            )
        };
        match text.to_ascii_lowercase().as_str() {
            "now" => return Ok(Self::Ago(TimeDelta::zero())),
            "today" => return Ok(Self::Today),
            "yesterday" => return Ok(Self::Yesterday),
            _ => {}
        }
        let length = text.strip_prefix("now").unwrap_or(text);
        let length = length.strip_prefix('-').unwrap_or(text);
        length_of(length.strip_suffix(" ago").unwrap_or(length))
            .map(Self::Ago)
            .or_else(|| moment(text).map(|(time, unit)| Self::At(time, unit)))
            .ok_or_else(wrong)
    }
}

/// A length such as `2h` or `1h30m`.
pub(crate) fn length_of(text: &str) -> Option<TimeDelta> {
    let mut total = TimeDelta::zero();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = UNITS.iter().find(|(name, _)| *name == rest.as_bytes()[digits])?.1;
        total = total.checked_add(&TimeDelta::try_seconds(count.checked_mul(unit)?)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total)
}

/// Units of a length and their seconds, longest first.
const UNITS: [(u8, i64); 5] =
    [(b'w', 604_800), (b'd', 86_400), (b'h', 3_600), (b'm', 60), (b's', 1)];

/// Years that RFC 3339 can write.
const YEARS: std::ops::RangeInclusive<i32> = 0..=9999;

fn moment(text: &str) -> Option<(DateTime<Utc>, Unit)> {
    let (time, unit) = exact(text).or_else(|| plain(text))?;
    // A leap second becomes the next one; less than a microsecond is no time of an action.
    let time = DateTime::from_timestamp_micros(time.timestamp_micros())?;
    YEARS.contains(&time.year()).then_some((time, unit))
}

/// RFC 3339.
fn exact(text: &str) -> Option<(DateTime<Utc>, Unit)> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let is_exact = text.contains('.') || time.nanosecond() != 0;
    Some((time, if is_exact { Unit::Microsecond } else { Unit::Second }))
}

/// A month, a day, or a time without its offset.
fn plain(text: &str) -> Option<(DateTime<Utc>, Unit)> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some((midnight(day), Unit::Day));
    }
    let is_month = text.len() == 7 && text.is_char_boundary(4) && text.as_bytes()[4] == b'-';
    if is_month && let Ok(day) = format!("{text}-01").parse::<NaiveDate>() {
        return Some((midnight(day), Unit::Month));
    }
    let text = text.strip_suffix('Z').unwrap_or(text).replacen(' ', "T", 1);
    let read = |form| NaiveDateTime::parse_from_str(&text, form).ok().map(|time| time.and_utc());
    let seconds = if text.contains('.') { Unit::Microsecond } else { Unit::Second };
    let with_seconds = read("%Y-%m-%dT%H:%M:%S%.f").map(|time| (time, seconds));
    with_seconds.or_else(|| read("%Y-%m-%dT%H:%M").map(|time| (time, Unit::Minute)))
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Text that is read as the same time.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ago(length) if length.is_zero() => f.write_str("now"),
            Self::Ago(length) => write_length(*length, f),
            Self::Today => f.write_str("today"),
            Self::Yesterday => f.write_str("yesterday"),
            Self::At(time, Unit::Month) => time.format("%Y-%m").fmt(f),
            Self::At(time, Unit::Day) => time.format("%Y-%m-%d").fmt(f),
            Self::At(time, Unit::Minute) => time.format("%Y-%m-%dT%H:%MZ").fmt(f),
            Self::At(time, Unit::Second) => {
                f.write_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            Self::At(time, Unit::Microsecond) => {
                f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
            }
        }
    }
}

fn write_length(length: TimeDelta, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("now-")?;
    let mut rest = length.num_seconds();
    for (unit, seconds) in UNITS {
        if rest >= seconds {
            write!(f, "{}", rest / seconds)?;
            f.write_char(char::from(unit))?;
            rest %= seconds;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn second(time: DateTime<Utc>) -> String {
        time.format("%Y-%m-%d %H:%M:%S").to_string()
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = "2026-11-20T14:03:22Z".parse().expect("a time");
        for (given, start, end) in [
            ("2h", "2026-11-20 12:03:22", ""),
            ("1h30m ago", "2026-11-20 12:33:22", ""),
            ("now-1w2d", "2026-11-11 14:03:22", ""),
            ("-3d", "2026-11-17 14:03:22", ""),
            ("now", "2026-11-20 14:03:22", ""),
            ("Today", "2026-11-20 00:00:00", "2026-11-21 00:00:00"),
            ("yesterday", "2026-11-19 00:00:00", "2026-11-20 00:00:00"),
            ("2026-02", "2026-02-01 00:00:00", "2026-03-01 00:00:00"),
            ("2026-11-01", "2026-11-01 00:00:00", "2026-11-02 00:00:00"),
            ("2026-11-01 08:15", "2026-11-01 08:15:00", "2026-11-01 08:16:00"),
            ("2026-11-01T08:15:30", "2026-11-01 08:15:30", "2026-11-01 08:15:31"),
            ("2026-11-01T08:15:30+02:00", "2026-11-01 06:15:30", "2026-11-01 06:15:31"),
        ] {
            let when = given.parse::<When>().expect(given);
            assert_eq!(second(when.at(now)), start, "{given}");
            assert_eq!(when.is_moment(), end.is_empty(), "{given}");
            if !end.is_empty() {
                assert_eq!(second(when.span(now).1), end, "{given}");
            }
        }
    }

    #[test]
    fn later_is_what_is_later_at_any_time_of_the_day() {
        let is_after = |a: &str, b: &str| {
            let when = |text: &str| text.parse::<When>().expect(text);
            when(a).is_always_after(when(b))
        };
        for (later, earlier) in [
            ("2026-11-18", "2026-11-17"),
            ("2026-11-18T10:00Z", "2026-11-18T09:59Z"),
            ("1h", "2h"),
            ("today", "yesterday"),
            ("today", "24h"),
            ("now", "yesterday"),
        ] {
            assert!(is_after(later, earlier) && !is_after(earlier, later), "{later} {earlier}");
        }
        for (one, other) in [
            ("2026-11-18", "2026-11"),
            ("2026-11-18T10:00:30Z", "2026-11-18T10:00Z"),
            ("1h", "1h"),
            ("today", "23h"),
            ("now", "today"),
            ("1h", "yesterday"),
            ("2026-11-18", "2h"),
        ] {
            assert!(!is_after(one, other) && !is_after(other, one), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for given in [
            "",
            "2",
            "h",
            "2y",
            "tomorrow",
            "2026-13-01",
            "2026-13",
            "9999999999999999999d",
            "é",
            "éé-éé",
            "+12026-01-01",
            "nowhere",
            "now2h",
            "now-",
        ] {
            let error = given.parse::<When>().expect_err(given);
            assert!(error.contains("is no time; give a length such as 90s"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(text in "(now-)?[0-9]{1,4}[smhdw]|2026-(0[1-9]|1[0-2])(-[0-2][1-8](T[01][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?)?)?|today|yesterday") {
            let when = text.parse::<When>().expect("a time");
            prop_assert_eq!(when.to_string().parse::<When>(), Ok(when));
        }
    }
}
