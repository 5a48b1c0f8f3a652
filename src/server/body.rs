//! The body of a request: whole, bounded, in time.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::packed::unpacked;
use super::problem::Problem;
use super::state::AppState;
use super::status::Kind;

/// Bytes of a body, unpacked: 10,000 actions of the usual kind, which have less than a kilobyte, with room to spare.
pub const BODY_LEN_MAX: usize = 16 << 20;
/// Bytes of all bodies that are in memory at the same time. Who comes when they are used up is asked to come again.
const BODIES_LEN_MAX: usize = 256 << 20;
/// How long a body may take to come.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// When to come again, in seconds.
const PAUSE: HeaderValue = HeaderValue::from_static("1");

/// Room for bodies in memory.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_LEN_MAX)))
    }

    /// Takes some of it, at once or not at all: whoever waited would keep what they have from each other.
    fn take(&self, len: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(len).map_err(|_| {
            let detail = "the server is busy with other bodies; nothing of this one was stored";
            Problem::new(Kind::Unavailable, detail).header(RETRY_AFTER, PAUSE)
        })
    }
}

/// A whole body, with the headers that say what it is.
#[derive(Debug)]
pub struct Payload {
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub bytes: Bytes,
    /// The room that it takes.
    _room: Vec<OwnedSemaphorePermit>,
}

impl FromRequest<AppState> for Payload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let declared =
            parts.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
        if declared.is_some_and(|len: usize| len > BODY_LEN_MAX) {
            return Err(too_large());
        }
        let read = timeout(BODY_TIME_MAX, read(&parts.headers, body, state.room())).await;
        let (bytes, room) = read.map_err(|_| {
            let detail = format!("the body took more than {} s", BODY_TIME_MAX.as_secs());
            Problem::new(Kind::TooSlow, detail)
        })??;
        Ok(Self { headers: parts.headers, bytes, _room: room })
    }
}

async fn read(
    headers: &HeaderMap,
    body: Body,
    room: &Room,
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>), Problem> {
    let (mut bytes, mut taken) = (Vec::new(), Vec::new());
    let mut pieces = unpacked(headers, body)?;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broken(&error))?;
        if bytes.len() + piece.len() > BODY_LEN_MAX {
            return Err(too_large());
        }
        taken.push(room.take(piece.len())?);
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes.into(), taken))
}

fn too_large() -> Problem {
    Problem::new(Kind::TooLarge, format!("at most {BODY_LEN_MAX} bytes are allowed, unpacked"))
}

/// Not of the encoding that it says, or cut off: the client's affair.
fn broken(error: &(dyn StdError + 'static)) -> Problem {
    tracing::debug!(error = crate::error::chain(error), "a body could not be read");
    let detail = "the body breaks off, or is not of the encoding that `Content-Encoding` says";
    Problem::new(Kind::Malformed, detail)
}
