//! Times as people give them: `2h`, `3d`, `yesterday`, `2026-11-20`, RFC 3339. All in UTC.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::error::quote;

/// A moment as it was given; relative ones are fixed by [`When::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So long ago.
    Ago(TimeDelta),
    /// The midnight that began the day so many days ago.
    Midnight(u64),
    /// A moment.
    At(DateTime<Utc>),
}

impl When {
    /// The moment, seen from now.
    pub(crate) fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Ago(length) => now.checked_sub_signed(length).unwrap_or(DateTime::UNIX_EPOCH),
            Self::Midnight(days) => {
                let day = now.date_naive().checked_sub_days(Days::new(days));
                day.map_or(now, midnight)
            }
            Self::At(time) => time,
        }
    }

    /// Whether it means another moment a second later.
    pub(crate) fn is_relative(self) -> bool {
        !matches!(self, Self::At(_))
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{} is no time; give a length such as 90s, 15m, 2h, 3d, 1w (ago), `today`, `yesterday`, `now`, a date \
                 such as 2026-11-20, or a time such as 2026-11-20T14:03:00Z",
                quote(text)
            )
        };
        match text {
            "now" => return Ok(Self::Ago(TimeDelta::zero())),
            "today" => return Ok(Self::Midnight(0)),
            "yesterday" => return Ok(Self::Midnight(1)),
            _ => {}
        }
        let length = text.strip_prefix('-').unwrap_or(text);
        length_of(length.strip_suffix(" ago").unwrap_or(length))
            .map(Self::Ago)
            .or_else(|| moment(text).map(Self::At))
            .ok_or_else(wrong)
    }
}

/// A length such as `2h` or `1h30m`.
pub(super) fn length_of(text: &str) -> Option<TimeDelta> {
    let mut total = TimeDelta::zero();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(&TimeDelta::try_seconds(count.checked_mul(unit)?)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(total)
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(midnight(day));
    }
    let plain = text.replacen(' ', "T", 1);
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&plain, form).ok())
        .map(|time| time.and_utc())
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// A moment for people, to the second.
pub(crate) fn short(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = "2026-11-20T14:03:22Z".parse().expect("a time");
        for (given, wanted) in [
            ("2h", "2026-11-20 12:03:22"),
            ("1h30m ago", "2026-11-20 12:33:22"),
            ("-3d", "2026-11-17 14:03:22"),
            ("1w", "2026-11-13 14:03:22"),
            ("now", "2026-11-20 14:03:22"),
            ("today", "2026-11-20 00:00:00"),
            ("yesterday", "2026-11-19 00:00:00"),
            ("2026-11-01", "2026-11-01 00:00:00"),
            ("2026-11-01 08:15", "2026-11-01 08:15:00"),
            ("2026-11-01T08:15:30", "2026-11-01 08:15:30"),
            ("2026-11-01T08:15:30+02:00", "2026-11-01 06:15:30"),
        ] {
            let when = given.parse::<When>().expect(given);
            assert_eq!(short(when.at(now)), wanted, "{given}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for given in ["", "2", "h", "2y", "tomorrow", "2026-13-01", "9999999999999999999d", "é"] {
            let error = given.parse::<When>().expect_err(given);
            assert!(error.contains("is no time; give a length such as 90s"), "{error}");
        }
    }
}
