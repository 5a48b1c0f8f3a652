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

/// An id or a name, for people who must be able to tell two of them apart: as [`visible`] shows it, and also blanks at its
/// ends, blanks that are none of ASCII, and the selectors that make a sign an emoji. In free text these do no harm, and
/// are common.
#[must_use]
#[cfg(feature = "cli")]
pub(crate) fn identity(text: &str) -> std::borrow::Cow<'_, str> {
    let is_odd = |c: char| is_disguising(c) || is_selector(c) || c.is_whitespace() && c != ' ';
    if !text.chars().any(is_odd) && text.trim().len() == text.len() {
        return text.into();
    }
    let (start, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
    let mut shown = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        if is_selector(c)
            || c.is_whitespace() && !c.is_control() && (c != ' ' || at < start || at >= end)
        {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            push_visible(&mut shown, c);
        }
    }
    shown.into()
}

/// Whether a character says only how the one before is drawn: as a sign of text or as an emoji.
#[cfg(feature = "cli")]
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Whether a character moves the cursor, changes direction, breaks the line, or cannot be seen for sure.
///
/// The ranges are those of Unicode's property `Default_Ignorable_Code_Point` (`DerivedCoreProperties.txt` of Unicode 17) but for the
/// selectors of text and emoji; the separators and annotations that act on a line; the blank of Braille; and what has no
/// sign of its own: private use and noncharacters.
pub(crate) fn is_disguising(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}')
        // The last two of each plane.
        || u32::from(c) & 0xfffe == 0xfffe
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
        assert_eq!(visible("añ 日本 👍 12\u{a0}€ ❤\u{fe0f}"), "añ 日本 👍 12\u{a0}€ ❤\u{fe0f}");
        assert_eq!(quote(&"x".repeat(3000)).len(), 60 + "`…` (3000 bytes)".len());
    }

    #[test]
    fn character_that_cannot_be_seen_makes_no_lookalike() {
        let hidden = [
            0xad, 0x34f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180e, 0x200b, 0x200d, 0x202e,
            0x2060, 0x2800, 0x3164, 0xe000, 0xf8ff, 0xfdd0, 0xfdef, 0xfe00, 0xfe0d, 0xfeff, 0xffa0,
            0xfff0, 0xfffb, 0xfffe, 0xffff, 0x1_bca0, 0x1_d173, 0x1_d17a, 0x1_fffe, 0xe_0001,
            0xe_0100, 0xe_01ef, 0xf_0000, 0x10_ffff,
        ];
        for code in hidden {
            let text = format!("ann{}", char::from_u32(code).expect("a character"));
            assert_eq!(visible(&text), format!("ann\\u{{{code:x}}}"));
        }
        for c in ['\u{a0}', '\u{2003}', '\u{202f}', '\u{3000}', '\u{fe0f}', '\u{fffd}', '\u{1f468}']
        {
            assert_eq!(visible(&c.to_string()), c.to_string());
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn identities_that_are_not_the_same_do_not_look_it() {
        for (given, shown) in [
            ("ann lee", "ann lee"),
            (" ann", "\\u{20}ann"),
            ("ann  ", "ann\\u{20}\\u{20}"),
            ("ann\u{a0}lee", "ann\\u{a0}lee"),
            ("ann\u{3000}", "ann\\u{3000}"),
            ("❤\u{fe0f}", "❤\\u{fe0f}"),
            ("a\u{3164}\tb\n", "a\\u{3164}\\tb\\n"),
            (" ", "\\u{20}"),
            ("", ""),
        ] {
            assert_eq!(identity(given), shown, "{given:?}");
        }
    }
}
