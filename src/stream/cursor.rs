//! Cursors: where a page ended, as opaque text for clients.
//!
//! A cursor holds a version, a direction, the id at the edge of a page, a fingerprint of the query that it belongs to,
//! and, of a search with relative times, the moment from which these are seen; base64url (RFC 4648, section 5) without padding. It is no secret and no permission: every page is read with the
//! reader's own rights.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::quote;

const VERSION: u8 = 1;
const LEN: usize = 2 + 16 + 8;
/// With a moment, in microseconds since 1970.
const LEN_WITH_NOW: usize = LEN + 8;

/// Which way a page goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To older actions.
    Older,
    /// To newer actions.
    Newer,
}

/// The place between two actions of a stream, and the way to go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) direction: Direction,
    pub(crate) edge: Uuid,
    pub(crate) query: Fingerprint,
    /// What `now` means on all pages, where the query has times that are relative to it. In microseconds.
    pub(crate) now: Option<DateTime<Utc>>,
}

/// Why a text is no cursor, or not this query's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// The text was not made here, or was damaged.
    #[error("{given} is no cursor; give the text of a page's `older` or `newer` unchanged")]
    Malformed {
        /// What was given, cut and quoted.
        given: String,
    },
    /// The cursor of another version of the program.
    #[error(
        "the cursor has version {0}, this program knows {VERSION}; start again at the first page"
    )]
    Version(u8),
    /// The cursor of another query.
    #[error(
        "the cursor belongs to another stream, filter or reader; start again at the first page"
    )]
    OtherQuery,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Older => 0,
            Direction::Newer => 1,
        };
        let mut bytes = vec![VERSION, direction];
        bytes.extend(self.edge.as_bytes());
        bytes.extend(self.query.0);
        bytes.extend(self.now.into_iter().flat_map(|now| now.timestamp_micros().to_be_bytes()));
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        let malformed = || CursorError::Malformed { given: quote(text) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        match bytes.first() {
            Some(&VERSION) => {}
            Some(&version) if matches!(bytes.len(), LEN | LEN_WITH_NOW) => {
                return Err(CursorError::Version(version));
            }
            _ => return Err(malformed()),
        }
        let (bytes, now) = bytes.split_at_checked(LEN).ok_or_else(malformed)?;
        let now = match now {
            [] => None,
            now => {
                let micros = i64::from_be_bytes(now.try_into().map_err(|_| malformed())?);
                Some(DateTime::from_timestamp_micros(micros).ok_or_else(malformed)?)
            }
        };
        let direction = match bytes[1] {
            0 => Direction::Older,
            1 => Direction::Newer,
            _ => return Err(malformed()),
        };
        let edge = Uuid::from_slice(&bytes[2..18]).map_err(|_| malformed())?;
        let query = Fingerprint(bytes[18..].try_into().map_err(|_| malformed())?);
        Ok(Self { direction, edge, query, now })
    }
}

/// 64 bits of SHA-256 over what a query is; enough to catch a mix-up, and nothing more is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Each part is hashed with its length in front, so that no two lists of parts are read alike.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cursor_round_trips(edge: u128, newer: bool, part: String, micros in proptest::option::of(0..i64::from(u32::MAX))) {
            let direction = if newer { Direction::Newer } else { Direction::Older };
            let query = Fingerprint::of([part.as_str()]);
            let now = micros.and_then(DateTime::from_timestamp_micros);
            let cursor = Cursor { direction, edge: Uuid::from_u128(edge), query, now };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().expect("own text"), cursor);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(text: String) {
            prop_assert!(text.parse::<Cursor>().is_err());
        }
    }
}
