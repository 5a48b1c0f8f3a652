//! Lines of bounded length, from an input of any length.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes of a line. What an action may hold fits in several times over, even with every character escaped; a larger
/// payload than allowed still fits mostly, so that its refusal can name the field and the size.
pub(super) const LINE_LEN_MAX: usize = 4 << 20;
/// Bytes that are read at once.
const BUFFER_LEN: usize = 1 << 16;
/// What some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line, without its end.
pub(crate) enum Line<'a> {
    Whole(&'a [u8]),
    /// The beginning of a line that is longer than [`LINE_LEN_MAX`]; the rest was skipped.
    Cut(&'a [u8]),
}

/// Reads line after line into the same buffer.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    buffer: Vec<u8>,
    /// The number of the last line that was read, from 1.
    pub(crate) number: u64,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        let input = BufReader::with_capacity(BUFFER_LEN, input);
        Self { input, buffer: Vec::new(), number: 0 }
    }

    /// The next line; nothing at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let limit = LINE_LEN_MAX as u64 + 1;
        if self.input.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let whole = self.buffer.ends_with(b"\n") || self.buffer.len() <= LINE_LEN_MAX;
        if !whole {
            self.skip_rest()?;
        }
        let mut line = self.buffer.as_slice();
        if self.number == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some(if whole { Line::Whole(line) } else { Line::Cut(line) }))
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let found = self.input.fill_buf()?;
            if found.is_empty() {
                return Ok(());
            }
            let end = found.iter().position(|&byte| byte == b'\n');
            let len = end.map_or(found.len(), |end| end + 1);
            self.input.consume(len);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<(u64, Vec<u8>, bool)> {
        let mut lines = Lines::new(input);
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("readable") {
            let (text, whole) = match line {
                Line::Whole(text) => (text.to_vec(), true),
                Line::Cut(text) => (text[..10].to_vec(), false),
            };
            all.push((lines.number, text, whole));
        }
        all
    }

    #[test]
    fn ends_and_marks_are_taken_off() {
        let lines = read(b"\xef\xbb\xbfa\r\n\nb\n\xef\xbb\xbfc");
        let texts: Vec<_> = lines.iter().map(|(_, text, _)| text.as_slice()).collect();
        assert_eq!(texts, [&b"a"[..], b"", b"b", b"\xef\xbb\xbfc"]);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn endless_line_is_skipped_and_the_next_one_is_read() {
        let mut input = vec![b'x'; 20 << 20];
        input.extend(b"\nafter");
        let lines = read(&input);
        assert_eq!(lines[0], (1, b"xxxxxxxxxx".to_vec(), false));
        assert_eq!(lines[1], (2, b"after".to_vec(), true));
        let exact = vec![b'y'; LINE_LEN_MAX];
        assert!(read(&exact)[0].2, "the limit itself is allowed");
    }
}
