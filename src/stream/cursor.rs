//! Cursors: where a page ended, as opaque text for clients.
//!
//! A cursor holds a version, a direction, the id at the edge of a page, and a fingerprint of the query that it belongs
//! to; base64url (RFC 4648, section 5) without padding. It is no secret and no permission: every page is read with the
//! reader's own rights.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::quote;

const VERSION: u8 = 1;
const LEN: usize = 2 + 16 + 8;

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
            Some(&version) if bytes.len() == LEN => return Err(CursorError::Version(version)),
            _ => return Err(malformed()),
        }
        let bytes: [u8; LEN] = bytes.try_into().map_err(|_| malformed())?;
        let direction = match bytes[1] {
            0 => Direction::Older,
            1 => Direction::Newer,
            _ => return Err(malformed()),
        };
        let edge = Uuid::from_slice(&bytes[2..18]).map_err(|_| malformed())?;
        let query = Fingerprint(bytes[18..].try_into().map_err(|_| malformed())?);
        Ok(Self { direction, edge, query })
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
        fn cursor_round_trips(edge: u128, newer: bool, part: String) {
            let direction = if newer { Direction::Newer } else { Direction::Older };
            let query = Fingerprint::of([part.as_str()]);
            let cursor = Cursor { direction, edge: Uuid::from_u128(edge), query };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().expect("own text"), cursor);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(text: String) {
            prop_assert!(text.parse::<Cursor>().is_err());
        }
    }
}
