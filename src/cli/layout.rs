//! Text in columns of a fixed width: styled pieces, measured as a terminal shows them, wrapped between words.
//!
//! Widths are fixed once, so that a listing of any length is printed as it comes in, in constant memory.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar;

use crate::error::visible;

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Blanks between two columns.
const GAP: usize = 2;
/// No column is squeezed below this.
const NARROW: usize = 6;

/// A text in one style. Its characters are harmless: whatever could act on a terminal has been made visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    style: Style,
    text: String,
}

impl Piece {
    pub(crate) fn new(style: Style, text: &str) -> Self {
        Self { style, text: visible(text).into_owned() }
    }
}

/// A line of a cell before it is wrapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<Piece>);

impl Line {
    pub(crate) fn of(style: Style, text: &str) -> Self {
        Self(vec![Piece::new(style, text)])
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::of(PLAIN, text)
    }

    #[must_use]
    pub(crate) fn and(mut self, style: Style, text: &str) -> Self {
        self.0.push(Piece::new(style, text));
        self
    }

    /// Another line behind this one.
    #[must_use]
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Columns of the terminal that it takes.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|piece| columns(&piece.text)).sum()
    }

    /// The line as lines of at most this width.
    fn wrap(&self, width: usize) -> Vec<Self> {
        let width = width.max(2);
        let mut lines = vec![Self::default()];
        let mut used = 0;
        for Piece { style, text } in &self.0 {
            for word in words(text) {
                let mut rest = word;
                // A blank at the end of a line may stand outside of it.
                while used + columns(rest.trim_end()) > width {
                    // A word that fits nowhere begins here where it can be broken well, or nothing stands before it.
                    let left = width.saturating_sub(used);
                    let fits_nowhere = columns(rest.trim_end()) > width;
                    let end = if fits_nowhere { broken(rest, left, used == 0) } else { 0 };
                    let (head, tail) = rest.split_at(end);
                    push(&mut lines, *style, head);
                    rest = tail;
                    lines.push(Self::default());
                    used = 0;
                }
                used += columns(rest);
                push(&mut lines, *style, rest);
            }
        }
        lines
    }

    fn write(&self, out: &mut dyn Write, width: usize) -> io::Result<()> {
        for Piece { style, text } in &self.0 {
            write!(out, "{style}{text}{style:#}")?;
        }
        write!(out, "{:1$}", "", width.saturating_sub(self.width()))
    }

    /// Without blanks at its end.
    fn trimmed(mut self) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.text.truncate(last.text.trim_end().len());
        }
        self
    }
}

fn push(lines: &mut [Line], style: Style, text: &str) {
    if let (Some(line), false) = (lines.last_mut(), text.is_empty()) {
        match line.0.last_mut() {
            Some(last) if last.style == style => last.text.push_str(text),
            _ => line.0.push(Piece { style, text: text.to_owned() }),
        }
    }
}

/// The pieces that a text may be broken into: behind blanks, and inside of paths.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', '/', ','])
}

/// Columns of a text, character by character: what a line takes is then the sum of what its parts take, wherever it is
/// broken. Terminals join some sequences, such as emoji, into fewer.
fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or_default()).sum()
}

/// Where a word is broken that does not fit into so many columns: behind a sign inside of it, or where the room ends if it
/// must be broken, also where the sign is far from there.
fn broken(word: &str, room: usize, must: bool) -> usize {
    let end = fitting(word, room);
    let sign = word[..end].rfind([':', '-', '.', '_']).map(|at| at + 1);
    sign.filter(|sign| *sign >= end / 2).unwrap_or(if must { end } else { 0 })
}

/// How many bytes of a text fit into so many columns.
fn fitting(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or_default();
        if used > room {
            return at;
        }
    }
    text.len()
}

/// A text of at most this width, with `…` where something was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let text = visible(text);
    if columns(&text) <= width {
        return text.into_owned();
    }
    format!("{}…", &text[..fitting(&text, width.saturating_sub(1))])
}

