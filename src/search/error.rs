//! What is wrong with a search, and where.

use std::fmt;

use serde::Serialize;

use crate::error::visible;

/// Problems that are told of one text: who mends these sees the next.
pub(super) const PROBLEMS_MAX: usize = 20;
/// Characters of the text that are shown before a problem, and from it on: a line of a terminal.
const SHOWN: usize = 40;

/// A part of a text, in bytes. Two parts are always equal, so that texts that say the same are.
#[derive(Clone, Copy, Debug, Default, Eq, Serialize)]
pub struct Span {
    /// Bytes before it.
    pub offset: usize,
    /// Its own bytes.
    pub len: usize,
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What kind of problem it is. The words of the JSON form are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No such key.
    UnknownKey,
    /// The value is none that the key can have.
    BadValue,
    /// The key cannot be compared, or has no ranges.
    BadOperator,
    /// Nothing after the colon.
    MissingValue,
    /// Nothing beside an `OR`, `AND`, `NOT` or inside of parentheses.
    MissingTerm,
    /// A parenthesis or quotation mark without its other half.
    Unbalanced,
    /// A character that no action can hold.
    BadCharacter,
    /// More bytes, terms, values or parentheses than are taken.
    TooLarge,
}

/// One problem of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    #[serde(flatten)]
    pub span: Span,
    /// Which.
    pub code: Code,
    /// What was given and what is allowed.
    pub detail: String,
    /// What may have been meant, to be put in the place of the span.
    pub suggestion: Option<String>,
}

/// Why a text is no search: one problem at least, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParseError {
    /// The problems.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "; " }, problem.detail)?;
            if let Some(suggestion) = &problem.suggestion {
                write!(f, "; did you mean `{}`?", visible(suggestion))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {}

impl ParseError {
    /// The problems for a terminal, each with the text under which carets show the place. `text` is what was parsed;
    /// control characters of it are made visible.
    #[must_use]
    pub fn with_carets(&self, text: &str) -> String {
        let shown: Vec<_> = self.problems.iter().map(|problem| problem.with_carets(text)).collect();
        shown.join("\n")
    }
}

impl Problem {
    fn with_carets(&self, text: &str) -> String {
        let start = text.floor_char_boundary(self.span.offset);
        let end = text.ceil_char_boundary(self.span.offset.saturating_add(self.span.len));
        let (before, rest) = text.split_at(start);
        let hidden = before.chars().count().saturating_sub(SHOWN);
        let before: String = before.chars().skip(hidden).collect();
        let after: String = rest.chars().take(SHOWN).collect();
        let (left, right) = (ellipsis(hidden > 0), ellipsis(after.len() < rest.len()));
        let indent = left.chars().count() + visible(&before).chars().count();
        let marked: String = rest[..end - start].chars().take(SHOWN).collect();
        let carets = visible(&marked).chars().count().max(1);
        let (before, after) = (visible(&before), visible(&after));
        let meant = self.suggestion.as_ref().map(|s| format!(" did you mean `{}`?", visible(s)));
        format!(
            "{}\n  {left}{before}{after}{right}\n  {:indent$}{}{}",
            self.detail,
            "",
            "^".repeat(carets),
            meant.unwrap_or_default(),
        )
    }
}

fn ellipsis(is_cut: bool) -> &'static str {
    if is_cut { "…" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_the_place_whatever_is_before_it() {
        let problem = |offset, len| Problem {
            span: Span { offset, len },
            code: Code::UnknownKey,
            detail: "unknown".to_owned(),
            suggestion: Some("actor".to_owned()),
        };
        let shown = |text: &str, offset, len| {
            ParseError { problems: vec![problem(offset, len)] }.with_carets(text)
        };
        assert_eq!(
            shown("actr:alice", 0, 4),
            "unknown\n  actr:alice\n  ^^^^ did you mean `actor`?"
        );
        assert_eq!(
            shown("é\u{1b} x:1", 4, 1),
            "unknown\n  é\\u{1b} x:1\n          ^ did you mean `actor`?"
        );
        let long = "a".repeat(100) + "b" + &"c".repeat(100);
        let cut = shown(&long, 100, 1);
        let lines: Vec<_> = cut.lines().collect();
        assert_eq!(lines[1].chars().position(|c| c == 'b'), lines[2].find('^'));
        assert!(lines[1].chars().count() < 90);
        assert!(shown("", 0, 0).contains("\n  ^"));
    }
}
