//! Packed inputs are recognised by their first bytes, whatever the file is called.

use std::io::{self, Cursor, Read};

use super::{Position, ReadError};

/// The first bytes of a gzip stream (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A reader that counts.
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) position: Position,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.position.advance(len);
        Ok(len)
    }
}

/// The text of an input, unpacked where it is packed.
pub(super) fn decode(mut input: impl Read + 'static) -> Result<Box<dyn Read>, ReadError> {
    let mut first = Vec::with_capacity(GZIP.len());
    let mut head = input.by_ref().take(GZIP.len() as u64);
    head.read_to_end(&mut first).map_err(|source| ReadError::Read { line: 0, source })?;
    let packed = first == GZIP;
    let whole = Cursor::new(first).chain(input);
    match packed {
        #[cfg(feature = "gzip")]
        true => Ok(unpack(whole)),
        #[cfg(not(feature = "gzip"))]
        true => Err(ReadError::Packed),
        false => Ok(Box::new(whole)),
    }
}

#[cfg(feature = "gzip")]
fn unpack(input: impl Read + 'static) -> Box<dyn Read> {
    // Larger than the library's own buffer: fewer calls of the operating system.
    let input = io::BufReader::with_capacity(1 << 16, input);
    Box::new(flate2::bufread::MultiGzDecoder::new(input))
}
