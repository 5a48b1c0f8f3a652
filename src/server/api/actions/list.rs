//! `GET /resources/{type}/actions`: what somebody may run on objects of a type.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::form::{ActionForm, example};
use super::offered::type_of;
use crate::access::Scope;
use crate::definition::Place;
use crate::error::quote;
use crate::server::openapi::text::{resource_type, word};
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;
use crate::server::{AppState, Caller, JsonReply, Kind, Pairs, Parameters, Path, Problem, Query};

/// Where they would be offered.
#[derive(Debug)]
pub(crate) struct PlaceQuery(Option<Place>);

impl Parameters for PlaceQuery {
    const NAMES: &'static [&'static str] = &["place"];

    fn read(pairs: &mut Pairs) -> Self {
        Self(pairs.read("place", |text| match text {
            "list" => Ok(Place::List),
            "object" => Ok(Place::Object),
            _ => Err(format!("{} is none of list, object", quote(text))),
        }))
    }
}

/// What can be run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunnableActions)]
pub(crate) struct ActionList {
    items: Vec<ActionForm>,
}

pub(crate) fn doc() -> Doc {
    let one = serde_json::json!({ "items": [example()] });
    Doc::new(Tag::Actions, "listActions", "List what the caller may run on objects of a type")
        .text(
            "In the order in which they are offered: those of all types, then those of this one. What the caller may not run is \
             not there.",
        )
        .scope(Scope::ActionsRead)
        .in_tenant()
        .path("type", "The type of the objects.", resource_type())
        .query("place", "Only those that are offered there.", word(["list", "object"]))
        .answers(OK, "The actions.", [Media::json::<ActionList>(one)])
        .problems([Kind::NotFound])
}

pub(crate) async fn get(
    Query(PlaceQuery(place)): Query<PlaceQuery>,
    Path(kind): Path<String>,
    State(state): State<AppState>,
    caller: Caller,
) -> Result<JsonReply<ActionList>, Problem> {
    caller.require(Scope::ActionsRead)?;
    let asker = caller.asker().await?;
    let catalog = state.runs().catalog();
    let kind = type_of(catalog, &asker, &kind)?;
    let offers = match place {
        Some(place) => catalog.offered(&asker, &kind, place),
        None => catalog.all(&asker, &kind),
    };
    Ok(JsonReply(ActionList { items: offers.iter().map(ActionForm::from).collect() }))
}
