//! `GET /events/count`: how many actions a search finds, up to a cap or exactly.

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::quote;
use crate::search::COUNT_MAX;
use crate::server::openapi::text::word;
use crate::server::openapi::{Doc, Media};
use crate::server::read::{Reading, Window};
use crate::server::status::OK;
use crate::server::{JsonReply, Pairs, Parameters, Problem, Query};

/// Results that are counted where it is not asked for all: what a page can say without a pause.
const CAP: usize = 10_000;

/// What to count, and how far.
#[derive(Debug)]
pub(crate) struct CountQuery {
    window: Window,
    mode: Mode,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Capped,
    Exact,
}

impl Parameters for CountQuery {
    const NAMES: &'static [&'static str] = &["q", "since", "until", "mode"];

    fn read(pairs: &mut Pairs) -> Self {
        let mode = pairs.read("mode", |text| match text {
            "capped" => Ok(Mode::Capped),
            "exact" => Ok(Mode::Exact),
            _ => Err(format!("{} is neither `capped` nor `exact`", quote(text))),
        });
        Self { window: Window::read(pairs), mode: mode.unwrap_or(Mode::Capped) }
    }
}

/// How many there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Count)]
pub(crate) struct CountForm {
    /// How many.
    count: usize,
    /// Whether there are more than were counted.
    capped: bool,
}

pub(crate) fn doc() -> Doc {
    let mode = word(["capped", "exact"]).default(Some("capped".into()));
    let some = serde_json::json!({"count": 42, "capped": false});
    Window::doc("countEvents", "How many actions a search finds")
        .query("mode", format!("`capped` counts up to {CAP}, `exact` up to {COUNT_MAX}."), mode)
        .answers(OK, "How many.", [Media::json::<CountForm>(some)])
}

pub(crate) async fn get(
    reading: Reading,
    Query(asked): Query<CountQuery>,
) -> Result<JsonReply<CountForm>, Problem> {
    let cap = match asked.mode {
        Mode::Capped => CAP,
        Mode::Exact => COUNT_MAX,
    };
    let (search, reader) = asked.window.begin(&reading, Vec::new()).await?;
    let counted = search.count(&reader, cap).await?;
    Ok(JsonReply(CountForm { count: counted.actions, capped: counted.is_capped }))
}
