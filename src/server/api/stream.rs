//! `GET /events/stream`: actions as they are committed, as Server-Sent Events (HTML, section 9.2).
//!
//! ```text
//! id: POSITION              each action: go on behind it with `Last-Event-ID`, on any server of the database
//! data: {"id": …}
//!
//! : nothing new             after 15 s without one, so that proxies keep the connection
//! id: POSITION
//!
//! event: reset              the position says nothing here any more: read anew what is shown
//! id: POSITION
//! data: {"reason": …}
//! ```
//!
//! It ends when the server is asked to end, when the credential is not valid any more, and when the log cannot be read.
//! Clients come back by themselves.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use crate::access::{Read, Scope};
use crate::error::chain;
use crate::live::{Event as News, Listener};
use crate::log::Position;
use crate::search::Query as Search;
use crate::server::openapi::text::{position as position_text, search_text};
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::read::{Open, Reading, Renewal, parameter, search};
use crate::server::status::OK;
use crate::server::{Fault, Kind, Pairs, Parameters, Problem, Query};

/// The position of the last event that a client has.
const LAST: &str = "last-event-id";
/// Asks nginx, and what behaves like it, to pass each event on at once.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// Which actions, and from where on.
#[derive(Debug)]
pub(crate) struct StreamParameters {
    q: Option<Search>,
    after: Option<String>,
}

impl Parameters for StreamParameters {
    const NAMES: &'static [&'static str] = &["q", "after"];

    fn read(pairs: &mut Pairs) -> Self {
        Self { q: search(pairs), after: pairs.take("after").filter(|after| !after.is_empty()) }
    }
}

pub(crate) fn doc() -> Doc {
    let text = "Server-Sent Events. `data` of each is an `Action`, `id` its position.";
    Doc::new(Tag::Events, "streamEvents", "Follow actions as they are committed")
        .text(
            "Server-Sent Events. Each has a position as its `id`; send the last one as `Last-Event-ID`, to any server of the \
             database, and nothing is missed. `event: reset` says that a position says nothing any more: read anew what is shown. \
             A comment comes where nothing happens.",
        )
        .scope(Scope::EventsRead)
        .in_tenant()
        .query("q", "Only what this search finds.", search_text())
        .query("after", "The position to go on behind; the header counts more.", position_text())
        .header("Last-Event-ID", "The position to go on behind.", position_text())
        .answers(OK, "Events, until the client goes.", [Media::lines("text/event-stream", text)])
}

pub(crate) async fn get(
    reading: Reading,
    headers: HeaderMap,
    Query(asked): Query<StreamParameters>,
) -> Result<Response, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    let after = position(&headers, asked.after.as_deref())?;
    let open = reading.state.streams().open(&reading.caller.identity().via)?;
    let told: Vec<_> = asked.q.iter().map(|q| ("q", q.to_string())).collect();
    let read = Read::search(reading.tenant()?, &reading.told(&told));
    let read = read.map_err(|error| Problem::internal(&error))?.format("sse");
    reading.record(&read).await?;
    let (q, store) = (asked.q, reading.state.store().clone());
    let listener = reading.state.live().listen(&reader, after, move |action| {
        q.as_ref().is_none_or(|q| q.matches(action, store.now()))
    });
    let closing = Box::pin(reading.state.closing());
    let news = Telling { listener, renewal: reading.renewal, closing, _open: open };
    let events = stream::unfold(news, |mut news| async {
        let event = news.next().await?;
        Some((Ok::<_, Infallible>(event), news))
    });
    let mut response = Sse::new(events).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(UNBUFFERED.0, UNBUFFERED.1);
    Ok(response)
}

/// What a client has already: a browser that comes back says so by a header, and its URL is still the first one's.
fn position(headers: &HeaderMap, after: Option<&str>) -> Result<Option<Position>, Problem> {
    let last = headers.get(LAST).map(|value| String::from_utf8_lossy(value.as_bytes()));
    if let Some(last) = last.filter(|last| !last.is_empty()) {
        let wrong = |error: crate::log::PositionError| {
            let fault = Fault::header("Last-Event-ID", "invalid-value", error.to_string());
            Problem::fault(Kind::Malformed, fault)
        };
        return last.parse().map_err(wrong).map(Some);
    }
    let wrong =
        |error: crate::log::PositionError| parameter("after", "invalid-value", error.to_string());
    after.map(|after| after.parse().map_err(wrong)).transpose()
}

/// Somebody who is told.
struct Telling {
    listener: Listener,
    renewal: Renewal,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    _open: Open,
}

impl Telling {
    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let due = self.renewal.due();
            tokio::select! {
                biased;
                () = &mut self.closing => return None,
                () = tokio::time::sleep_until(due) => {
                    if !self.renewal.holds(Scope::EventsRead).await {
                        return None;
                    }
                }
                news = self.listener.next() => match news {
                    Ok(news) => return event(&news),
                    Err(error) => {
                        tracing::error!(error = chain(&error), "a live stream ends");
                        return None;
                    }
                },
            }
        }
    }
}

/// None for an action that cannot be written as JSON; none is known.
fn event(news: &News) -> Option<Event> {
    let event = Event::default().id(news.position().to_string());
    Some(match news {
        News::Action { action, .. } => event.data(serde_json::to_string(&**action).ok()?),
        News::Position(_) => event.comment("nothing new"),
        News::Reset { reason, .. } => {
            event.event("reset").data(json!({ "reason": reason.to_string() }).to_string())
        }
    })
}
