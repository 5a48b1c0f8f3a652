//! Bytes that a run leaves to take away.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::piece::{Fault, Piece};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its content type.
    pub content_type: &'static str,
    /// How its name ends, without the point.
    pub extension: &'static str,
}

/// Makes a file of the objects that a run has done, piece by piece, so that a million of them take no more memory than a
/// thousand. It is made when it is downloaded, of what is there then.
pub trait Download: Send + Sync + 'static {
    /// What the file is, for an input of the run.
    fn head(&self, input: &Value) -> Head;

    /// What comes before the first piece.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn begin<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Bytes, Fault>>;

    /// The part of a piece's objects. It changes nothing.
    ///
    /// # Errors
    /// When it cannot be made; the download is broken off then.
    fn part<'a>(
        &'a self,
        piece: &'a mut Piece<'_, '_>,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Bytes, Fault>>;
}

impl fmt::Debug for dyn Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Download")
    }
}
