//! All of a list, page by page, as fast as the client takes it.
//!
//! A page is read when everything before it was taken, and between two pages nothing of the database is held. So a
//! client that is slow costs one page in memory. Where a page cannot be read, or the client may not read any more, the
//! transfer breaks: over HTTP/1.1 the last chunk is missing, over HTTP/2 the stream is reset. Nobody takes a part for
//! the whole.

use std::io;
use std::vec::IntoIter;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::page::{add_headers, encoder};
use super::reading::{Asked, Reading};
use super::renewal::Renewal;
use super::source::{Entry, Source};
use crate::access::Scope;
use crate::error::chain;
use crate::format::{Encoder, Links};
use crate::server::{AppState, Problem};
use crate::stream::{Cursor, Page, Reader};

/// Items that are in memory: with payloads of the usual kind some hundred kilobytes.
const PAGE_LEN: usize = 200;
/// Bytes of a piece that is sent, or one item.
const PIECE_LEN: usize = 1 << 16;

/// Answers with all of it.
pub(super) async fn answer(
    reading: Reading,
    reader: Reader,
    asked: &Asked,
) -> Result<Response, Problem> {
    let page = asked.source.page(&reader, None, PAGE_LEN).await?;
    reading.state.metrics().exported(page.items.len());
    reading.record_export(&asked.read(&reading)?).await?;
    let this = reading.place.url(&asked.listing.pairs(asked.now));
    let encoder = encoder(&reading, asked, Links { this, ..Links::default() }, &page.items)?;
    let mut begun = Vec::new();
    encoder.head(&mut begun).map_err(|error| Problem::internal(&error))?;
    let (source, state, renewal) = (asked.source.clone(), reading.state, reading.renewal);
    let export = Export { source, reader, state, renewal, encoder, rest: Rest::of(page), begun };
    let pieces = stream::try_unfold(Some(export), |export| async move {
        match export {
            Some(export) => export.piece().await,
            None => Ok(None),
        }
    });
    let mut response = Body::from_stream(pieces).into_response();
    add_headers(response.headers_mut(), asked.format);
    let name = format!("attachment; filename=\"events.{}\"", asked.format.suffix());
    if let Ok(name) = HeaderValue::try_from(name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

struct Export {
    source: Source,
    reader: Reader,
    state: AppState,
    renewal: Renewal,
    encoder: Encoder,
    rest: Rest,
    /// What is written and not sent.
    begun: Vec<u8>,
}

/// What is left of a page, and where the next one is.
struct Rest {
    items: IntoIter<Entry>,
    next: Option<Cursor>,
}

impl Rest {
    fn of(page: Page<Entry>) -> Self {
        Self { items: page.items.into_iter(), next: page.older }
    }
}

impl Export {
    /// The next piece, and what is left behind it.
    async fn piece(mut self) -> io::Result<Option<(Bytes, Option<Self>)>> {
        loop {
            let registry = self.state.store().registry();
            while self.begun.len() < PIECE_LEN
                && let Some(entry) = self.rest.items.next()
            {
                self.encoder.item(&mut self.begun, entry.item(), registry)?;
            }
            let is_read = self.rest.items.len() == 0;
            let Some(next) = self.rest.next.filter(|_| is_read) else {
                if is_read {
                    self.encoder.tail(&mut self.begun)?;
                    return Ok(Some((self.begun.into(), None)));
                }
                let piece = std::mem::take(&mut self.begun);
                return Ok(Some((piece.into(), Some(self))));
            };
            // What is written goes out before the next page is read, so that it is read only for who takes it.
            if !self.begun.is_empty() {
                let piece = std::mem::take(&mut self.begun);
                return Ok(Some((piece.into(), Some(self))));
            }
            self.rest = self.read(next).await?;
        }
    }

    async fn read(&mut self, next: Cursor) -> io::Result<Rest> {
        if !self.renewal.holds(Scope::EventsExport).await {
            tracing::info!("an export is broken off: its credential is not valid any more");
            return Err(io::Error::other("the credential is not valid any more"));
        }
        let page = self.source.page(&self.reader, Some(next), PAGE_LEN).await;
        let page = page.map_err(|error| {
            tracing::error!(error = chain(&error), "an export is broken off");
            io::Error::other("a page cannot be read")
        })?;
        self.state.metrics().exported(page.items.len());
        Ok(Rest::of(page))
    }
}
