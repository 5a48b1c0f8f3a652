//! `GET /events/histogram`: when the actions that a search finds happened.

use serde::Serialize;
use utoipa::ToSchema;

use crate::action::form::time;
use crate::error::quote;
use crate::search::{Split, SplitBar, Zone};
use crate::server::openapi::text::{word, zone};
use crate::server::openapi::{Doc, Media};
use crate::server::read::{Reading, Window};
use crate::server::status::OK;
use crate::server::{JsonReply, Pairs, Parameters, Problem, Query};
use crate::stream::Period;

/// Of what, in which periods of which time zone, divided by what.
#[derive(Debug)]
pub(crate) struct HistogramQuery {
    window: Window,
    bucket: Option<Period>,
    zone: Zone,
    by: Split,
}

impl Parameters for HistogramQuery {
    const NAMES: &'static [&'static str] = &["q", "since", "until", "bucket", "tz", "by"];

    fn read(pairs: &mut Pairs) -> Self {
        let by = pairs.read("by", |text| match text {
            "outcome" => Ok(Split::Outcome),
            "verb" => Ok(Split::Verb),
            "source" => Ok(Split::Source),
            _ => Err(format!("{} is none of outcome, verb, source", quote(text))),
        });
        Self {
            window: Window::read(pairs),
            bucket: pairs.read("bucket", period).flatten(),
            zone: pairs.parse("tz").unwrap_or_default(),
            by: by.unwrap_or_default(),
        }
    }
}

fn period(text: &str) -> Result<Option<Period>, String> {
    if text == "auto" {
        return Ok(None);
    }
    let known = Period::ALL.into_iter().find(|period| period.as_str() == text);
    known.map(Some).ok_or_else(|| {
        let names: Vec<_> = Period::ALL.iter().map(|period| period.as_str()).collect();
        format!("{} is none of auto, {}", quote(text), names.join(", "))
    })
}

/// Bars, oldest first; periods without a result have none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Histogram)]
pub(crate) struct HistogramForm {
    /// How long each period is.
    bucket: &'static str,
    bars: Vec<BarForm>,
    /// Whether older ones were left out.
    cut: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bar)]
struct BarForm {
    at: String,
    /// The outcome, verb or source, where bars are divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    count: i64,
}

impl From<SplitBar> for BarForm {
    fn from(bar: SplitBar) -> Self {
        Self { at: time(bar.at), value: bar.value, count: bar.actions }
    }
}

pub(crate) fn doc() -> Doc {
    let found = serde_json::json!({
        "bucket": "day",
        "bars": [{"at": "2026-11-20T00:00:00.000000Z", "count": 42}],
        "cut": false,
    });
    let periods = ["auto"].into_iter().chain(Period::ALL.iter().map(|it| it.as_str()));
    Window::doc("countHistogram", "When the actions that a search finds happened")
        .query("bucket", "How long each period is.", word(periods).default(Some("auto".into())))
        .query("tz", "The time zone of the periods, such as `Europe/Zurich`; else UTC.", zone())
        .query("by", "Bars divided by this.", word(["outcome", "verb", "source"]))
        .answers(OK, "Bars, oldest first.", [Media::json::<HistogramForm>(found)])
}

pub(crate) async fn get(
    reading: Reading,
    Query(asked): Query<HistogramQuery>,
) -> Result<JsonReply<HistogramForm>, Problem> {
    let (search, reader) = asked.window.begin(&reading, Vec::new()).await?;
    let found = search.histogram(&reader, asked.bucket, asked.by, &asked.zone).await?;
    let bars = found.bars.into_iter().map(BarForm::from).collect();
    Ok(JsonReply(HistogramForm { bucket: found.period.as_str(), bars, cut: found.is_cut }))
}
