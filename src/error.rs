//! How errors reach people: the whole chain once, and hostile input made harmless.
//!
//! `Display` of our errors never contains the source, but that of other crates may (deadpool, async-nats print the
//! cause twice; tokio-postgres prints only "db error"), so everything that ends in a log line or on a terminal goes
//! through [`chain`].

use std::error::Error;
use std::fmt::Write as _;

use tokio_postgres::error::DbError;

/// How many characters of somebody's input an error message quotes.
const QUOTE_LEN_MAX: usize = 60;

/// The message of an error and of all its causes, joined by `: `, for a log line or an exit message. A cause whose
/// text the message before it contains already is left out.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = explain(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = explain(error);
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

/// The text of one error; for a message of PostgreSQL also its detail and hint, which its `Display` leaves out, as far as
/// they are [`harmless`]. The "db error" that tokio-postgres puts before it says nothing.
fn explain(error: &(dyn Error + 'static)) -> String {
    let outer = error.downcast_ref::<tokio_postgres::Error>().and_then(|error| error.as_db_error());
    match outer.or_else(|| error.downcast_ref::<DbError>()) {
        Some(db) => harmless(db),
        None => error.to_string(),
    }
}

/// What may be told of an error of PostgreSQL (its documentation, appendix A): values of rows, which may be secrets, stand
/// in the DETAIL of a violated constraint ("Key (email)=(…) already exists", "Failing row contains (…)") and in the
/// message of data that does not fit its type. Names of constraints and columns can be told.
pub(crate) fn harmless(error: &DbError) -> String {
    let (class, code) = (&error.code().code()[..2], error.code().code());
    let mut text = match class {
        "22" => format!("{} (SQLSTATE {code}); the value is not shown", about_data(code)),
        _ => error.message().to_owned(),
    };
    let detail = error.detail().filter(|_| !matches!(class, "22" | "23" | "P0"));
    for more in [detail, error.hint()].into_iter().flatten() {
        let _ = write!(text, " ({more})");
    }
    text
}

/// What an error of class 22, data exception, means.
fn about_data(code: &str) -> &'static str {
    match code {
        "22001" => "a text is too long for its column",
        "22003" => "a number is out of its type's range",
        "22004" | "22002" => "a null is not allowed here",
        "22007" | "22008" => "a date or time cannot be read, or is out of range",
        "22012" => "division by zero",
        "22P02" | "22P03" | "22018" => "a value cannot be read as its type",
        "22P05" | "22021" => "a text holds a character that the database cannot store",
        _ => "a value does not fit",
    }
}

/// A piece of somebody's input for an error message: in backquotes, control and invisible characters escaped, cut
/// after 60 characters.
#[must_use]
pub fn quote(given: &str) -> String {
    let mut text = String::from("`");
    for (count, c) in given.chars().enumerate() {
        if count == QUOTE_LEN_MAX {
            let _ = write!(text, "…` ({} bytes)", given.len());
            return text;
        }
        push_visible(&mut text, c);
    }
    text.push('`');
    text
}

/// The text with every character that could change what a terminal or a reader sees made visible: control characters,
/// line and paragraph separators, bidirectional marks, invisible characters. For all log content that is printed.
#[must_use]
pub fn visible(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.chars().any(is_disguising) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push_visible(&mut shown, c));
    shown.into()
}

fn push_visible(text: &mut String, c: char) {
    match c {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        c if is_disguising(c) => {
            let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
        }
        c => text.push(c),
    }
}

/// Whether a character moves the cursor, changes direction, breaks the line or cannot be seen.
pub(crate) fn is_disguising(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn chain_prints_each_cause_once() {
        let inner = Link { text: "no route", source: None };
        let middle = Link { text: "failed to connect: no route", source: Some(Box::new(inner)) };
        let outer = Link { text: "failed to append", source: Some(Box::new(middle)) };
        assert_eq!(chain(&outer), "failed to append: failed to connect: no route");
    }

    #[test]
    fn hostile_text_is_made_visible() {
        assert_eq!(visible("a\u{1b}[31mb\u{202e}c\nd"), "a\\u{1b}[31mb\\u{202e}c\\nd");
        assert_eq!(visible("añ 日本 👍"), "añ 日本 👍");
        assert_eq!(quote(&"x".repeat(3000)).len(), 60 + "`…` (3000 bytes)".len());
    }
}
