//! What a command says to people: on standard error, so that standard output holds data and nothing else.

use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::error::{chain, visible};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default();

/// Whether somebody reads standard error on a terminal.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// What went wrong, with all its causes, once.
pub(crate) fn error(error: &anyhow::Error) {
    wrong(&chain(error.as_ref()));
}

/// What was given and cannot be taken.
pub(crate) fn wrong(text: &str) {
    say(ERROR, "error", text);
}

/// What may be wrong.
pub(crate) fn warning(text: &str) {
    say(WARNING, "warning", text);
}

/// What is good to know.
pub(crate) fn note(text: &str) {
    say(NOTE, "note", text);
}

/// What is good to know for somebody at a terminal, and would be noise in a log.
pub(crate) fn aside(text: &str) {
    if is_watched() {
        note(text);
    }
}

/// Texts may hold somebody's input: each line is made harmless. Nobody is left to tell that standard error is closed.
fn say(style: Style, head: &str, text: &str) {
    let mut err = anstream::stderr().lock();
    let mut lines = text.lines().map(visible);
    let _ = writeln!(err, "{style}{head}:{style:#} {}", lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(err, "{line}");
    }
}
