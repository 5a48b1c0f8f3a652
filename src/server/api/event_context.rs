//! `GET /events/{id}/context`: what happened right before and right after an action.

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Scope;
use crate::action::Action;
use crate::error::quote;
use crate::format::Format;
use crate::server::openapi::text::{action_id, number, word};
use crate::server::openapi::{Doc, Media, Tag, examples};
use crate::server::path::ActionPath;
use crate::server::read::Reading;
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Pairs, Parameters, Problem, Query};
use crate::stream::{Cursor, QueryError, Reader, StreamQuery};

/// Actions on each side where nothing else is asked for, and at most.
const LEN: usize = 20;
const LEN_MAX: usize = 100;

/// Whose actions, and how many on each side.
#[derive(Debug)]
pub(crate) struct ContextQuery {
    by: By,
    n: usize,
}

#[derive(Clone, Copy, Debug)]
enum By {
    Object,
    Actor,
    All,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Actor => "actor",
            Self::All => "all",
        }
    }
}

impl Parameters for ContextQuery {
    const NAMES: &'static [&'static str] = &["by", "n"];

    fn read(pairs: &mut Pairs) -> Self {
        let by = pairs.read("by", |text| {
            let known = [By::Object, By::Actor, By::All];
            let by = known.into_iter().find(|by| by.as_str() == text);
            by.ok_or_else(|| format!("{} is none of object, actor, all", quote(text)))
        });
        let n = pairs.read("n", |text| match text.parse() {
            Ok(n @ 1..=LEN_MAX) => Ok(n),
            _ => Err(format!("{} is none of 1 to {LEN_MAX}", quote(text))),
        });
        Self { by: by.unwrap_or(By::All), n: n.unwrap_or(LEN) }
    }
}

/// The action and those around it, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Context)]
struct ContextForm {
    newer: Vec<Action>,
    event: Action,
    older: Vec<Action>,
}

pub(crate) fn doc() -> Doc {
    let example = serde_json::json!({"newer": [], "event": examples::stored(), "older": []});
    let by = word([By::Object, By::Actor, By::All].map(By::as_str));
    Doc::new(Tag::Events, "getEventContext", "What happened right before and after an action")
        .scope(Scope::EventsRead)
        .in_tenant()
        .path("id", "The action's id.", action_id())
        .query("by", "Actions of the same object or actor, or all.", by.default(Some("all".into())))
        .query("n", "How many on each side.", number(1, LEN_MAX).default(Some(LEN.into())))
        .answers(OK, "The action and those around it.", [Media::json::<ContextForm>(example)])
        .problems([Kind::NotFound, Kind::NotAcceptable])
}

pub(crate) async fn get(
    reading: Reading,
    ActionPath(id): ActionPath,
    Query(ContextQuery { by, n }): Query<ContextQuery>,
) -> Result<Response, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    reading.place.format(&[Format::Json])?;
    let told = [("by", by.as_str().to_owned()), ("n", n.to_string())];
    let event = reading.action(&reader, id, &told).await?;
    let query = match (by, &event.object) {
        (By::Object, Some(object)) => StreamQuery::object(object),
        (By::Object, None) => {
            let detail = "the action has no object; ask `by=actor` or `by=all`";
            return Err(Problem::new(Kind::NotFound, detail));
        }
        (By::Actor, _) => StreamQuery::actor(&event.actor),
        (By::All, _) => StreamQuery::tenant(),
    };
    let (older, newer) = query.around(&reader, id);
    let query = query.limit(n);
    let (older, newer) = (side(&query, &reader, older).await?, side(&query, &reader, newer).await?);
    Ok(JsonReply(ContextForm { newer, event, older }).into_response())
}

async fn side(
    query: &StreamQuery,
    reader: &Reader,
    from: Cursor,
) -> Result<Vec<Action>, QueryError> {
    Ok(query.clone().from(Some(from)).page(reader).await?.items)
}