/// Writes one row of cells, each of which has some lines, into columns of these widths.
pub(crate) fn write_row(
    out: &mut dyn Write,
    widths: &[usize],
    cells: &[Vec<Line>],
) -> io::Result<()> {
    let wrap = |(cell, &width): (&Vec<Line>, &usize)| -> Vec<Line> {
        cell.iter().flat_map(|line| line.wrap(width)).map(Line::trimmed).collect()
    };
    let cells: Vec<_> = cells.iter().zip(widths).map(wrap).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let empty = Line::default();
    for n in 0..height {
        // Nothing is padded behind the last text of a line.
        let last = cells.iter().rposition(|cell| cell.get(n).is_some()).unwrap_or(0);
        for (at, cell) in cells.iter().enumerate().take(last + 1) {
            let width = if at == last { 0 } else { widths[at] + GAP };
            cell.get(n).unwrap_or(&empty).write(out, width)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Takes from the widest columns until all of them fit into so many columns of the terminal; but nothing from one that is to
/// stay whole, as ids are that somebody copies.
pub(crate) fn squeeze(widths: &mut [usize], whole: Option<usize>, total: usize) {
    let room = total.saturating_sub(GAP * widths.len().saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let yielding = widths.iter_mut().enumerate().filter(|(at, _)| Some(*at) != whole);
        match yielding.map(|(_, width)| width).max() {
            Some(widest) if *widest > NARROW => *widest -= 1,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;

    fn text(line: &Line) -> String {
        line.0.iter().map(|piece| piece.text.as_str()).collect()
    }

    fn rows(widths: &[usize], cells: &[Vec<Line>]) -> String {
        let mut out = Vec::new();
        write_row(&mut out, widths, cells).expect("a buffer takes all");
        String::from_utf8(out).expect("UTF-8")
    }

    proptest! {
        #[test]
        fn wrapped_lines_fit_and_lose_nothing(given: Vec<String>, width in 2_usize..60) {
            let line = Line(given.iter().map(|text| Piece::new(PLAIN, text)).collect());
            let wrapped = line.wrap(width);
            for line in &wrapped {
                prop_assert!(line.clone().trimmed().width() <= width);
            }
            prop_assert_eq!(wrapped.iter().map(text).collect::<String>(), text(&line));
        }

        #[test]
        fn cut_texts_fit(given: String, width in 1_usize..60) {
            prop_assert!(columns(&cut(&given, width)) <= width);
        }
    }

    #[test]
    fn paths_and_names_break_behind_signs_and_wide_characters_count_twice() {
        let line = Line::plain("updated file:docs/examples/curlx.c");
        let wrapped: Vec<_> = line.wrap(20).iter().map(text).collect();
        assert_eq!(wrapped, ["updated file:docs/", "examples/curlx.c"]);
        let names: Vec<_> = Line::plain("events:write, x").wrap(10).iter().map(text).collect();
        assert_eq!(names, ["events:", "write, x"]);
        let names: Vec<_> = Line::plain("run, events:write").wrap(10).iter().map(text).collect();
        assert_eq!(names, ["run, ", "events:", "write"]);
        assert_eq!(Line::plain("日本語").wrap(4).len(), 2);
        assert_eq!(Line::plain("abc dddddd").wrap(3).len(), 3, "the blank stands outside");
    }

    #[test]
    fn widest_columns_give_way_except_for_those_that_stay_whole() {
        let mut widths = [36, 16, 30];
        squeeze(&mut widths, Some(0), 60);
        assert_eq!(widths, [36, 10, 10]);
        squeeze(&mut widths, None, 44);
        assert_eq!(widths, [20, 10, 10]);
        squeeze(&mut widths, Some(0), 20);
        assert_eq!(widths, [20, NARROW, NARROW]);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let cells = [
            vec![Line::plain("one"), Line::plain("two")],
            vec![Line::of(STRONG, "x").and(PLAIN, " y z")],
        ];
        assert_eq!(
            rows(&[5, 4], &cells),
            "one    \u{1b}[1mx\u{1b}[0m y\ntwo    z\n",
            "the second cell is wrapped"
        );
    }
}
