//! `POST /events:validate`: the checks of appending, and nothing is stored. Whether an id is taken is not looked for.

use axum::extract::State;
use axum::response::Response;

use super::batch::{format, many_media, parsed, results_media};
use crate::access::Scope;
use crate::action::form::Given;
use crate::server::admit::Sender;
use crate::server::cloudevent::Event;
use crate::server::entries::{ANY, Entry, JSON, STRUCTURED, any};
use crate::server::openapi::{Doc, Media, Tag, examples};
use crate::server::refusal::Refusal;
use crate::server::results::{Fate, Item, Results};
use crate::server::status::OK;
use crate::server::{AppState, Appends, Kind, Payload, Problem, Query, content_type};

pub(crate) fn doc() -> Doc {
    let one = [
        Media::of::<Given>(JSON).example("least", examples::least()),
        Media::of::<Event>(STRUCTURED).example("event", examples::event()),
    ];
    // One action, or an array of them.
    let [list, lines, events] = many_media();
    let [one, event] = one;
    Doc::new(Tag::Events, "validateEvents", "Check actions without storing them")
        .text(
            "The checks of appending. Whether an id is taken is not looked for. JSON may be one action or an array of them.",
        )
        .scope(Scope::EventsWrite)
        .reads([one.or(list).or_any_single(), lines, event.or_anything(), events])
        .answers(OK, "What would become of each.", results_media("valid"))
        .problems([Kind::NotAcceptable])
}

pub(crate) async fn post(
    Query(()): Query<()>,
    State(state): State<AppState>,
    Appends(caller): Appends,
    payload: Payload,
) -> Result<Response, Problem> {
    let media = content_type(&payload.headers, &ANY)?;
    let answer = format(&payload.headers, media)?;
    let entries = parsed(media, payload, Sender::new(&caller), any).await?;
    let items = entries.into_iter().map(|entry| look(&state, entry)).collect();
    Ok(Results(items).reply(answer))
}

fn look(state: &AppState, Entry { place, action }: Entry) -> Item {
    let checked = action.and_then(|action| state.store().stamp(action).map_err(Refusal::from));
    let fate = match checked {
        Ok(_) => Fate::Valid,
        Err(refusal) => Fate::Invalid(refusal.fault),
    };
    Item { place, fate }
}
