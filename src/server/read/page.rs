//! One page, in a format, with links to the pages around it.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LINK, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::heading;
use super::reading::{ACTIONS, Asked, Reading};
use super::source::Entry;
use crate::format::event;
use crate::format::{Encoder, Format, Links, Meta};
use crate::server::Problem;
use crate::stream::{Cursor, Page, Reader};

/// Who a document of syndication says wrote it.
const AUTHOR: &str = "Gesta";
/// What the sources of CloudEvents begin with: the prefix of the relay's subjects where nobody has set another.
const PREFIX: &str = "act";

/// Answers with a page.
pub(super) async fn answer(
    reading: &Reading,
    reader: &Reader,
    asked: &Asked,
    len: usize,
) -> Result<Response, Problem> {
    let cursor = reading.cursor(asked.listing.cursor.as_deref()).await?;
    let page = asked.source.page(reader, cursor, len).await?;
    let read = asked.read(reading)?.count(page.items.len() as u64);
    reading.record(&read).await?;
    let links = links(reading, asked, &page).await?;
    let mut encoder = encoder(reading, asked, links.clone(), &page.items)?;
    let body = written(&mut encoder, &page.items, reader);
    let body = body.map_err(|error| Problem::internal(&error))?;
    let mut response = linked(Body::from(body), &links);
    add_headers(response.headers_mut(), asked.format);
    Ok(response)
}

fn written(encoder: &mut Encoder, items: &[Entry], reader: &Reader) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    encoder.head(&mut body)?;
    for entry in items {
        encoder.item(&mut body, entry.item(), reader.store().registry())?;
    }
    encoder.tail(&mut body)?;
    Ok(body)
}

/// The writer of a document that begins with these items.
pub(super) fn encoder(
    reading: &Reading,
    asked: &Asked,
    links: Links,
    items: &[Entry],
) -> Result<Encoder, Problem> {
    let tenant = reading.tenant()?;
    let (title, description) = heading::of(&asked.subject, items, reading.state.store().registry());
    let meta = Meta {
        title,
        description,
        author: AUTHOR.to_owned(),
        updated: items.first().map_or(asked.now, |entry| entry.action().occurred_at),
        links,
        subject: asked.subject_of(reading),
        query: asked.listing.q.as_ref().map(ToString::to_string),
        site: reading.place.site(tenant)?,
        source: event::source(PREFIX, tenant),
    };
    Ok(Encoder::new(asked.format, meta).sheet(asked.listing.sheet()))
}

/// What every document's headers say.
pub(super) fn add_headers(headers: &mut HeaderMap, format: Format) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("accept"));
}

async fn links(reading: &Reading, asked: &Asked, page: &Page<Entry>) -> Result<Links, Problem> {
    let pairs = asked.listing.pairs(asked.now);
    let of = |cursor| reading.place.page(&pairs, cursor);
    Ok(Links {
        this: of(asked.listing.cursor.clone()),
        first: Some(of(None)),
        next: signed(reading, page.older).await?.map(|cursor| of(Some(cursor))),
        prev: signed(reading, page.newer).await?.map(|cursor| of(Some(cursor))),
    })
}

async fn signed(reading: &Reading, cursor: Option<Cursor>) -> Result<Option<String>, Problem> {
    match cursor {
        Some(cursor) => reading.sign(ACTIONS, &cursor.to_string()).await.map(Some),
        None => Ok(None),
    }
}

/// An answer with links to the pages around it.
pub(crate) fn linked(answer: impl IntoResponse, links: &Links) -> Response {
    let mut response = answer.into_response();
    if let Some(header) = link(links) {
        response.headers_mut().insert(LINK, header);
    }
    response
}

/// RFC 8288. A path that no header can hold is left out; the body of most formats has the links too.
fn link(links: &Links) -> Option<HeaderValue> {
    let known = [
        ("self", Some(&links.this)),
        ("first", links.first.as_ref()),
        ("next", links.next.as_ref()),
        ("prev", links.prev.as_ref()),
    ];
    let link = |(rel, url): (&str, Option<&String>)| Some(format!("<{}>; rel=\"{rel}\"", url?));
    let links: Vec<_> = known.into_iter().filter_map(link).collect();
    HeaderValue::try_from(links.join(", ")).ok()
}
