//! Time zones, for the days of a histogram.

use std::str::FromStr;

use tokio_postgres::types::Type;

use super::page::{TIMEOUT, WHAT};
use crate::error::quote;
use crate::stream::{Plan, QueryError, Reader};

/// Bytes of a name: the longest of the IANA database has 32.
const NAME_LEN_MAX: usize = 64;

const IS_KNOWN: &str = "-- search::zone::is_known
SELECT EXISTS (SELECT FROM pg_timezone_names AS z WHERE z.name = $1)";

/// A time zone: a name of the IANA database such as `Europe/Berlin`, or an offset such as `+05:30`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// As PostgreSQL takes it.
    name: String,
    is_name: bool,
}

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self { name: "UTC".to_owned(), is_name: false }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("utc") || text == "Z" {
            return Ok(Self::default());
        }
        if let Some(name) = posix(text) {
            return Ok(Self { name, is_name: false });
        }
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_name && text.len() <= NAME_LEN_MAX && text.chars().all(is_allowed) {
            return Ok(Self { name: text.to_owned(), is_name });
        }
        Err(unknown(text))
    }
}

/// An offset as PostgreSQL takes it: by POSIX, whose offsets grow to the west.
fn posix(text: &str) -> Option<String> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => ('-', rest),
        ("-", rest) => ('+', rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let number = |text: &str, max: u32| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|number| is_number && *number <= max)
    };
    let (hours, minutes) = (number(hours, 14)?, number(minutes, 59)?);
    Some(format!("{sign}{hours:02}:{minutes:02}"))
}

fn unknown(text: &str) -> String {
    format!(
        "{} is no time zone; give a name such as Europe/Berlin, an offset such as +05:30, or UTC",
        quote(text)
    )
}

impl Zone {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the database knows it, which else would take an unknown name for an abbreviation or an offset.
    pub(super) async fn check(&self, reader: &Reader) -> Result<(), QueryError> {
        if !self.is_name {
            return Ok(());
        }
        let rows = reader
            .query_within(WHAT, Plan::Custom, TIMEOUT, IS_KNOWN, &[(&self.name, Type::TEXT)])
            .await?;
        match rows.first() {
            Some(row) if row.get(0) => Ok(()),
            _ => Err(QueryError::Zone(unknown(&self.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_turned_round_and_nonsense_is_refused() {
        for (given, name) in [
            ("utc", "UTC"),
            ("+05:30", "-05:30"),
            ("-08", "+08:00"),
            ("Europe/Berlin", "Europe/Berlin"),
            ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ] {
            assert_eq!(given.parse::<Zone>().map(|zone| zone.name).as_deref(), Ok(name), "{given}");
        }
        for given in ["", "+", "+5", "+15:00", "+05:60", "é", "+é", "<x>-1", "' OR 1"] {
            let error = given.parse::<Zone>().expect_err(given);
            assert!(error.contains("is no time zone"), "{error}");
        }
    }
}
