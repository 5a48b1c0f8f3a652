//! From bytes of a file to its lines.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;

use super::error::FileError;

/// A file, for errors about its parts.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Lines<'_> {
    /// Something is wrong at some bytes.
    pub(super) fn error(&self, at: &Range<usize>, problem: impl Display) -> FileError {
        let line = 1 + self.text.get(..at.start).unwrap_or_default().matches('\n').count();
        FileError { file: self.file.to_owned(), line, problem: problem.to_string() }
    }

    /// What TOML or the form of the file does not allow.
    pub(super) fn of_toml(&self, error: &toml::de::Error) -> FileError {
        let problem = error.message().trim_end().replace('\n', ", ");
        self.error(&error.span().unwrap_or_default(), problem)
    }

    /// A number inside of its limits, or the usual one.
    pub(super) fn number(
        &self,
        given: Option<&Spanned<u32>>,
        key: &str,
        (usual, allowed): (u32, RangeInclusive<u32>),
    ) -> Result<u32, FileError> {
        let Some(given) = given else { return Ok(usual) };
        let (number, least, most) = (*given.get_ref(), *allowed.start(), *allowed.end());
        if allowed.contains(&number) {
            return Ok(number);
        }
        let problem = format!("`{key}` is {number}; {least} to {most} is allowed");
        Err(self.error(&given.span(), problem))
    }
}
