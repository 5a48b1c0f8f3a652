//! `POST /resources/{type}/actions/{name}:plan`: what would happen.

use axum::extract::State;
use serde_json::json;

use super::given::PlanBody;
use super::plan_form::{PlanForm, example};
use crate::access::Scope;
use crate::import;
use crate::run::RUN_REFUSE;
use crate::server::api::actions::{ActionPath, of_action, offer};
use crate::server::caller::Acts;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::refusal::Refusal;
use crate::server::status::OK;
use crate::server::{AppState, JsonReply, Kind, Payload, Problem, Query, acceptable, content_type};

const JSON: [&str; 1] = ["application/json"];

pub(crate) fn doc() -> Doc {
    let ids = json!({"ids": ["70", "71"], "input": {}});
    of_action(Doc::new(Tag::Actions, "planAction", "What would happen, without doing it"))
        .text(
            "What the action does in the database is really done to the first objects, and undone. `token` stands for the plan: \
             to confirm it, send it with the selection and the same input to `…/runs` before it expires.",
        )
        .scope(Scope::ActionsRun)
        .reads([Media::of::<PlanBody>(JSON[0]).example("ids", ids)])
        .answers(OK, "The plan.", [Media::json::<PlanForm>(example())])
        .problems(of_selections())
}

/// What can be wrong with what is to be run.
pub(super) fn of_selections() -> [Kind; 6] {
    [
        Kind::NothingSelected,
        Kind::TooMany,
        Kind::SelectionGone,
        Kind::Input,
        Kind::Unprocessable,
        Kind::NotAcceptable,
    ]
}

pub(crate) async fn post(
    Query(()): Query<()>,
    path: ActionPath,
    State(state): State<AppState>,
    Acts(caller): Acts,
    payload: Payload,
) -> Result<JsonReply<PlanForm>, Problem> {
    acceptable(&payload.headers, &JSON)?;
    content_type(&payload.headers, &JSON)?;
    let asker = caller.asker().await?;
    let (kind, _) = offer(RUN_REFUSE, state.runs().catalog(), &caller, &asker, &path)?;
    let body: PlanBody = import::read("body", &payload.bytes).map_err(Refusal::from)?;
    let (given, input) = body.parts();
    let selection = given.understood()?.made(&state, &caller, &asker, &kind).await?;
    let plan = state.runs().plan(&asker, &kind, &path.name, selection, input).await?;
    Ok(JsonReply(plan.into()))
}
