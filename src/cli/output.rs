//! What a command gives: a table for people, JSON lines for programs, CSV for spreadsheets.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use anstream::{AutoStream, ColorChoice, StripStream};
use serde::Serialize;

use super::layout::{Line, PLAIN, STRONG, write_row};
use crate::error::{is_disguising, visible};
use crate::format::csv::{self, Cells};

/// Width of a table where no terminal says otherwise.
const WIDTH: usize = 80;
/// Below this a table cannot be read, and above this nobody reads a line.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=200;

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, safe to open in a spreadsheet.
    Csv,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Also into a pipe, for a pager.
    Always,
    /// Never.
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// Who reads what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Medium {
    Terminal,
    Pipe,
}

/// Standard output, for the data of a command.
pub(crate) struct Out {
    /// It takes everything as it is: log content has bytes that a filter for colours would take out.
    writer: BufWriter<Stdout>,
    format: Format,
    medium: Medium,
    has_colors: bool,
    width: usize,
    /// The header of a column that is not broken.
    whole: Option<&'static str>,
}

impl Out {
    /// Standard output. Without a format: a table on a terminal, else JSON lines.
    pub(crate) fn new(format: Option<Format>, columns: Option<u16>) -> Self {
        let stdout = io::stdout();
        let medium = if stdout.is_terminal() { Medium::Terminal } else { Medium::Pipe };
        let format = format.unwrap_or(match medium {
            Medium::Terminal => Format::Table,
            Medium::Pipe => Format::Jsonl,
        });
        // Of standard output alone: another stream's terminal does not show the table.
        let measured = terminal_size::terminal_size_of(&stdout).map(|(width, _)| width.0);
        let width = columns.or(measured).map_or(WIDTH, usize::from);
        let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
        let has_colors = AutoStream::choice(&stdout) != ColorChoice::Never;
        Self { writer: BufWriter::new(stdout), format, medium, has_colors, width, whole: None }
    }

    /// The column of this header is not broken, however narrow the terminal is: it has ids, to be copied.
    #[must_use]
    pub(crate) fn whole(self, header: &'static str) -> Self {
        Self { whole: Some(header), ..self }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// One row of a table, in columns of these widths.
    pub(crate) fn row(&mut self, widths: &[usize], cells: &[Vec<Line>]) -> io::Result<()> {
        if self.has_colors {
            return write_row(&mut self.writer, widths, cells);
        }
        let writer: &mut dyn Write = &mut self.writer;
        write_row(&mut StripStream::new(writer), widths, cells)
    }

    /// One JSON object on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        let shown = match self.medium {
            Medium::Terminal => harmless_json(&text),
            Medium::Pipe => text.into(),
        };
        writeln!(self.writer, "{shown}")
    }

    /// One record of CSV, safe to open in a spreadsheet.
    pub(crate) fn csv<T: AsRef<str>>(
        &mut self,
        cells: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        // Not into the writer itself, which would be flushed with each record.
        let mut record = Vec::new();
        match self.medium {
            Medium::Terminal => {
                let cells = cells.into_iter().map(|cell| visible(cell.as_ref()).into_owned());
                csv::write_record(&mut record, cells, Cells::Safe)?;
            }
            Medium::Pipe => csv::write_record(&mut record, cells, Cells::Safe)?,
        }
        self.writer.write_all(&record)
    }

    /// A text for people, which is neither JSON nor CSV.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        for line in text.lines() {
            writeln!(self.writer, "{}", visible(line))?;
        }
        Ok(())
    }

    /// A text for a program: exactly what was given, unless it is a terminal that it would act on.
    pub(crate) fn script(&mut self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Bytes for a program: exactly these, unless it is a terminal that would act on them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.medium {
            Medium::Terminal => self.text(&String::from_utf8_lossy(bytes)),
            Medium::Pipe => self.writer.write_all(bytes),
        }
    }

    /// A short list: a table of its columns, CSV of them, or the values themselves as JSON lines.
    pub(crate) fn list<T: Serialize>(
        &mut self,
        header: &[&str],
        values: &[T],
        cells: impl Fn(&T) -> Vec<String>,
    ) -> io::Result<()> {
        match self.format {
            Format::Jsonl => values.iter().try_for_each(|value| self.json(value)),
            Format::Csv => {
                self.csv(header.iter().copied())?;
                values.iter().try_for_each(|value| {
                    let cells = cells(value);
                    self.csv(cells.iter().map(String::as_str))
                })
            }
            Format::Table if values.is_empty() => Ok(()),
            Format::Table => {
                let rows: Vec<_> = values.iter().map(cells).collect();
                self.columns(header, &rows)
            }
        }
    }

    /// Rows below a header, each column as wide as it needs to be; the widest gives way where there is no room.
    pub(crate) fn columns(&mut self, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let line = |style, cells: &mut dyn Iterator<Item = &str>| -> Vec<Vec<Line>> {
            cells.map(|cell| vec![Line::of(style, cell)]).collect()
        };
        let head = line(STRONG, &mut header.iter().copied());
        let body: Vec<_> =
            rows.iter().map(|row| line(PLAIN, &mut row.iter().map(String::as_str))).collect();
        let mut widths = vec![0; header.len()];
        for row in std::iter::once(&head).chain(&body) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.iter().map(Line::width).max().unwrap_or(0));
            }
        }
        let whole = header.iter().position(|it| self.whole == Some(*it));
        super::layout::squeeze(&mut widths, whole, self.width);
        for row in std::iter::once(&head).chain(&body) {
            self.row(&widths, row)?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// JSON in which nothing acts on a terminal: the same value, since such characters stand only inside of strings.
fn harmless_json(text: &str) -> Cow<'_, str> {
    use std::fmt::Write as _;
    if !text.chars().any(is_disguising) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_disguising(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn json_for_a_terminal_is_the_same_value() {
        let value = serde_json::json!({ "a": "x\u{202e}y\u{9b}\u{7f}\u{e0041}", "b": [1, "é"] });
        let text = value.to_string();
        let shown = harmless_json(&text);
        assert!(!shown.chars().any(is_disguising), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}
