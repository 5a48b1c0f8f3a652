//! Packed bodies: of requests (RFC 9110, section 8.4), and of answers, as far as a request forbids that they are not.

use std::io;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use axum::http::{HeaderMap, HeaderValue};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::problem::Problem;
use super::status::Kind;
use crate::error::quote;

/// Bytes of a piece that is unpacked at once.
const PIECE_LEN: usize = 64 << 10;
/// What is taken, as a request is told that has something else.
const TAKEN: HeaderValue = HeaderValue::from_static("gzip, zstd");

/// The pieces of a body, unpacked. All members of a gzip file are read (RFC 1952, section 2.2), and all frames of zstd (RFC
/// 8878, section 3.1): files that were put behind one another are one body.
///
/// # Errors
/// Where it is packed in another way, or more than once.
pub(super) fn unpacked(
    headers: &HeaderMap,
    body: Body,
) -> Result<BoxStream<'static, io::Result<Bytes>>, Problem> {
    let pieces = body.into_data_stream().map_err(io::Error::other);
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding =
        codings.next().map_or(&b"identity"[..], HeaderValue::as_bytes).to_ascii_lowercase();
    match (coding.as_slice(), codings.next()) {
        (b"identity", None) => Ok(pieces.boxed()),
        (b"gzip" | b"x-gzip", None) => {
            let mut decoder = GzipDecoder::new(StreamReader::new(pieces));
            decoder.multiple_members(true);
            Ok(read(decoder))
        }
        (b"zstd", None) => {
            let mut decoder = ZstdDecoder::new(StreamReader::new(pieces));
            decoder.multiple_members(true);
            Ok(read(decoder))
        }
        (coding, _) => {
            let given = quote(&String::from_utf8_lossy(coding));
            let detail = format!("`Content-Encoding` is {given}; send gzip, zstd or none, once");
            Err(Problem::new(Kind::MediaType, detail).header(ACCEPT_ENCODING, TAKEN))
        }
    }
}

/// Takes out of `Accept-Encoding` that an answer may not be plain (`identity;q=0`, `*;q=0`; RFC 9110, section 12.5.3). Else the
/// layer that packs would refuse an answer after the work was done. Where no other coding is taken, a plain answer is better
/// than none.
pub(super) fn plain_is_taken(mut request: Request) -> Request {
    let headers = request.headers_mut();
    let given = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings: Vec<_> = given.flat_map(|value| value.split(',')).map(str::trim).collect();
    if codings.iter().any(|coding| forbids_plain(coding)) {
        let left: Vec<_> = codings.into_iter().filter(|coding| !forbids_plain(coding)).collect();
        // Pieces of a header's value are one.
        if let Ok(left) = HeaderValue::from_str(&left.join(", ")) {
            headers.insert(ACCEPT_ENCODING, left);
        }
    }
    request
}

fn forbids_plain(coding: &str) -> bool {
    let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
    let is_plain = matches!(name.trim().to_ascii_lowercase().as_str(), "identity" | "*");
    let weight = weight.trim().to_ascii_lowercase().strip_prefix("q=").map(str::parse::<f32>);
    is_plain && matches!(weight, Some(Ok(0.0)))
}

fn read(decoder: impl AsyncRead + Send + 'static) -> BoxStream<'static, io::Result<Bytes>> {
    ReaderStream::with_capacity(decoder, PIECE_LEN).boxed()
}
