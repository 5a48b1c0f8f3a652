//! `POST /resources/{type}/actions/{name}/runs`: runs an action over a selection.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::given::RunBody;
use super::key::{IdempotencyKey, header};
use super::plan::of_selections;
use super::plan_form::PlanForm;
use super::prefer::Patience;
use super::started::{answer, started, started_doc};
use crate::access::Scope;
use crate::import;
use crate::resource::ResourceType;
use crate::run::{RUN_REFUSE, Start};
use crate::server::api::actions::{ActionPath, of_action, offer};
use crate::server::caller::Acts;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::reason;
use crate::server::refusal::Refusal;
use crate::server::{AppState, Kind, Payload, Problem, Query, acceptable, content_type};

const JSON: [&str; 1] = ["application/json"];

pub(crate) fn doc() -> Doc {
    let ids = json!({"ids": ["70", "71"], "input": {}, "reason": "OPS-123"});
    let (name, text, schema) = header();
    let doc = of_action(Doc::new(Tag::Runs, "runAction", "Run an action"))
        .text(
            "What runs in the foreground has ended when it is answered, unless it takes long: then the answer is 202, and it \
             goes on; `Location` is where it is followed. What fails of it stands in the run, object by object, and is no \
             problem of the request. Where the action must be confirmed, the answer without the `token` of a plan is 409 with \
             the plan.",
        )
        .scope(Scope::ActionsRun)
        .header(name, text, schema)
        .reads([Media::of::<RunBody>(JSON[0]).example("ids", ids)]);
    let wrong = [Kind::Confirm, Kind::Changed, Kind::KeyReused];
    started_doc(doc).problems(of_selections()).problems(wrong)
}

pub(crate) async fn post(
    Query(()): Query<()>,
    path: ActionPath,
    State(state): State<AppState>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    patience: Patience,
    Acts(caller): Acts,
    payload: Payload,
) -> Result<Response, Problem> {
    acceptable(&payload.headers, &JSON)?;
    content_type(&payload.headers, &JSON)?;
    let mut asker = caller.asker().await?;
    let (kind, _) = offer(RUN_REFUSE, state.runs().catalog(), &caller, &asker, &path)?;
    let body: RunBody = import::read("body", &payload.bytes).map_err(Refusal::from)?;
    if let Some(reason) = reason::of(body.reason.as_deref())? {
        asker.context = asker.context.reason(reason);
    }
    let fingerprint = fingerprint(&kind, &path.name, &payload.bytes);
    if let Some(key) = &idempotency_key
        && let Some(before) = state.runs().started_before(&asker, key, fingerprint).await?
    {
        return Ok(answer(&state, &before));
    }
    let token = body.token.clone();
    let (given, input) = body.parts();
    let selection = given.understood()?.made(&state, &caller, &asker, &kind).await?;
    let mut start = Start::new(kind, &path.name, selection).input(input).fingerprint(fingerprint);
    (start.token, start.idempotency_key) = (token, idempotency_key);
    let (runs, wanted, order) = (state.runs().clone(), asker.clone(), start.clone());
    let begin = async move { runs.begin(&wanted, order).await };
    let answered = started(&state, &asker.context.tenant, patience, begin).await;
    match answered {
        Err(problem) if problem.kind() == Kind::Confirm => {
            let Start { kind, name, selection, input, .. } = start;
            let plan = state.runs().plan(&asker, &kind, &name, selection, input).await?;
            let plan = serde_json::to_value(PlanForm::from(plan));
            Err(problem.plan(plan.map_err(|error| Problem::internal(&error))?))
        }
        answered => answered,
    }
}

/// What tells requests with the same key apart: what was sent, however its fields are ordered.
fn fingerprint(kind: &ResourceType, name: &str, body: &[u8]) -> [u8; 32] {
    let body = serde_json::from_slice::<Value>(body).unwrap_or_default().to_string();
    let mut hash = Sha256::new();
    for part in [kind.as_str(), name, &body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
