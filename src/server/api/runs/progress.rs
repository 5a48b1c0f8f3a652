//! `GET /runs/{id}/progress`: a run as it goes on, as Server-Sent Events (HTML, section 9.2).
//!
//! ```text
//! data: {"id": …, "state": "running", "counts": …}     the whole run, at once and each time that it has changed
//!
//! : nothing new                                        after 15 s without one, so that proxies keep the connection
//!
//! event: end
//! data: {"id": …, "state": "partial", "counts": …}     the run as it ended; nothing comes after
//! ```
//!
//! Each event says all that there is to say, so a client that comes back needs no position: it asks again.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time::sleep;
use uuid::Uuid;

use super::form::RunForm;
use super::visible::{Watching, of_run};
use crate::access::Scope;
use crate::resource::Tenant;
use crate::server::openapi::{Doc, Media};
use crate::server::path::UuidPath;
use crate::server::read::Open;
use crate::server::status::OK;
use crate::server::{Problem, Query};

/// How often a run is looked at: people see no steps, and the database reads one row by its key.
const LOOK: Duration = Duration::from_millis(500);
/// How often something is sent at least.
const QUIET: Duration = Duration::from_secs(15);
/// Asks nginx, and what behaves like it, to pass each event on at once.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

pub(crate) fn doc() -> Doc {
    let text = "Server-Sent Events. `data` of each is a `Run`.";
    of_run("watchRun", "Follow a run until it ends")
        .text(
            "Server-Sent Events. Each has the whole run as it is then: at once, and each time that it has changed. The last one is \
             `event: end`. Who comes back asks again; nothing is missed by that.",
        )
        .answers(OK, "Events, until the run ends.", [Media::lines("text/event-stream", text)])
}

pub(crate) async fn get(
    watching: Watching,
    Query(()): Query<()>,
    UuidPath(id): UuidPath,
) -> Result<Response, Problem> {
    watching.run(id).await?;
    let reading = &watching.reading;
    let open = reading.state.streams().open(&reading.caller.identity().via)?;
    watching.record(id, &[]).await?;
    let tenant = reading.tenant()?.clone();
    let closing = Box::pin(reading.state.closing());
    let telling =
        Telling { watching, tenant, id, told: None, closing, is_over: false, _open: open };
    let events = stream::unfold(telling, |mut telling| async {
        let event = telling.next().await?;
        Some((Ok::<_, Infallible>(event), telling))
    });
    let alive = KeepAlive::new().interval(QUIET).text("nothing new");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(UNBUFFERED.0, UNBUFFERED.1);
    Ok(response)
}

/// Somebody who is told.
struct Telling {
    watching: Watching,
    tenant: Tenant,
    id: Uuid,
    /// The last event.
    told: Option<String>,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_over: bool,
    _open: Open,
}

impl Telling {
    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        loop {
            if self.told.is_some() {
                tokio::select! {
                    biased;
                    () = &mut self.closing => return None,
                    () = sleep(LOOK) => {}
                }
            }
            if !self.may_go_on().await {
                return None;
            }
            let run = match self.watching.reading.state.runs().run(&self.tenant, self.id).await {
                Ok(run) => run,
                Err(error) => {
                    tracing::error!(
                        error = crate::error::chain(&error),
                        "the progress of a run ends"
                    );
                    return None;
                }
            };
            let form = RunForm::from(&run);
            let text = serde_json::to_string(&form).ok()?;
            let is_new = self.told.as_ref() != Some(&text);
            self.is_over = form.is_ended;
            let event = Event::default().data(&text);
            self.told = Some(text);
            match (self.is_over, is_new) {
                (true, _) => return Some(event.event("end")),
                (false, true) => return Some(event),
                (false, false) => {}
            }
        }
    }

    /// Whether the credential is still valid.
    async fn may_go_on(&mut self) -> bool {
        let may_read = self.watching.reading.caller.identity().may(Scope::RunsRead);
        let scope = if may_read { Scope::RunsRead } else { Scope::ActionsRun };
        self.watching.reading.renewal.holds(scope).await
    }
}
