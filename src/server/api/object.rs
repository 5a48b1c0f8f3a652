//! `GET /objects/{type}/{id}/state` and `/diff`: what an object was at a time, and what is different between two.

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use crate::access::{Read, Scope};
use crate::action::ActionId;
use crate::action::form::time;
use crate::format::Format;
use crate::resource::ResourceRef;
use crate::search::when::When;
use crate::server::openapi::text::moment;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::path::ResourcePath;
use crate::server::read::{Reading, parameter, together};
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Pairs, Parameters, Problem, Query};
use crate::stream::{History, HistoryError, Moment, Reader};

/// A moment as it was given: a time, or an action's id for the moment after it.
#[derive(Clone, Copy, Debug)]
enum Place {
    Time(When),
    After(ActionId),
}

impl Place {
    fn read(text: &str) -> Result<Self, String> {
        match (text.parse(), text.parse()) {
            (Ok(id), _) => Ok(Self::After(id)),
            (_, Ok(when)) => Ok(Self::Time(when)),
            (_, Err(wrong)) => Err(format!("{wrong}, or the id of an action")),
        }
    }

    fn moment(self, now: DateTime<Utc>) -> Moment {
        match self {
            Self::Time(when) => Moment::At(when.at(now)),
            Self::After(id) => Moment::After(id),
        }
    }
}

/// When.
#[derive(Debug)]
pub(crate) struct AtQuery {
    at: Option<Place>,
}

impl Parameters for AtQuery {
    const NAMES: &'static [&'static str] = &["at"];

    fn read(pairs: &mut Pairs) -> Self {
        Self { at: pairs.read("at", Place::read) }
    }
}

/// From when to when; open ends are the beginning and now.
#[derive(Debug)]
pub(crate) struct RangeQuery {
    from: Option<Place>,
    to: Option<Place>,
}

impl Parameters for RangeQuery {
    const NAMES: &'static [&'static str] = &["from", "to"];

    fn read(pairs: &mut Pairs) -> Self {
        Self { from: pairs.read("from", Place::read), to: pairs.read("to", Place::read) }
    }
}

pub(crate) fn state_doc() -> Doc {
    Doc::new(Tag::Events, "getObjectState", "What an object was at a time")
        .text("By its actions, as far as the reader may see them; the answer says how complete that is.")
        .scope(Scope::EventsRead)
        .in_tenant()
        .resource()
        .query("at", "A time (`2h`, `2026-11-20`, RFC 3339), or an action's id for the moment after it; else now.", moment())
        .answers(OK, "The object.", [Media::object("application/json", "Its fields, each with the action that set it.")])
        .problems([Kind::NotFound, Kind::NotAcceptable])
}

pub(crate) fn diff_doc() -> Doc {
    Doc::new(Tag::Events, "getObjectDiff", "What is different between two moments of an object")
        .scope(Scope::EventsRead)
        .in_tenant()
        .resource()
        .query("from", "As `at` of the state; else the beginning.", moment())
        .query("to", "As `at` of the state; else now.", moment())
        .answers(
            OK,
            "The difference.",
            [Media::object(
                "application/json",
                "Fields that are different, and the actions in between.",
            )],
        )
        .problems([Kind::NotFound, Kind::NotAcceptable, Kind::Unprocessable])
}

pub(crate) async fn state(
    reading: Reading,
    ResourcePath(object): ResourcePath,
    Query(asked): Query<AtQuery>,
) -> Result<Response, Problem> {
    let at = asked.at.map_or(Moment::Now, |at| at.moment(reading.now()));
    let reader = begin(&reading, &object, &[("at", at)]).await?;
    Ok(JsonReply(History::of(&object).state(at, &reader).await?).into_response())
}

pub(crate) async fn diff(
    reading: Reading,
    ResourcePath(object): ResourcePath,
    Query(asked): Query<RangeQuery>,
) -> Result<Response, Problem> {
    let now = reading.now();
    let from = asked.from.map_or(Moment::Beginning, |from| from.moment(now));
    let to = asked.to.map_or(Moment::Now, |to| to.moment(now));
    let reader = begin(&reading, &object, &[("from", from), ("to", to)]).await?;
    Ok(JsonReply(History::of(&object).compare(from, to, &reader).await?).into_response())
}

/// The reader of a history, which is recorded.
async fn begin(
    reading: &Reading,
    object: &ResourceRef,
    moments: &[(&'static str, Moment)],
) -> Result<Reader, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    reading.place.format(&[Format::Json])?;
    let told = |(name, moment): &(&'static str, Moment)| match moment {
        Moment::At(at) => Some((*name, time(*at))),
        Moment::After(id) => Some((*name, id.to_string())),
        Moment::Beginning | Moment::Now => None,
    };
    let told: Vec<_> = moments.iter().filter_map(told).collect();
    reading.record(&Read::of(object, &reading.told(&told))).await?;
    Ok(reader)
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        let text = error.to_string();
        match error {
            HistoryError::Unknown { .. }
            | HistoryError::TooEarly { .. }
            | HistoryError::NoAction(_) => Self::new(Kind::NotFound, text),
            HistoryError::Backwards => together("from", text),
            HistoryError::Fields { .. } => parameter("at", "too-large", text),
            HistoryError::Read(error) => error.into(),
        }
    }
}
