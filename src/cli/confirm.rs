//! Asking somebody at a terminal before something is changed.

use std::io::{self, BufRead, IsTerminal, Write};

use super::exit::Told;
use super::say;
use crate::error::visible;

/// What they said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
}

/// Refuses where there is nobody to ask.
pub(super) fn must_be_asked() -> anyhow::Result<()> {
    if io::stdin().is_terminal() && say::is_watched() {
        return Ok(());
    }
    let text = "this changes objects, and there is no terminal to ask at: give --yes, or --plan to see what would happen";
    Err(Told::usage(text).into())
}

/// Tells what would happen, and asks; whatever is not a yes is a no.
pub(super) fn ask(told: &[String], question: &str) -> anyhow::Result<Answer> {
    let mut err = anstream::stderr().lock();
    for line in told.iter().flat_map(|text| text.lines()) {
        writeln!(err, "{}", visible(line))?;
    }
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(answer(&line))
}

fn answer(line: &str) -> Answer {
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        _ => Answer::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        for (line, wanted) in
            [("y\n", Answer::Yes), (" YES\n", Answer::Yes), ("", Answer::No), ("yep\n", Answer::No)]
        {
            assert_eq!(answer(line), wanted, "{line}");
        }
    }
}
