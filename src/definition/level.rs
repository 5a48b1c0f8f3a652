//! How much a message matters.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::quote;

/// How much a message matters, as in a log: a name and a number, which leave room between them as those of Python's
/// `logging` do. JSON has the name, and may also give the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "Given")]
pub enum Level {
    /// For developers: `debug`, 10.
    Debug,
    /// For information: `info`, 20.
    Info,
    /// It went well: `success`, 25.
    Success,
    /// Something needs attention: `warning`, 30.
    Warning,
    /// Something failed: `error`, 40.
    Error,
}

/// What was given is no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given} is no level; there are {}", Level::ALL.map(|level| format!("{} ({})", level.as_str(), level.number())).join(", "))]
pub struct InvalidLevel {
    /// What was given, cut and quoted.
    given: String,
}

/// A level as JSON gives it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Number(u64),
    Name(String),
}

impl TryFrom<Given> for Level {
    type Error = InvalidLevel;
    fn try_from(given: Given) -> Result<Self, InvalidLevel> {
        match given {
            Given::Number(number) => number.to_string().parse(),
            Given::Name(name) => name.parse(),
        }
    }
}

impl Level {
    /// All of them, the least first.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Success, Self::Warning, Self::Error];

    /// Its name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// Its number: the more it matters, the greater.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Debug => 10,
            Self::Info => 20,
            Self::Success => 25,
            Self::Warning => 30,
            Self::Error => 40,
        }
    }
}

impl FromStr for Level {
    type Err = InvalidLevel;

    /// A name in any case, or a number.
    fn from_str(text: &str) -> Result<Self, InvalidLevel> {
        let number = text.parse().ok();
        let is_meant = |level: &Self| {
            text.eq_ignore_ascii_case(level.as_str()) || number == Some(level.number())
        };
        Self::ALL.into_iter().find(is_meant).ok_or_else(|| InvalidLevel { given: quote(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_names_and_numbers() {
        let told: Vec<_> = Level::ALL.iter().map(|it| (it.as_str(), it.number())).collect();
        let wanted = [("debug", 10), ("info", 20), ("success", 25), ("warning", 30), ("error", 40)];
        assert_eq!(told, wanted);
        for level in Level::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(level.as_str().to_uppercase().parse(), Ok(level));
            assert_eq!(level.number().to_string().parse(), Ok(level));
        }
        assert!(Level::ALL.is_sorted());
    }

    #[test]
    fn levels_are_names_in_json_and_may_be_given_as_numbers() {
        for level in Level::ALL {
            let json = serde_json::to_value(level).expect("a text");
            assert_eq!(json, level.as_str());
            for given in [json, level.number().into()] {
                assert_eq!(serde_json::from_value::<Level>(given).expect("a level"), level);
            }
        }
        let error = serde_json::from_str::<Level>("26").expect_err("no level").to_string();
        assert!(error.starts_with("`26` is no level; there are debug (10), "), "{error}");
    }

    #[test]
    fn name_that_is_no_level_is_answered_with_those_that_are() {
        for given in ["loud", "", "21", "300", "success "] {
            let error = given.parse::<Level>().expect_err(given).to_string();
            let levels = "debug (10), info (20), success (25), warning (30), error (40)";
            assert_eq!(error, format!("`{given}` is no level; there are {levels}"));
        }
    }
}
