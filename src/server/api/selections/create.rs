//! `POST /selections`: selects objects of a type.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::form::{SelectionForm, example};
use super::which::{Terms, properties, select};
use crate::access::Scope;
use crate::import;
use crate::json::object::only_objects;
use crate::server::api::actions::type_of;
use crate::server::caller::Acts;
use crate::server::openapi::text::resource_type;
use crate::server::openapi::{Doc, LOCATION, Media, Tag};
use crate::server::refusal::Refusal;
use crate::server::status::CREATED;
use crate::server::{AppState, Created, Kind, Payload, Problem, Query, acceptable, content_type};

const JSON: [&str; 1] = ["application/json"];

/// What is to be selected.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", expecting = "an object", deny_unknown_fields)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    ids: Option<Vec<String>>,
    filter: Option<Value>,
    q: Option<String>,
}

only_objects!(Body);

pub(crate) fn doc() -> Doc {
    let ids = json!({"type": "issue", "ids": ["70", "71"]});
    Doc::new(Tag::Actions, "createSelection", "Select objects")
        .text(
            "A filter or search is resolved here, once: what is planned and run is what was selected, whatever matches later. \
             Only who made a selection can use it.",
        )
        .scope(Scope::ActionsRun)
        .in_tenant()
        .reads([Media::of::<Body>(JSON[0]).example("ids", ids)])
        .answers_with(CREATED, "The selection.", &[LOCATION], [Media::json::<SelectionForm>(example())])
        .problems([Kind::NotFound, Kind::NothingSelected, Kind::TooMany, Kind::Unprocessable, Kind::NotAcceptable])
}

pub(crate) async fn post(
    Query(()): Query<()>,
    State(state): State<AppState>,
    Acts(caller): Acts,
    payload: Payload,
) -> Result<Created<SelectionForm>, Problem> {
    acceptable(&payload.headers, &JSON)?;
    content_type(&payload.headers, &JSON)?;
    let asker = caller.asker().await?;
    let body: Body = import::read("body", &payload.bytes).map_err(Refusal::from)?;
    let kind = type_of(state.runs().catalog(), &asker, &body.kind)?;
    let terms = Terms { ids: body.ids, filter: body.filter, q: body.q };
    let made = select(&state, &caller, &asker, &kind, terms.understood()?).await?;
    let location = format!("{}/api/v1/selections/{}", state.base_path(), made.id);
    Ok(Created { value: made.into(), location })
}

impl ToSchema for Body {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewSelection".into()
    }
}

impl PartialSchema for Body {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new()
            .description(Some(
                "Which objects: one of `ids`, `filter` and `q`, or `ids` together with `filter`. Fields may be null, which is \
                 as if they were left out.",
            ))
            .property("type", resource_type().description(Some("The type of the objects.")));
        let schema = properties(schema)
            .required("type")
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
        Schema::from(schema).into()
    }
}
