//! `POST /events`: one action. It is answered when it is committed; those that wait together share a commit.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Scope;
use crate::action::ActionId;
use crate::action::form::Given;
use crate::server::admit::Sender;
use crate::server::cloudevent::Event;
use crate::server::entries::{JSON, ONE, STRUCTURED, one};
use crate::server::openapi::{Doc, LOCATION, Media, Tag, examples};
use crate::server::problem::Fault;
use crate::server::refusal::Refusal;
use crate::server::status::{CREATED, OK};
use crate::server::{AppState, Appends, Created, JsonReply, Kind, Payload, Problem, Query};
use crate::server::{acceptable, content_type};
use crate::store::{Receipt, WriteError};

/// That it is stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptForm {
    /// Its id, as it was given or made.
    id: ActionId,
    /// Whether the same action was stored before.
    duplicate: bool,
}

pub(crate) fn doc() -> Doc {
    let id = "01935b3e-7a52-7b1e-9c54-0e4a5d1f2b3c";
    let receipt = |duplicate: &str| {
        let is_duplicate = duplicate == "duplicate";
        [Media::json::<ReceiptForm>(serde_json::json!({"id": id, "duplicate": is_duplicate}))]
    };
    Doc::new(Tag::Events, "appendEvent", "Append an action")
        .text(
            "Answered when the action is committed. Sent again with the same `id` it is stored once, whatever happened the first \
             time. A CloudEvent may also come in binary mode: attributes in headers `ce-…`, its data as `application/json`.",
        )
        .scope(Scope::EventsWrite)
        .in_tenant()
        .reads([
            Media::of::<Given>(JSON)
                .example("least", examples::least())
                .example("whole", examples::whole()),
            Media::of::<Event>(STRUCTURED).example("event", examples::event()),
        ])
        .answers_with(CREATED, "It is stored.", &[LOCATION], receipt("created"))
        .answers(OK, "The same action was stored before.", receipt("duplicate"))
        .problems([Kind::Conflict, Kind::Unprocessable, Kind::NotAcceptable])
}

pub(crate) async fn post(
    Query(()): Query<()>,
    State(state): State<AppState>,
    Appends(caller): Appends,
    payload: Payload,
) -> Result<Response, Problem> {
    acceptable(&payload.headers, &["application/json"])?;
    let media = content_type(&payload.headers, &ONE)?;
    let action = one(media, &payload, &Sender::new(&caller)).inspect_err(|refusal| {
        caller.tell(refusal);
        state.metrics().actions("invalid", 1);
    })?;
    match state.writer().append(action).await {
        Ok(Receipt::Duplicate(id)) => {
            state.metrics().actions("duplicate", 1);
            Ok(JsonReply(ReceiptForm { id, duplicate: true }).into_response())
        }
        Ok(receipt) => {
            state.metrics().actions("created", 1);
            let id = receipt.id();
            let location = format!("{}/api/v1/events/{id}", state.base_path());
            Ok(Created { value: ReceiptForm { id, duplicate: false }, location }.into_response())
        }
        Err(error) => Err(refused(&state, error)),
    }
}

fn refused(state: &AppState, error: WriteError) -> Problem {
    let (word, problem) = match error {
        WriteError::Invalid(invalid) => ("invalid", Refusal::from(invalid).into()),
        WriteError::Conflict(_) => {
            let fault = Fault::pointer("/id", "conflict", error.to_string());
            ("conflict", Problem::fault(Kind::Conflict, fault))
        }
        WriteError::Database { ref source, .. } => ("failed", Problem::from(source.as_ref())),
        WriteError::Stopped { .. } => ("failed", Problem::of(Kind::Unavailable).cause(&error)),
    };
    state.metrics().actions(word, 1);
    problem
}
